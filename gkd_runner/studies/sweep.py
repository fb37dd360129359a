"""Studies that are sweeps: their cases run like any other, and leave a line per seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from gkd_runner.common.errors import ConfigError
from gkd_runner.config.command_line import Cell
from gkd_runner.reporting.compare import DATASETS, SETTINGS, TEACHERS, Place, in_order
from gkd_runner.results.scores import SeedResult
from gkd_runner.results.stored import StoredRun, finished, provenance
from gkd_runner.studies.lines import Line
from gkd_runner.studies.study import Case
from gkd_runner.sweeps.run import run_all

TEACHER = "teacher"
"""Stands in the column ``method`` for the GNN itself."""


@dataclass(frozen=True, kw_only=True)
class SweepLine(Line):
    """One measurement of one seed.

    ``method`` is the student's, or ``teacher``; ``variant`` is what the study changed, by its own
    name. ``part`` says of which nodes ``measure`` is; empty: of all test nodes. ``run`` is the
    folder of the finished run, in the output folder; ``configuration`` is the run's key.
    ``device`` and ``commit`` are those of the measurement: the run's own but for times, which have
    ``threads``.
    """

    SCOPE: ClassVar = ("dataset", "protocol", "setting", "teacher", "method", "variant")
    IDENTITY: ClassVar = ("seed", "measure", "part")

    dataset: str
    protocol: str
    setting: str
    teacher: str
    preset: str
    calibration: str
    layers: int
    hidden_dim: int
    method: str
    variant: str
    seed: int
    measure: str
    part: str
    value: float
    run: str
    threads: int | None
    device: str
    commit: str


@dataclass(frozen=True)
class Done:
    """A case that has run, and its finished run for each seed."""

    case: Case
    runs: dict[int, StoredRun]

    @property
    def method(self) -> str:
        return self.case.config.method.name

    @property
    def place(self) -> Place:
        config = self.case.config
        return Place(config.dataset.name, config.setting.name, config.teacher.name)

    def seeds(self) -> Iterator[tuple[StoredRun, SeedResult]]:
        """Run and result of each seed, in the order of the configuration."""
        for number, run in self.runs.items():
            yield run, next(seed for seed in run.seeds if seed.seed == number)

    def line(
        self,
        run: StoredRun,
        seed: int,
        measure: str,
        value: float,
        *,
        method: str | None = None,
        part: str = "",
        origin: dict[str, Any] | None = None,
    ) -> SweepLine:
        """A measurement of one of the runs, of its student unless ``method`` says otherwise."""
        config = self.case.config
        return SweepLine(
            dataset=config.dataset.name,
            protocol=config.protocol.name,
            setting=config.setting.name,
            teacher=config.teacher.name,
            preset=config.preset.name,
            calibration=config.calibration,
            layers=config.teacher.num_layers,
            hidden_dim=config.teacher.hidden_dim,
            method=method or self.method,
            variant=self.case.variant,
            seed=seed,
            measure=measure,
            part=part,
            value=value,
            run=run.path.relative_to(Path(config.output_dir).expanduser()).as_posix(),
            configuration=run.key,
            **(origin or {"threads": None, **provenance(run.raw)}),
        )

    def accuracies(self) -> Iterator[SweepLine]:
        """Test accuracy ([0, 1]) of every student, and whether it collapsed (0 or 1).

        With glnn also of the teacher, which all share.
        """
        for run, seed in self.seeds():
            yield self.line(run, seed.seed, "accuracy", seed.student.scores.test)
            yield self.line(run, seed.seed, "collapsed", float(seed.collapsed_student))
            if self.method == "glnn":
                of_teacher = seed.teacher.scores.test
                yield self.line(run, seed.seed, "accuracy", of_teacher, method=TEACHER)


def check_shared_teachers(cases: Sequence[Case]) -> None:
    """Refuse cases that would compare methods on different teachers."""
    found: dict[tuple[str, ...], dict[str, str]] = {}
    for case in cases:
        config = case.config
        place = (config.dataset.name, config.protocol.name, config.teacher.name)
        teacher = str((asdict(config.teacher), asdict(config.training)))
        found.setdefault(place, {})[teacher] = config.method.name
    mistakes = [
        f"preset={cases[0].config.preset.name}: on {place[0]} the methods"
        f" {' and '.join(methods.values())} have {place[2]} teachers of their own; this study"
        " compares methods on one: use preset=common or preset=none"
        for place, methods in found.items()
        if len(methods) > 1
    ]
    if mistakes:
        raise ConfigError(mistakes)


def run_cases(cases: Sequence[Case]) -> list[Done]:
    """Run as one sweep what is not finished yet; all cases with their runs.

    Ends the process with exit code 1 where a case fails; what has finished is kept.
    """
    check_shared_teachers(cases)
    cells = [Cell(_label(case), case.config) for case in cases]
    plan = run_all(cells)
    return [
        Done(case, finished(case.config, found.key))
        for case, found in zip(cases, plan.cells, strict=True)
    ]


def _label(case: Case) -> str:
    config = case.config
    parts = (config.dataset.name, config.teacher.name, config.method.name, case.variant)
    return " ".join(dict.fromkeys(part for part in parts if part))


def places(lines: Sequence[SweepLine]) -> list[Place]:
    """Where lines were measured, in the order of the tables."""
    found = {Place(line.dataset, line.setting, line.teacher) for line in lines}
    settings = in_order((place.setting for place in found), SETTINGS)
    datasets = in_order((place.dataset for place in found), DATASETS)
    teachers = in_order((place.teacher for place in found), TEACHERS)
    ordered = [Place(d, s, t) for s in settings for t in teachers for d in datasets]
    return [place for place in ordered if place in found]


def accuracies_at(
    lines: Sequence[SweepLine], place: Place, variant: str, method: str, part: str = ""
) -> dict[int, float]:
    """Accuracy ([0, 1]) by seed of one variant of one method; empty where it was not measured."""
    wanted = (place.dataset, place.setting, place.teacher, variant, method, part, "accuracy")
    return {
        line.seed: line.value
        for line in lines
        if (line.dataset, line.setting, line.teacher, line.variant, line.method, line.part,
            line.measure) == wanted
    }  # fmt: skip


def collapses(lines: Sequence[SweepLine]) -> str:
    """A sentence on students far below their teachers, where there are such."""
    found = [line.value for line in lines if line.measure == "collapsed"]
    count = int(sum(found))
    return f" {count} of the {len(found)} students collapsed." if count else ""
