"""Damage files and kill jobs, and count what goes unnoticed: ``python -m attack``.

It exits with 1 if a number was wrong, an end state differed or anything ended in a traceback.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from attack import jobs
from attack.damage import NOTICED, WRONG, cut, damage_all, flipped, swap_all
from attack.written import OPTIONS, write
from gkd_runner.serving import latency

PARTS = ("flips", "cuts", "swaps", "kills", "terms", "races")
TIMES = {"flips": 500, "cuts": 100, "swaps": 50, "kills": 50, "terms": 20, "races": 20}
RACING = 8
"""Processes of a race."""


def parser() -> argparse.ArgumentParser:
    """All options."""
    made = argparse.ArgumentParser(prog="attack", description=__doc__)
    made.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    made.add_argument("--times", type=int, help="how often, instead of the usual number")
    made.add_argument("--seed", type=int, default=0, help="draws bits, lengths and moments")
    return made


def main() -> None:
    """Run the parts that are named, or all."""
    arguments = parser().parse_args()
    parts = arguments.parts or PARTS
    if odd := set(parts) - set(PARTS):
        parser().error(f"{', '.join(sorted(odd))} is not one of {', '.join(PARTS)}")
    logging.getLogger("gkd_runner").setLevel(logging.CRITICAL)
    torch.set_num_threads(1)
    latency.SECONDS = 0.0
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        for part in parts:
            attack = damaging if part in ("flips", "cuts", "swaps") else disturbing
            failed += attack(part, arguments.times or TIMES[part], arguments.seed, Path(name))
    sys.exit(1 if failed else 0)


def damaging(part: str, times: int, seed: int, folder: Path) -> int:
    """Damage files, print what became of each kind, and return the number of wrong numbers."""
    written = write(folder / part / "one")
    try:
        if part == "swaps":
            counts = swap_all(written, write(folder / part / "other", (5, 6)), times, seed)
        else:
            counts = damage_all(written, flipped if part == "flips" else cut, times, seed)
    finally:
        shutil.rmtree(folder / part)
    totals = Counter[str]()
    for (kind, outcome), count in sorted(counts.items()):
        totals[outcome] += count
        if outcome != NOTICED:
            print(f"  {kind}: {count} {outcome}")
    print(f"{times} {part}: {', '.join(f'{totals[word]} {word}' for word in totals)}", flush=True)
    return totals[WRONG]


def disturbing(part: str, times: int, seed: int, folder: Path) -> int:
    """Kill jobs or let them race, and return how often the end state differed."""
    words = [*OPTIONS, f"seeds={list(jobs.SEEDS)}".replace(" ", ""), "replicas=1"]
    expected, usual = jobs.undisturbed(folder / part / "undisturbed", words)
    rng, wrong = np.random.default_rng(seed), 0

    def disturbed(place: Path) -> dict[str, object]:
        if part == "races":
            return jobs.raced(place, words, RACING)
        return jobs.killed(place, words, jobs.SIGNALS[part[:-1]], rng, usual)

    attack: Callable[[Path], dict[str, object]] = disturbed
    for number in range(times):
        place = folder / part / str(number)
        found = attack(place)
        if found != expected:
            wrong += 1
            print(f"  {part} {number}: {_difference(found, expected)}", flush=True)
        shutil.rmtree(place)
    shutil.rmtree(folder / part)
    print(
        f"{times} {part}: {times - wrong} end like an undisturbed job, {wrong} do not", flush=True
    )
    return wrong


def _difference(found: dict[str, object], expected: dict[str, object]) -> str:
    odd = {name for name in (*found, *expected) if found.get(name) != expected.get(name)}
    shown = {name: found.get(name) for name in sorted(odd) if not name.startswith("seed ")}
    return f"{', '.join(sorted(odd))} differ {shown or ''}"


if __name__ == "__main__":
    main()
