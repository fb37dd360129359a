"""The tables of results."""

from __future__ import annotations

from rich.console import Console

from bench.clock import Spread
from bench.compare import Comparison, round_ratio
from bench.grid import NOTHING, Grid, megabytes, milliseconds, times
from bench.measure import FLOOR, NEEDED, PROPAGATION
from bench.results import OURS, REFERENCE, Line, Results
from bench.sampled import SAMPLED
from bench.scaling import AXES, WORKLOAD, curves, exponent

PIECE = ": "
"""In the names of a floor's pieces, whose ratios are left out."""


def epochs_table(results: Results, workload: str) -> Grid:
    """Epochs of all stages of one workload beside reference and floor."""
    parts = dict.fromkeys(
        line.key.part
        for line in results.lines
        if line.key.workload == workload and line.per == "epoch"
    )
    columns = (
        "epoch of",
        "CPU ms",
        "wall ms",
        "reference",
        "reference / here",
        "floor",
        "here / floor",
        "propagation",
    )
    rows = [_epoch_row(results, workload, part) for part in parts]
    return Grid(f"{workload}: {_sizes(results.workloads[workload])}", columns, tuple(rows))


def _sizes(sizes: dict[str, object]) -> str:
    kind = ", made up" if sizes["made_up"] else ""
    return (
        f"{sizes['nodes']:,} nodes, {sizes['undirected_edges']:,} edges,"
        f" {sizes['features']:,} features, {sizes['classes']} classes{kind}"
    )


def _epoch_row(results: Results, workload: str, part: str) -> tuple[str, ...]:
    def line(contender: str) -> Line | None:
        return results.find(workload, part, contender)

    ours, reference = line(OURS), line(REFERENCE)
    floors = [name for name in (FLOOR, NEEDED) if line(name)]
    # the floor of needed rows counts where it is the lower one
    floor = min(floors, key=lambda name: _cpu(line(name)), default=None)
    spread = milliseconds(ours.cpu if ours else None)
    return (
        part,
        spread,
        milliseconds(ours.wall if ours else None),
        milliseconds(reference.cpu if reference else None),
        times(round_ratio(reference, ours)) if ours and reference else NOTHING,
        f"{milliseconds(_spread(line(floor)))}{_which(floor)}" if floor else NOTHING,
        times(round_ratio(ours, line(floor))) if ours and floor else NOTHING,
        milliseconds(_spread(line(f"{floor}: {PROPAGATION}"))) if floor else NOTHING,
    )


def _which(floor: str) -> str:
    return " (needed)" if floor == NEEDED else ""


def _cpu(line: Line | None) -> float:
    return line.cpu.median if line and line.cpu else float("inf")


def _spread(line: Line | None) -> Spread | None:
    return line.cpu if line else None


def memory_table(results: Results) -> Grid | None:
    """Peaks beside those of the reference."""
    found = [line for line in results.lines if line.peak_bytes and line.key.contender == OURS]
    if not found:
        return None
    rows = []
    for line in found:
        other = results.find(line.key.workload, line.key.part, REFERENCE)
        share = (
            f"{other.peak_bytes / line.peak_bytes:.1f}"  # type: ignore[operator]
            if other and other.peak_bytes
            else NOTHING
        )
        rows.append(
            (
                line.key.workload,
                line.key.part,
                megabytes(line.peak_bytes),
                megabytes(line.start_bytes),
                megabytes(other.peak_bytes if other else None),
                share,
            )
        )
    columns = ("graph", "what", "peak MiB", "before, MiB", "plain reference, MiB", "times as large")
    return Grid("Peak memory of a process", columns, tuple(rows))


def others_table(results: Results) -> Grid | None:
    """Everything that is neither an epoch nor memory."""
    found = [line for line in results.lines if line.per != "epoch" and line.cpu]
    found = [line for line in found if not line.key.workload.startswith(WORKLOAD)]
    rows = tuple(
        (*line.key[:2], line.key.contender, milliseconds(line.cpu), milliseconds(line.wall))
        for line in found
    )
    columns = ("graph", "what", "how", "CPU ms", "wall ms")
    return Grid("Once per run", columns, rows) if rows else None


def grids(results: Results) -> list[Grid]:
    """All tables."""
    with_epochs = dict.fromkeys(
        line.key.workload
        for line in results.lines
        if line.per == "epoch" and not line.key.workload.startswith((WORKLOAD, SAMPLED))
    )
    made = [epochs_table(results, name) for name in with_epochs]
    others = (
        exponents_table(results),
        sampled_table(results),
        memory_table(results),
        others_table(results),
        facts_table(results),
    )
    return [*made, *(table for table in others if table)]


def exponents_table(results: Results) -> Grid | None:
    """How the cost of each part grows with each size."""
    found = {axis: curves(results, axis) for axis in AXES}
    found = {axis: parts for axis, parts in found.items() if parts}
    parts = dict.fromkeys(part for parts in found.values() for part in parts)
    rows = tuple((part, *(_exponent(found[axis].get(part)) for axis in found)) for part in parts)
    columns = ("exponent of", *found)
    return Grid("Cost against size, over the last decade", columns, rows) if rows else None


def sampled_table(results: Results) -> Grid | None:
    """Time and memory of the epochs of each student, as the graph grows."""
    found = [line for line in results.lines if line.key.workload == SAMPLED]
    rows = tuple(
        (
            f"{int(line.key.contender):,}",
            line.key.part,
            milliseconds(line.cpu),
            megabytes(line.peak_bytes),
        )
        for line in found
    )
    columns = ("nodes", "epoch of", "CPU ms", "MiB of all epochs")
    return Grid("Epochs as a graph of ogbn-arxiv's shape grows", columns, rows) if rows else None


def _exponent(points: list[tuple[float, float]] | None) -> str:
    return NOTHING if points is None or len(points) < 2 else f"{exponent(points):.2f}"


def facts_table(results: Results) -> Grid | None:
    """Facts that whole commands report beside their time."""
    rows = [
        (command, *(_fact(told, name) for name in ("imports_torch", "training_share")))
        for told_by in results.workloads.values()
        for command, told in told_by.items()
        if isinstance(told, dict) and {"imports_torch", "training_share"} & set(told)
    ]
    columns = ("command", "imports torch", "share of CPU time in training")
    return Grid("Commands", columns, tuple(rows)) if rows else None


def _fact(told: dict[str, object], name: str) -> str:
    value = told.get(name)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return NOTHING if value is None else f"{value:.1%}"


def machine_text(results: Results) -> str:
    """The machine in one sentence."""
    machine = results.machine
    git = machine["git"] or {}
    commit = f"commit {git['commit'][:10]}{' with changes' if git['dirty'] else ''}" if git else ""
    parts = [
        f"{machine['cpu']}, {machine['cores']} cores, {machine['threads']} threads",
        f"torch {machine['versions']['torch']}",
        commit,
        f"load {machine['load_before']:.1f} before",
        machine["started"],
    ]
    return "; ".join(part for part in parts if part)


def show(results: Results, console: Console) -> None:
    """Print everything."""
    for grid in grids(results):
        console.print(grid.rich())
    for workload, part, reason in results.skipped:
        console.print(f"not measured: {workload}, {part}: {reason}")
    console.print(machine_text(results))


def comparison_grid(comparison: Comparison) -> Grid:
    """Old over new of every line that both have."""
    rows = tuple(
        (
            *line.key,
            times(line.cpu),
            times(line.wall),
            NOTHING if line.memory is None else f"{line.memory:.2f}",
        )
        for line in comparison.lines
        if PIECE not in line.key.contender
    )
    columns = ("graph", "what", "how", "CPU, old / new", "wall, old / new", "memory, old / new")
    return Grid("Old over new: 2 means half the cost", columns, rows)


def show_comparison(comparison: Comparison, console: Console) -> None:
    """Print the ratios and the lines that one side lacks."""
    console.print(comparison_grid(comparison).rich())
    for side, keys in (("old", comparison.only_old), ("new", comparison.only_new)):
        for key in keys:
            console.print(f"only in the {side} result: {', '.join(key)}")
