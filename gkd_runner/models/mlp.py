"""The student: a plain MLP, replica-batched."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from gkd_runner.models.inputs import Inputs
from gkd_runner.models.layers import Initializer, activate, linear
from gkd_runner.models.streams import Streams
from gkd_runner.options.schema import StudentConfig


class Mlp(nn.Module):
    """Linear layers, initialised as ``nn.Linear``, with ReLU and dropout between them."""

    def __init__(self, drop: float, sizes: Sequence[int], init: Initializer) -> None:
        super().__init__()
        self.drop = drop
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for fan_in, fan_out in pairwise(sizes):
            bound = 1.0 / math.sqrt(fan_in)
            self.weights.append(init.uniform(fan_in, fan_out, bound=bound))
            self.biases.append(init.uniform(1, fan_out, bound=bound))

    @property
    def hidden_widths(self) -> list[int]:
        """The number of outputs of each layer but the last."""
        return [bias.shape[2] for bias in self.biases[:-1]]

    def forward(self, inputs: Inputs, streams: Streams | None = None) -> Float[Tensor, "R n C"]:
        """Logits; with ``streams``, with dropout."""
        z: Tensor = inputs.matmul(self.weights[0])
        for bias, weight in zip(self.biases[:-1], self.weights[1:], strict=True):
            z = linear(activate(z, bias, self.drop, streams), weight)
        logits: Tensor = z + self.biases[-1]
        return logits


def build_student(
    config: StudentConfig, num_features: int, num_classes: int, init: Initializer
) -> Mlp:
    """The student that ``config`` describes, freshly initialised."""
    hidden = [config.hidden_dim] * (config.num_layers - 1)
    return Mlp(config.dropout, [num_features, *hidden, num_classes], init)
