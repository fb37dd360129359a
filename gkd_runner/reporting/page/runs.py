"""What went wrong and where numbers come from: failures, warnings, provenance."""

from __future__ import annotations

import html
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gkd_runner.reporting.compare import Group
from gkd_runner.reporting.page.table import attributes
from gkd_runner.reporting.rows import Row
from gkd_runner.sweeps.folder import Failure

NAMES = ("dataset", "setting", "teacher", "method")
IDENTITY = (*NAMES, "protocol", "preset", "calibration")


def failures_table(failures: Iterable[Failure], rows: Iterable[Row], out: Path) -> str:
    """Every failure on record, newest first: cause, traceback, whether its seeds are done now."""
    done = {(*(asdict(row)[name] for name in IDENTITY), row.seed) for row in rows}
    lines = []
    for failure in sorted(failures, key=lambda failure: failure.time, reverse=True):
        identity = tuple(failure.identity[name] for name in IDENTITY)
        later = all((*identity, seed) in done for seed in failure.seeds)
        log = html.escape(os.path.relpath(failure.log, out))
        cells = (
            ", ".join(map(str, failure.seeds)),
            html.escape(failure.one_line),
            failure.time[:16].replace("T", " "),
            f'<a href="{log}">traceback</a>',
            "finished since" if later else "missing",
        )
        lines.append(_line(failure.identity, cells))
    return _table(("seeds", "cause", "when", "log", "now"), lines)


def warnings_table(rows: Iterable[Row]) -> str:
    """Collapsed students and flat teachers, by run and seed."""
    lines = []
    for row in rows:
        if row.warnings:
            link = f'<a href="#{html.escape(row.run)}">{html.escape(Path(row.run).name)}</a>'
            lines.append(_line(asdict(row), (str(row.seed), html.escape(row.warnings), link)))
    return _table(("seed", "warning", "run"), lines)


def _line(identity: Mapping[str, Any], cells: Sequence[str]) -> str:
    group = Group(*(identity[name] for name in ("protocol", "preset", "calibration")))
    names = {name: str(identity[name]) for name in NAMES}
    shown = (*map(html.escape, names.values()), *cells)
    row = "".join(f"<td>{cell}</td>" for cell in shown)
    return f"<tr {attributes({'group': group.name} | names)}>{row}</tr>"


def _table(columns: Sequence[str], lines: Sequence[str]) -> str:
    if not lines:
        return "<p>None.</p>"
    head = "".join(f'<th scope="col">{column}</th>' for column in (*NAMES, *columns))
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )
