"""Logits of a teacher from elsewhere are matched with nodes and classes, and checked."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from gkd_runner.common.errors import DataError
from gkd_runner.config.build import compose
from gkd_runner.data.graph import GraphData
from gkd_runner.data.logits import read_logits
from gkd_runner.data.protocols import make_task
from gkd_runner.data.task import Task
from gkd_runner.options.schema import PrecomputedConfig
from gkd_runner.training.cache import teacher_key
from gkd_runner.training.precomputed import TeacherFile, doubts
from tests.support import CPU, small_graph

N, C = 300, 4
NAMES = ("ant", "bee", "cat", "dog")


def named_graph() -> GraphData:
    """The small graph with ids 1000, 1001, ... and names of classes."""
    return dataclasses.replace(small_graph(), node_ids=np.arange(1000, 1000 + N), class_names=NAMES)


def logits(shape: tuple[int, ...] = (N, C)) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def saved(folder: Path, **arrays: Any) -> str:
    np.savez(folder / "logits.npz", **arrays)
    return str(folder / "logits.npz")


def tasks(graph: GraphData | None = None, *overrides: str) -> list[Task]:
    config = compose(
        ["dataset=synthetic", "protocol.val_size=60", "protocol.test_size=100", *overrides]
    )
    return [make_task(graph or small_graph(), config, seed) for seed in (0, 1)]


def test_rows_and_columns_without_names_are_in_the_order_of_the_graph(tmp_path: Path) -> None:
    (read,) = read_logits(saved(tmp_path, logits=logits()), named_graph()).values()
    np.testing.assert_array_equal(read, logits())


@pytest.mark.parametrize("kind", [int, np.int32, str])
def test_rows_and_columns_are_found_by_their_names(kind: Any, tmp_path: Path) -> None:
    graph = named_graph()
    rows, columns = np.random.default_rng(1).permutation(N), np.array([2, 0, 3, 1])
    moved = logits()[rows][:, columns]
    path = saved(
        tmp_path,
        logits=moved,
        node_ids=graph.ids[rows].astype(kind),
        class_names=np.array(NAMES)[columns],
    )

    np.testing.assert_array_equal(read_logits(path, graph)[None], logits())


def test_rows_of_nodes_that_a_protocol_cuts_off_are_left_out(tmp_path: Path) -> None:
    path = saved(tmp_path, logits=logits(), node_ids=np.arange(1000, 1000 + N))
    part = named_graph().subgraph(np.arange(5, 200))

    np.testing.assert_array_equal(read_logits(path, part)[None], logits()[5:200])


def test_classes_without_names_have_numbers(tmp_path: Path) -> None:
    path = saved(tmp_path, logits=logits()[:, ::-1], class_names=np.arange(C)[::-1])

    np.testing.assert_array_equal(read_logits(path, small_graph())[None], logits())


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_floats_of_any_width_and_an_npy_file_are_read(dtype: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "logits.npy", logits().astype(dtype))
    (read,) = read_logits(str(tmp_path / "logits.npy"), small_graph()).values()

    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, logits().astype(dtype).astype(np.float32))


def test_the_logarithm_of_probabilities_is_taken(tmp_path: Path) -> None:
    certain = softmax(logits(), axis=1)
    certain[7] = [1, 0, 0, 0]
    (read,) = read_logits(saved(tmp_path, probabilities=certain), small_graph()).values()

    others = np.arange(N) != 7
    np.testing.assert_allclose(read[others], log_softmax(logits(), axis=1)[others], atol=1e-5)
    assert np.isfinite(read[7]).all()
    np.testing.assert_allclose(softmax(read[7]), [1, 0, 0, 0], atol=1e-6)


def test_log_probabilities_are_logits(tmp_path: Path) -> None:
    path = saved(tmp_path, logits=log_softmax(logits(), axis=1))
    np.testing.assert_array_equal(
        read_logits(path, small_graph())[None], log_softmax(logits(), axis=1)
    )


def test_each_seed_takes_its_own_logits(tmp_path: Path) -> None:
    both = logits((2, N, C))
    source = PrecomputedConfig("precomputed", saved(tmp_path, logits=both, seeds=[1, 0]))
    one, other = TeacherFile(source).teachers(tasks())

    np.testing.assert_array_equal(one.observed_logits, both[1])
    np.testing.assert_array_equal(other.observed_logits, both[0])


def test_hidden_nodes_have_logits_from_the_same_file(tmp_path: Path) -> None:
    source = PrecomputedConfig("precomputed", saved(tmp_path, logits=logits()))
    for task in tasks(None, "setting=inductive"):
        (teacher,) = TeacherFile(source).teachers([task])
        assert len(task.hidden) > 0
        np.testing.assert_array_equal(teacher.observed_logits, logits()[task.observed])
        np.testing.assert_array_equal(teacher.hidden_logits, logits()[task.hidden])


def holed(value: float) -> np.ndarray[Any, Any]:
    values = logits().astype(np.float64)
    values[3, 1] = values[8, 0] = value
    return values


IDS = np.arange(1000, 1000 + N)


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"logits": logits((290, C))}, "290 rows for the 300 nodes of synthetic, 10 too few"),
        ({"logits": logits((301, C))}, "301 rows for the 300 nodes of synthetic, 1 too many"),
        (
            {"logits": logits()[2:], "node_ids": IDS[2:]},
            "node_ids lacks 2 of the 300 nodes of synthetic (1000, 1001)",
        ),
        ({"logits": logits(), "node_ids": [*IDS[1:], 1002]}, "node_ids has 1002 more than once"),
        ({"logits": logits(), "node_ids": IDS[1:]}, "must be 300 whole numbers or texts"),
        ({"logits": logits(), "node_ids": IDS * 1.5}, "is float64 of shape (300,)"),
        ({"logits": logits((N, 5))}, "5 columns for the 4 classes of synthetic (ant, bee,"),
        (
            {"logits": logits(), "class_names": ["ant", "bee", "cat", "eel"]},
            "are ant, bee, cat, eel, and the classes of synthetic are ant, bee, cat, dog",
        ),
        (
            {"logits": holed(np.nan)},
            "2 rows have NaN or infinity (in float32), those of the nodes 1003, 1008",
        ),
        ({"logits": holed(1e300)}, "2 rows have NaN or infinity"),
        ({"logits": np.ones((N, C), dtype=int)}, "hold int64, not floats; logits are"),
        ({"logits": np.array([[None] * C] * N)}, "it holds Python objects (pickles)"),
        ({"logits": np.ones((N, C)) * 2}, "all rows are equal"),
        ({"logits": logits((0, C)), "node_ids": []}, "shape (0, 4); it must be"),
        ({"logits": logits((N,))}, "shape (300,); it must be (nodes, classes)"),
        ({"logits": softmax(logits(), axis=1)}, "logits=np.log(probabilities)"),
        ({"probabilities": logits()}, "outside [0, 1], or does not sum to 1; give logits instead"),
        ({"answers": logits()}, "neither logits nor probabilities among the arrays answers"),
        ({"logits": logits(), "probabilities": logits()}, "give one of logits and probabilities"),
        ({"logits": logits((2, N, C))}, "seeds with 2 different whole numbers; it has none"),
        ({"logits": logits((2, N, C)), "seeds": [5, 5]}, "it has [5, 5]"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(
    arrays: dict[str, Any], told: str, tmp_path: Path
) -> None:
    path = saved(tmp_path, **arrays)
    with pytest.raises(DataError) as refused:
        read_logits(path, named_graph())

    assert told in str(refused.value)
    assert str(refused.value).startswith(f"{path}: ")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"these are no arrays", b"PK\x03\x04 cut off"])
def test_a_file_of_another_kind_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "logits.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"logits\.npz: no file of logits"):
        read_logits(str(tmp_path / "logits.npz"), small_graph())


def test_a_seed_that_the_file_lacks_is_named(tmp_path: Path) -> None:
    path = saved(tmp_path, logits=logits((2, N, C)), seeds=[0, 4])
    source = TeacherFile(PrecomputedConfig("precomputed", path))
    with pytest.raises(DataError, match=r"no logits of seed 1, only of seeds 0, 4; .*\[0,4\]"):
        source.teachers(tasks())


def key_of(path: str, graph: GraphData | None = None, *overrides: str) -> str:
    config = compose([f"teacher='{path}'", "dataset=synthetic", "method=glnn", *overrides])
    return teacher_key(tasks(graph)[0], config.teacher, config.training, CPU)


def test_the_key_goes_by_the_content_and_not_by_the_path(tmp_path: Path) -> None:
    path = saved(tmp_path, logits=logits())
    before = key_of(path)
    moved = Path(path).rename(tmp_path / "moved.npz")

    assert key_of(str(moved)) == before
    assert key_of(str(moved), None, "training.max_epochs=3") == before  # nothing is trained
    assert key_of(saved(tmp_path, logits=logits() * 2)) != before


def test_the_ids_and_names_that_a_file_is_matched_with_are_in_the_key(tmp_path: Path) -> None:
    path = saved(tmp_path, logits=logits())
    assert named_graph().fingerprint == small_graph().fingerprint
    assert key_of(path, named_graph()) != key_of(path)


def right_logits() -> np.ndarray[Any, Any]:
    return (logits() + 9 * np.eye(C)[small_graph().labels]).astype(np.float32)


def doubts_on(folder: Path, values: Any, *overrides: str, **arrays: Any) -> list[str]:
    path = saved(folder, logits=values, **arrays)
    taught = tasks(None, *overrides)
    teachers = TeacherFile(PrecomputedConfig("precomputed", path)).teachers(taught)
    return doubts(taught, teachers)


def test_logits_in_another_order_are_doubted(tmp_path: Path) -> None:
    shifted = np.roll(right_logits(), 1, axis=1)
    (first, second, *_) = doubts_on(tmp_path, shifted)

    for seed, doubt in enumerate((first, second)):
        assert doubt.startswith(f"seed {seed}: the logits are right on 0.0% of the validation")
        assert "node_ids and class_names" in doubt


def test_one_teacher_of_several_splits_is_doubted_and_one_of_each_is_not(tmp_path: Path) -> None:
    (doubt,) = doubts_on(tmp_path, right_logits())
    assert doubt.startswith("the same logits teach seeds of 2 different splits")

    both = np.stack([right_logits(), 2 * right_logits()])
    assert doubts_on(tmp_path, both, seeds=[0, 1]) == []


def test_in_the_inductive_setting_the_teacher_of_hidden_nodes_is_doubted(tmp_path: Path) -> None:
    both = np.stack([right_logits(), 2 * right_logits()])
    (doubt,) = doubts_on(tmp_path, both, "setting=inductive", seeds=[0, 1])
    assert "whether their teacher saw the hidden nodes" in doubt
