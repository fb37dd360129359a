"""The rooms of the package stand in one order, and each imports only those below it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from gkd_runner.common.paths import PACKAGE

ROOMS = (
    "common",
    "options",
    "data",
    "graph",
    "models",
    "methods",
    "config",
    "training",
    "results",
    "serving",
    "tracking",
    "runs",
    "sweeps",
    "nodes",
    "predict",
    "exporting",
    "studies",
    "reporting",
    "api",
    "cli",
)
"""From the ground up."""

LAZY = ("api", "cli")
"""Rooms that may import inside functions: ``--help`` starts quickly, answers need no torch."""


def sources() -> dict[str, ast.Module]:
    """The syntax tree of every module, by its name without the package's."""
    return {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts): ast.parse(path.read_text())
        for path in sorted(PACKAGE.rglob("*.py"))
    }


SOURCES = sources()


def module_of(name: str) -> str:
    """The module that a dotted name lies in; a package stands for its ``__init__``."""
    parts = name.removeprefix("gkd_runner").lstrip(".").split(".")
    for end in range(len(parts), 0, -1):
        for found in (".".join(parts[:end]), ".".join([*parts[:end], "__init__"])):
            if found in SOURCES:
                return found
    return "__init__"


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gkd_runner"):
            for alias in node.names:
                yield module_of(f"{node.module}.{alias.name}")
        elif isinstance(node, ast.Import):
            yield from (module_of(a.name) for a in node.names if a.name.startswith("gkd_runner"))


def room(module: str) -> str:
    return module.partition(".")[0]


def test_every_module_stands_in_a_room() -> None:
    assert {room(module) for module in SOURCES} == {*ROOMS, "__init__"}
    assert len(ROOMS) <= 20


@pytest.mark.parametrize("module", sorted(set(SOURCES) - {"__init__"}))
def test_a_room_imports_only_rooms_below_it(module: str) -> None:
    above = set(ROOMS[ROOMS.index(room(module)) + 1 :])
    assert [other for other in imports(SOURCES[module]) if room(other) in above] == []


def test_tables_know_nothing_of_the_page() -> None:
    tables = [m for m in SOURCES if room(m) == "reporting" and not m.startswith("reporting.page")]
    found = {other for module in tables for other in imports(SOURCES[module])}
    assert tables
    assert [other for other in found if other.startswith("reporting.page")] == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {module: set(imports(tree)) - {module} for module, tree in SOURCES.items()}
    TopologicalSorter(graph).prepare()  # raises CycleError


def inside_functions(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from imports(node)


@pytest.mark.parametrize("module", sorted(SOURCES))
def test_imports_stand_at_the_top(module: str) -> None:
    if room(module) not in LAZY:
        assert list(inside_functions(SOURCES[module])) == []


def test_the_checks_see_a_wrong_import() -> None:
    tree = ast.parse("def f():\n    from gkd_runner.cli.train import main\n")
    assert list(inside_functions(tree)) == ["cli.train"]
    assert Path(PACKAGE / "cli").is_dir()
