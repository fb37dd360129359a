from __future__ import annotations

import functools
import http.server
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from raw_files import small_graph, write_ogb, write_planetoid, write_shchur

from gkd_runner.common.errors import DataError
from gkd_runner.config.build import compose
from gkd_runner.data.graph import GraphData
from gkd_runner.data.npz import load_npz
from gkd_runner.data.sources import find as find_module
from gkd_runner.data.sources.catalogue import SOURCES, RawFile, Source
from gkd_runner.data.sources.find import fetch, find
from gkd_runner.data.sources.planetoid import PARTS


@pytest.fixture
def truth() -> GraphData:
    return small_graph()


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
    with pytest.raises(DataError, match=f"toy.zip#inner.npz: .* expected {'0' * 64} but got"):
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
        "Try again, or do without the network in one of two"
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


def test_a_download_that_cannot_be_converted_is_deleted_if_its_digest_is_unknown(
    tmp_path: Path, truth: GraphData, served: tuple[Path, str]
) -> None:
    folder, base = served
    (folder / "toy.npz").write_text("<html>please log in</html>")
    with pytest.raises(DataError, match=r"The download \(raw.npz\) was deleted; try again"):
        fetch("toy", tmp_path / "data", one_file("toy", f"{base}toy.npz"))
    assert list((tmp_path / "data").iterdir()) == []
    write_shchur(truth, folder / "toy.npz")
    fetch("toy", tmp_path / "data", one_file("toy", f"{base}toy.npz"))


def test_a_file_laid_there_by_hand_that_cannot_be_converted_is_left_and_named(
    tmp_path: Path,
) -> None:
    raw = tmp_path / "raw" / "toy"
    raw.mkdir(parents=True)
    (raw / "raw.npz").write_text("<html>please log in</html>")
    with pytest.raises(DataError, match=f"delete {raw}"):
        fetch("toy", tmp_path, one_file("toy", "http://127.0.0.1:9/never-asked"))
    assert (raw / "raw.npz").exists()
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
    monkeypatch.setattr(find_module, "PACKAGED", packaged)
    monkeypatch.setattr(find_module, "fetch", lambda name, folder: folder / "fetched")
    assert find("toy", own) == own / "fetched"
    (packaged / "toy.npz").touch()
    assert find("toy", own) == packaged / "toy.npz"
    (own / "toy.npz").touch()
    assert find("toy", own) == own / "toy.npz"
