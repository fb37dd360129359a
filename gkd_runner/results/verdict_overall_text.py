"""The verdict over all graphs of a group, as sentences."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

from gkd_runner.options.metrics import METRICS
from gkd_runner.results.bootstrap import Estimate
from gkd_runner.results.compare import FEWEST_PAIRS, baseline
from gkd_runner.results.verdict import AHEAD, BASELINE_WINS, DISTIL, DO_NOT, UNDECIDED, Verdict
from gkd_runner.results.verdict_overall import Overall
from gkd_runner.results.verdict_text import REASONS, faster_text, interval_text

PLAIN = "the plain MLP"

OPENINGS = {DISTIL: "Distil on", DO_NOT: "Do not distil on", UNDECIDED: "Undecided on"}


def overall_sentences(overall: Overall) -> list[str]:
    """The best method, by how much, where to distil, where another one is better, how fast it is.

    The first sentence is short, and names a metric other than accuracy.
    """
    first, *rest = [*_best(overall), *_decisions(overall), *_where(overall), *_speed(overall)]
    metric = overall.graphs[0].metric
    by = "" if metric == "accuracy" else f"By {METRICS[metric].title}: "
    return [by + first, *rest]


def winner_text(verdict: Verdict) -> str:
    """A method; or ``tie:`` and those that no test tells apart, the best mean first."""
    if len(_methods(verdict)) == 1:
        return f"only {verdict.level[0]}"
    if _untested(verdict):
        return f"{verdict.level[0]} (not tested)"
    tie = "tie: " if len(verdict.level) > 1 else ""
    return f"{tie}{', '.join(verdict.level)}"


def _best(overall: Overall) -> Iterator[str]:
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
    against = PLAIN if rival == baseline() else rival
    names = {baseline(): PLAIN}
    near = [names.get(other, other) for other, gap in overall.over.items() if not gap.low > 0]
    yield (
        f"{overall.best} is ahead on average, but not clearly better than {_listed(near)}."
        if near
        else f"{overall.best} is the best method on average."
    )
    beside = f" and {interval_text(plain)} over {PLAIN}" if plain and plain != lead else ""
    yield (
        f"{overall.best} gains {interval_text(lead)} points over {against}"
        f"{', the next,' if beside else ''}{beside} {_over_graphs(overall)}."
    )


def _on_one_graph(verdict: Verdict) -> str:
    place = f"{verdict.names['dataset']} ({verdict.names['setting']})"
    if _untested(verdict):
        return f"On {place}, {verdict.level[0]} has the highest mean; no test was possible."
    if len(verdict.level) > 1:
        return f"On {place}, no test tells apart {_listed(verdict.level)}."
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
    beaten = [verdict for verdict in ran if best not in verdict.level]
    alone = sum(verdict.level == (best,) for verdict in ran)
    winners = _by(beaten, lambda verdict: " or ".join(verdict.level))
    instead = [f"{names} on {_places(here, overall.graphs)}" for names, here in winners.items()]
    yield (
        f"Of {len(ran)} pairs of graph and setting, {best} is the best on {alone}, ties with the"
        f" best on {len(ran) - alone - len(beaten)}, and is worse on {len(beaten)}"
        f"{f': use {_listed(instead)}' if instead else ''}."
    )


def _methods(verdict: Verdict) -> tuple[str, ...]:
    return (*verdict.methods, *((baseline(),) if verdict.baseline else ()))


def _decisions(overall: Overall) -> Iterator[str]:
    for decision, opening in OPENINGS.items():
        of_decision = [v for v in overall.graphs if v.decision == decision]
        for reason, here in _by(of_decision, lambda verdict: verdict.reason).items():
            yield f"{opening} {_places(here, overall.graphs)}{_because(reason, here)}."


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


def _speed(overall: Overall) -> Iterator[str]:
    known = [v.speed_up for v in overall.graphs if v.speed_up and not math.isnan(v.speed_up)]
    if known:
        slowest, fastest = faster_text(min(known)), faster_text(max(known))
        ends = slowest if slowest == fastest else f"{slowest.removesuffix(' times')} to {fastest}"
        yield f"The best students answer for one node {ends} as fast as their teachers."


def _by(verdicts: Iterable[Verdict], key: Callable[[Verdict], str]) -> dict[str, list[Verdict]]:
    found: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        found.setdefault(key(verdict), []).append(verdict)
    return found


def _places(here: Sequence[Verdict], every: Sequence[Verdict]) -> str:
    """``cora, pubmed (inductive)``: a setting is named where the graph has others besides."""
    settings: dict[str, list[str]] = {}
    for verdict in here:
        settings.setdefault(verdict.names["dataset"], []).append(verdict.names["setting"])
    return _listed(
        graph
        if len(held) == sum(verdict.names["dataset"] == graph for verdict in every)
        else f"{graph} ({', '.join(held)})"
        for graph, held in settings.items()
    )


def _listed(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
