"""``gkd-predict``: answers of an exported student, without torch."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from gkd_runner.cli.arguments import command_parser
from gkd_runner.cli.boundary import command

if TYPE_CHECKING:
    from gkd_runner.predict.answers import Answers

DESCRIPTION = "Answer for nodes with a student that gkd-export wrote: class, probabilities."
EPILOG = """\
  gkd-predict cora-student --nodes ids.csv
  gkd-predict cora-student --all --out answers.parquet
  gkd-predict cora-student --features new.csv --neighbours pairs.csv

ids.csv has one id per line. new.csv has a header, ids in its first column, and a column for each
feature of the training graph: in any order if config.json has their names, else in the same order.
pairs.csv has two ids per line, of which at least one is new.
"""


@command("gkd-predict")
def main() -> None:
    """Print the answers as CSV, or write them to a file."""
    parser = _parser()
    arguments = parser.parse_args()
    if arguments.neighbours and not arguments.features:
        parser.error("--neighbours goes with --features, which names the new nodes")
    if arguments.cheap and not arguments.neighbours:
        parser.error("--cheap goes with --neighbours: it approximates what they pass on")

    from gkd_runner.predict.answers import check_output

    if arguments.out:
        check_output(arguments.out)
    answers = _answers(arguments)
    if not arguments.out:
        print(answers.to_csv(), end="")
        return
    answers.write(arguments.out)
    print(f"wrote    {arguments.out} ({len(answers)} rows)")


def _answers(arguments: argparse.Namespace) -> Answers:
    from gkd_runner.predict.columns import Width
    from gkd_runner.predict.exported import ExportedStudent
    from gkd_runner.predict.requests import neighbour_lists, read_features, read_ids, read_pairs

    student = ExportedStudent(arguments.folder)
    if arguments.all:
        return student.predict_all()
    if arguments.nodes:
        return student.predict_known(read_ids(arguments.nodes, student.index))
    width = Width(student.facts.num_features, student.facts.feature_names)
    new = read_features(arguments.features, width)
    lists = None
    if arguments.neighbours:
        lists = neighbour_lists(new.ids, read_pairs(arguments.neighbours), arguments.neighbours)
    return student.predict_new(new.features, lists, ids=new.ids, exact=not arguments.cheap)


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("gkd-predict", DESCRIPTION, EPILOG)
    parser.add_argument("folder", type=Path, help="what gkd-export wrote")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--nodes", type=Path, metavar="CSV", help="ids of known nodes")
    which.add_argument("--features", type=Path, metavar="FILE", help="new nodes: a .csv or .npz")
    which.add_argument("--all", action="store_true", help="all nodes of the graph")
    parser.add_argument(
        "--neighbours", type=Path, metavar="CSV", help="pairs of ids: the edges of the new nodes"
    )
    parser.add_argument(
        "--cheap",
        action="store_true",
        help="new nodes: approximate propagated features by the stored ones of the neighbours",
    )
    parser.add_argument("--out", type=Path, help="a .csv, .json or .parquet file (default: print)")
    return parser


if __name__ == "__main__":
    main()
