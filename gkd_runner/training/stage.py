"""Parts that the teacher and the student stage share: label tensors and results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gkd_runner.data.graph import FloatArray, IntArray
from gkd_runner.data.task import Task
from gkd_runner.methods.objective import LabelTarget, cross_entropy, take_rows
from gkd_runner.training.fit import Epoch, Fitted, Validation
from gkd_runner.training.metrics import accuracy, selecting
from gkd_runner.training.watch import Watch


@dataclass(frozen=True, eq=False)
class Trained:
    """One seed's finished stage, on the host.

    ``observed_logits`` (``[n_observed, C]``) come from the training graph alone;
    ``hidden_logits`` (``[n_hidden, C]``) are for evaluation only. ``facts`` are the method's.
    """

    seed: int
    state: dict[str, Tensor]
    observed_logits: FloatArray
    hidden_logits: FloatArray
    best_epoch: int
    history: list[Epoch]
    seconds: float
    facts: Mapping[str, Any] = field(default_factory=dict)


T = TypeVar("T")


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Consecutive groups of at most ``size`` items: the replicas trained at once."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def stack_ids(ids: Sequence[IntArray], device: torch.device) -> Int[Tensor, "R k"]:
    """Stack equally long id vectors. Raises ``ValueError`` where they differ in length."""
    return torch.from_numpy(np.stack(ids)).to(device)


def label_target(tasks: Sequence[Task], part: str, device: torch.device) -> LabelTarget:
    """The labels of the nodes in ``part`` of each task's visible split, weighted to their mean."""
    return labels_of(tasks, [getattr(task.seen, part) for task in tasks], device)


def labels_of(
    tasks: Sequence[Task], nodes: Sequence[IntArray], device: torch.device
) -> LabelTarget:
    """The labels of ``nodes`` of each task's training graph, weighted to their mean."""
    classes = [task.training_graph.labels[ids] for task, ids in zip(tasks, nodes, strict=True)]
    rows = stack_ids(nodes, device)
    weights = torch.full(rows.shape, 1.0 / rows.shape[1], device=device)
    return LabelTarget(rows, stack_ids(classes, device), weights)


def own_rows(target: LabelTarget) -> LabelTarget:
    """The labels for logits that hold only these rows, in this order."""
    order = torch.arange(target.rows.shape[1], device=target.rows.device)
    return LabelTarget(order.expand_as(target.rows), target.classes, target.weights)


def validation(
    logits: Float[Tensor, "R n C"], target: LabelTarget, select_by: str = "accuracy"
) -> Validation:
    """Accuracy, mean cross-entropy and the metric ``select_by`` on the target's rows."""
    own = take_rows(logits, target.rows)
    others = selecting(select_by, [(own, target.classes)])
    return Validation(accuracy(own, target.classes), cross_entropy(logits, target), others)


def collect(
    tasks: Sequence[Task],
    model: nn.Module,
    observed: Float[Tensor, "R n C"],
    hidden: Float[Tensor, "R m C"],
    fitted: Fitted,
    watch: Watch,
) -> list[Trained]:
    """Copy the results of one chunk of replicas to the host, seed by seed, without failed ones."""
    state = {name: value.detach().cpu() for name, value in model.state_dict().items()}
    observed_host, hidden_host = observed.cpu().numpy(), hidden.cpu().numpy()
    return [
        Trained(
            seed=task.seed,
            state={name: value[r].clone() for name, value in state.items()},
            observed_logits=observed_host[r],
            hidden_logits=hidden_host[r],
            best_epoch=fitted.best_epoch[r],
            history=fitted.history[r],
            seconds=fitted.seconds / len(tasks),
        )
        for r, task in enumerate(tasks)
        if watch.passes(
            r, task, fitted.diverged[r], fitted.best_epoch[r], observed_host[r], hidden_host[r]
        )
    ]
