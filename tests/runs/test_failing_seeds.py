"""A seed whose training diverges stops alone: the others' results are kept, and it is told."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support import SMALL, Done, config, small_graph, small_tasks, teachers

from gkd_runner.common.errors import TrainingError
from gkd_runner.config.command_line import Cell
from gkd_runner.results.stored import read_run
from gkd_runner.runs import job
from gkd_runner.runs.reload import reload_run
from gkd_runner.runs.train import train
from gkd_runner.sweeps.run import run_all
from gkd_runner.tracking.base import NullTracker
from gkd_runner.training import student, teacher
from gkd_runner.training.failures import SeedFailure
from gkd_runner.training.fit import BatchLoss, Lesson, Validation, fit
from gkd_runner.training.soft_labels import SoftLabels
from gkd_runner.training.student import train_students

SEEDS = [3, 4, 5]
OPTIONS = (
    "seeds=[3,4,5]",
    "replicas=3",
    "method=glnn",
    "dataset.nodes=300",
    "dataset.features=64",
    "training.max_epochs=4",
)
AT = 2  # the epoch at which a seed diverges

Poison = Callable[..., None]


class Poisoned:
    """A lesson in which the losses of some replicas are not finite from epoch ``AT`` on."""

    def __init__(self, lesson: Lesson, poison: torch.Tensor) -> None:
        self._lesson, self._poison = lesson, poison
        self.model = lesson.model

    def losses(self, epoch: int) -> Iterator[BatchLoss]:
        for loss, share in self._lesson.losses(epoch):
            yield BatchLoss(loss + self._poison if epoch >= AT else loss, share)

    def validate(self) -> Validation:
        return self._lesson.validate()

    def logged(self) -> Mapping[str, torch.Tensor]:
        return self._lesson.logged()


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> Poison:
    """Let the stage of some seeds diverge; without seeds, of none."""

    def set_poison(stage: Any, *seeds: int, wanted: Callable[[Lesson], bool] = bool) -> None:
        def poisoned(lesson: Any, schedule: Any, own: Any, *rest: Any) -> Any:
            values = torch.tensor([math.nan if seed in seeds else 0.0 for seed in own])
            chosen = Poisoned(lesson, values) if wanted(lesson) else lesson
            return fit(chosen, schedule, own, *rest)

        monkeypatch.setattr(stage, "fit", poisoned)

    return set_poison


def settings(folder: Path, *overrides: str) -> Any:
    return config(*OPTIONS, f"output_dir={folder}", *overrides)


def stopped(found: SeedFailure, stage: str, seed: int = 4) -> bool:
    return (found.seed, found.split, found.stage, found.epoch) == (seed, 0, stage, AT)


@pytest.mark.parametrize("stage", [teacher, student])
def test_a_seed_that_diverges_costs_the_others_not_one_bit(
    stage: Any, tmp_path: Path, poison: Poison
) -> None:
    name = stage.__name__.rpartition(".")[2]
    sound = train(settings(tmp_path / "sound"))
    poison(stage, 4)
    found = train(settings(tmp_path / "poisoned"))

    assert [seed.seed for seed in found.seeds] == [3, 5]
    assert found.seeds[0].teacher.scores == sound.seeds[0].teacher.scores
    (failure,) = found.failures
    assert stopped(failure, name)
    assert f"{name} of seed 4: loss nan" in str(failure)
    assert f"at epoch {AT}; lower {name}.learning_rate=" in str(failure)
    # students that are trained beside fewer others are equal up to rounding alone
    pattern = "cache/teachers/*.safetensors" if stage is teacher else "**/student-*.safetensors"
    left, whole = (
        {file.name: load_file(file) for file in (tmp_path / name).glob(pattern)}
        for name in ("poisoned", "sound")
    )
    assert (len(left), len(whole)) == (2, 3)
    for file, state in left.items():
        assert all(torch.equal(value, whole[file][key]) for key, value in state.items())


def test_the_record_names_the_failed_seed_and_has_finite_numbers_alone(
    tmp_path: Path, poison: Poison
) -> None:
    poison(student, 4)
    run = train(settings(tmp_path)).path

    def refused(constant: str) -> None:
        raise AssertionError(constant)

    text = (run / "metrics.jsonl").read_text()
    lines = [json.loads(line, parse_constant=refused) for line in text.splitlines()]
    told = [x["epoch"] for x in lines if (x["stage"], x["seed"]) == ("student", 4)]
    assert told == list(range(1, AT))
    result = json.loads((run / "result.json").read_text(), parse_constant=refused)
    assert [seed["seed"] for seed in result["seeds"]] == [3, 5]
    assert [one["seed"] for one in result["failures"]] == [4]
    assert result["failures"][0]["stage"] == "student"
    assert read_run(run) is not None
    assert reload_run(run, 5).result.seed == 5


def test_the_same_command_trains_the_failed_seed_alone(tmp_path: Path, poison: Poison) -> None:
    poison(teacher, 4)
    first = train(settings(tmp_path))
    again = train(settings(tmp_path))
    poison(teacher)
    mended = train(settings(tmp_path))

    assert (again.reused, [one.seed for one in again.failures]) == (2, [4])
    assert [seed.seed for seed in again.seeds] == [3, 5]
    assert (mended.reused, mended.failures) == (2, ())
    assert [seed.seed for seed in mended.seeds] == SEEDS
    assert mended.seeds[0] == first.seeds[0]


def test_a_job_of_which_all_seeds_fail_names_each_and_leaves_no_result(
    tmp_path: Path, poison: Poison
) -> None:
    poison(teacher, 3)
    poison(student, 4, 5)
    with pytest.raises(TrainingError) as caught:
        train(settings(tmp_path))
    lines = str(caught.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "no seed has finished", "teacher of seed 3", "student of seed 4", "student of seed 5",
    ]  # fmt: skip
    assert not list(tmp_path.rglob("result.json"))


def test_the_command_prints_the_others_and_exits_with_an_error(
    tmp_path: Path, poison: Poison, gkd_train: Callable[..., Done]
) -> None:
    poison(teacher, 4)
    done = gkd_train(tmp_path, *SMALL, *OPTIONS)

    assert done.returncode == 1
    assert "1 of 3 seeds failed; the others are kept" in done.stderr
    assert "seeds 3, 5" in done.stdout
    assert "teacher of seed 4: loss nan" in done.stdout


def test_a_cell_with_a_failed_seed_fails_and_the_sweep_goes_on(
    tmp_path: Path, poison: Poison, capsys: pytest.CaptureFixture[str]
) -> None:
    poison(student, 4, wanted=lambda lesson: bool(lesson._method.config.uses_teacher))
    cells = [
        Cell(f"method={name}", settings(tmp_path, f"method={name}")) for name in ("glnn", "mlp")
    ]
    with pytest.raises(SystemExit) as ended:
        run_all(cells)

    assert "1 of 2 cells done, 1 failed" in str(ended.value)
    (log,) = tmp_path.glob("sweeps/*/failed-0.json")
    assert "student of seed 4: loss nan" in json.loads(log.read_text())["cause"]
    runs = [read_run(file.parent) for file in tmp_path.rglob("result.json")]
    found = {run.identity["method"]: [seed.seed for seed in run.seeds] for run in runs if run}
    assert found == {"glnn": [3, 5], "mlp": [3, 4, 5]}


def test_the_tracked_run_of_a_failed_seed_is_closed_as_failed(
    tmp_path: Path, poison: Poison, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: dict[int, bool] = {}

    class Tracker(NullTracker):
        def finish(self, seed: int, summary: Any, *, failed: bool = False) -> None:
            ended[seed] = failed

    monkeypatch.setattr(job, "open_tracker", lambda *_: Tracker())
    poison(teacher, 4)
    train(settings(tmp_path))
    assert ended == {3: False, 4: True, 5: False}


def adaprop(poison: Poison, caplog: pytest.LogCaptureFixture, *bad: int) -> Any:
    """Students of seeds 3 and 4 of two variants, those without hops diverging for seeds ``bad``."""
    caplog.set_level(logging.WARNING, "gkd_runner")
    options = ("method=adaprop", "method.further_hops=[0]", "method.further_lams=[]")
    own = config(*options, "training.max_epochs=4")
    tasks = small_tasks(own, [3, 4], small_graph())
    labels = [SoftLabels(one, "", cached=False, temperature=1.0) for one in teachers(own, tasks)]
    poison(student, *bad, wanted=lambda lesson: not lesson._method.config.propagation_hops)
    failures: list[SeedFailure] = []
    told: list[Any] = []

    def on_epochs(*call: Any) -> None:
        told.append(call[0])

    students = train_students(
        tasks, labels, own, torch.device("cpu"), on_epochs, on_failure=failures.append
    )
    return students, failures


def test_a_variant_that_diverges_is_named_and_not_kept(
    poison: Poison, caplog: pytest.LogCaptureFixture
) -> None:
    students, failures = adaprop(poison, caplog, 4)

    assert not failures
    assert students[1].facts["propagation_hops"] > 0
    assert [len(one.facts["variants"]) for one in students] == [2, 1]
    (warning,) = caplog.messages
    assert "student of seed 4: loss nan" in warning
    assert "this variant (propagation_hops=0, lam=" in warning


def test_a_seed_fails_if_all_its_variants_do(
    poison: Poison, caplog: pytest.LogCaptureFixture
) -> None:
    def every(stage: Any, *seeds: int, wanted: Any) -> None:
        poison(stage, *seeds)

    students, failures = adaprop(every, caplog, 4)

    assert [one.seed for one in students] == [3]
    (failure,) = failures
    assert stopped(failure, "student")
    assert "the first of 2 variants, all failed" in failure.cause


def test_features_out_of_scale_and_sharp_labels_are_named_as_the_cause(
    poison: Poison,
) -> None:
    own = config("method=glnn", "training.max_epochs=4")
    graph = small_graph()
    large = replace(graph, features=graph.features * np.float32(1e6))
    poison(teacher, 3)
    with pytest.raises(TrainingError, match=r"likely because features reach .*row_normalize=true"):
        teachers(own, small_tasks(own, [3], large))
    poison(teacher)

    tasks = small_tasks(own, [3], graph)
    (taught,) = teachers(own, tasks)
    sharp = replace(taught, observed_logits=taught.observed_logits * np.float32(1e28))
    tiny = config("method=glnn", "training.max_epochs=4", "method.tau=1e-12")
    with pytest.raises(TrainingError, match=r"student of seed 3: loss .*method\.tau=1e-12; raise"):
        train_students(
            tasks, [SoftLabels(sharp, "", False, 1.0)], tiny, torch.device("cpu"), lambda *_: None
        )


def test_a_model_with_logits_beyond_float32_is_no_result(tmp_path: Path) -> None:
    """Its losses are finite, as those on the validation nodes are, but some answers are not."""
    graph = small_graph()
    own = config("method=glnn", "training.max_epochs=2")
    (task,) = small_tasks(own, [3], graph)
    wild = graph.features.toarray()
    wild[task.split.test[0]] = 3e38
    (wild_task,) = small_tasks(own, [3], replace(graph, features=wild))
    with pytest.raises(TrainingError, match=r"teacher of seed 3: .*at epoch \d; likely because"):
        teachers(own, [wild_task])
