"""The variants of a method that a job's replicas have kept, for the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from gkd_runner.results.scores import RunResult
from gkd_runner.results.stored import read_run


def kept_text(result: RunResult) -> str:
    """Each variant with the number of replicas that kept it; empty for a method without any."""
    counts = Counter(_kept(result))
    total = f"{len(result.seeds)} replicas"
    return "; ".join(f"{name} ({count} of {total})" for name, count in counts.most_common())


def _kept(result: RunResult) -> Iterator[str]:
    for path in result.paths:
        run = read_run(path)
        if run is None:  # its folder is gone
            continue
        for seed in run.seeds:
            facts = dict(run.method_facts(seed))
            if facts.pop("variants", None) and seed in result.seeds:
                alone = ": labels alone" if facts.get("lam") == 1 else ""
                yield ", ".join(f"{option}={value:g}" for option, value in facts.items()) + alone
