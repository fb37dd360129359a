"""One row per run and seed: what every table, figure and CSV is made of."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from gkd_runner.common.errors import GkdError
from gkd_runner.results.scores import PARTS, SeedResult, StageResult
from gkd_runner.results.stored import StoredRun, provenance, read_runs


class ReportError(GkdError):
    """Results that cannot be read or compared."""


@dataclass(frozen=True)
class Row:
    """One seed of one run. Accuracies in [0, 1]; empty parts are ``None``.

    ``run`` is the run's folder under ``runs/``; ``key`` its configuration's; ``commit`` the code's,
    with ``+`` where files were changed.
    """

    dataset: str
    protocol: str
    setting: str
    teacher: str
    method: str
    preset: str
    calibration: str
    preset_source: str
    seed: int
    teacher_val: float
    teacher_tran: float | None
    teacher_ind: float | None
    teacher_prod: float
    student_val: float
    student_tran: float | None
    student_ind: float | None
    student_prod: float
    teacher_best_epoch: int
    student_best_epoch: int
    teacher_seconds: float
    student_seconds: float
    teacher_confidence: float
    temperature: float
    agreement: float
    kl: float
    teacher_calibration_error: float
    student_calibration_error: float
    accuracy_where_teacher_errs: float | None
    warnings: str
    run: str
    started: str
    key: str
    teacher_key: str
    split_hash: str
    graph: str
    commit: str
    torch: str
    device: str
    command: str

    @property
    def changed(self) -> tuple[str, ...]:
        """``option=value`` of what differs from the preset."""
        text = self.preset_source.partition("changed: ")[2].partition(";")[0]
        return tuple(text.split(", ")) if text else ()

    def accuracy(self, stage: str, part: str) -> float | None:
        """Accuracy of ``teacher`` or ``student`` on ``val``, ``tran``, ``ind`` or ``prod``."""
        value: float | None = getattr(self, f"{stage}_{part}")
        return value


def read_rows(sources: Sequence[Path]) -> list[Row]:
    """Rows of all finished runs in output folders, or of CSV files (``runs.csv``) written before.

    A seed that several runs of one key have done counts once, in the newest of them. Raises
    ``ReportError`` for a source that is neither.
    """
    rows: list[Row] = []
    for source in sources:
        if source.is_file():
            rows += read_csv(source)
        elif (source / "runs").is_dir():
            rows += _from_runs(source / "runs")
        elif (source / "runs.csv").is_file():
            rows += read_csv(source / "runs.csv")
        elif (source / "studies").is_dir():
            raise ReportError(f"{source} has studies but no finished run yet; run gkd-train first")
        else:
            raise ReportError(
                f"{source} is neither an output folder (with runs/ or runs.csv in it) nor a CSV"
                " file of runs; give gkd-train's output_dir"
            )
    newest = {(row.key, row.seed): row for row in sorted(rows, key=lambda row: row.started)}
    return sorted(newest.values(), key=_order)


def told_apart(rows: Sequence[Row]) -> list[Row]:
    """Rows whose dataset says which graph it is, where one name stands for several graphs."""
    graphs: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        graphs.setdefault((row.dataset, row.protocol), set()).add(row.graph)
    return [
        replace(row, dataset=f"{row.dataset} ({row.graph[:4]})")
        if len(graphs[row.dataset, row.protocol]) > 1
        else row
        for row in rows
    ]


def _order(row: Row) -> tuple[Any, ...]:
    return (row.dataset, row.protocol, row.setting, row.teacher, row.method, row.key, row.seed)


def _from_runs(folder: Path) -> Iterable[Row]:
    for run in read_runs(folder, "*/*/*/*/*"):
        where = run.path.relative_to(folder).as_posix()
        for seed, teacher_key in zip(run.seeds, run.teacher_keys, strict=True):
            yield _row(run, seed, teacher_key, where)


def _row(run: StoredRun, seed: SeedResult, teacher_key: str, where: str) -> Row:
    identity: Mapping[str, Any] = run.identity
    raw = run.raw
    return Row(
        **identity,
        seed=seed.seed,
        **_stage("teacher", seed.teacher),
        **_stage("student", seed.student),
        teacher_confidence=seed.teacher_confidence,
        temperature=seed.temperature,
        **asdict(seed.diagnostics),
        warnings="; ".join(seed.warnings),
        run=where,
        started=run.started,
        key=run.key,
        teacher_key=teacher_key,
        split_hash=seed.split_hash,
        graph=raw["graph"]["fingerprint"],
        torch=raw["versions"]["torch"],
        **provenance(raw),
        command=" ".join(raw["command"]),
    )


def _stage(name: str, stage: StageResult) -> dict[str, Any]:
    accuracies = {f"{name}_{part}": getattr(stage.scores, part) for part in PARTS}
    return accuracies | {
        f"{name}_best_epoch": stage.best_epoch,
        f"{name}_seconds": stage.seconds,
    }


def csv_text(rows: Iterable[Row]) -> str:
    """The rows as CSV with a header, each number as it was recorded."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Row)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return text.getvalue()


def read_csv(path: Path) -> list[Row]:
    """Rows of a CSV that ``csv_text`` made. Raises ``ReportError`` for any other."""
    with path.open(newline="", encoding="utf-8", errors="replace") as lines:
        reader = csv.DictReader(lines)
        names = {field.name for field in fields(Row)}
        if set(reader.fieldnames or ()) != names:
            odd = names.symmetric_difference(reader.fieldnames or ())
            raise ReportError(
                f"{path} is not a CSV of runs as gkd-tables writes it; {len(odd)} columns differ:"
                f" {', '.join(sorted(odd)[:5])}, ..."
            )
        try:
            return [_parsed(line) for line in reader]
        except ValueError as error:
            raise ReportError(f"{path}, line {reader.line_num}: {error}") from error


def _parsed(line: dict[str, str]) -> Row:
    kinds = {field.name: str(field.type) for field in fields(Row)}
    values: dict[str, Any] = dict(line)
    for name, text in line.items():
        if kinds[name] == "int":
            values[name] = int(text)
        elif kinds[name].startswith("float"):
            values[name] = float(text) if text else None
    return Row(**values)
