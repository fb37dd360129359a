from __future__ import annotations

import functools
import gzip
import http.server
import os
import pickle
import struct
import threading
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import scipy.sparse as sp

from gkd_runner.common.errors import DataError
from gkd_runner.config.build import compose
from gkd_runner.data import load
from gkd_runner.data.graph import GraphData
from gkd_runner.data.npz import load_npz
from gkd_runner.data.ogb import read_ogb
from gkd_runner.data.pickles import read_restricted
from gkd_runner.data.planetoid import PARTS, read_planetoid
from gkd_runner.data.sources import SOURCES, RawFile, Source, fetch


class Python2Pickler(pickle._Pickler):  # the C pickler cannot be taught Python 2's strings
    """Writes what Python 2 wrote: byte strings, and the modules' names of that time."""

    dispatch: ClassVar[dict[type, Any]] = dict(pickle._Pickler.dispatch)

    def save_bytes(self, data: bytes) -> None:
        self.write(b"T" + struct.pack("<i", len(data)) + data)

    def save_text(self, text: str) -> None:
        self.save_bytes(text.encode("latin1"))

    dispatch[bytes] = save_bytes
    dispatch[str] = save_text


OLD_NAMES = {
    b"cscipy.sparse._csr\n": b"cscipy.sparse.csr\n",
    b"cnumpy._core.multiarray\n": b"cnumpy.core.multiarray\n",
}


def dump(value: object, path: Path, protocol: int = 2) -> None:
    with path.open("wb") as stream:
        Python2Pickler(stream, protocol, fix_imports=True).dump(value)
    content = path.read_bytes()
    for new, old in OLD_NAMES.items():
        content = content.replace(new, old)
    path.write_bytes(content)


KNOWN, NODES, WORDS, CLASSES = 606, 616, 9, 3
TEST_ORDER = [613, 606, 610, 608, 614, 615, 607]  # 609, 611 and 612 are described nowhere


@pytest.fixture
def truth() -> GraphData:
    """A small graph in its final form: nodes 609, 611 and 612 without words and label."""
    rng = np.random.default_rng(0)
    blank = [609, 611, 612]
    words = (rng.random((NODES, WORDS)) < 0.3).astype(np.float32)
    words[blank] = 0
    labels = rng.integers(CLASSES, size=NODES)
    labels[blank] = 0
    upper = np.triu(rng.random((NODES, NODES)) < 0.01, k=1)
    adjacency = sp.csr_array((upper | upper.T).astype(np.float32))
    return GraphData("toy", adjacency, sp.csr_array(words), labels)


def write_planetoid(truth: GraphData, folder: Path, protocol: int = 2, name: str = "toy") -> None:
    one_hot = np.eye(CLASSES, dtype=np.int32)[truth.labels]
    words = sp.csr_matrix(truth.features)
    adjacency = truth.adjacency
    neighbours = defaultdict(
        list,
        {node: [int(end) for end in adjacency[[node]].nonzero()[1]] for node in range(NODES)},
    )
    neighbours[0] += [0, *neighbours[0]]  # a self-loop, and every edge of node 0 twice
    parts = {
        "x": words[:6],
        "y": one_hot[:6],
        "allx": words[:KNOWN],
        "ally": one_hot[:KNOWN],
        "tx": words[TEST_ORDER],
        "ty": one_hot[TEST_ORDER],
        "graph": neighbours,
    }
    for part, value in parts.items():
        dump(value, folder / f"ind.{name}.{part}", protocol)
    (folder / f"ind.{name}.test.index").write_text("".join(f"{node}\n" for node in TEST_ORDER))


@pytest.mark.parametrize("protocol", [1, 2])
def test_planetoid_files_give_the_graph_in_public_order(
    tmp_path: Path, truth: GraphData, protocol: int
) -> None:
    write_planetoid(truth, tmp_path, protocol)
    graph = read_planetoid(tmp_path, "toy")
    assert graph.features.toarray().tolist() == truth.features.toarray().tolist()
    assert graph.adjacency.toarray().tolist() == truth.adjacency.toarray().tolist()
    assert graph.labels.tolist() == truth.labels.tolist()


def test_planetoid_files_give_the_public_split(tmp_path: Path, truth: GraphData) -> None:
    write_planetoid(truth, tmp_path)
    split = read_planetoid(tmp_path, "toy").split
    assert split is not None
    assert split.train.tolist() == list(range(6))
    assert split.val.tolist() == list(range(6, 506))
    assert split.test.tolist() == sorted(TEST_ORDER)


def test_the_pickles_are_read_as_python_2_wrote_them(tmp_path: Path, truth: GraphData) -> None:
    write_planetoid(truth, tmp_path, protocol=1)
    content = (tmp_path / "ind.toy.allx").read_bytes()
    assert b"cscipy.sparse.csr\ncsr_matrix\n" in content
    assert b"ccopy_reg\n_reconstructor\n" in content
    assert b"cnumpy.core.multiarray\n_reconstruct\n" in content
    assert b"c__builtin__\nlist\n" in (tmp_path / "ind.toy.graph").read_bytes()
    assert b"_codecs" not in content


def test_pickles_that_python_3_wrote_are_read_too(tmp_path: Path) -> None:
    value = {"array": np.arange(3), "scalar": np.int64(7), "text": "é"}
    for protocol in (2, 4):
        (tmp_path / "new").write_bytes(pickle.dumps(value, protocol))
        read = read_restricted(tmp_path / "new")
        assert read["array"].tolist() == [0, 1, 2]
        assert (read["scalar"], read["text"]) == (7, "é")


def test_inconsistent_planetoid_files_are_refused(tmp_path: Path, truth: GraphData) -> None:
    write_planetoid(truth, tmp_path)
    index = tmp_path / "ind.toy.test.index"
    for text, message in {
        "613\n606\n": "tx has 7 rows, but test.index names 2 nodes",
        "5 606 610 608 614 615 607": "names node 5, which allx holds already",
        "six": "not a list of node ids",
        "": "names no test node",
    }.items():
        index.write_text(text)
        with pytest.raises(DataError, match=message):
            read_planetoid(tmp_path, "toy")
    write_planetoid(truth, tmp_path)
    dump([1, 2], tmp_path / "ind.toy.allx")
    with pytest.raises(DataError, match="expected a sparse matrix, got list"):
        read_planetoid(tmp_path, "toy")


class Attack:
    def __init__(self, function: Any, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def test_a_pickle_that_runs_a_command_is_refused_unrun(tmp_path: Path) -> None:
    mark, bad = tmp_path / "mark", tmp_path / "bad"
    bad.write_bytes(pickle.dumps(Attack(os.system, f"touch {mark}"), 2))
    with pytest.raises(DataError, match=r"refused to load (posix|nt)\.system"):
        read_restricted(bad)
    assert not mark.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"cbuiltins\neval\n(U\x011tR.",
        b"c__builtin__\ngetattr\n.",
        b"cnumpy\nload\n.",
        b"ccollections\nOrderedDict\n.",
        b"\x80\x04\x8c\x05numpy\x8c\x0ef2py.crackfort\x93.",
        b"c_codecs\nencode\n(U\x01aU\x03hextR.",
        b"ccopy_reg\n_reconstructor\n(c__builtin__\nlist\nc__builtin__\nobject\nNtR.",
    ],
)
def test_any_global_or_use_beyond_the_published_files_is_refused(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(DataError, match="refused to"):
        read_restricted(tmp_path / "bad")


@pytest.mark.parametrize("content", [b"", b"<html>", b"\x80\x02]q", b"cnumpy\nndarray\nNb."])
def test_a_damaged_pickle_is_reported_with_its_path(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(DataError, match=r"bad: (not a readable pickle|refused)"):
        read_restricted(tmp_path / "bad")


EDGES = "0,1\n1,0\n1,2\n2,2\n0,1\n"


def write_ogb(path: Path, edges: str = EDGES, split: str = "time") -> None:
    tables = {
        "raw/num-node-list": "4\n",
        "raw/edge": edges,
        "raw/node-feat": "0.5,1.0\n-1,0\n2,3\n0,0\n",
        "raw/node-label": "1\n0\n1\n2\n",
        f"split/{split}/train": "2\n0\n",
        f"split/{split}/valid": "1\n",
        f"split/{split}/test": "3\n",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in tables.items():
            archive.writestr(f"{path.stem}/{name}.csv.gz", gzip.compress(text.encode()))


def test_ogb_tables_give_an_undirected_graph_with_reciprocal_edges_merged(tmp_path: Path) -> None:
    write_ogb(tmp_path / "tiny.zip")
    graph = read_ogb(tmp_path / "tiny.zip", "ogbn-tiny", root="tiny", split="time")
    assert graph.adjacency.toarray().tolist() == [
        [0, 1, 0, 0],
        [1, 0, 1, 0],
        [0, 1, 0, 0],
        [0, 0, 0, 0],
    ]


def test_ogb_tables_give_dense_features_labels_and_the_official_split(tmp_path: Path) -> None:
    write_ogb(tmp_path / "tiny.zip")
    graph = read_ogb(tmp_path / "tiny.zip", "ogbn-tiny", root="tiny", split="time")
    assert isinstance(graph.features, np.ndarray)
    assert graph.features.dtype == np.float32
    assert graph.features.tolist() == [[0.5, 1], [-1, 0], [2, 3], [0, 0]]
    assert graph.labels.tolist() == [1, 0, 1, 2]
    assert graph.split is not None
    assert [graph.split.train.tolist(), graph.split.val.tolist(), graph.split.test.tolist()] == [
        [2, 0],
        [1],
        [3],
    ]


def test_a_wrong_ogb_archive_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "tiny.zip"
    write_ogb(archive)
    with pytest.raises(DataError, match=r"lacks a table: .*split/year/train"):
        read_ogb(archive, "ogbn-tiny", root="tiny", split="year")
    write_ogb(archive, edges="0,9\n")
    with pytest.raises(DataError, match="not a readable OGB archive"):
        read_ogb(archive, "ogbn-tiny", root="tiny", split="time")
    archive.write_bytes(b"no zip")
    with pytest.raises(DataError, match="delete it and download it again"):
        read_ogb(archive, "ogbn-tiny", root="tiny", split="time")


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the URL under which it is served."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(QuietHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def write_shchur(truth: GraphData, path: Path) -> None:
    """As published: each edge in one direction, self-loops, and object arrays beside."""
    directed = sp.csr_matrix(sp.triu(truth.adjacency)) + sp.eye(NODES)
    words = sp.csr_matrix(truth.features)
    np.savez(
        path,
        **{
            f"adj_{part}": getattr(directed.tocsr(), part) for part in ("data", "indices", "indptr")
        },
        **{f"attr_{part}": getattr(words, part) for part in ("data", "indices", "indptr")},
        adj_shape=np.array([NODES, NODES]),
        attr_shape=np.array(words.shape),
        labels=truth.labels,
        class_names=np.array(["a", None], dtype=object),
        metadata=np.array({"text": "..."}, dtype=object),
    )


def one_file(name: str, *urls: str, sha256: str | None = None) -> dict[str, Source]:
    source = Source(
        (RawFile("raw.npz", urls, sha256),),
        lambda raw: load_npz(raw / "raw.npz", name, repair=True),
    )
    return {name: source}


def served_from(base: str, name: str) -> dict[str, Source]:
    """The real source of ``name`` with its real converter, at another address."""
    source = SOURCES[name]
    files = [replace(file, urls=(base + file.name,), sha256=None) for file in source.files]
    return {name: replace(source, files=tuple(files))}


AMAZON_AND_COAUTHOR = {
    "amazon-photo": "amazon_electronics_photo.npz",
    "amazon-computers": "amazon_electronics_computers.npz",
    "coauthor-cs": "ms_academic_cs.npz",
    "coauthor-physics": "ms_academic_phy.npz",
}


@pytest.mark.parametrize("name", AMAZON_AND_COAUTHOR)
def test_amazon_and_coauthor_are_fetched_and_made_undirected(
    tmp_path: Path, truth: GraphData, served: tuple[Path, str], name: str
) -> None:
    folder, base = served
    write_shchur(truth, folder / AMAZON_AND_COAUTHOR[name])
    path = fetch(name, tmp_path / "data", served_from(base, name))
    assert path == tmp_path / "data" / f"{name}.npz"
    assert (tmp_path / "data" / "raw" / name / AMAZON_AND_COAUTHOR[name]).is_file()
    assert load_npz(path, name).fingerprint == truth.fingerprint


PLANETOID_NAMES = ("cora", "citeseer", "pubmed")


@pytest.mark.parametrize("name", PLANETOID_NAMES)
def test_planetoid_graphs_are_fetched_file_by_file(
    tmp_path: Path, truth: GraphData, served: tuple[Path, str], name: str
) -> None:
    folder, base = served
    write_planetoid(truth, folder, name=name)
    graph = load_npz(fetch(name, tmp_path, served_from(base, name)), name)
    assert graph.labels.tolist() == truth.labels.tolist()
    assert graph.split is not None
    assert len(list((tmp_path / "raw" / name).iterdir())) == len(PARTS)


@pytest.mark.parametrize(
    ("name", "root", "split"),
    [("ogbn-arxiv", "arxiv", "time"), ("ogbn-products", "products", "sales_ranking")],
)
def test_ogb_graphs_are_fetched_as_one_archive(
    tmp_path: Path, served: tuple[Path, str], name: str, root: str, split: str
) -> None:
    folder, base = served
    write_ogb(folder / f"{root}.zip", split=split)
    graph = load_npz(fetch(name, tmp_path, served_from(base, name)), name)
    assert (graph.num_nodes, graph.num_edges, graph.num_classes) == (4, 4, 3)
    assert graph.split is not None


def test_the_next_mirror_serves_when_one_fails_and_may_be_a_zip(
    tmp_path: Path, truth: GraphData, served: tuple[Path, str]
) -> None:
    folder, base = served
    write_shchur(truth, tmp_path / "inner.npz")
    with zipfile.ZipFile(folder / "toy.zip", "w") as archive:
        archive.write(tmp_path / "inner.npz", "toy/inner.npz")
    mirrors = (f"{base}absent.npz", f"{base}toy.zip#inner.npz")
    path = fetch("toy", tmp_path, one_file("toy", *mirrors))
    assert load_npz(path, "toy").fingerprint == truth.fingerprint


def test_a_zip_mirror_is_checked_against_the_digest(
    tmp_path: Path, served: tuple[Path, str]
) -> None:
    folder, base = served
    with zipfile.ZipFile(folder / "toy.zip", "w") as archive:
        archive.writestr("inner.npz", b"other bytes")
    mirror = one_file("toy", f"{base}toy.zip#inner.npz", sha256="0" * 64)
    with pytest.raises(DataError, match=f"inner.npz is [0-9a-f]+, expected {'0' * 64}"):
        fetch("toy", tmp_path, mirror)
    with pytest.raises(DataError, match=r"holds no outer\.npz"):
        fetch("toy", tmp_path, one_file("toy", f"{base}toy.zip#outer.npz"))


def test_when_no_mirror_serves_every_reason_is_given(
    tmp_path: Path, served: tuple[Path, str]
) -> None:
    base = served[1]
    with pytest.raises(DataError) as error:
        fetch("toy", tmp_path, one_file("toy", f"{base}a.npz", f"{base}b.npz"))
    assert str(error.value) == (
        "could not download raw.npz:\n"
        f"  - {base}a.npz: the server answered 404 File not found\n"
        f"  - {base}b.npz: the server answered 404 File not found\n"
        "Try again (a partial download is continued), or do without the network in one of two"
        " ways:\n"
        f'  - save the graph as {tmp_path / "toy.npz"} (its layout: "Your own graph" in the'
        " README)\n"
        f"  - put the raw files into {tmp_path / 'raw' / 'toy'}: raw.npz"
    )


def test_without_network_all_raw_files_are_listed_once_and_nothing_is_left(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with pytest.raises(DataError) as error:
        fetch("citeseer", data, served_from("http://127.0.0.1:9/", "citeseer"))
    message = str(error.value)
    names = ", ".join(f"ind.citeseer.{part}" for part in PARTS)
    assert f"put the raw files into {data / 'raw' / 'citeseer'}: {names}" in message
    assert message.count("127.0.0.1:9") == message.count("data/citeseer.npz") == 1
    assert list(data.iterdir()) == []


def test_the_raw_files_put_there_by_hand_are_the_way_out_that_the_message_promises(
    tmp_path: Path, truth: GraphData
) -> None:
    (tmp_path / "raw" / "citeseer").mkdir(parents=True)
    write_planetoid(truth, tmp_path / "raw" / "citeseer", name="citeseer")
    path = fetch("citeseer", tmp_path, served_from("http://127.0.0.1:9/", "citeseer"))
    assert load_npz(path, "citeseer").labels.tolist() == truth.labels.tolist()


def test_a_success_leaves_the_graph_and_its_raw_files_alone(
    tmp_path: Path, truth: GraphData, served: tuple[Path, str]
) -> None:
    folder, base = served
    write_shchur(truth, folder / "toy.npz")
    fetch("toy", tmp_path / "data", one_file("toy", f"{base}toy.npz"))
    left = {str(path.relative_to(tmp_path / "data")) for path in (tmp_path / "data").rglob("*")}
    assert left == {"toy.npz", "raw", "raw/toy", "raw/toy/raw.npz"}


def test_two_fetches_at_once_convert_once(
    tmp_path: Path, truth: GraphData, served: tuple[Path, str]
) -> None:
    folder, base = served
    write_shchur(truth, folder / "toy.npz")
    source, converted = one_file("toy", f"{base}toy.npz")["toy"], []

    def convert(raw: Path) -> GraphData:
        converted.append(raw)
        return source.convert(raw)

    sources = {"toy": replace(source, convert=convert)}
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(fetch, "toy", tmp_path / "data", sources) for _ in range(2)]
        assert len({run.result() for run in runs}) == 1
    assert len(converted) == 1
    assert not (tmp_path / "data" / "toy.lock").exists()


def test_a_wrong_raw_file_that_is_there_is_reported_once_without_asking_a_mirror(
    tmp_path: Path,
) -> None:
    raw = tmp_path / "raw" / "toy" / "raw.npz"
    raw.parent.mkdir(parents=True)
    raw.write_bytes(b"something else")
    mirrors = ("http://127.0.0.1:9/a", "http://127.0.0.1:9/b")
    with pytest.raises(DataError) as error:
        fetch("toy", tmp_path, one_file("toy", *mirrors, sha256="0" * 64))
    assert str(error.value).startswith(f"{raw}: its SHA-256 is ")
    assert str(error.value).count("SHA-256") == 1
    assert raw.is_file()


def test_a_mirror_that_serves_no_zip_is_named_and_leaves_nothing(
    tmp_path: Path, served: tuple[Path, str]
) -> None:
    folder, base = served
    (folder / "toy.zip").write_text("<html>please log in</html>")
    with pytest.raises(DataError, match=r"toy\.zip: not a sound zip file"):
        fetch("toy", tmp_path / "data", one_file("toy", f"{base}toy.zip#inner.npz"))
    assert list((tmp_path / "data").iterdir()) == []


def test_a_file_laid_there_by_hand_needs_no_network(tmp_path: Path, truth: GraphData) -> None:
    raw = tmp_path / "raw" / "toy"
    raw.mkdir(parents=True)
    write_shchur(truth, raw / "raw.npz")
    path = fetch("toy", tmp_path, one_file("toy", "http://127.0.0.1:9/never-asked"))
    assert load_npz(path, "toy").fingerprint == truth.fingerprint


def test_a_raw_file_that_cannot_be_converted_says_what_to_delete(
    tmp_path: Path, served: tuple[Path, str]
) -> None:
    folder, base = served
    (folder / "toy.npz").write_text("<html>please log in</html>")
    with pytest.raises(DataError, match=f"delete {tmp_path / 'raw' / 'toy'}"):
        fetch("toy", tmp_path, one_file("toy", f"{base}toy.npz"))
    assert not (tmp_path / "toy.npz").exists()


def test_an_unknown_name_lists_the_known_and_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        fetch("citesear", tmp_path)
    assert "no source for dataset 'citesear'; known: amazon-computers, " in str(error.value)
    assert "did you mean 'citeseer'?" in str(error.value)
    assert str(tmp_path / "citesear.npz") in str(error.value)


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="choose another data directory"):
        fetch("cora", tmp_path / "file")


def test_every_source_has_addresses_and_a_plausible_digest() -> None:
    assert set(SOURCES) == {
        *("cora", "citeseer", "pubmed", "amazon-photo", "amazon-computers"),
        *("coauthor-cs", "coauthor-physics", "ogbn-arxiv", "ogbn-products"),
    }
    for source in SOURCES.values():
        for file in source.files:
            assert all(url.startswith(("https://", "http://")) for url in file.urls)
            assert file.sha256 is None or len(bytes.fromhex(file.sha256)) == 32


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_can_be_chosen_as_a_dataset(name: str) -> None:
    dataset = compose([f"dataset={name}", "protocol=krd", "preset=none", "tracker=none"]).dataset
    assert (dataset.name, dataset.path, dataset.repair) == (name, None, False)
    assert dataset.family == ("planetoid" if name in PLANETOID_NAMES else name.split("-")[0])


def test_find_prefers_the_users_file_then_the_packaged_then_a_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packaged, own = tmp_path / "packaged", tmp_path / "own"
    packaged.mkdir()
    own.mkdir()
    monkeypatch.setattr(load, "PACKAGED", packaged)
    monkeypatch.setattr(load, "fetch", lambda name, folder: folder / "fetched")
    assert load.find("toy", own) == own / "fetched"
    (packaged / "toy.npz").touch()
    assert load.find("toy", own) == packaged / "toy.npz"
    (own / "toy.npz").touch()
    assert load.find("toy", own) == own / "toy.npz"
