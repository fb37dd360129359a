"""The verdict table of the README has the numbers of the runs that come with the repository."""

from __future__ import annotations

from gkd_runner.results.compare import Difference
from gkd_runner.results.frame import load_runs
from gkd_runner.results.verdict import Verdict, verdicts_of
from gkd_runner.results.verdict_text import interval_text
from tests.docs.markdown import ROOT

SHOWN = {"protocol": "infgrand", "preset": "common", "teacher": "gcn"}


def line(verdict: Verdict) -> str:
    """The row of a verdict on a graph and setting."""
    best, plain = verdict.best, verdict.baseline
    assert best is not None
    assert plain is not None
    return (
        f"| {verdict.names['dataset']} | {verdict.names['setting']} | {best.method}"
        f" | {_percent(best.mean)} ± {_percent(best.std)} | {_percent(plain.mean)}"
        f" | {_gap(verdict.over_baseline)} | {_gap(verdict.over_teacher)} | {verdict.decision} |"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"


def _gap(gap: Difference | None) -> str:
    assert gap is not None
    return interval_text(gap)


def test_the_table_of_the_readme_is_that_of_the_reference_runs() -> None:
    runs = load_runs([ROOT / "outputs" / "reference" / "runs.csv"])
    chosen = runs[(runs[list(SHOWN)] == SHOWN).all(axis=1)]
    lines = [line(verdict) for verdict in verdicts_of(chosen)]
    readme = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 12
    assert [text for text in lines if text not in readme] == []
