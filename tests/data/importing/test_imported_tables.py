from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gkd_runner.common.errors import DataError
from gkd_runner.data.graph import GraphData
from gkd_runner.data.importing.load import import_graph, load_graph

EDGES = "from,to\na,b\nb,c\nc,d\n"
NODES = "id,label,height\na,x,1\nb,y,2\nc,x,3\nd,y,4\n"


def load(folder: Path, edges: str = EDGES, nodes: Any = NODES, **options: Any) -> GraphData:
    """The graph of two CSV files with this content; ``nodes`` may be a file or frame as well."""
    (folder / "edges.csv").write_text(edges)
    if isinstance(nodes, str):
        (folder / "nodes.csv").write_text(nodes)
        nodes = folder / "nodes.csv"
    return load_graph(folder / "edges.csv", nodes=nodes, **options)


def pairs(graph: GraphData) -> set[tuple[Any, Any]]:
    """Undirected edges, by ids."""
    rows, columns = graph.adjacency.nonzero()
    ends = zip(graph.ids[rows].tolist(), graph.ids[columns].tolist(), strict=True)
    return {(a, b) for a, b in ends if str(a) < str(b)}


PATH = {("a", "b"), ("b", "c"), ("c", "d")}


def test_a_table_becomes_a_graph(tmp_path: Path) -> None:
    graph = load(tmp_path)
    assert graph.ids.tolist() == ["a", "b", "c", "d"]
    assert pairs(graph) == PATH
    assert graph.features.tolist() == [[1], [2], [3], [4]]
    assert graph.labels.tolist() == [0, 1, 0, 1]
    assert graph.class_names == ("x", "y")


@pytest.mark.parametrize(
    "edges",
    [
        EDGES.replace(",", "\t"),
        EDGES.replace(",", ";"),
        EDGES.replace(",", " "),
        EDGES.replace(",", ", "),
        "# Directed graph\n# from to\n" + EDGES,
        "\ufeff" + EDGES,
        EDGES.replace("\n", "\r\n"),
        EDGES.replace("from,to", "id_1,id_2"),
        EDGES.replace("from,to", "Source,Target"),
        EDGES.replace("from,to", "one,other"),
        EDGES.removeprefix("from,to\n"),
        "type,to,from\n1,a,b\n1,b,c\n2,c,d\n",
    ],
)
def test_edge_lists_are_read_as_people_write_them(tmp_path: Path, edges: str) -> None:
    assert pairs(load(tmp_path, edges)) == PATH


def test_packed_files_and_pairs_of_numbers_without_a_header_are_read(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "links.txt.gz", "wt") as stream:
        stream.write("# SNAP\n10\t20\n20\t30\n")
    (tmp_path / "nodes.csv").write_text("node_id,y,v\n20,1,5\n10,0,6\n30,0,7\n")
    graph = load_graph(tmp_path / "links.txt.gz", nodes=tmp_path / "nodes.csv")
    assert graph.ids.tolist() == [20, 10, 30]
    assert pairs(graph) == {(10, 20), (20, 30)}


def test_a_first_line_is_no_edge_by_mistake(tmp_path: Path) -> None:
    nodes = "id,label,x\n0,a,1\n1,b,2\n2,a,3\n"
    assert pairs(load(tmp_path, "0,2\n1,2\n", nodes)) == {(0, 2), (1, 2)}
    assert pairs(load(tmp_path, "0,1\n1,2\n", nodes)) == {(0, 1), (1, 2)}
    zeros = nodes.replace("\n0", "\n00")
    assert pairs(load(tmp_path, "00,1\n1,2\n", zeros)) == {("00", "1"), ("1", "2")}
    words = "id,label,x\nsource,a,1\ntarget,b,2\nword,a,3\n"
    edges = "source,target\nsource,word\nword,target\n"
    assert pairs(load(tmp_path, edges, words)) == {("source", "word"), ("target", "word")}


def test_leading_zeros_of_ids_are_kept(tmp_path: Path) -> None:
    graph = load(tmp_path, "u,v\n007,8\n8,09\n", "id,label,x\n007,1,1\n8,2,1\n09,1,3\n")
    assert graph.ids.tolist() == ["007", "8", "09"]
    assert graph.class_names == ("1", "2")


def test_labels_that_are_numbers_sort_as_numbers(tmp_path: Path) -> None:
    graph = load(tmp_path, nodes="id,class,x\na,10,1\nb,9,2\nc,,3\nd,100,4\n")
    assert graph.labels.tolist() == [1, 0, -1, 2]
    assert graph.class_names == ("9", "10", "100")


def test_nodes_of_edges_and_features_alone_are_kept_and_told(tmp_path: Path) -> None:
    (tmp_path / "edges.csv").write_text(EDGES + "d,e\n")
    (tmp_path / "nodes.csv").write_text("id,label\na,x\nb,y\nc,x\n")
    (tmp_path / "words.json").write_text(
        json.dumps({"a": [0, 2], "d": [2], "f": [1], "c": [0], "g": []})
    )
    graph, findings = vars(
        import_graph(
            tmp_path / "edges.csv",
            nodes=tmp_path / "nodes.csv",
            features=tmp_path / "words.json",
        )
    ).values()
    assert graph.ids.tolist() == ["a", "b", "c", "d", "f", "g", "e"]
    assert graph.labels.tolist() == [0, 1, 0, -1, -1, -1, -1]
    dense = np.asarray(graph.features.toarray())
    rows = {"a": [1, 0, 1], "c": [1, 0, 0], "d": [0, 0, 1], "f": [0, 1, 0]}
    assert dense.tolist() == [rows.get(node, [0, 0, 0]) for node in graph.ids]
    assert (
        len(findings.unlisted),
        findings.unlabelled,
        findings.featureless,
        findings.isolated,
    ) == (
        4,
        4,
        3,
        2,
    )


def test_all_columns_that_are_not_used_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nodes = "id,label,height,colour,index\na,x,1,red,9\nb,y,2,red,8\nc,x,3,blue,7\nd,y,4,red,6\n"
    edges = "from,to,since\na,b,1999\nb,c,2000\nc,d,2001\n"
    assert load(tmp_path, edges, nodes).num_features == 1
    assert "ignored column since of edges.csv, columns colour, index of nodes.csv" in caplog.text


def test_row_numbers_are_no_features(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    frame = pd.DataFrame({"id": [0, 1, 2, 3], "label": list("xyxy"), "height": [4, 3, 2, 1]})
    frame.to_csv(tmp_path / "nodes.csv")  # with pandas' index as a column without a name
    graph = load(tmp_path, "from,to\n0,1\n1,2\n2,3\n", tmp_path / "nodes.csv")
    assert graph.features.ravel().tolist() == [4, 3, 2, 1]
    assert "ignored column index of nodes.csv" in caplog.text


def test_of_several_ids_the_one_that_edges_name_is_taken(tmp_path: Path) -> None:
    nodes = "id,days,mature,new_id\n731,5,False,b\n732,6,True,a\n733,7,True,d\n734,8,False,c\n"
    graph = load(tmp_path, nodes=nodes)
    assert graph.ids.tolist() == ["b", "a", "d", "c"]
    assert graph.class_names == ("False", "True")
    assert graph.features.ravel().tolist() == [5, 6, 7, 8]


WORDS = "node_id,feature_id,value\nd,3,2.5\na,0,1\na,0,1\nb,1,1\nc,2,0\n"


def test_long_features_are_placed_by_their_ids(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "words.csv").write_text(WORDS)
    graph = load(tmp_path, features=str(tmp_path / "words.csv"))
    assert graph.features.toarray().tolist() == [
        [1, 0, 0, 0],
        [0, 1, 0, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 2.5],
    ]
    assert "mended 1 features of nodes listed again, merged" in caplog.text
    assert "ignored column height of nodes.csv" in caplog.text


def test_scattered_feature_ids_become_columns_in_their_order(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    words = pd.DataFrame({"node": list("abcd"), "feature": [900, 10**9, 5, 900]})
    graph = load(tmp_path, features=words)
    assert graph.features.toarray().tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0]]
    assert "they became columns 0 to 2" in caplog.text
    text = pd.DataFrame({"node": list("abcd"), "feature": ["red", "blue", "green", "red"]})
    assert load(tmp_path, features=text).features.toarray().tolist() == [
        [0, 0, 1],
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
    ]


def test_vectors_in_a_column_are_features(tmp_path: Path) -> None:
    nodes = pd.DataFrame({"id": list("abcd"), "label": [0, 1, 0, 1]})
    nodes["embedding"] = [[1.5, 0.0], [2.0, 1.0], [0.0, 3.0], [1.0, 1.0]]
    nodes.to_parquet(tmp_path / "nodes.parquet")
    graph = load(tmp_path, nodes=tmp_path / "nodes.parquet")
    assert graph.features.tolist() == nodes["embedding"].tolist()


def test_floats_survive_the_text(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(4, 50)).astype(np.float32)
    wide = pd.DataFrame(values).assign(id=list("abcd"), label=[0, 1, 0, 1])
    wide.to_csv(tmp_path / "wide.csv", index=False)
    graph = load(tmp_path, nodes=tmp_path / "wide.csv")
    assert np.array_equal(graph.features, values)


def test_a_matrix_goes_with_the_rows_of_the_nodes(tmp_path: Path) -> None:
    assert load(tmp_path, features=np.eye(4)).features.toarray().tolist() == np.eye(4).tolist()
    with pytest.raises(DataError, match=r"shape \(3, 4\), but .*nodes.csv lists 4 nodes"):
        load(tmp_path, features=np.eye(4)[:3])


def test_a_split_stands_in_columns_of_the_nodes(tmp_path: Path) -> None:
    nodes = pd.DataFrame({"id": list("abcd"), "label": [0, 1, 0, 1], "x": [1, 2, 3, 4]})
    named = nodes.assign(
        split_0=["train", "valid", "test", ""], split_1=["val", "test", "train", "-"]
    )
    graph = load(tmp_path, nodes=named)
    parts = [[ids.tolist() for ids in (s.train, s.val, s.test)] for s in graph.splits]
    assert parts == [[[0], [1], [2]], [[2], [0], [1]]]
    assert graph.num_features == 1
    masks = nodes.assign(train_mask=[1, 0, 0, 0], val_mask=[0, 1, 0, 0], test_mask=[0, 0, 1, 1])
    masks.to_csv(tmp_path / "masks.csv", index=False)
    [split] = load(tmp_path, nodes=tmp_path / "masks.csv").splits
    assert [split.train.tolist(), split.val.tolist(), split.test.tolist()] == [[0], [1], [2, 3]]


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "no nodes": ({"nodes": None}, r"edges\.csv: a list of edges has no labels; .*--nodes"),
    "no label": ({"nodes": "id,kind,x\na,x,1\n"}, r"no column looks like the labels.*--label"),
    "two labels": ({"nodes": "id,class,y,x\na,p,q,1\n"}, "class and y look .*--label COLUMN"),
    "misspelt label": ({"label_column": "lable"}, r"no column lable; did you mean 'label'\?"),
    "no id": (
        {"nodes": "nr,label,x\n1,x,1\n2,y,2\n"},
        r"no column looks .* ids.*--id",
    ),
    "two ids": (
        {"nodes": "id,node,label,x\na,a,x,1\nb,b,y,1\nc,c,x,1\nd,d,y,1\n"},
        "columns id and node look .*--id COLUMN",
    ),
    "foreign ids": ({"nodes": "id,label,x\n1,x,1\n2,y,2\n"}, "edges name a, b, c, .* has 1, 2"),
    "id twice": ({"nodes": NODES + "a,y,7\n"}, r"node a has two rows in column id \(1 such rows\)"),
    "id missing": ({"nodes": NODES + ",y,7\n"}, r"column id has no id in row 5 of the data"),
    "end missing": ({"edges": EDGES + "d,\n"}, r"edges\.csv: column to has no id in row 4"),
    "no features": ({"nodes": "id,label\na,x\nb,y\nc,x\nd,y\n"}, r"no features: .*--features"),
    "gaps": ({"nodes": NODES.replace("3", "")}, r"column height lacks 1 values; fill"),
    "measured": ({"nodes": NODES.replace("x", "0.5").replace("y", "1")}, "measured number and no"),
    "one class": ({"nodes": NODES.replace("y", "x")}, "only the class 'x'; at least 2"),
    "one column": ({"edges": "name\na\n"}, r"no two columns look like the ends.*--edge-columns"),
    "three columns": ({"edges": "p,q,r\na,b,c\n"}, r"--edge-columns A,B .*columns: p, q, r"),
    "two pairs": ({"edges": "from,to,u,v\na,b,c,d\n"}, "two pairs of columns look"),
    "twice a column": (
        {"nodes": "id,label,x,x\na,x,1,2\n"},
        r"two columns are called x; rename",
    ),
    "empty": ({"edges": ""}, r"edges\.csv: the file is empty"),
    "only a header": ({"edges": "from,to\n"}, r"edges\.csv: the table has no rows"),
    "loops": ({"edges": "from,to\na,a\n"}, "no edge joins two different nodes"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_newcomers_mistake_gets_one_helpful_line(tmp_path: Path, mistake: str) -> None:
    options, message = MISTAKES[mistake]
    with pytest.raises(DataError, match=message):
        load(tmp_path, **options)


def test_labels_with_a_value_per_node_are_refused(tmp_path: Path) -> None:
    rows = [f"n{number},{number},1" for number in range(30)]
    edges = "from,to\n" + "\n".join(f"n{number},n{number + 1}" for number in range(29))
    with pytest.raises(DataError, match=r"30 different values \(0, 1, 10, 11, \.\.\.\)"):
        load(tmp_path, edges, "id,label,x\n" + "\n".join(rows))


def test_unreadable_tables_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.csv: no such file"):
        load_graph(tmp_path / "nowhere.csv", nodes=tmp_path / "nowhere.csv")
    (tmp_path / "bad.parquet").write_text("no parquet")
    (tmp_path / "latin.csv").write_bytes("from,to\nä,b\n".encode("latin-1"))
    for name in ("bad.parquet", "latin.csv"):
        with pytest.raises(DataError, match=f"{name}: not a readable table"):
            load_graph(tmp_path / name, nodes=tmp_path / name)
    (tmp_path / "f.json").write_text("[1, 2]")
    with pytest.raises(DataError, match=r"f\.json: JSON features have the form"):
        load(tmp_path, features=tmp_path / "f.json")
    (tmp_path / "f.xlsx").write_text("")
    with pytest.raises(DataError, match="is a spreadsheet; save its sheets as CSV"):
        load(tmp_path, features=tmp_path / "f.xlsx")


def test_two_values_of_one_feature_are_refused(tmp_path: Path) -> None:
    (tmp_path / "words.csv").write_text(WORDS + "b,1,2\n")
    with pytest.raises(DataError, match="node b has two values of one feature"):
        load(tmp_path, features=tmp_path / "words.csv")


def test_what_goes_with_other_sources_is_refused_for_tables_and_the_other_way_round(
    tmp_path: Path,
) -> None:
    with pytest.raises(DataError, match="are a column of the table"):
        load(tmp_path, labels=[0, 1, 0, 1])
    with pytest.raises(DataError, match=r"goes with a list of edges, not with .*g\.npz"):
        load_graph(tmp_path / "g.npz", nodes=tmp_path / "nodes.csv")
    with pytest.raises(DataError, match="brings its own features"):
        load_graph(tmp_path / "g.npz", features=np.eye(3))
