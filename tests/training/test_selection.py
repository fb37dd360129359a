"""The metric that training.select_by names chooses the epoch, of teacher and student."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gkd_runner.common.errors import ConfigError, DataError
from gkd_runner.config.build import compose
from gkd_runner.data.graph import Split
from gkd_runner.methods.objective import LabelTarget
from gkd_runner.runs.train import train
from gkd_runner.training.fit import BatchLoss, Fitted, Schedule, Validation, fit
from gkd_runner.training.stage import own_rows, validation
from tests.results.test_score_metrics import f1_written_out
from tests.support import SMALL, config, random_graph, silent, small_graph, small_tasks, teachers

TWO_CLASSES = ("dataset.nodes=400", "dataset.features=64", "dataset.classes=2")

BATCHES = "training.batch_size=23"
"""Of the 60 validation nodes, that make the last batch smaller."""

TRUTH = [0] * 9 + [1]
MAJORITY = [0] * 10
"""Accuracy 0.9, macro F1 0.47."""
BALANCED = [0] * 7 + [1] * 3
"""Accuracy 0.8, macro F1 0.69."""
POOR = [1] * 10
"""Accuracy 0.1, macro F1 0.09."""


class Scripted:
    """Answers that are written down beforehand, a list of predicted classes per epoch."""

    def __init__(self, predicted: Sequence[Sequence[int]], select_by: str) -> None:
        self.model = nn.Module()
        self.model.weight = nn.Parameter(torch.zeros(1, 1))
        self._answers = iter(predicted)
        self._select_by = select_by
        classes = torch.tensor([TRUTH])
        weights = torch.full((1, 10), 0.1)
        self._target = own_rows(LabelTarget(torch.zeros_like(classes), classes, weights))

    def losses(self, epoch: int) -> Iterator[BatchLoss]:
        yield BatchLoss(self.model.weight.sum(1) ** 2, 1.0)

    def validate(self) -> Validation:
        logits = nn.functional.one_hot(torch.tensor([next(self._answers)]), 2).float()
        return validation(logits, self._target, self._select_by)

    def logged(self) -> dict[str, Tensor]:
        return {"own": torch.ones(1)}


def fitted(select_by: str, *predicted: Sequence[int]) -> Fitted:
    schedule = Schedule("student", 0.01, 0.0, len(predicted), 2, select_by)
    return fit(Scripted(predicted, select_by), schedule, [0], silent)


def test_macro_f1_chooses_the_epoch_that_finds_the_minority_and_accuracy_the_other() -> None:
    epochs = [MAJORITY, BALANCED, POOR]

    assert fitted("accuracy", *epochs).best_epoch == [1]
    assert fitted("macro_f1", *epochs).best_epoch == [2]


def test_patience_counts_epochs_without_a_gain_of_the_metric_that_selects() -> None:
    epochs = [BALANCED, MAJORITY, MAJORITY, MAJORITY]

    assert len(fitted("accuracy", *epochs).history[0]) == 4
    assert len(fitted("macro_f1", *epochs).history[0]) == 3


def test_the_record_has_the_score_that_selects_beside_accuracy() -> None:
    [first, second] = fitted("macro_f1", MAJORITY, BALANCED).history[0]
    [plain] = fitted("accuracy", MAJORITY).history[0]

    assert (first.val_accuracy, second.val_accuracy) == (0.9, 0.8)
    assert dict(second.logged) == {"own": 1.0, "val_macro_f1": second.val("macro_f1")}
    assert second.val("macro_f1") == pytest.approx((14 / 16 + 2 / 4) / 2)
    assert plain.logged == (("own", 1.0),)
    assert plain.val("accuracy") == 0.9


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("metric", ["macro_f1", "roc_auc"])
@pytest.mark.parametrize("batches", [(), (BATCHES,)])
def test_a_run_keeps_the_last_of_the_best_epochs_by_that_metric(
    metric: str, batches: tuple[str, ...], tmp_path: Path
) -> None:
    options = (f"training.select_by={metric}", "seeds=[0,1]", f"output_dir={tmp_path}", *batches)
    result = train(config("method=glnn", *TWO_CLASSES, *options))

    lines = lines_of(result.path)
    for seed in result.seeds:
        for stage in ("teacher", "student"):
            found = getattr(seed, stage)
            own = [x for x in lines if (x["stage"], x["seed"]) == (stage, seed.seed)]
            scores = [x[f"val_{metric}"] for x in own]
            best = max(range(len(scores)), key=lambda place: (scores[place], place))
            assert found.best_epoch == best + 1
            assert found.of(metric).val == pytest.approx(scores[best], abs=1e-6)
    assert result.val_score == pytest.approx(
        np.mean([seed.student.of(metric).val for seed in result.seeds])
    )


def test_a_cached_teacher_brings_the_scores_that_selected_its_epoch(tmp_path: Path) -> None:
    options = (*TWO_CLASSES, "training.select_by=roc_auc", "seeds=[0]", f"output_dir={tmp_path}")

    first, second = (train(config(f"method={name}", *options)) for name in ("glnn", "mlp"))

    assert second.seeds[0].teacher_cached
    taught = [[x for x in lines_of(run.path) if x["stage"] == "teacher"] for run in (first, second)]
    assert taught[0] == taught[1]
    assert "val_roc_auc" in taught[0][0]


def test_the_selecting_metric_is_another_configuration(tmp_path: Path) -> None:
    options = (*TWO_CLASSES, "method=mlp", "seeds=[0]", f"output_dir={tmp_path}")

    plain, other = (train(config(*options, *by)) for by in ((), ("training.select_by=macro_f1",)))

    assert other.reused == 0
    results = [json.loads((run.path / "result.json").read_text()) for run in (plain, other)]
    assert results[0]["key"] != results[1]["key"]
    assert results[1]["hyperparameters"]["changed"]["training.select_by"] == "macro_f1"


def test_a_teacher_in_mini_batches_is_scored_over_all_validation_nodes_at_once() -> None:
    """The mean of the batches' F1 is not that of all nodes."""
    settings = config("training.select_by=macro_f1", "training.max_epochs=1", BATCHES)
    tasks = small_tasks(settings, [0, 1])

    for task, teacher in zip(tasks, teachers(settings, tasks), strict=True):
        predicted = teacher.observed_logits[task.split.val].argmax(1)
        found = f1_written_out(task.graph.labels[task.split.val].tolist(), predicted.tolist())
        assert teacher.history[0].val("macro_f1") == pytest.approx(found)


def test_roc_auc_of_more_than_two_classes_is_refused_before_anything_runs() -> None:
    with pytest.raises(ConfigError, match=r"roc_auc needs two classes, and dataset\.classes=4"):
        compose([*SMALL, "dataset.classes=4", "training.select_by=roc_auc"])
    with pytest.raises(DataError, match=r"needs two classes, and synthetic has 4; use training"):
        small_tasks(replace_select_by("roc_auc"), [0], small_graph())


def test_roc_auc_needs_both_classes_among_the_validation_nodes() -> None:
    graph = random_graph(60, np.ones((60, 3), dtype=np.float32), classes=2)
    ids = np.arange(60)
    one_class = Split(ids[:10], ids[10:20][graph.labels[10:20] == 0], ids[20:])
    graph = replace(graph, splits=(one_class,))

    with pytest.raises(DataError, match="validation nodes of random are of class 0; use training"):
        small_tasks(replace_select_by("roc_auc", "custom"), [0], graph)


def replace_select_by(metric: str, family: str = "synthetic") -> Any:
    """A configuration that was composed before its graph was known."""
    plain = config()
    return replace(
        plain,
        dataset=replace(plain.dataset, family=family),
        protocol=replace(plain.protocol, own_split=["custom"]),
        training=replace(plain.training, select_by=metric),
    )
