"""``gkd-tables``: compare finished runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from gkd_runner.cli.boundary import command
from gkd_runner.cli.sources import compared, make_parser
from gkd_runner.common.extras import require

WIDE = 200
"""Characters of a line where there is no terminal to fit."""


@command("gkd-tables")
def main() -> None:
    """Print the tables, or write them with ``--out`` and their figures with ``--figures``."""
    arguments = _parser().parse_args()

    from rich.console import Console

    from gkd_runner.common.console import make_console
    from gkd_runner.reporting.provenance import read_all_failures
    from gkd_runner.reporting.render import terminal, write_tables
    from gkd_runner.reporting.tables import make_tables

    comparison = compared(arguments)
    failures = read_all_failures(arguments.sources)
    paths: list[Path] = []
    if arguments.out:
        paths += write_tables(comparison, failures, arguments.out, arguments.sources)
    if arguments.figures:
        require("gkd-tables --figures", "plot", "matplotlib", "scikit_posthocs")
        from gkd_runner.reporting.methods_figures import save_figures

        paths += save_figures(comparison, arguments.figures)
    if paths:
        print(*paths, sep="\n")
        return
    console = make_console()
    width = console.width if console.is_terminal else WIDE
    Console(width=width, highlight=False).print(terminal(make_tables(comparison, failures), width))


def _parser() -> argparse.ArgumentParser:
    parser = make_parser(
        "gkd-tables",
        "Compare finished runs: scores, paired differences, published figures.",
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="write tables.md, tables.tex, tables.html, runs.csv and curves.jsonl into this folder",
    )
    parser.add_argument(
        "--figures",
        type=Path,
        help="write the average ranks of methods (critical-difference diagrams) and their"
        " performance profiles into this folder, as SVG and PNG",
    )
    return parser


if __name__ == "__main__":
    main()
