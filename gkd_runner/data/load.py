"""Find the file of a dataset: the user's, the packaged one, or a download."""

from __future__ import annotations

from pathlib import Path

from gkd_runner.data.sources import fetch

PACKAGED = Path(__file__).parent / "packaged"


def find(name: str, data_dir: Path) -> Path:
    """Return the graph file of dataset ``name``.

    Looks for ``data_dir/<name>.npz``, then for a file shipped in the package, then downloads
    into ``data_dir``. Raises ``DataError`` when none of these has it.
    """
    own = data_dir / f"{name}.npz"
    packaged = PACKAGED / f"{name}.npz"
    for path in (own, packaged):
        if path.is_file():
            return path
    return fetch(name, data_dir)
