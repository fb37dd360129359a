"""Large dense features stay in their file, and are those that reading the file gives."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gkd_runner.common.errors import DataError
from gkd_runner.data import npz
from gkd_runner.data.graph import in_pieces, is_mapped
from gkd_runner.data.importing import archive
from gkd_runner.data.npz import import_npz, load_npz, save_npz

NODES = 50


@pytest.fixture(autouse=True)
def small_features_count_as_large(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (archive, npz):
        monkeypatch.setattr(module, "MAPPED_FROM", 400)


def arrays(name: str = "attr_matrix", features: Any = None) -> dict[str, Any]:
    """A ring in this program's layout, or with ``name=features`` in another."""
    ring = np.arange(NODES)
    edges = {"edges": np.stack([ring, np.roll(ring, -1)], axis=1)}
    if name == "attr_matrix":
        neighbours = np.sort(np.stack([np.roll(ring, 1), np.roll(ring, -1)], axis=1), axis=1)
        edges = {
            "adj_indices": neighbours.ravel(),
            "adj_indptr": 2 * np.arange(NODES + 1),
            "adj_shape": np.array([NODES, NODES]),
        }
    if features is None:
        features = np.random.default_rng(0).normal(size=(NODES, 3)).astype(np.float32)
    return {**edges, name: features, "labels": ring % 2}


@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("name", ["attr_matrix", "features"])
def test_an_uncompressed_file_is_mapped_wherever_the_features_begin(
    name: str, before: int, tmp_path: Path
) -> None:
    shift = {"a" * (before + 1): np.zeros(1, dtype=np.int8)}  # it moves all that follows
    np.savez(tmp_path / "mapped.npz", **shift, **arrays(name))
    np.savez_compressed(tmp_path / "read.npz", **arrays(name))
    mapped, read = (load_npz(tmp_path / f"{kind}.npz", "ring") for kind in ("mapped", "read"))
    assert is_mapped(mapped.features)
    assert not is_mapped(read.features)
    np.testing.assert_array_equal(mapped.features, arrays(name)[name])
    assert mapped.fingerprint == read.fingerprint
    assert import_npz(tmp_path / "mapped.npz", "ring").findings.featureless == 0


@pytest.mark.parametrize(
    "stored",
    [
        np.asfortranarray,
        lambda x: x.astype(np.float64),
        lambda x: x.astype(">f4"),
        lambda x: x[:, :1].copy(),  # small
    ],
)
def test_features_that_the_file_holds_in_another_form_are_read(
    stored: Callable[[Any], Any], tmp_path: Path
) -> None:
    features = stored(arrays()["attr_matrix"])
    np.savez(tmp_path / "g.npz", **arrays(features=features))
    graph = load_npz(tmp_path / "g.npz", "ring")
    assert not is_mapped(graph.features)
    np.testing.assert_array_equal(graph.features, features)


@pytest.mark.parametrize("name", ["attr_matrix", "features"])
def test_damaged_features_are_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "g.npz"
    np.savez(path, **arrays(name))
    content, last = bytearray(path.read_bytes()), arrays(name)[name][-1].tobytes()
    content[content.index(last)] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"the array {name} is damaged"):
        load_npz(path, "ring")


def test_features_with_fewer_values_than_their_header_says_are_refused(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.npz", tmp_path / "cut.npz"
    np.savez(whole, **arrays())
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(cut, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, content[:-4] if name == "attr_matrix.npy" else content)
    with pytest.raises(DataError, match="the array attr_matrix is damaged"):
        load_npz(cut, "ring")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_is_wrong_with_features_is_found_in_either_form(save: Any, tmp_path: Path) -> None:
    features = arrays()["attr_matrix"]
    features[[3, 40], 1] = np.nan, np.inf
    save(tmp_path / "g.npz", **arrays(features=features))
    with pytest.raises(DataError, match="2 values that are NaN or infinite"):
        load_npz(tmp_path / "g.npz", "ring")


def test_negative_zeros_of_other_layouts_are_zeros_in_either_form(tmp_path: Path) -> None:
    features = arrays()["attr_matrix"]
    features[7] = -0.0
    for name, save in {"mapped": np.savez, "read": np.savez_compressed}.items():
        save(tmp_path / f"{name}.npz", **arrays("features", features))
    imported = [import_npz(tmp_path / f"{name}.npz", "ring") for name in ("mapped", "read")]
    assert imported[0].graph.fingerprint == imported[1].graph.fingerprint
    assert [one.findings.featureless for one in imported] == [1, 1]


def test_saving_large_features_gives_a_file_that_is_mapped(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "g.npz", **arrays())
    graph = load_npz(tmp_path / "g.npz", "ring")
    for name in ("a.npz", "b.npz"):
        save_npz(graph, tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    again = load_npz(tmp_path / "a.npz", "ring")
    assert is_mapped(again.features)
    assert again.fingerprint == graph.fingerprint


@pytest.mark.parametrize("shape", [(0, 3), (1, 5_000_000), (100_000, 130), (9_000_001,)])
def test_pieces_of_rows_are_few_and_make_up_the_whole(shape: tuple[int, ...]) -> None:
    array = np.broadcast_to(np.float32(0), shape)
    pieces = list(in_pieces(array))
    assert sum(map(len, pieces)) == len(array)
    assert len(pieces) <= 1 + array.size // 2**21
    assert all(len(piece) == 1 or piece.size <= 2**22 for piece in pieces)
