"""``gkd-report``: one page that compares finished runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from gkd_runner.cli.boundary import command
from gkd_runner.cli.sources import compared, make_parser
from gkd_runner.common.extras import require


@command("gkd-report")
def main() -> None:
    """Write the page and its figures."""
    arguments = _parser().parse_args()
    comparison = compared(arguments)
    require("gkd-report", "report", "altair", "vl_convert")

    from gkd_runner.reporting.page.build import write

    for path in write(comparison, arguments.out, arguments.sources):
        print(path)


def _parser() -> argparse.ArgumentParser:
    parser = make_parser(
        "gkd-report", "Compare finished runs on one HTML page, with its figures as SVG and PNG."
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("outputs/report"),
        help="write report.html and figures/ into this folder (default: outputs/report)",
    )
    return parser


if __name__ == "__main__":
    main()
