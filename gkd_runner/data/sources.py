"""Where each public dataset comes from, and how its raw files become one graph file."""

from __future__ import annotations

import contextlib
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from filelock import FileLock

from gkd_runner.common.errors import DataError, nearest
from gkd_runner.data.checks import check_graph
from gkd_runner.data.download import DownloadError, download, file_sha256
from gkd_runner.data.graph import GraphData
from gkd_runner.data.npz import load_npz, save_npz
from gkd_runner.data.ogb import read_ogb
from gkd_runner.data.planetoid import PARTS, read_planetoid

PLANETOID = (
    "https://raw.githubusercontent.com/kimiyoung/planetoid/master/data/",
    "https://github.com/kimiyoung/planetoid/raw/master/data/",
)
SHCHUR = (
    "https://raw.githubusercontent.com/shchur/gnn-benchmark/master/data/npz/",
    "https://github.com/shchur/gnn-benchmark/raw/master/data/npz/",
)
DGL = "https://data.dgl.ai/dataset/"
OGB = (
    "https://snap.stanford.edu/ogb/data/nodeproppred/",
    "http://snap.stanford.edu/ogb/data/nodeproppred/",
)

# Recorded by several public projects for the files at these addresses. The 24 digests of the
# Planetoid files (ind.*.x included) combine by exclusive or to the checksum that
# GraphMLDatasets.jl pins for the whole set; the same file pins the one of products.zip.
SHA256 = {
    "ind.cora.allx": "9419ba2f26f5c35243db64aba110e0f35a04851609e0dc5433450676ca6b8543",
    "ind.cora.tx": "b9afbaa4a400df991f6f02ef677e1e44da55ffc04801fd02f9e673987829226a",
    "ind.cora.y": "94465c14eb53e04ca262198dcbb2521ee8af60fb3f3d546cd6ca24a511b0e7d1",
    "ind.cora.ally": "2b998f5cc7fedc86e7f97ca2498f47a1ffc1462c29e2d578b23bf3f62b6e7d71",
    "ind.cora.ty": "41f5ac76596a1699cc33f53084a2419e92961c42bb75f36fc38e616d348532ad",
    "ind.cora.graph": "58f13302f39dde8852dad6fe6d15b89b077b6d7f837626bce671ef80344b383d",
    "ind.cora.test.index": "297ce89af2b51a6a194181c7dbe1796c6a1cf9cd9349a88383b1b1e227867875",
    "ind.citeseer.allx": "2ac30345d95c9ec933a817ee0bdd6a5f077f8c184a20e696910192d534414668",
    "ind.citeseer.tx": "539a8906a2da97628d212f2fdd668c109a8b3f0d36574b59e5d3fd5b5303da21",
    "ind.citeseer.y": "8ba87e515d8e3ee3cf52f6d2c5b86aa73f11ecad825a808455209ec26cd54924",
    "ind.citeseer.ally": "f704b2d986dde6c2669934de1f3ae5696a6cf9455c0f6b2646a2d135ea0a1c95",
    "ind.citeseer.ty": "55e5bd1ba1e733a04598753ad1a8d57957f4b8f89e74519f41f4f4938767e4ce",
    "ind.citeseer.graph": "d79a4ef9d3e7169aee8946145f6b7306e35bc79bffad26346cfb94e10e9912a7",
    "ind.citeseer.test.index": "2af990671580b6b2df5d158d1038f8292e30c9cd821b5453f399659b25b723d4",
    "ind.pubmed.allx": "508e538e2abdccdd54c4d3e9f49d638b4af7107d85845f66ddea5a5152658b7e",
    "ind.pubmed.tx": "4eb5f5d0f30f26497eb0ac6ac9719d09c67e284f1ed0385c93f3ef27a671da3d",
    "ind.pubmed.y": "e6c807633307a07ed659249006536a147c7999c797f11a2560752990181b41b3",
    "ind.pubmed.ally": "0c37bbe3b5014ec365e9d393cf4791925e5ed94fb194305d74f064a8d7b50f0e",
    "ind.pubmed.ty": "ee2e0d4819d9fbcc403689c3bf2e49face401b605932f093bc58ab6461130fdd",
    "ind.pubmed.graph": "5b89f0036ca22909471f1e6558eb42fa06e0c730a577bde5b058b40638f81dc9",
    "ind.pubmed.test.index": "b101d421688bbaecbd82e8a18f1e282378d6830f3a37666f28ebc47f844341b5",
    "arxiv.zip": "49f85c801589ecdcc52cfaca99693aaea7b8af16a9ac3f41dd85a5f3193fe276",
    "products.zip": "5ea0a112edaec2141c0a2a612dd4aed58df97ff3e1ab1a0ca8238f43cbbb50a8",
}


@dataclass(frozen=True)
class RawFile:
    """A file to download. ``urls`` are tried in order; ``zip#member`` names one inside a zip."""

    name: str
    urls: tuple[str, ...]
    sha256: str | None


@dataclass(frozen=True)
class Source:
    """The raw files of a dataset, and what turns the folder that holds them into a graph."""

    files: tuple[RawFile, ...]
    convert: Callable[[Path], GraphData]


def fetch(name: str, directory: Path, sources: Mapping[str, Source] | None = None) -> Path:
    """Download dataset ``name``, convert it and return ``directory/<name>.npz``.

    Raw files go to ``directory/raw/<name>/`` and are kept; a result that is already there is
    returned as it is. Safe against a second process doing the same: ``directory/<name>.lock``
    is there meanwhile. Raises ``DataError`` when ``name`` has no source, nothing can be
    downloaded or converted, or ``directory`` cannot be written.
    """
    known = SOURCES if sources is None else sources
    if name not in known:
        raise DataError(
            f"no source for dataset {name!r}; known: {', '.join(sorted(known))}"
            f"{nearest(name, known)}. A graph of your own goes to {directory / f'{name}.npz'}"
        )
    target, raw = directory / f"{name}.npz", directory / "raw" / name
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with _alone(directory / f"{name}.lock"):
            if not target.is_file():
                _build(known[name], raw, target)
    except OSError as error:
        raise DataError(
            f"{directory}: cannot be written ({error}); choose another data directory"
        ) from error
    return target


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock file ``path`` and remove it at the end.

    Removing it while it is held is safe: whoever waits for it notices and starts over, which
    filelock does by itself.
    """
    with FileLock(path):
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # Windows removes it on release
                path.unlink()


def _build(source: Source, raw: Path, target: Path) -> None:
    try:
        for file in source.files:
            _obtain(file, raw)
    except DownloadError as error:
        raise DataError(f"{error}\n{_ways_out(source, raw, target)}") from error
    finally:
        _remove_if_empty(raw, raw.parent)
    try:
        graph = source.convert(raw)
        check_graph(graph, str(raw))
    except DataError as error:
        raise DataError(f"{error}\nTo download the raw files again, delete {raw}") from error
    save_npz(graph, target)


def _ways_out(source: Source, raw: Path, target: Path) -> str:
    names = ", ".join(file.name for file in source.files)
    return (
        "Try again (a partial download is continued), or do without the network in one of two"
        f" ways:\n  - save the graph as {target.resolve()}"
        ' (its layout: "Your own graph" in the README)\n'
        f"  - put the raw files into {raw.resolve()}: {names}"
    )


def _remove_if_empty(*folders: Path) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _obtain(file: RawFile, raw: Path) -> None:
    """Get one raw file from the first address that serves it."""
    failures = []
    for url in file.urls:
        try:
            return _obtain_from(url, file, raw / file.name)
        except DownloadError as error:
            failures.append(f"\n  - {error}")
    raise DownloadError(f"could not download {file.name}:{''.join(failures)}")


def _obtain_from(url: str, file: RawFile, target: Path) -> None:
    address, _, member = url.partition("#")
    if not member or target.is_file():
        download(address, target, sha256=file.sha256)
        return
    archive = target.with_name(address.rsplit("/", 1)[-1])
    download(address, archive, sha256=None)
    _extract(archive, member, target, file.sha256)


def _extract(archive: Path, member: str, target: Path, sha256: str | None) -> None:
    part = target.with_name(f"{target.name}.part")
    try:
        with zipfile.ZipFile(archive) as files:
            inside = next(path for path in files.namelist() if path.split("/")[-1] == member)
            with files.open(inside) as packed, part.open("wb") as stream:
                shutil.copyfileobj(packed, stream)
    except StopIteration:
        raise DownloadError(f"{archive}: holds no {member}") from None
    except (zipfile.BadZipFile, zlib.error) as error:
        for file in (archive, part):
            file.unlink(missing_ok=True)
        raise DownloadError(f"{archive}: not a sound zip file ({error}); it was deleted") from error
    if sha256 is not None and (found := file_sha256(part)) != sha256:
        part.unlink()
        raise DownloadError(f"{archive}: SHA-256 of its {member} is {found}, expected {sha256}")
    part.replace(target)


def planetoid(name: str, dgl_name: str) -> Source:
    """One of the Planetoid graphs; DGL's zip holds the same files."""

    def raw(part: str) -> RawFile:
        file = f"ind.{name}.{part}"
        inside_zip = f"{DGL}{dgl_name}.zip#ind.{dgl_name}.{part}"
        return RawFile(file, (*(base + file for base in PLANETOID), inside_zip), SHA256[file])

    return Source(tuple(raw(part) for part in PARTS), partial(read_planetoid, name=name))


def shchur(name: str, file: str, dgl_name: str) -> Source:
    """One of the graphs of Shchur et al. (2018): directed as published, mended on reading."""
    urls = (*(base + file for base in SHCHUR), f"{DGL}{dgl_name}.zip#{dgl_name}.npz")
    return Source(
        (RawFile(file, urls, SHA256.get(file)),),
        lambda raw: load_npz(raw / file, name, repair=True),
    )


def ogb(name: str, root: str, split: str) -> Source:
    """One of the node property graphs of the Open Graph Benchmark."""
    file = f"{root}.zip"
    return Source(
        (RawFile(file, tuple(base + file for base in OGB), SHA256[file]),),
        lambda raw: read_ogb(raw / file, name, root=root, split=split),
    )


SOURCES: dict[str, Source] = {
    "cora": planetoid("cora", "cora_v2"),
    "citeseer": planetoid("citeseer", "citeseer"),
    "pubmed": planetoid("pubmed", "pubmed"),
    "amazon-photo": shchur("amazon-photo", "amazon_electronics_photo.npz", "amazon_co_buy_photo"),
    "amazon-computers": shchur(
        "amazon-computers", "amazon_electronics_computers.npz", "amazon_co_buy_computer"
    ),
    "coauthor-cs": shchur("coauthor-cs", "ms_academic_cs.npz", "coauthor_cs"),
    "coauthor-physics": shchur("coauthor-physics", "ms_academic_phy.npz", "coauthor_physics"),
    "ogbn-arxiv": ogb("ogbn-arxiv", "arxiv", "time"),
    "ogbn-products": ogb("ogbn-products", "products", "sales_ranking"),
}
