"""A key follows what the code computes: every operator counts, and no name, place or comment."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gkd_runner.common import code
from gkd_runner.common.code import closure, code_version
from gkd_runner.methods import METHODS
from gkd_runner.results.key import STUDENT_CODE

ROOTS = (*STUDENT_CODE, *sorted({method.__module__ for method in METHODS.values()}))
FILES = closure(ROOTS)

SWAPS: dict[type[ast.AST], ast.AST] = {
    ast.Add: ast.Sub(),
    ast.Sub: ast.Add(),
    ast.Mult: ast.Div(),
    ast.Div: ast.Mult(),
    ast.MatMult: ast.Add(),
    ast.Mod: ast.Add(),
    ast.Pow: ast.Mult(),
    ast.FloorDiv: ast.Mult(),
    ast.Lt: ast.GtE(),
    ast.GtE: ast.Lt(),
    ast.Gt: ast.LtE(),
    ast.Eq: ast.NotEq(),
    ast.NotEq: ast.Eq(),
    ast.Is: ast.IsNot(),
    ast.Not: ast.UAdd(),
    ast.BitOr: ast.BitAnd(),
    ast.And: ast.Or(),
}


class Sources:
    """Files that stand in for those of the package, by module."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._files = folder, dict(FILES)

    def write(self, module: str, text: str) -> None:
        self._files[module] = self._folder / f"{module}-{len(list(self._folder.iterdir()))}.py"
        self._files[module].write_text(text, encoding="utf-8")

    def file(self, module: str) -> Path:
        return self._files[module]


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sources]:
    standing_in = Sources(tmp_path)
    monkeypatch.setattr(code, "_file", standing_in.file)
    code_version.cache_clear()
    yield standing_in
    code_version.cache_clear()


def version(*roots: str) -> str:
    code_version.cache_clear()
    return code_version(*(roots or ROOTS))


def with_one_operator_swapped(text: str) -> str | None:
    """The source with its last operator inside a function replaced; ``None`` where it has none."""
    tree = ast.parse(text)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for function in reversed(functions):
        for node in ast.walk(ast.Module(function.body, [])):
            if isinstance(node, ast.AnnAssign):  # annotations do not count
                node.annotation = ast.Name("object")
        for node in ast.walk(ast.Module(function.body, [])):
            for field in ("op", "ops"):
                old = getattr(node, field, None)
                first = old[0] if isinstance(old, list) else old
                if type(first) in SWAPS:
                    new = SWAPS[type(first)]
                    setattr(node, field, [new, *old[1:]] if isinstance(old, list) else new)
                    return ast.unparse(tree)
    return None


@pytest.mark.parametrize("module", sorted(FILES))
def test_changing_one_operator_changes_the_key(module: str, sources: Sources) -> None:
    before = version()
    swapped = with_one_operator_swapped(FILES[module].read_text(encoding="utf-8"))
    if swapped is None:
        swapped = FILES[module].read_text(encoding="utf-8") + "\nLIMIT = 1 + 2\n"
    sources.write(module, swapped)

    assert version() != before


def test_documentation_does_not(sources: Sources) -> None:
    before = version()
    for module, path in FILES.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                node.value.value = "Rewritten."
            if isinstance(node, ast.FunctionDef):
                node.returns = ast.Constant("another annotation")
        sources.write(module, f"# a comment\nimport os\n{ast.unparse(tree)}")

    assert version() == before


def test_renaming_modules_does_not(sources: Sources) -> None:
    before, renamed = version(), sorted(set(FILES) - set(ROOTS))
    for name, path in FILES.items():
        text = path.read_text(encoding="utf-8")
        for module in renamed:
            text = re.sub(rf"\b{re.escape(module)}\b", f"{module}_elsewhere", text)
        sources.write(f"{name}_elsewhere" if name in renamed else name, text)

    assert {f"{module}_elsewhere" for module in renamed} <= set(closure(ROOTS))
    assert version() == before


def test_moving_a_function_to_another_module_does_not(sources: Sources) -> None:
    before = version()
    home, other = "gkd_runner.graph.hardness", "gkd_runner.graph.influence"
    text = FILES[home].read_text(encoding="utf-8")
    function = text[text.index("def annealed") :]
    sources.write(home, text.replace(function, ""))
    sources.write(other, FILES[other].read_text(encoding="utf-8") + "\n\n" + function)

    assert version() == before


def test_a_new_random_stream_does_not_retrain_teachers(sources: Sources) -> None:
    teacher = "gkd_runner.training.teacher"
    before = version(teacher)
    student = FILES["gkd_runner.training.student"].read_text(encoding="utf-8")
    sources.write("gkd_runner.training.student", student + '\nNEW = Streams([0], "new", None)\n')

    assert version(teacher) == before


def test_help_texts_and_messages_do_not_count(sources: Sources) -> None:
    root = "gkd_runner.common.seeding"
    versions = set()
    for told in ("one", "two"):
        options = f'class A:\n    x: int = option("{told}", above=0)\n'
        sources.write(root, f'{options}def f():\n    raise ValueError("{told}")\n')
        versions.add(version(root))

    assert len(versions) == 1


@pytest.mark.parametrize(
    "statement",
    ["from .helper import f", "from . import helper", "from outside_code import helper",
     "import outside_code.helper"],
)  # fmt: skip
def test_every_way_of_importing_a_module_counts(
    statement: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "outside_code"
    package.mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    (package / "__init__.py").touch()
    (package / "method.py").write_text(f"{statement}\n")
    (package / "helper.py").write_text("def f(): return 1\n")

    assert set(closure(["outside_code.method"])) >= {"outside_code.method", "outside_code.helper"}


def test_modules_are_used_by_the_names_of_their_functions() -> None:
    """A module's own name in its users' code would make renaming it change keys."""
    used = [
        f"{name}: {alias.name}"
        for name, path in FILES.items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gkd_runner")
        for alias in node.names
        if code._is_module(f"{node.module}.{alias.name}")
    ]
    assert used == []


def test_methods_do_not_share_keys() -> None:
    versions = {code_version(*STUDENT_CODE, method.__module__) for method in METHODS.values()}
    assert len(versions) == len({method.__module__ for method in METHODS.values()})


def test_how_a_method_is_shown_does_not_count_and_what_it_computes_does(sources: Sources) -> None:
    home = "gkd_runner.methods.glnn"
    text = FILES[home].read_text(encoding="utf-8")
    before = version()
    sources.write(home, text.replace("position = 10", "position = 11"))
    assert version() == before
    sources.write(home, text + "\n\ndef f():\n    position = 3\n    return position\n")
    assert version() != before
