"""``gkd-reproduce``: what is missing of a paper's table, or of ``common``, a comparison."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from gkd_runner.cli.arguments import add_overrides, command_parser, parse, whole
from gkd_runner.cli.boundary import command

DESCRIPTION = "Run what is missing of a paper's table and write the tables."
EPILOG = """\
  gkd-reproduce infgrand --datasets cora,citeseer --dry-run
  gkd-reproduce common --max-width 256

infgrand, hgmd and glnn are the papers' tables; common compares all methods on the very same
teachers. Interrupted and started again it goes on; several at once
share the work. Options of gkd-train may follow and go to every cell: calibration=none.
"""


@command("gkd-reproduce", resumes=True)
def main(argv: Sequence[str] | None = None) -> None:
    """Plan, run, write."""
    options = parse(_parser(), argv)

    from gkd_runner.common.console import make_console, show_log
    from gkd_runner.reporting.finished import write_finished
    from gkd_runner.sweeps.report import plan_text
    from gkd_runner.sweeps.run import run_all
    from gkd_runner.sweeps.survey import survey
    from gkd_runner.sweeps.targets import target_cells

    show_log()
    cells = target_cells(options.target, vars(options), options.overrides, options.max_width)
    if options.dry_run:
        make_console().print(plan_text(survey(cells)))
        return
    try:
        run_all(cells)
    finally:
        for path in write_finished(Path(cells[0].config.output_dir).expanduser()):
            print(path)


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("gkd-reproduce", DESCRIPTION, EPILOG)
    parser.add_argument("target", help="whose table: infgrand, hgmd, glnn or common")
    for name in ("datasets", "teachers", "settings", "methods", "seeds"):
        parser.add_argument(f"--{name}", metavar="A,B,...", help=f"only these {name}")
    parser.add_argument(
        "--max-width", type=whole(1), metavar="H", help="cap hidden_dim of teachers and students"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the plan and stop")
    add_overrides(parser)
    return parser


if __name__ == "__main__":
    main()
