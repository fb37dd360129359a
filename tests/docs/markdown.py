"""The commands and the Python that README and documentation show."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["README.md", "CONTRIBUTING.md", "outputs/README.md", "examples/outside-method/README.md"]
PAGES += sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))

_PROGRAMS = r"(?:gkd-[a-z-]+|make|pip|python|torchrun|wandb|trackio)"
_SETTING = r"(?:[A-Z_]+=\S+ )*"
_LINE = re.compile(rf"{_SETTING}(?:\.venv/bin/)?{_PROGRAMS}(?: |$)")
_SPAN = re.compile(rf"{_SETTING}(?:\.venv/bin/)?{_PROGRAMS} (?!\.\.\.)")
_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)")


@dataclass(frozen=True)
class Step:
    """A command (``words``, without settings of the environment) or a block of Python.

    What torchrun starts is run in one process here; tests/cli/test_torchrun.py starts several.
    """

    text: str
    python: bool = False

    @property
    def words(self) -> list[str]:
        words = shlex.split(self.text, comments=True)
        while re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words.pop(0)
        if words[0] == "torchrun":
            words = ["gkd-train", *words[words.index("gkd_runner.cli.train") + 1 :]]
        return [words[0].removeprefix(".venv/bin/"), *words[1:]]

    @property
    def program(self) -> str:
        return "" if self.python else self.words[0]


def steps(text: str) -> list[Step]:
    """All steps of a page, in their order; a command that comes twice counts once."""
    found, position = list[Step](), 0
    for fence in _FENCE.finditer(text):
        found += _spans(text[position : fence.start()])
        found += [Step(fence[2], True)] if fence[1] == "python" else _lines(fence[2])
        position = fence.end()
    return list(dict.fromkeys([*found, *_spans(text[position:])]))


def _lines(block: str) -> Iterator[Step]:
    """The commands of a fenced block: lines after ``$`` where it has any, else all that are."""
    lines = block.replace("\\\n", " ").splitlines()
    prompted = [line[2:] for line in lines if line.startswith("$ ")]
    for line in prompted or lines:
        if _LINE.match(line):
            yield Step(re.sub(r"\s# .*", "", line).strip())


def _spans(prose: str) -> Iterator[Step]:
    """The commands within text; one with a ``<name>`` to fill in is none."""
    for span in _INLINE.finditer(prose):
        text = " ".join(span[1].split())
        if _SPAN.match(text) and "<" not in text:
            yield Step(text)
