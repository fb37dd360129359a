"""``gkd-search``: the hyperparameters of a method with the best validation score."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from gkd_runner.cli.arguments import add_overrides, command_parser, parse, whole
from gkd_runner.cli.boundary import command
from gkd_runner.common.extras import require

DESCRIPTION = (
    "Search a method's hyperparameters for the best mean validation accuracy over the seeds."
)
EPILOG = """\
  gkd-search method=infgrand dataset=cora --trials 20

The options of method and student say in their schema which values are tried; what the command line
gives is not searched. Each trial is an ordinary run in <output_dir>/runs, the search itself a
file in <output_dir>/searches: the same command goes on from it, and with more trials goes further.
"""


@command("gkd-search", resumes=True)
def main(argv: Sequence[str] | None = None) -> None:
    """Search, and print the best trials."""
    arguments = parse(_parser(), argv)

    require("gkd-search", "search", "optuna")
    from gkd_runner.common.console import show_log
    from gkd_runner.sweeps.search import prepare
    from gkd_runner.sweeps.trials import run_search

    show_log()
    run_search(prepare(arguments.overrides, arguments.search_seed), arguments.trials)


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("gkd-search", DESCRIPTION, EPILOG)
    parser.add_argument("--trials", type=whole(1), default=20, help="in all; default: %(default)s")
    parser.add_argument(
        "--search-seed", type=whole(0), default=0, help="of the sampler; default: %(default)s"
    )
    add_overrides(parser)
    return parser


if __name__ == "__main__":
    main()
