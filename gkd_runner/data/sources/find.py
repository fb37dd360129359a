"""Find the file of a dataset: the user's, the packaged one, or a download."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from gkd_runner.common.errors import DataError, nearest
from gkd_runner.common.locks import held
from gkd_runner.data.checks import check_graph
from gkd_runner.data.npz import save_npz
from gkd_runner.data.sources.catalogue import SOURCES, RawFile, Source
from gkd_runner.data.sources.download import DownloadError, download

PACKAGED = Path(__file__).parents[1] / "packaged"


def find(name: str, data_dir: Path) -> Path:
    """Return the graph file of dataset ``name``.

    Looks for ``data_dir/<name>.npz``, then for a file shipped in the package, then downloads
    into ``data_dir``. Raises ``DataError`` when none of these has it.
    """
    for folder in (data_dir, PACKAGED):
        path = folder / f"{name}.npz"
        if path.is_file():
            return path
    return fetch(name, data_dir)


def fetch(name: str, directory: Path, sources: Mapping[str, Source] = SOURCES) -> Path:
    """Download dataset ``name``, convert it and return ``directory/<name>.npz``.

    Raw files are kept in ``directory/raw/<name>/``. An existing graph file is returned as it is.
    ``directory/<name>.lock`` makes other processes wait meanwhile. Raises ``DataError`` when
    ``name`` has no source, its files cannot be downloaded or converted, or ``directory`` cannot
    be written.
    """
    if name not in sources:
        raise DataError(
            f"no source for dataset {name!r}; known: {', '.join(sorted(sources))}"
            f"{nearest(name, sources)}. A graph of your own goes to {directory / f'{name}.npz'}"
        )
    target, lock = directory / f"{name}.npz", directory / f"{name}.lock"
    try:
        with held(lock, f"downloads {name}"):
            try:
                if not target.is_file():
                    _build(sources[name], directory / "raw" / name, target)
            finally:
                lock.unlink(missing_ok=True)  # whoever waits for it notices and starts over
    except OSError as error:
        raise DataError(
            f"{directory}: cannot be written ({error}); choose another data directory"
        ) from error
    return target


def _build(source: Source, raw: Path, target: Path) -> None:
    present = [file for file in source.files if (raw / file.name).exists()]
    try:
        for file in source.files:
            _obtain(file, raw)
        graph = source.convert(raw)
        check_graph(graph, str(raw))
    except DownloadError as error:
        raise DataError(f"{error}\n{_ways_out(source, raw, target)}") from error
    except DataError as error:
        unknown = [file for file in source.files if file.sha256 is None and file not in present]
        for file in unknown:
            (raw / file.name).unlink(missing_ok=True)
        raise DataError(f"{error}\n{_again(unknown, raw)}") from error
    finally:
        for folder in (raw, raw.parent):
            with contextlib.suppress(OSError):  # it holds files
                folder.rmdir()
    save_npz(graph, target)


def _obtain(file: RawFile, raw: Path) -> None:
    """Download one raw file from the first address that serves it."""
    failures = []
    for url in file.urls:
        try:
            return download(url, raw / file.name, sha256=file.sha256)
        except DownloadError as error:
            failures.append(f"\n  - {error}")
    raise DownloadError(f"could not download {file.name}:{''.join(failures)}")


def _again(deleted: Sequence[RawFile], raw: Path) -> str:
    if not deleted:
        return f"To download the raw files again, delete {raw}"
    names = ", ".join(file.name for file in deleted)
    return f"The download ({names}) was deleted; try again, or put a sound file into {raw}"


def _ways_out(source: Source, raw: Path, target: Path) -> str:
    names = ", ".join(file.name for file in source.files)
    return (
        "Try again, or do without the network in one of two"
        f" ways:\n  - save the graph as {target.resolve()}"
        ' (its layout: "Your own graph" in the README)\n'
        f"  - put the raw files into {raw.resolve()}: {names}"
    )
