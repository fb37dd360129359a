"""The metrics beside accuracy that may select an epoch: of all replicas at once, on the device.

``gkd_runner.results.metrics`` has the same metrics of one replica, on the host.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

Metric = Callable[[Float[Tensor, "R k C"], Int[Tensor, "R k"]], Float[Tensor, " R"]]


def selecting(
    select_by: str, parts: Sequence[tuple[Float[Tensor, "R _ C"], Int[Tensor, "R _"]]]
) -> dict[str, Float[Tensor, " R"]]:
    """The metric ``select_by``, by its name, of nodes in parts; nothing if it is accuracy.

    Each part has the logits of some nodes and their true classes.
    """
    if select_by == "accuracy":
        return {}
    logits, classes = (torch.cat(list(part), dim=1) for part in zip(*parts, strict=True))
    return {select_by: BESIDE_ACCURACY[select_by](logits, classes)}


def macro_f1(logits: Float[Tensor, "R k C"], classes: Int[Tensor, "R k"]) -> Float[Tensor, " R"]:
    """The mean F1 of the classes that occur among true or predicted ones."""
    replicas, _, count = logits.shape
    cells = classes * count + logits.argmax(2)
    counts = torch.zeros(replicas, count**2, dtype=torch.float64, device=logits.device)
    counts.scatter_add_(1, cells, torch.ones_like(cells, dtype=torch.float64))
    confusion = counts.view(replicas, count, count)
    hits = confusion.diagonal(dim1=1, dim2=2)
    true_and_predicted = confusion.sum(2) + confusion.sum(1)
    f1 = 2 * hits / true_and_predicted.clamp(min=1)
    return f1.sum(1) / (true_and_predicted > 0).sum(1)


def roc_auc(logits: Float[Tensor, "R k 2"], classes: Int[Tensor, "R k"]) -> Float[Tensor, " R"]:
    """The share of pairs of both classes in which class 1 has the higher score; ties count half.

    The score is the log-odds of class 1, which has the order of its probability.
    """
    scores = logits[:, :, 1].double() - logits[:, :, 0].double()
    in_order = scores.sort(1).values
    lower = torch.searchsorted(in_order, scores)
    not_higher = torch.searchsorted(in_order, scores, right=True)
    ranks = (lower + not_higher + 1).double() / 2  # tied scores share the mean of their ranks
    positives = classes.sum(1).double()
    negatives = classes.shape[1] - positives
    wins = (ranks * classes).sum(1) - positives * (positives + 1) / 2
    return wins / (positives * negatives)


BESIDE_ACCURACY: Mapping[str, Metric] = {"macro_f1": macro_f1, "roc_auc": roc_auc}
