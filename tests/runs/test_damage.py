"""Damage to any file that is read again is noticed, or changes no number."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attack.damage import HARMLESS, NOTICED, WRONG, damage, flipped, outcome, replaced
from attack.kinds import MENDED, READERS, curves, student
from attack.written import Written, write
from safetensors import safe_open
from safetensors.numpy import save

from gkd_runner.common.errors import DamageError, GkdError
from gkd_runner.models.forms import DENSE, SPARSE, Decisions
from gkd_runner.results.stored import _warn_once, read_run, read_runs
from gkd_runner.runs.reload import reload_run, reload_student, soft_labels_of
from gkd_runner.training.cache import TeacherCache
from gkd_runner.training.teacher_files import load_teacher
from tests.support import seal_again

FLIPS, CUTS = 16, 3
"""Single bits that are flipped, and lengths that are kept, of each kind of file."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return write(tmp_path_factory.mktemp("written"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return write(tmp_path_factory.mktemp("other"), (5, 6))


Hold = Callable[..., None]


@pytest.fixture
def hold() -> Iterator[Hold]:
    """Called with files that are to be damaged: they are put right after the test."""
    contents: dict[Path, bytes] = {}

    def keep(*paths: Path) -> None:
        contents.update({path: path.read_bytes() for path in paths})

    yield keep
    for path, content in contents.items():
        path.write_bytes(content)


@pytest.mark.parametrize("kind", READERS)
def test_a_flipped_bit_is_noticed_or_changes_nothing(kind: str, written: Written) -> None:
    counts = damage(kind, written, flipped, FLIPS, seed=len(kind))
    assert counts[WRONG] == 0
    # result.json and config.json have spaces that mean nothing, the shared graph is mended
    assert counts[NOTICED] > FLIPS / 2 or kind in MENDED


@pytest.mark.parametrize("kind", READERS)
def test_a_file_that_is_cut_short_is_noticed(kind: str, written: Written) -> None:
    place, read = READERS[kind]
    path = place(written)
    whole, before = path.read_bytes(), read(written)
    for length in (0, *np.random.default_rng(1).integers(1, len(whole) - 1, CUTS)):
        with replaced(path, whole[:length]):
            expected = {HARMLESS} if kind in MENDED else {NOTICED}
            expected |= {HARMLESS} if kind == "search" else set()  # it goes on, as after a kill
            assert outcome(kind, written, before) in expected, f"{length} bytes of {path.name}"


# another graph of one's own is a new graph: its fingerprint is in every key
@pytest.mark.parametrize("kind", [kind for kind in READERS if kind != "graph in data_dir"])
def test_the_file_of_another_job_is_noticed(kind: str, written: Written, other: Written) -> None:
    place, read = READERS[kind]
    before = read(written)
    with replaced(place(written), place(other).read_bytes()):
        found = outcome(kind, written, before)
    # both jobs have the same graph
    assert found == (HARMLESS if kind in (*MENDED, "graph of the run") else NOTICED)


@pytest.mark.parametrize(
    ("one", "other", "read"),
    [
        ("student-3.safetensors", "student-4.safetensors", student),
        ("metrics.jsonl", "result.json", curves),
        ("student-3.safetensors", "config.yaml", student),
    ],
)
def test_swapped_files_of_a_run_are_noticed(
    one: str, other: str, read: Callable[[Written], object], written: Written, hold: Hold
) -> None:
    paths = [written.run / one, written.run / other]
    hold(*paths)
    contents = [path.read_bytes() for path in paths]
    for path, content in zip(paths, reversed(contents), strict=True):
        path.write_bytes(content)

    with pytest.raises(GkdError):
        read(written)


def test_the_result_of_another_run_is_noticed(
    written: Written, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = tmp_path / "20300101-000000-01234567"
    shutil.copytree(written.run, other)

    assert read_run(other) is None
    assert "it is the result of another run, of the key " in caplog.text
    assert read_run(other.rename(tmp_path / "renamed")) is not None


def test_teachers_that_were_swapped_are_trained_again(
    written: Written, hold: Hold, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = written.teachers
    expected = load_teacher(first, first.stem)
    hold(first)
    first.write_bytes(second.read_bytes())

    with pytest.raises(GkdError, match=rf"{first.stem}.* is damaged \(it is the file of"):
        reload_run(written.run, 3)
    asked: list[int] = []
    store = TeacherCache(first.parent, "use")
    (found,), hits = store.get_or_train(
        [first.stem], lambda positions: asked.extend(positions) or [expected]
    )

    assert (asked, hits, found) == ([0], [False], expected)
    assert caplog.text.count("is damaged (it is the file of") == 1
    assert load_teacher(first, first.stem).history == expected.history


def forged(path: Path, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> None:
    """Change the tensors and the facts of a teacher, and leave the checksum as it was."""
    with safe_open(path, framework="np") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        header = json.loads(file.metadata()["gkd_runner"])
    change(tensors, header["facts"])
    path.write_bytes(save(tensors, {"gkd_runner": json.dumps(header)}))


CHANGES: dict[str, Callable[[dict[str, Any], dict[str, Any]], object]] = {
    "sign": lambda tensors, _: tensors.update({"logits.observed": -tensors["logits.observed"]}),
    "shape": lambda tensors, _: tensors.update({"logits.observed": tensors["logits.observed"].T}),
    "dtype": lambda tensors, _: tensors.update(
        {"logits.observed": tensors["logits.observed"].view(np.int32)}
    ),
    "NaN": lambda tensors, _: tensors["logits.observed"].__setitem__((0, 0), np.nan),
    "name": lambda tensors, _: tensors.update(other=tensors.pop("logits.hidden")),
    "best epoch": lambda _, facts: facts.update(best_epoch=99),
    "history": lambda _, facts: facts["history"].pop(0),
    "score": lambda _, facts: facts["history"][0].__setitem__(3, 7.0),
    "seed": lambda _, facts: facts.update(seed=5),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_teacher_with_changed_content_is_refused(
    change: str, written: Written, hold: Hold
) -> None:
    path = written.teachers[0]
    hold(path)
    forged(path, lambda tensors, facts: CHANGES[change](tensors, facts) and None)

    with pytest.raises(DamageError):
        load_teacher(path, path.stem)


def test_a_teacher_that_scores_otherwise_than_its_run_says_is_refused(
    written: Written, hold: Hold
) -> None:
    hold(written.run / "result.json")
    before = reload_student(written.run, 3)

    def worse(result: dict[str, Any]) -> None:
        result["seeds"][0]["teacher"]["scores"]["test"] -= 0.2

    seal_again(written.run, worse)
    with pytest.raises(GkdError, match=r"the teacher of seed 3 scores .*% now and .*% in result"):
        soft_labels_of(reload_student(written.run, 3))
    assert soft_labels_of(before).teacher.seed == 3


IMPOSSIBLE: dict[str, Callable[[dict[str, Any]], object]] = {
    "score": lambda result: result["seeds"][0]["student"]["scores"].update(test=1.2),
    "text": lambda result: result["seeds"][1]["student"]["scores"].update(val="0.8"),
    "epoch": lambda result: result["seeds"][0]["student"].update(best_epoch=0),
    "late": lambda result: result["seeds"][0]["teacher"].update(best_epoch=100),
    "lost": lambda result: result["seeds"][0].pop("temperature"),
    "extra": lambda result: result["seeds"][0].update(temprature=1.0),
    "twice": lambda result: result["seeds"].append(result["seeds"][0]),
    "none": lambda result: result["seeds"].clear(),
    "list": lambda result: result.update(identity=[]),
    "time": lambda result: result.update(started="yesterday"),
    "counts": lambda result: result["seeds"][0]["student"]["confusion"][0].pop(),
    "no key": lambda result: result["seeds"][0].pop("teacher_key"),
}


@pytest.mark.parametrize("change", IMPOSSIBLE)
def test_an_impossible_result_is_named_and_not_used(
    change: str, written: Written, hold: Hold, caplog: pytest.LogCaptureFixture
) -> None:
    hold(written.run / "result.json")
    seal_again(written.run, IMPOSSIBLE[change])

    assert read_run(written.run) is None
    assert caplog.text.count("result.json cannot be used (") == 1


def test_a_run_of_an_earlier_version_is_read_and_said_to_have_no_checksums(
    written: Written, hold: Hold, caplog: pytest.LogCaptureFixture
) -> None:
    path = written.run / "result.json"
    hold(path)
    expected = reload_student(written.run, 3).student.all
    earlier = json.loads(path.read_text()) | {"format": 5}
    del earlier["checksum"], earlier["files"]
    path.write_text(json.dumps(earlier))
    _warn_once.cache_clear()

    for _ in range(2):
        np.testing.assert_array_equal(reload_student(written.run, 3).student.all, expected)
        assert len(read_runs(written.run.parent)) == 1
    lines = [line for line in caplog.messages if "earlier versions wrote no checksums" in line]
    assert [line.partition(":")[0] for line in lines] == [
        str(written.run), "runs of formats 4 and 5",
    ]  # fmt: skip
    path.write_text(json.dumps({**earlier, "format": 6}))
    assert read_run(written.run) is None


def test_a_teacher_without_a_checksum_is_trained_again(
    written: Written, hold: Hold, caplog: pytest.LogCaptureFixture
) -> None:
    path = written.teachers[0]
    hold(path)
    expected = load_teacher(path, path.stem)
    with safe_open(path, framework="np") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        facts = json.loads(file.metadata()["gkd_runner"])["facts"]
    path.write_bytes(save(tensors, {"teacher": json.dumps(facts)}))

    store = TeacherCache(path.parent, "use")
    assert store.get_or_train([path.stem], lambda _: [expected])[1] == [False]
    assert caplog.text.count("is damaged (it has no checksum, as earlier versions wrote it)") == 1
    assert store.get_or_train([path.stem], lambda _: [expected])[1] == [True]


def test_damaged_decisions_of_first_layers_are_at_most_others(tmp_path: Path) -> None:
    """Either form gives the same numbers, up to rounding; the file holds which one is faster."""
    file = tmp_path / "first-layers.json"
    whole = json.dumps({"here/2.13/cpu/2/1/12/1433/79/512": SPARSE, "here/x": DENSE}).encode()
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << (bit % 8)
        file.write_bytes(damaged)
        found = Decisions()
        found.remember_in(file)
        assert set(found._known.values()) <= {SPARSE, DENSE}
