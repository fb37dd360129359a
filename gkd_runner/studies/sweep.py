"""Studies that are sweeps: their cases run like any other, and leave a line per seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gkd_runner.config.command_line import Cell
from gkd_runner.reporting.compare import DATASETS, TEACHERS, in_order
from gkd_runner.results import SeedResult
from gkd_runner.stored import StoredRun, finished, provenance
from gkd_runner.studies.study import Case
from gkd_runner.sweeps.run import run_all
from gkd_runner.sweeps.survey import survey

DEFAULTS = {
    "dataset": "cora,citeseer,pubmed",
    "teacher": "gcn",
    "seeds": "2022,2023,2024,2025,2026",
    "protocol": "infgrand",
    "setting": "transductive",
    "preset": "common",
    "tracker": "none",
}
"""What sweeps start from: all methods on the same teachers."""

TEACHER = "teacher"
"""Stands in the column ``method`` for the GNN itself."""


@dataclass(frozen=True)
class Line:
    """One measurement of one seed.

    ``method`` is the student's, or ``teacher``; ``variant`` is what the study changed, by its own
    name. ``part`` says of which nodes ``measure`` is; empty: of all test nodes. ``run`` is the
    folder of the finished run, in the output folder.
    """

    dataset: str
    protocol: str
    setting: str
    teacher: str
    layers: int
    hidden_dim: int
    method: str
    variant: str
    seed: int
    measure: str
    part: str
    value: float
    run: str
    device: str
    commit: str


KEY = (
    "dataset", "protocol", "setting", "teacher", "layers", "hidden_dim", "method", "variant",
    "seed", "measure", "part",
)  # fmt: skip
"""The columns that tell lines apart."""


@dataclass(frozen=True)
class Done:
    """A case that has run, and its finished run for each seed."""

    case: Case
    runs: dict[int, StoredRun]

    def seeds(self) -> Iterator[tuple[StoredRun, SeedResult]]:
        """Run and result of each seed, in the order of the configuration."""
        for number, run in self.runs.items():
            yield run, next(seed for seed in run.seeds if seed.seed == number)

    def line(
        self, run: StoredRun, seed: int, method: str, measure: str, value: float, part: str = ""
    ) -> Line:
        """A measurement of one of the runs."""
        return Line(
            **columns(self.case, method),
            seed=seed,
            measure=measure,
            part=part,
            value=value,
            run=str(run.path.relative_to(Path(self.case.config.output_dir).expanduser())),
            **provenance(run.raw),
        )

    def accuracies(self, *, teacher: bool) -> Iterator[Line]:
        """Test accuracy ([0, 1]) of every student, and of its ``teacher`` if wanted."""
        for run, seed in self.seeds():
            method = self.case.config.method.name
            yield self.line(run, seed.seed, method, "accuracy", seed.student.scores.prod)
            if teacher:
                yield self.line(run, seed.seed, TEACHER, "accuracy", seed.teacher.scores.prod)


def columns(case: Case, method: str) -> dict[str, Any]:
    """What a case says of its lines."""
    config = case.config
    return {
        "dataset": config.dataset.name,
        "protocol": config.protocol.name,
        "setting": config.setting.name,
        "teacher": config.teacher.name,
        "layers": config.teacher.num_layers,
        "hidden_dim": config.teacher.hidden_dim,
        "method": method,
        "variant": case.variant,
    }


def run_cases(cases: Sequence[Case]) -> list[Done]:
    """Run as one sweep what is not finished yet; all cases with their runs.

    Ends the process with exit code 1 where a case fails; what has finished is kept.
    """
    cells = [Cell(_label(case), case.config) for case in cases]
    run_all(cells)
    return [
        Done(case, finished(case.config, found.key))
        for case, found in zip(cases, survey(cells).cells, strict=True)
    ]


def _label(case: Case) -> str:
    config = case.config
    parts = (config.dataset.name, config.teacher.name, config.method.name, case.variant)
    return " ".join(part for part in parts if part)


Place = tuple[str, str]
"""Dataset and teacher."""


def places(lines: Sequence[Line]) -> list[Place]:
    """Where lines were measured, in the order of the tables."""
    found = {(line.dataset, line.teacher) for line in lines}
    datasets = in_order((dataset for dataset, _ in found), DATASETS)
    teachers = in_order((teacher for _, teacher in found), TEACHERS)
    return [place for d in datasets for t in teachers if (place := (d, t)) in found]


def accuracies_at(
    lines: Sequence[Line], place: Place, variant: str, method: str | None = None, part: str = ""
) -> dict[int, float]:
    """Accuracy ([0, 1]) by seed of one variant and, where that leaves several, one method."""
    wanted = (*place, variant, part, "accuracy")
    return {
        line.seed: line.value
        for line in lines
        if (line.dataset, line.teacher, line.variant, line.part, line.measure) == wanted
        and method in (None, line.method)
    }
