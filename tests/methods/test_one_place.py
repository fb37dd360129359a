"""A method is named in its own module and nowhere else in the package."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from gkd_runner.common.paths import PACKAGE
from gkd_runner.methods import METHODS
from gkd_runner.options.schema import MethodConfig

EXCEPTIONS = {
    "methods": "a method names itself",
    "studies": "a study asks a question about named methods",
    "reporting/page/studies": "the figures of these studies",
    "serving": "the inference study times students on raw and on InfGraND's features",
    "nodes": "gkd-inspect shows a node's influence, which InfGraND defines, for every method",
    "cli": "the examples in help texts",
    "sweeps/targets.py": "the tables of papers, which compare their own methods",
    "data/protocols.py": "two protocols are called as the methods of their papers",
    "results/verdict_text.py": "its sentences call the baseline what it is, a plain MLP",
    "results/verdict_overall_text.py": "so do the sentences over all graphs",
    "options/schema.py": "the student's architecture is called mlp too",
}
"""Rooms and files that may name methods, and why."""

CLASSES = {method.__name__ for method in METHODS.values()} | {
    method.options.__name__ for method in METHODS.values() if method.options is not MethodConfig
}
NAMES = [*METHODS, *{method.__module__.rpartition(".")[2] for method in METHODS.values()}]
NAMED = re.compile(rf"(?<![a-z0-9])({'|'.join(map(re.escape, NAMES))})(?![a-z0-9])")


OTHER_MEANINGS = {"Mlp"}
"""Identifiers that are called like a method: the student's architecture."""


def texts(tree: ast.AST) -> Iterator[str]:
    """Identifiers and string constants, without docstrings and imports."""
    described = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) not in described:
                yield node.value
        elif isinstance(node, ast.Name | ast.ClassDef | ast.FunctionDef | ast.Attribute | ast.arg):
            names = {ast.Name: "id", ast.Attribute: "attr", ast.arg: "arg"}
            yield getattr(node, names.get(type(node), "name"))


def named(source: str) -> list[str]:
    """The texts in which a method is named, as a whole word or by a class of its own."""
    return [
        text
        for text in texts(ast.parse(source))
        if text in CLASSES or (NAMED.search(text.lower()) and text not in OTHER_MEANINGS)
    ]


FILES = sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py"))
CHECKED = [
    file
    for file in FILES
    if not any(file == other or file.startswith(f"{other}/") for other in EXCEPTIONS)
]


@pytest.mark.parametrize("file", CHECKED)
def test_a_method_is_named_nowhere_else(file: str) -> None:
    names = named((PACKAGE / file).read_text(encoding="utf-8"))
    assert names == [], f"{file} names a method: read METHODS instead"


@pytest.mark.parametrize("place", EXCEPTIONS)
def test_every_exception_is_needed(place: str) -> None:
    files = [file for file in FILES if file == place or file.startswith(f"{place}/")]
    assert any(named((PACKAGE / file).read_text(encoding="utf-8")) for file in files)


def test_names_are_seen_in_code_and_not_in_documentation() -> None:
    assert named('"""As in GLNN."""\nfrom gkd_runner.methods.glnn import x\nMlp\n') == []
    assert named('if name == "glnn": pass\n') == ["glnn"]
    assert named("def is_hgmd(): pass\n") == ["is_hgmd"]
    assert named('f"use {x} or method=krd"\n') == [" or method=krd"]
