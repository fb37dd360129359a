"""Run what is missing of a paper's table, or of the comparison of all methods; write the tables.

    python scripts/reproduce.py infgrand --datasets cora,citeseer --dry-run
    python scripts/reproduce.py common --max-width 256

Interrupted and started again it goes on; several at once share the work. Arguments that are not
its own go to every cell as gkd-train's options: ``calibration=none``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gkd_runner.cli.boundary import command, whole


@dataclass(frozen=True)
class Target:
    """The cells of one table: every combination of these."""

    protocol: str
    preset: str
    methods: str
    datasets: str
    teachers: str
    settings: str
    seeds: str


SMALL = "cora,citeseer,pubmed,amazon-photo,coauthor-cs,coauthor-physics"
TARGETS = {
    "infgrand": Target(
        "infgrand", "paper", "infgrand,glnn,mlp", SMALL, "gcn,sage,gat",
        "transductive,inductive", "2022,2023,2024,2025,2026",
    ),
    "hgmd": Target(
        "krd", "paper", "hgmd-mixup,hgmd-weight,mlp", f"{SMALL},ogbn-arxiv", "gcn",
        "transductive", "2024,2025,2026,2027,2028",
    ),
    "glnn": Target(
        "glnn", "none", "glnn,mlp", "cora,citeseer,pubmed,amazon-computers,amazon-photo", "sage",
        "transductive,inductive", "0,1,2,3,4,5,6,7,8,9",
    ),
    "common": Target(
        "infgrand", "common", "mlp,glnn,hgmd-weight,hgmd-mixup,infgrand", SMALL, "gcn,sage,gat",
        "transductive,inductive", "2022,2023,2024,2025,2026",
    ),
}  # fmt: skip
"""``common``: all methods on the very same teachers, under InfGraND's protocol."""


@command("reproduce", resumes=True)
def main(arguments: Sequence[str] | None = None) -> None:
    """Plan, run, write."""
    parser = _parser()
    options, overrides = parser.parse_known_args(arguments)
    unknown = [text for text in overrides if text.startswith("-")]
    if unknown:
        parser.error(f"unknown: {' '.join(unknown)}")
    from gkd_runner.common.console import make_console, show_log
    from gkd_runner.config.build import capped
    from gkd_runner.config.command_line import check_command_line
    from gkd_runner.config.presets import register_resolvers
    from gkd_runner.reporting.provenance import read_all_failures
    from gkd_runner.reporting.render import write_tables
    from gkd_runner.results.compare import compare
    from gkd_runner.results.frame import load_runs
    from gkd_runner.sweeps.report import plan_text
    from gkd_runner.sweeps.run import run_all
    from gkd_runner.sweeps.survey import survey

    show_log()
    register_resolvers()
    cells = check_command_line(["-m", *_overrides(options), *overrides])
    if options.max_width:
        cells = [replace(cell, config=capped(cell.config, options.max_width)) for cell in cells]
    if options.dry_run:
        make_console().print(plan_text(survey(cells)))
        return
    try:
        run_all(cells)
    finally:
        output_dir = Path(cells[0].config.output_dir).expanduser()
        if (output_dir / "runs").is_dir() and len(runs := load_runs([output_dir])):
            failures = read_all_failures([output_dir])
            for path in write_tables(compare(runs), failures, output_dir / "tables"):
                print(path)


def _overrides(options: argparse.Namespace) -> list[str]:
    target = TARGETS[options.target]
    return [
        f"dataset={options.datasets or target.datasets}",
        f"teacher={options.teachers or target.teachers}",
        f"setting={options.settings or target.settings}",
        f"method={options.methods or target.methods}",
        f"protocol={target.protocol}",
        f"preset={target.preset}",
        f"seeds=[{options.seeds or target.seeds}]",
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target", choices=tuple(TARGETS), help="whose table")
    for name in ("datasets", "teachers", "settings", "methods", "seeds"):
        parser.add_argument(f"--{name}", metavar="A,B,...", help=f"only these {name}")
    parser.add_argument(
        "--max-width", type=whole(1), metavar="H", help="cap hidden_dim of teachers and students"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the plan and stop")
    return parser


if __name__ == "__main__":
    main()
