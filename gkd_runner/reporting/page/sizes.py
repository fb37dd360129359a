"""Which of several measurements of one study are shown together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from gkd_runner.studies import inference, influence_report, sweep

AnyLine = sweep.Line | inference.Line | influence_report.Line
LineT = TypeVar("LineT", sweep.Line, inference.Line, influence_report.Line)


def largest(lines: Sequence[LineT]) -> list[LineT]:
    """Of each dataset, setting and GNN the lines of its largest models."""
    sizes: dict[tuple[str, str, str], tuple[int, int]] = {}
    for line in lines:
        sizes[_where(line)] = max(_size(line), sizes.get(_where(line), (0, 0)))
    return [line for line in lines if _size(line) == sizes[_where(line)]]


def _where(line: AnyLine) -> tuple[str, str, str]:
    return line.dataset, line.setting, line.teacher


def _size(line: AnyLine) -> tuple[int, int]:
    return line.layers or 0, line.hidden_dim or 0
