from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from gkd_runner.data.npz import load_npz
from gkd_runner.data.sources.find import PACKAGED, find

HERE = Path(__file__).resolve()
DATASETS = Path(os.environ.get("GKD_DATA", HERE.parents[3] / "shared" / "datasets"))
REFERENCE = DATASETS / "cora.npz"


def test_cora_ships_with_the_package_and_needs_no_network(tmp_path: Path) -> None:
    assert find("cora", tmp_path) == PACKAGED / "cora.npz"


def test_packaged_cora_has_the_published_sizes() -> None:
    cora = load_npz(PACKAGED / "cora.npz", "cora")
    assert cora.num_nodes == 2708
    assert cora.num_edges == 10556
    assert cora.num_features == 1433
    assert cora.num_classes == 7


def test_packaged_cora_has_the_public_split() -> None:
    cora = load_npz(PACKAGED / "cora.npz", "cora")
    assert cora.splits[0].train.tolist() == list(range(140))
    assert cora.splits[0].val.tolist() == list(range(140, 640))
    assert cora.splits[0].test.tolist() == list(range(1708, 2708))
    assert np.bincount(cora.labels[cora.splits[0].train]).tolist() == [20] * 7


@pytest.mark.skipif(not REFERENCE.is_file(), reason=f"no {REFERENCE} (set GKD_DATA)")
def test_packaged_cora_equals_the_reference_array_for_array() -> None:
    with np.load(PACKAGED / "cora.npz") as packaged, np.load(REFERENCE) as reference:
        assert sorted(packaged.files) == sorted(reference.files)
        for key in reference.files:
            assert packaged[key].dtype == reference[key].dtype, key
            np.testing.assert_array_equal(packaged[key], reference[key], err_msg=key)
