"""The verdict on distilling on a graph, from paired test scores."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from gkd_runner.common.lazy import pd
from gkd_runner.options.metrics import METRICS, selecting_metric
from gkd_runner.results.compare import (
    FEWEST_PAIRS,
    Comparison,
    Difference,
    baseline,
    compare,
)
from gkd_runner.results.costs import Cost, costs_of
from gkd_runner.results.level import Score, level, minus, scores_of, teachers
from gkd_runner.results.selection import GROUP, PLACE, distils, options_apart

DISTIL = "distil"
DO_NOT = "do not distil"
UNDECIDED = "undecided"
NOT_JUDGED = "not judged"

AHEAD = "a student beats the baseline"
BASELINE_WINS = "the baseline wins"
TEACHER_WORSE = "the teacher is worse than the baseline"
TIE = "the interval of the difference contains zero"
FEW_PAIRS = "too few pairs for an interval"
ALL_EQUAL = "all differences are equal, which gives no interval"
NO_PAIR = "the baseline has run on other seeds or splits"
NO_BASELINE = "the baseline has not run"
NO_STUDENT = "no method that distils has run"

DECISIONS = {
    AHEAD: DISTIL,
    BASELINE_WINS: DO_NOT,
    TEACHER_WORSE: DO_NOT,
    **dict.fromkeys((NO_PAIR, NO_BASELINE, NO_STUDENT), NOT_JUDGED),
}
"""The decision that a reason leads to; any other leaves it ``UNDECIDED``."""

FEW_NODES = "few nodes"

CLEARLY_FASTER = 4.0
"""How many times as fast another method must be to count as faster.

The same teacher was timed 185 to 448 microseconds beside seven methods (Citeseer, inductive, in
``outputs/reference``): one time may be off by a factor of 2, and a ratio of two of them by 4.
"""

LARGEST_ERROR = 0.04
"""Standard error of one accuracy above which its nodes are few.

The 95% interval of the accuracy then reaches 8 points to either side. At 50% it has fewer than 153
nodes, at 80% fewer than 101; the packaged protocols hide 200 of Cora's.
"""


@dataclass(frozen=True)
class Verdict:
    """The facts on one graph, under one protocol, preset, calibration, setting and teacher.

    Attributes:
        names: these choices, by the names in ``GROUP`` and ``PLACE``.
        part: the test nodes that scores are over (``Scores``).
        nodes: the fewest and the most nodes that one score is over.
        methods: the methods that distil, the one with the best mean first.
        level: of these and the plain MLP, the one with the best mean, and those that are not told
            apart from it (``gkd_runner.results.level``).
        best: the score of the first of them; ``None`` if there are none.
        baseline: the score of the plain MLP; ``None`` if it has not run.
        splits: the number of splits; differences are paired by split if there are several.
        over_baseline: ``best`` minus the baseline, paired over seeds or splits.
        over_teacher: ``best`` minus its own teacher.
        over_next: ``best`` minus the next of ``methods``.
        teacher_over_baseline: the teacher of ``best`` (or the baseline's, without any) minus the
            baseline.
        costs: the costs of each method and of the plain MLP.
        apart: the options, but for the methods' own, whose changes differ between ``best`` and the
            baseline.
        command: the command line of one of the runs.
        folder: the newest run of ``best``, or of the baseline; empty if it came from a CSV file.
        metric: what is compared.
    """

    names: Mapping[str, str]
    part: str
    nodes: tuple[int, int]
    methods: tuple[str, ...]
    level: tuple[str, ...]
    best: Score | None
    baseline: Score | None
    splits: int
    over_baseline: Difference | None
    over_teacher: Difference | None
    over_next: Difference | None
    teacher_over_baseline: Difference | None
    costs: Mapping[str, Cost]
    apart: tuple[str, ...]
    command: str
    folder: str
    metric: str = "accuracy"

    @property
    def speed_up(self) -> float | None:
        """``Cost.speed_up`` of ``best``."""
        return self.costs[self.best.method].speed_up if self.best else None

    @property
    def faster(self) -> str | None:
        """Of the methods level with ``best`` the fastest, if it is ``CLEARLY_FASTER``."""
        if self.best is None or self.best.method not in self.level or self.speed_up is None:
            return None
        speeds = {name: self.costs[name].speed_up or 0.0 for name in self.level}
        fastest = max(speeds, key=lambda name: speeds[name])
        return fastest if speeds[fastest] >= CLEARLY_FASTER * self.speed_up else None

    @property
    def decision(self) -> str:
        """``DISTIL``, ``DO_NOT``, ``UNDECIDED`` or, where a run is missing, ``NOT_JUDGED``."""
        return DECISIONS.get(self.reason, UNDECIDED)

    @property
    def reason(self) -> str:
        """The reason of the decision; a difference counts if its interval excludes zero."""
        gap = self.over_baseline
        if self.baseline is None:
            return NO_BASELINE
        if gap is not None and gap.low > 0:
            return AHEAD
        if gap is not None and gap.high < 0:
            return BASELINE_WINS
        if self._teacher_is_worse:
            return TEACHER_WORSE
        if self.best is None:
            return NO_STUDENT
        if gap is None:
            return NO_PAIR
        if math.isnan(gap.low):
            return FEW_PAIRS if gap.n < FEWEST_PAIRS else ALL_EQUAL
        return TIE

    @property
    def _teacher_is_worse(self) -> bool:
        gap = self.teacher_over_baseline
        return gap is not None and gap.high < 0

    @property
    def score(self) -> Score:
        """The score of ``best``, or the baseline's."""
        shown = self.best or self.baseline
        assert shown is not None, "a verdict has one student at least"
        return shown

    @property
    def leader(self) -> Score:
        """The score of the method with the best mean, which may be the plain MLP."""
        (first,) = [s for s in (self.best, self.baseline) if s and s.method == self.level[0]]
        return first

    @property
    def standard_error(self) -> float:
        """Standard error of one accuracy by the number of its nodes, in [0, 1].

        Binomial, with two right and two wrong answers added (Agresti and Coull, 1998), so that
        an accuracy of 100% on ten nodes has one, too. For other metrics, which have no such
        formula, it is that of an accuracy of 50%, the largest.
        """
        count = self.nodes[0] + 4
        right = self.score.mean if self.metric == "accuracy" else 0.5
        share = (right * self.nodes[0] + 2) / count
        return math.sqrt(share * (1 - share) / count)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Those of ``BASELINE_WINS``, ``TEACHER_WORSE`` and ``FEW_NODES`` that hold."""
        held = {
            BASELINE_WINS: self.reason == BASELINE_WINS,
            TEACHER_WORSE: self._teacher_is_worse,
            FEW_NODES: self.standard_error > LARGEST_ERROR,
        }
        return tuple(name for name, holds in held.items() if holds)


def verdicts_of(runs: pd.DataFrame) -> list[Verdict]:
    """The verdicts on a table of runs, which may be empty; by the metric that selected epochs."""
    by = runs["changed"].map(selecting_metric)
    return [
        verdict
        for metric in METRICS
        if (by == metric).any()
        for verdict in verdicts(compare(runs[by == metric], metric=metric))
    ]


def verdicts(comparison: Comparison) -> list[Verdict]:
    """The verdict on each graph, protocol, preset, calibration, setting and teacher.

    There is none where neither the baseline nor a method that distils has run.
    """
    shown = comparison.selected.dropna(subset="student_score")
    concerned = shown["method"].map(lambda name: name == baseline() or distils(name))
    return [
        _verdict(dict(zip([*GROUP, *PLACE], map(str, names), strict=True)), here, comparison)
        for names, here in shown[concerned.astype(bool)].groupby([*GROUP, *PLACE], sort=False)
    ]


def _verdict(names: Mapping[str, str], here: pd.DataFrame, comparison: Comparison) -> Verdict:
    scores = scores_of(here)
    plain = next((score for score in scores if score.method == baseline()), None)
    ranked = [score for score in scores if score is not plain]
    best = ranked[0] if ranked else None
    own = here[here["method"] == (best.method if best else baseline())]
    return Verdict(
        names=names,
        part=comparison.part(names["setting"]),
        nodes=(int(own["nodes"].min()), int(own["nodes"].max())),
        methods=tuple(score.method for score in ranked),
        level=level([score.method for score in scores], here),
        best=best,
        baseline=plain,
        splits=own["split"].nunique(),
        over_baseline=minus(own, here, baseline()) if best else None,
        over_teacher=minus(own, here, "teacher") if best else None,
        over_next=minus(own, here, ranked[1].method) if len(ranked) > 1 else None,
        teacher_over_baseline=minus(teachers(own), here, baseline()),
        costs=costs_of(here),
        apart=_apart(own, here[here["method"] == baseline()]),
        command=str(own["command"].iloc[-1]),
        folder=str(own.sort_values("started", kind="stable")["folder"].iloc[-1]),
        metric=comparison.metric,
    )


def _apart(ours: pd.DataFrame, theirs: pd.DataFrame) -> tuple[str, ...]:
    return options_apart(ours["changed"].iloc[0], theirs["changed"].iloc[0]) if len(theirs) else ()
