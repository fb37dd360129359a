"""``gkd-inspect``: one row per node of anyone's graph, with or without a finished run."""

from __future__ import annotations

import argparse
from pathlib import Path

from gkd_runner.cli.arguments import add_overrides, command_parser, parse
from gkd_runner.cli.boundary import command

DESCRIPTION = "Write a CSV with one row per node of a graph, and say what the nodes are like."
EPILOG = """\
Without --run nothing is trained: degree, label, split, homophily, and influence as InfGraND
computes it. With --run, the folder of a finished gkd-train run: hardness, confidence and
predictions of its teacher and student as well.

  gkd-inspect dataset=cora
  gkd-inspect dataset=my.npz protocol=krd --plot nodes.png
  gkd-inspect --run outputs/runs/cora/infgrand-transductive/gcn/infgrand/<run id> --seed 2023

gkd-train --help names every option.
"""


@command("gkd-inspect")
def main() -> None:
    """Write the files and print the summary."""
    arguments = parse(_parser())

    from gkd_runner.common.console import make_console, show_log
    from gkd_runner.nodes.request import Request
    from gkd_runner.nodes.summary import summary
    from gkd_runner.nodes.table import write_csv

    show_log()
    request = Request(**vars(arguments))
    inspected = request.answer()
    write_csv(inspected.table, inspected.task.graph.classes, request.out)
    console = make_console()
    console.print(summary(inspected))
    console.print(f"wrote    {request.out} ({len(inspected.table)} rows)", soft_wrap=True)
    if request.plot:
        from gkd_runner.nodes.plot import save_plot  # only here, as matplotlib is an extra

        save_plot(inspected, request.plot)
        console.print(f"drew     {request.plot}", soft_wrap=True)


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("gkd-inspect", DESCRIPTION, EPILOG)
    add_overrides(parser)
    parser.add_argument("--run", type=Path, help="folder of a finished run")
    parser.add_argument("--seed", type=int, help="whose split (default: the first of seeds)")
    parser.add_argument(
        "--out", type=Path, default=Path("nodes.csv"), help="the CSV (default: nodes.csv)"
    )
    parser.add_argument("--plot", type=Path, help="a picture as well: a .png or .svg file")
    return parser


if __name__ == "__main__":
    main()
