"""``gkd-import``: a graph in another form becomes a file that gkd-train reads."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from gkd_runner.cli.arguments import command_parser
from gkd_runner.cli.boundary import command
from gkd_runner.common.errors import DataError

if TYPE_CHECKING:
    from gkd_runner.options.schema import ProtocolConfig

DESCRIPTION = "Turn a graph in another form into an .npz file for gkd-train, and describe it."
EPILOG = """\
The source is a list of edges (CSV, TSV, lines of two ids, Parquet; .gz as well) with a table of
nodes, an .npz file (gkd-runner's layout, the heterophily suite's and others), or a file of
dgl.save_graphs. Ids and labels may be text. Graphs in memory (NetworkX, SciPy, PyTorch
Geometric, DGL): gkd_runner.load_graph.

  gkd-import edges.csv --nodes nodes.csv --out mine.npz
  gkd-import edges.csv --nodes target.csv --features features.json --label mature --id new_id
  gkd-import wisconsin.npz --out graphs/wisconsin.npz
"""


@command("gkd-import")
def main() -> None:
    """Write the file, and print the summary and the command to go on with."""
    arguments = _parser().parse_intermixed_args()
    if arguments.more:
        raise DataError(
            f"{arguments.more[0]}: a second file needs its role: --nodes {arguments.more[0]} for"
            " ids and labels, --features for features"
        )

    from gkd_runner.common.console import make_console
    from gkd_runner.data.importing.columns import Columns
    from gkd_runner.data.importing.load import import_graph, name_of
    from gkd_runner.data.npz import save_npz
    from gkd_runner.nodes.imported import next_command, portrait, summary

    name = arguments.name or name_of(arguments.out or arguments.source)
    out: Path = arguments.out or Path(f"{_free(name)}.npz")
    _check_out(out, arguments)
    columns = Columns(arguments.id, arguments.label, arguments.edge_columns)
    imported = import_graph(
        arguments.source, _free(name), arguments.nodes, arguments.features, columns=columns
    )
    graph = imported.graph
    save_npz(graph, out)
    protocols = _protocols()
    seen = portrait(graph, protocols)
    console = make_console()
    console.print(summary(graph, imported.findings, seen))
    console.print(f"wrote      {out}\n", soft_wrap=True)
    console.print(next_command(graph, out, seen, protocols[0].name), soft_wrap=True)


def _check_out(out: Path, arguments: argparse.Namespace) -> None:
    if out.suffix != ".npz":
        raise DataError(f"--out {out}: the file is an .npz; call it {out.with_suffix('.npz')}")
    if not out.absolute().parent.is_dir():
        raise DataError(f"--out {out}: no folder {out.parent}")
    if arguments.out is None and out.exists() and out.resolve() == arguments.source.resolve():
        raise DataError(f"{out} would be overwritten; name another file: --out {out.stem}-new.npz")


def _free(name: str) -> str:
    """``name`` as ``dataset.name`` allows it, and unlike that of a graph that comes along."""
    from gkd_runner.common.paths import conf_dir

    allowed = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._") or "graph"
    shipped = (conf_dir() / "dataset" / f"{allowed}.yaml").exists()
    return f"my-{allowed}" if shipped else allowed


def _protocols() -> list[ProtocolConfig]:
    """All protocols, the default first."""
    from gkd_runner.common.paths import conf_dir
    from gkd_runner.config.build import compose

    default = compose().protocol
    names = sorted(path.stem for path in (conf_dir() / "protocol").glob("*.yaml"))
    return [default, *(compose([f"protocol={n}"]).protocol for n in names if n != default.name)]


def _two(text: str) -> tuple[str, str]:
    first, comma, second = text.partition(",")
    if not (first and comma and second):
        raise argparse.ArgumentTypeError(f"{text} is not two columns, as in from,to")
    return first, second


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("gkd-import", DESCRIPTION, EPILOG)
    parser.add_argument("source", type=Path, help="list of edges, .npz file, or DGL file")
    parser.add_argument("more", nargs="*", type=Path, help=argparse.SUPPRESS)
    parser.add_argument(
        "--nodes", type=Path, help="table with a row per node: id, label, perhaps features"
    )
    parser.add_argument(
        "--features",
        type=Path,
        help="table of features (a column per feature; or rows of node, feature, value), or JSON"
        " {node: [feature ids]}; default: the columns of numbers in --nodes",
    )
    parser.add_argument("--label", metavar="COLUMN", help="column of labels in --nodes")
    parser.add_argument("--id", metavar="COLUMN", help="column of node ids in --nodes")
    parser.add_argument(
        "--edge-columns", type=_two, metavar="A,B", help="columns of the two ends of an edge"
    )
    parser.add_argument("--name", help="the graph's name in tables and folders")
    parser.add_argument("--out", type=Path, help="the file to write (default: NAME.npz)")
    return parser


if __name__ == "__main__":
    main()
