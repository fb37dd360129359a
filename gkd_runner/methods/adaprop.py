"""AdaProp: how far features are propagated, and whether the teacher counts, follows validation.

A student is trained for each pair of candidates, 0 hops and labels alone among them, and the best
on the validation nodes is kept. A fallback, without hops or without the teacher, must be better by
more than one standard error, as both help on most graphs; it has no dropout on its features. So
validation can fall back to a plain MLP.

In an inductive run the soft labels of validation nodes are not learnt. They carry information from
the neighbours of these nodes, and hidden nodes have no soft labels: learning them would make
validation overrate raw features.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from gkd_runner.common.lazy import torch
from gkd_runner.common.probabilities import negative_entropy
from gkd_runner.methods.base import Classroom, Method
from gkd_runner.methods.objective import SoftTarget
from gkd_runner.options.schema import MethodConfig, StudentConfig, option


@dataclass
class AdaPropConfig(MethodConfig):
    """AdaProp: propagation and trust in the teacher, chosen on validation."""

    further_hops: list[int] = option("Other numbers of hops that are tried.", at_least=0)
    further_lams: list[float] = option(
        "Other values of lam that are tried; 1 leaves the teacher out.", at_least=0, at_most=1
    )


class AdaProp(Method[AdaPropConfig]):
    """``Q_i = softmax(t_i / tau) / n``, on features of the chosen number of hops."""

    name = "adaprop"
    position = 50
    colour = "#238584"
    options = AdaPropConfig
    student_options: ClassVar = {
        "num_layers": 2,
        "dropout": 0.5,
        "input_dropout": 0.5,
        "learning_rate": 0.01,
        "sampled_nodes": 1000,
    }

    def mistakes(self) -> list[str]:
        if min(self.config.lam, *self.config.further_lams, 1.0) < 1:
            return []
        return super().mistakes()

    @property
    def variants(self) -> Sequence[AdaProp]:
        config = self.config
        hops = dict.fromkeys([config.propagation_hops, *config.further_hops])
        lams = dict.fromkeys([config.lam, *config.further_lams])
        return [self._variant(*pair) for pair in itertools.product(hops, lams)]

    @property
    def is_fallback(self) -> bool:
        return self.config.propagation_hops == 0 or self.config.lam == 1

    def student(self, student: StudentConfig) -> StudentConfig:
        return replace(student, input_dropout=0.0) if self.is_fallback else student

    def chosen(self, facts: Mapping[str, Any]) -> AdaProp:
        return self._variant(facts["propagation_hops"], facts["lam"])

    def _variant(self, hops: int, lam: float) -> AdaProp:
        config = replace(self.config, propagation_hops=hops, lam=lam)
        return AdaProp(replace(config, further_hops=[], further_lams=[]))

    def prepare(self, classroom: Classroom) -> None:
        probabilities = classroom.probabilities(self.config.tau)
        counts = torch.ones(probabilities.shape[:2])
        for own, task in zip(counts, classroom.tasks, strict=True):
            if len(task.hidden):
                own[torch.from_numpy(task.seen.val)] = 0
        weights = (counts / counts.sum(1, keepdim=True)).to(classroom.device)
        constant = (weights * negative_entropy(probabilities)).sum(1)
        self._target = SoftTarget(weights.unsqueeze(2) * probabilities, constant)

    def soft_target(self, epoch: int, student_logits: torch.Tensor | None) -> SoftTarget:
        return self._target

    def facts(self, replica: int) -> Mapping[str, Any]:
        """The variant that this is."""
        return {"propagation_hops": self.config.propagation_hops, "lam": self.config.lam}
