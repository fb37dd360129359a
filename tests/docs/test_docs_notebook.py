"""The notebook runs from top to bottom and is stored without outputs."""

from __future__ import annotations

import ast
import json
import re
import shlex
from pathlib import Path
from string import Template
from typing import Any

import matplotlib.figure
import pytest

from gkd_runner.predict.answers import Answers
from tests.docs.markdown import ROOT
from tests.docs.running import run_here

NOTEBOOK = ROOT / "examples" / "distil.ipynb"
FAST = {'"tracker=none",': '"tracker=none", "training.max_epochs=5",'}
"""Replaced in a cell, so that it ends within seconds."""


def code_cells() -> list[dict[str, Any]]:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def execute(source: str, names: dict[str, Any]) -> object:
    """What a cell shows: the value of its last line, if that is an expression."""
    module = ast.parse(re.sub(r"^!(.*)$", r"shell('''\1''')", source, flags=re.MULTILINE))
    last = module.body.pop() if isinstance(module.body[-1], ast.Expr) else None
    exec(compile(module, NOTEBOOK.name, "exec"), names)
    return eval(compile(ast.Expression(last.value), NOTEBOOK.name, "eval"), names) if last else None


@pytest.mark.slow
def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    names["shell"] = lambda line: run_here(shlex.split(Template(line).substitute(names)))
    shown = []
    for cell in code_cells():
        source = "".join(cell["source"])
        for slow, fast in FAST.items():
            source = source.replace(slow, fast)
        shown.append(execute(source, names))

    assert any(isinstance(value, matplotlib.figure.Figure) for value in shown)
    assert (tmp_path / "answers.csv").is_file()
    answer = names["answer"]
    assert isinstance(answer, Answers)
    assert answer.probabilities.shape == (1, names["graph"].num_classes)


def test_the_notebook_is_stored_without_outputs() -> None:
    kept = [cell["id"] for cell in code_cells() if cell["outputs"] or cell["execution_count"]]
    assert kept == []


def test_what_makes_the_notebook_fast_is_in_it() -> None:
    text = "".join("".join(cell["source"]) for cell in code_cells())
    assert all(slow in text for slow in FAST)
