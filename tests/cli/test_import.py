"""``gkd-import``: from files of any kind to a graph file, a summary and the next command."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gkd_runner.cli.import_ import main
from gkd_runner.data.npz import load_npz, save_npz
from gkd_runner.data.synthetic import synthetic
from tests.data.importing import graphs
from tests.support import Done

Command = Callable[..., Done]


@pytest.fixture
def gkd_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Run the command in ``tmp_path``."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["gkd-import", *arguments])
        code: object = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code
        out, err = capsys.readouterr()
        return Done(int(code != 0), out, err + (code if isinstance(code, str) else ""))

    return run


def words(text: str) -> str:
    """``text`` without the line breaks of a narrow terminal."""
    return " ".join(text.split())


def test_tables_become_a_file_a_summary_and_the_next_command(
    tmp_path: Path, gkd_import: Command
) -> None:
    graphs.write_csv(tmp_path)
    done = gkd_import("edges.csv", "--nodes", "nodes.csv", "--out", "papers.npz")
    assert (done.returncode, done.stderr) == (0, "")
    graph = load_npz(tmp_path / "papers.npz", "papers")
    assert graph.fingerprint == graphs.truth().fingerprint
    assert graph.ids.tolist() == graphs.IDS.tolist()
    told = words(done.stdout)
    isolated = int((np.diff(graph.adjacency.indptr) == 0).sum())
    for text in (
        "graph papers read edges from source, target; node ids from id; labels from label",
        f"nodes {graph.num_nodes} in",
        f"edges {graph.num_edges // 2} undirected",
        "classes 3: astronomy (20), biology (20), chemistry (20)",
        "features 30 columns",
        "splits none of its own",
        f"kept {isolated} nodes without an edge",
        "none can split the graph; infgrand does not: protocol infgrand needs",
        "krd does not: class astronomy has 20 labelled nodes, but protocol krd draws 50 per class",
        "wrote papers.npz",
    ):
        assert text in told


def test_the_command_at_the_end_trains(
    tmp_path: Path, gkd_import: Command, gkd_train: Command
) -> None:
    folder = tmp_path / "a folder, with marks"
    folder.mkdir()
    graphs.write_csv(folder)
    done = gkd_import(f"{folder}/edges.csv", "--nodes", f"{folder}/nodes.csv", "--out",
                      f"{folder}/mine.npz")  # fmt: skip
    last = shlex.split(done.stdout.strip().splitlines()[-1])
    assert last[0] == "gkd-train"
    quick = ("tracker=none", "preset=none", "training.max_epochs=3", "seeds=[0]")
    trained = gkd_train(tmp_path, *last[1:], *quick, "method=glnn")
    assert trained.returncode == 0, trained.stderr


def chosen_protocol(done: Done) -> str:
    options = done.stdout.strip().splitlines()[-1].split()
    return next((text for text in options if text.startswith("protocol=")), "")


@pytest.mark.parametrize(
    ("nodes", "protocol"), [(300, "protocol=krd"), (2000, ""), (100, "protocol=krd")]
)
def test_the_next_command_names_a_protocol_that_fits(
    tmp_path: Path, gkd_import: Command, nodes: int, protocol: str
) -> None:
    save_npz(synthetic(nodes, classes=4, features=20, mean_degree=4), tmp_path / "g.npz")
    done = gkd_import("g.npz", "--out", "h.npz")
    assert chosen_protocol(done) == protocol
    lowered = "protocol.train_per_class=7 protocol.val_per_class=7"
    assert (lowered in done.stdout) is (nodes == 100)


def test_own_splits_need_no_protocol(tmp_path: Path, gkd_import: Command) -> None:
    names = ("train_mask", "val_mask", "test_mask")
    masks = dict(zip(names, graphs.masks().mT, strict=True))
    np.savez(tmp_path / "web.npz", **graphs.arrays(), **masks)
    done = gkd_import("web.npz", "--name", "Web pages", "--out", "own.npz")
    assert chosen_protocol(done) == ""
    assert "splits 10 of its own, the first with" in words(done.stdout)
    assert "dataset.name=Web-pages" in done.stdout
    assert len(load_npz(tmp_path / "own.npz", "own").splits) == 10


def test_a_graph_that_ships_keeps_its_name_for_itself(tmp_path: Path, gkd_import: Command) -> None:
    np.savez(tmp_path / "cora.npz", **graphs.arrays())
    done = gkd_import("cora.npz")
    assert "gkd-train dataset=my-cora.npz protocol=" in done.stdout
    assert (tmp_path / "my-cora.npz").is_file()


def test_what_was_dropped_mended_and_ignored_is_printed(
    tmp_path: Path, gkd_import: Command
) -> None:
    edges = graphs.edges_once()
    messy = np.concatenate([edges, edges[:4], edges[:3, ::-1], [[5, 5], [6, 6]]])
    arrays = graphs.arrays() | {"edge_index": messy.T, "year": np.arange(graphs.NODES)}
    np.savez(tmp_path / "g.npz", **arrays, edge_weight=np.full(len(messy), 2.0))
    told = words(gkd_import("g.npz", "--out", "h.npz").stdout)
    for text in (
        "dropped 2 self-loops",
        f"dropped {len(messy)} edge weights that are not 1",
        "mended 4 edges listed again, merged",
        f"mended directions: 3 edges are listed in both and {len(edges) - 3} in one",
        "ignored year",
    ):
        assert text in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["edges.csv"], "a list of edges has no labels"),
        (["edges.csv", "nodes.csv"], "a second file needs its role: --nodes nodes.csv"),
        (["nowhere.npz"], "nowhere.npz: no such file"),
        (["."], "is a folder; name the .npz file of a graph, or for gkd-import a list of edges"),
        (["edges.csv", "--nodes", "nodes.csv", "--label", "lable"], "did you mean 'label'?"),
        (["edges.csv", "--nodes", "nodes.csv", "--out", "g.csv"], "call it g.npz"),
        (["edges.csv", "--nodes", "nodes.csv", "--out", "no/g.npz"], "no folder no"),
        (["edges.csv", "--edge-columns", "source"], "source is not two columns, as in from,to"),
        (["g.npz"], "g.npz would be overwritten; name another file: --out g-new.npz"),
    ],
)
def test_a_mistake_gets_one_line(
    tmp_path: Path, gkd_import: Command, arguments: list[str], message: str
) -> None:
    graphs.write_csv(tmp_path)
    np.savez(tmp_path / "g.npz", **graphs.arrays())
    done = gkd_import(*arguments)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
