"""The optimiser of teachers and students."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim.adam import adam

from gkd_runner.common.processes import ALONE, ProcessGroup


class Adam:
    """Adam with L2 penalty.

    ``torch.optim.Adam`` imports torch's compiler, which takes 1.3 to 1.8 CPU seconds.
    """

    def __init__(
        self,
        parameters: Sequence[nn.Parameter],
        learning_rate: float,
        weight_decay: float,
        processes: ProcessGroup = ALONE,
    ) -> None:
        self._parameters: list[Tensor] = [*parameters]
        self._learning_rate, self._weight_decay = learning_rate, weight_decay
        self._processes = processes
        self._means = [torch.zeros_like(p) for p in parameters]
        self._squares = [torch.zeros_like(p) for p in parameters]
        self._steps = [torch.zeros((), device=p.device) for p in parameters]

    def step(self, loss: Float[Tensor, " R"]) -> None:
        """Descend along the gradient of ``loss``, summed over the processes."""
        gradients = self._processes.add(torch.autograd.grad(loss.sum(), self._parameters))
        with torch.no_grad():
            adam(
                self._parameters,
                [gradient.contiguous() for gradient in gradients],  # fused=True reads memory
                self._means,
                self._squares,
                [],
                self._steps,
                fused=True,
                amsgrad=False,
                beta1=0.9,
                beta2=0.999,
                lr=self._learning_rate,
                weight_decay=self._weight_decay,
                eps=1e-8,
                maximize=False,
            )
