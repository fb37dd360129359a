"""Results of the benchmark as data: its lines, and their file."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from bench.clock import Sample, Spread

FORMAT = 1
OURS = "gkd-runner"
REFERENCE = "plain reference"


class Key(NamedTuple):
    """A measured quantity, and the program it belongs to."""

    workload: str
    part: str
    contender: str


@dataclass(frozen=True)
class Line:
    """One contender's cost of one part of a workload.

    Attributes:
        key: what was measured.
        per: what the seconds are for: an epoch, a call, a command.
        cpu: process CPU seconds, all threads together.
        wall: wall seconds.
        cpu_rounds: median CPU seconds of each turn, in the order of the turns.
        peak_bytes: largest resident set of a fresh process that did only this.
        start_bytes: its resident set when it had loaded the libraries and the graph.
    """

    key: Key
    per: str
    cpu: Spread | None = None
    wall: Spread | None = None
    cpu_rounds: tuple[float, ...] = ()
    peak_bytes: int | None = None
    start_bytes: int | None = None

    @staticmethod
    def of(key: Key, per: str, rounds: Sequence[Sequence[Sample]]) -> Line:
        """The line of all samples of all turns."""
        samples = [sample for turn in rounds for sample in turn]
        return Line(
            key,
            per,
            Spread.of([sample.cpu for sample in samples]),
            Spread.of([sample.wall for sample in samples]),
            tuple(statistics.median(sample.cpu for sample in turn) for turn in rounds),
        )


@dataclass
class Results:
    """One run of the benchmark.

    ``workloads`` has the sizes of each; ``skipped`` names parts that could not be measured, with
    the reason.
    """

    label: str
    machine: dict[str, Any]
    workloads: dict[str, dict[str, Any]] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    skipped: list[tuple[str, str, str]] = field(default_factory=list)

    def find(self, workload: str, part: str, contender: str) -> Line | None:
        """The line of these names."""
        key = Key(workload, part, contender)
        return next((line for line in self.lines if line.key == key), None)

    def save(self, path: Path) -> None:
        """Write everything as JSON."""
        data = asdict(self)
        for line, stored in zip(self.lines, data["lines"], strict=True):
            stored["key"] = line.key._asdict()
        text = json.dumps({"format": FORMAT, **data}, indent=1, allow_nan=False)
        path.write_text(text + "\n", encoding="utf-8")


def load(path: Path) -> Results:
    """Results from a file of ``save``. Raises ``ValueError`` for a file of another format."""
    data = json.loads(path.read_text(encoding="utf-8"))
    if data.pop("format", None) != FORMAT:
        raise ValueError(f"{path} is not a result of this benchmark (format {FORMAT})")
    lines = [_line(stored) for stored in data.pop("lines")]
    skipped = [tuple(entry) for entry in data.pop("skipped")]
    return Results(lines=lines, skipped=skipped, **data)


def merged(every: Sequence[Results]) -> Results:
    """The lines of several runs; of equal ones, the last. The machine is that of the last."""
    lines = {line.key: line for results in every for line in results.lines}
    workloads: dict[str, dict[str, Any]] = {}
    for results in every:
        for name, sizes in results.workloads.items():
            workloads.setdefault(name, {}).update(sizes)
    skipped = [entry for results in every for entry in results.skipped]
    last = every[-1]
    return Results(last.label, last.machine, workloads, [*lines.values()], skipped)


def _line(stored: dict[str, Any]) -> Line:
    for clock in ("cpu", "wall"):
        stored[clock] = stored[clock] and Spread(**stored[clock])
    stored["cpu_rounds"] = tuple(stored["cpu_rounds"])
    return Line(key=Key(**stored.pop("key")), **stored)
