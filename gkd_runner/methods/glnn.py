"""GLNN (Zhang et al., ICLR 2022): every node learns its own soft labels, all alike.

The official code takes two Adam steps per epoch, one for labels and one for soft labels; here
one step on the summed loss, as for every other method.
"""

from __future__ import annotations

from gkd_runner.common.lazy import torch
from gkd_runner.common.probabilities import negative_entropy
from gkd_runner.methods.base import Classroom, Method
from gkd_runner.methods.objective import SoftTarget
from gkd_runner.options.schema import MethodConfig


class Glnn(Method[MethodConfig]):
    """``Q_i = softmax(t_i / tau) / n``."""

    name = "glnn"
    position = 10
    colour = "#0e9ed1"
    is_reference = True

    def prepare(self, classroom: Classroom) -> None:
        probabilities = classroom.probabilities(self.config.tau)
        n = probabilities.shape[1]
        constant = negative_entropy(probabilities).mean(1)
        self._target = SoftTarget(probabilities / n, constant)

    def soft_target(self, epoch: int, student_logits: torch.Tensor | None) -> SoftTarget:
        return self._target
