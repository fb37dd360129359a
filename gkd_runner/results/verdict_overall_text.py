"""The verdict over all graphs of a group in one setting, as sentences."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from statistics import median
from typing import TypeVar

from gkd_runner.options.metrics import METRICS
from gkd_runner.results.bootstrap import Estimate
from gkd_runner.results.compare import FEWEST_PAIRS, baseline
from gkd_runner.results.costs_text import cost_sentences
from gkd_runner.results.selection import distils
from gkd_runner.results.verdict import (
    AHEAD,
    BASELINE_WINS,
    DISTIL,
    DO_NOT,
    NO_BASELINE,
    NOT_JUDGED,
    UNDECIDED,
    Verdict,
)
from gkd_runner.results.verdict_overall import Overall
from gkd_runner.results.verdict_text import REASONS, interval_text, listed

K = TypeVar("K")

PLAIN = "the plain MLP"

OPENINGS = {
    DISTIL: "Distil on",
    DO_NOT: "Do not distil on",
    UNDECIDED: "Undecided on",
    NOT_JUDGED: "Not judged on",
}


def overall_sentences(overall: Overall) -> list[str]:
    """The best method, by how much, where to distil, where another one is better, and the costs.

    The first sentence is short, and names a metric other than accuracy.
    """
    first, *rest = [
        *_best(overall),
        *_decisions(overall),
        *_where(overall),
        *cost_sentences(overall),
        *_quickest_of_the_best(overall),
    ]
    metric = overall.graphs[0].metric
    by = "" if metric == "accuracy" else f"By {METRICS[metric].title}: "
    return [by + first, *rest]


def winner_text(verdict: Verdict) -> str:
    """The method with the best mean, and whether it was compared at all."""
    if len(_methods(verdict)) == 1:
        return f"only {verdict.level[0]}"
    return f"{verdict.level[0]}{' (not tested)' if _untested(verdict) else ''}"


def others_text(verdict: Verdict) -> str:
    """The methods that are not told apart from it, the best mean first."""
    return "" if _untested(verdict) else ", ".join(verdict.level[1:])


def student_text(verdict: Verdict) -> str:
    """The best student with a space, where the plain MLP has the best mean; else empty."""
    best = verdict.best
    return f"{best.method} " if best and best.method != verdict.level[0] else ""


def _best(overall: Overall) -> Iterator[str]:
    ran = dict.fromkeys(name for verdict in overall.graphs for name in _methods(verdict))
    if len(ran) == 1:
        yield f"Only {next(iter(ran))} has run: there is no method to compare it with."
    if overall.compared == 1:
        yield from map(_on_one_graph, overall.graphs)
    if overall.compared < 2:
        return
    rival, lead = next(iter(overall.over.items()))
    plain = overall.over.get(baseline())
    if overall.best == baseline():
        student = f"{rival}, the best student, is {interval_text(_turned(lead))} points against it"
        yield "The plain MLP is best on average."
        yield f"{student} {_over_graphs(overall)}."
        return
    near = _not_clearly_worse(overall)
    yield (
        f"No method is clearly the best; {overall.best} has the highest mean."
        if near
        else f"{overall.best} is the best method on average."
    )
    against = PLAIN if rival == baseline() else rival
    beside = f" and {interval_text(plain)} over {PLAIN}" if plain and plain != lead else ""
    yield (
        f"{overall.best} gains {interval_text(lead)} points over {against}"
        f"{', the next,' if beside else ''}{beside} {_over_graphs(overall)}."
        f"{_including_zero(overall, near)}"
    )
    yield from _by_rank(overall)


def _not_clearly_worse(overall: Overall) -> list[str]:
    """The methods whose distance to the best one may be chance, the best mean first."""
    return [other for other, gap in overall.over.items() if not gap.low > 0]


def _including_zero(overall: Overall, near: Sequence[str]) -> str:
    """The methods over which the gain has an interval that includes 0; empty without any."""
    names = {baseline(): PLAIN}
    known = [names.get(name, name) for name in near if not math.isnan(overall.over[name].low)]
    if not known:
        return ""
    several = "intervals of its gains" if len(known) > 1 else "interval of its gain"
    return f" The {several} over {listed(known)} include{'' if len(known) > 1 else 's'} 0."


def _by_rank(overall: Overall) -> Iterator[str]:
    """Another method with a better average rank, if a test tells the two apart."""
    assert overall.methods is not None
    ranking, best = overall.methods.ranking, str(overall.best)
    leader = next(iter(ranking.ranks))
    if ranking.tells_apart(leader, best):
        yield (
            f"{leader} has a better average rank than {best}"
            f" ({ranking.ranks[leader]:.2f} against {ranking.ranks[best]:.2f}; Nemenyi's test tells"
            " them apart)."
        )


def _quickest_of_the_best(overall: Overall) -> Iterator[str]:
    """Who trains quickest of the methods not clearly worse, unless the costs have named it."""
    times = {name: known for name, known in overall.training.items() if known and distils(name)}
    texts = {name: f"{median(known.values()):.1f}" for name, known in times.items()}
    near = {str(overall.best), *_not_clearly_worse(overall)} & set(texts)
    if len(near) < 2:
        return
    least = min(texts.values(), key=float)
    best = min((texts[name] for name in near), key=float)
    quick = [name for name in texts if name in near and texts[name] == best]
    if best != least:
        yield (
            f"Of the methods that are not clearly worse than {overall.best}, {listed(quick)}"
            f" train{'' if len(quick) > 1 else 's'} quickest, for {best} s."
        )


def _on_one_graph(verdict: Verdict) -> str:
    place = verdict.names["dataset"]
    if _untested(verdict):
        return f"On {place}, {verdict.level[0]} has the highest mean; no test was possible."
    if len(verdict.level) > 1:
        best, *others = verdict.level
        return f"On {place}, {best} has the best mean; it is not told apart from {listed(others)}."
    return f"On {place}, {verdict.level[0]} is the best method."


def _untested(verdict: Verdict) -> bool:
    """True if the best student has too few pairs with any other method for a test."""
    gaps = [gap for gap in (verdict.over_next, verdict.over_baseline) if gap is not None]
    return bool(gaps) and all(gap.n < FEWEST_PAIRS for gap in gaps)


def _turned(gap: Estimate) -> Estimate:
    return Estimate(-gap.mean, -gap.high, -gap.low)


def _over_graphs(overall: Overall) -> str:
    known = any(not math.isnan(gap.low) for gap in overall.over.values())
    named = ", with 95% bootstrap intervals over graphs and seeds" if known else ""
    return f"(means over {overall.compared} graphs{named})"


def _where(overall: Overall) -> Iterator[str]:
    """Where the best method is best, level with the best, and worse."""
    best = overall.best
    ran = [verdict for verdict in overall.graphs if best in _methods(verdict)]
    if overall.compared < 2 or len(ran) < 2:
        return
    first = [verdict for verdict in ran if verdict.level[0] == best]
    alone = [verdict for verdict in first if verdict.level == (best,)]
    near = [verdict for verdict in ran if best in verdict.level[1:]]
    beaten = [verdict for verdict in ran if best not in verdict.level]
    instead = [_instead(level, here) for level, here in _by(beaten, lambda v: v.level).items()]
    behind = f"is behind on {_number(beaten)}{f': {listed(instead)}' if instead else ''}"
    parts = [
        f"has the best mean on {_number(first)}"
        + (f" (significantly on {_number(alone)})" if first else ""),
        *([f"is not told apart from the best on {_number(near)}"] if near else []),
        behind,
    ]
    yield f"Of {len(ran)} graphs, {best} {listed(parts)}."


def _number(graphs: Sequence[Verdict]) -> str:
    return str(len(graphs) or "none")


def _instead(level: Sequence[str], here: Sequence[Verdict]) -> str:
    """``krd has the best mean on citeseer (not told apart from it: infgrand)``."""
    best, *others = level
    beside = f" (not told apart from it: {listed(others)})" if others else ""
    return f"{best} has the best mean on {_places(here)}{beside}"


def _methods(verdict: Verdict) -> tuple[str, ...]:
    return (*verdict.methods, *((baseline(),) if verdict.baseline else ()))


def _decisions(overall: Overall) -> Iterator[str]:
    for decision, opening in OPENINGS.items():
        of_decision = [v for v in overall.graphs if v.decision == decision]
        for reason, here in _by(of_decision, lambda verdict: verdict.reason).items():
            if reason == NO_BASELINE:
                yield _missing(overall, here)
            else:
                yield f"{opening} {_places(here)}{_because(reason, here)}."


def _missing(overall: Overall, here: Sequence[Verdict]) -> str:
    names = " and ".join(f"{name}={overall.names[name]}" for name in ("protocol", "preset"))
    return (
        f"On {_places(here)} the comparison with {PLAIN} is missing, as {baseline()} has not run"
        f" there with {names}."
    )


def _because(reason: str, here: Sequence[Verdict]) -> str:
    if reason == AHEAD:
        return f": the best student is {_range(here)} points better than {PLAIN}"
    if reason == BASELINE_WINS:
        return f": {PLAIN} wins, the best student is {_range(here)} points worse"
    return f", as {REASONS[reason]}"


def _range(here: Iterable[Verdict]) -> str:
    sizes = [abs(100 * v.over_baseline.mean) for v in here if v.over_baseline is not None]
    ends = dict.fromkeys(f"{size:.1f}" for size in (min(sizes), max(sizes)))
    return " to ".join(ends)


def _by(verdicts: Iterable[Verdict], key: Callable[[Verdict], K]) -> dict[K, list[Verdict]]:
    found: dict[K, list[Verdict]] = {}
    for verdict in verdicts:
        found.setdefault(key(verdict), []).append(verdict)
    return found


def _places(here: Iterable[Verdict]) -> str:
    return listed(verdict.names["dataset"] for verdict in here)
