"""A hash of the code that a result depends on, independent of its place and documentation.

The hash covers the top-level statements of some root modules and of every module of the same
packages that they import, directly or not. Imports, docstrings, comments, annotations, the help
texts of options and the names of modules do not count, so moving or documenting code keeps every
cached teacher and finished run.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec, resolve_name
from pathlib import Path

INERT = (
    "gkd_runner.config",  # options enter a key by their values
    "gkd_runner.options",
    "gkd_runner.common.code",
    "gkd_runner.common.errors",  # messages
    "gkd_runner.common.files",  # writes what it is given
    "gkd_runner.common.lazy",
    "gkd_runner.common.locks",  # decides who computes first
    "gkd_runner.methods",  # finds a method's class by its name; the class itself is a root
    "gkd_runner.training.cache",  # gives back what was stored
)
"""Modules and packages whose code cannot change a number of a result."""


DESCRIBING = {"colour", "position", "presets"}
"""Attributes of a method's class that only say how it is shown and where its values come from."""


@cache
def code_version(*roots: str) -> str:
    """SHA-256 of the code of the modules ``roots`` and of all that they import."""
    statements = {text for path in closure(roots).values() for text in _statements(path)}
    return hashlib.sha256("\n".join(sorted(statements)).encode()).hexdigest()


def closure(roots: Iterable[str]) -> dict[str, Path]:
    """The modules ``roots`` and those that they import from their own packages, with their files.

    Modules in ``INERT`` are left out, and what only these import.
    """
    pending = list(roots)
    packages = {root.partition(".")[0] for root in pending} | {__name__.partition(".")[0]}
    files: dict[str, Path] = {}
    while pending:
        name = pending.pop()
        if name in files or _is_inert(name):
            continue
        files[name] = _file(name)
        pending += [name for name in _imported(name, files[name]) if _top(name) in packages]
    return files


def _is_inert(name: str) -> bool:
    return name in INERT or name.startswith(("gkd_runner.config.", "gkd_runner.options."))


def _top(name: str) -> str:
    return name.partition(".")[0]


def _file(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no source file for the module {name}")
    return Path(spec.origin)


@cache
def _imported(module: str, path: Path) -> frozenset[str]:
    """The modules that ``module``, whose source is in ``path``, imports."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    modules = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            source = resolve_name("." * node.level + (node.module or ""), package)
            names = {f"{source}.{alias.name}" for alias in node.names}
            modules |= {source, *filter(_is_module, names)}
    return frozenset(modules)


@cache
def _is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # its parent is a module, so it is a name in it
        return False


@cache
def _statements(path: Path) -> frozenset[str]:
    tree = _Bare().visit(ast.parse(path.read_text(encoding="utf-8")))
    return frozenset(ast.dump(statement) for statement in tree.body)


class _Bare(ast.NodeTransformer):
    """Removes the parts of a syntax tree that compute nothing."""

    def visit_Import(self, node: ast.Import) -> None:
        return None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        return None

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.annotation = ast.Constant(None)
        return self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.body = [line for line in node.body if not _describes(line)]
        return self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.Raise:
        return ast.Raise()

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if isinstance(node.func, ast.Name) and node.func.id == "option":
            return ast.Constant(None)
        return self.generic_visit(node)


def _describes(line: ast.stmt) -> bool:
    targets = line.targets if isinstance(line, ast.Assign) else []
    return any(isinstance(target, ast.Name) and target.id in DESCRIBING for target in targets)
