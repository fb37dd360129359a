"""The command line of the benchmark."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from rich.console import Console

from bench import large, sampled, scaling
from bench.clock import Effort, alternate
from bench.commands import COMMANDS
from bench.compare import compare
from bench.large import MEMORY
from bench.machine import describe_machine
from bench.measure import PARTS, Measuring, Wanted, recorded
from bench.page import write_page
from bench.results import OURS, Key, Line, Results, load, merged
from bench.sampled import SAMPLED
from bench.scaling_plot import save_figure
from bench.tables import show, show_comparison
from bench.threads import THREADS
from bench.workloads import LARGE, NAMES, load_workload
from gkd_runner.methods import METHODS

TEACHERS = ("gcn", "sage", "gat")
REAL = ("cora", "pubmed", "amazon-photo", "coauthor-cs", "coauthor-physics")
DEFAULT = (*REAL, "start-up", "tracker")
CHOICES = "choices"
SCALING = "scaling"
NAMED = (*NAMES, *COMMANDS, CHOICES, SCALING, MEMORY, SAMPLED)

WIDTH = 140
"""Columns of tables that go to a file."""


def parser() -> argparse.ArgumentParser:
    """All options."""
    made = argparse.ArgumentParser(prog="bench", description=__doc__)
    made.add_argument("what", nargs="*", metavar="NAME", help=f"of {', '.join(NAMED)}")
    made.add_argument("--parts", type=_words(PARTS), default=PARTS, help=", ".join(PARTS))
    made.add_argument("--teachers", type=_words(TEACHERS), default=TEACHERS)
    made.add_argument("--methods", type=_words(tuple(METHODS)), default=tuple(METHODS))
    made.add_argument("--rounds", type=int, default=Effort.rounds, help="turns of each contender")
    made.add_argument("--epochs", type=int, default=Effort.epochs, help="epochs of a turn")
    made.add_argument("--seconds", type=float, default=Effort.seconds, help="limit of a turn")
    made.add_argument("--threads", type=int, default=THREADS)
    made.add_argument("--device", default="cpu")
    made.add_argument("--scale", type=float, default=1.0, help="of products-shape, 1 = all of it")
    made.add_argument(
        "--option", action="append", default=[], metavar="OPTION=VALUE", help="as for gkd-train"
    )
    made.add_argument("--no-reference", dest="reference", action="store_false")
    made.add_argument("--no-floor", dest="floor", action="store_false")
    made.add_argument("--label", default="", help="a name for the results")
    made.add_argument("--json", type=Path, help="file for the results")
    made.add_argument("--compare", type=Path, metavar="OLD.json", help="print old / new")
    made.add_argument(
        "--show", type=Path, nargs="+", metavar="RESULTS.json", help="measure nothing; merge these"
    )
    made.add_argument("--axes", type=_words(tuple(scaling.AXES)), default=tuple(scaling.AXES))
    made.add_argument("--figure", type=Path, help="file for the figure of scaling, .png or .svg")
    made.add_argument("--page", type=Path, help="write the tables into this page (docs/speed.md)")
    return made


def _words(allowed: Sequence[str]) -> object:
    def split(text: str) -> tuple[str, ...]:
        words = tuple(text.split(","))
        for word in words:
            if word not in allowed:
                raise argparse.ArgumentTypeError(f"{word!r} is not one of {', '.join(allowed)}")
        return words

    return split


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write, compare."""
    made = parser()
    given = made.parse_args(arguments)
    names = given.what or DEFAULT
    for name in names:
        if name not in NAMED:
            made.error(f"{name!r} is not one of {', '.join(NAMED)}")
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    runs = [load(path) for path in given.show] if given.show else [measured(names, given, console)]
    results = merged(runs)
    if given.json:
        results.save(given.json)
    for run in runs:
        show(run, console)
    if given.page:
        write_page(runs, given.page)
    if given.figure:
        save_figure(results, given.figure)
    if given.compare:
        show_comparison(compare(load(given.compare), results), console)


def measured(names: Sequence[str], given: argparse.Namespace, console: Console) -> Results:
    """The results of everything that was asked for."""
    torch.set_num_threads(given.threads)
    device = torch.device(given.device)
    results = Results(given.label, describe_machine(device))
    effort = Effort(given.rounds, given.epochs, given.seconds)
    for name in names:
        if name in COMMANDS:
            _commands(name, effort, results, console)
            continue
        if name == CHOICES:
            _choices(device, results, console)
            continue
        if name == SCALING:
            axes = scaling.measured(given.teachers, given.methods, given.axes, device, results)
            _growing(name, axes, results, console)
            continue
        if name == SAMPLED:
            _growing(name, sampled.measured(device, results), results, console)
            continue
        wanted = Wanted(
            given.parts,
            given.teachers,
            given.methods,
            effort,
            device,
            given.scale,
            tuple(given.option),
            given.reference,
            given.floor,
        )
        if name in LARGE:
            large.whole(name, wanted, results, console)
            continue
        if name == MEMORY:
            large.growing(wanted, results, console)
            continue
        with console.status(f"loading {name}"):
            workload = load_workload(name, given.scale, given.option)
        Measuring(workload, name, wanted, results, console).everything()
        if given.json:
            results.save(given.json)  # a long run that is stopped keeps what it has
    return results


def _commands(name: str, effort: Effort, results: Results, console: Console) -> None:
    with recorded(name, "commands", results, console):
        facts = results.workloads.setdefault(name, {})
        rounds = alternate(COMMANDS[name](facts), effort.rounds)
        for command, samples in rounds.items():
            results.lines.append(Line.of(Key(name, command, OURS), "command", samples))


def _growing(name: str, sizes: Iterable[str], results: Results, console: Console) -> None:
    with recorded(name, "all", results, console), console.status("") as status:
        for what in sizes:
            status.update(f"{name}: {what}")


def _choices(device: torch.device, results: Results, console: Console) -> None:
    with recorded(CHOICES, "all", results, console):
        # the only part that needs the insides of this version of the package
        from bench.choices import EFFORT, choices

        for what, blocks in choices(device).items():
            for contender, samples in alternate(blocks, EFFORT.rounds).items():
                results.lines.append(Line.of(Key(CHOICES, what, contender), "call", samples))
