"""The student: a plain MLP, replica-batched."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from gkd_runner.models.inputs import Inputs, RawInputs
from gkd_runner.models.layers import Initializer, activate, linear
from gkd_runner.models.streams import Streams
from gkd_runner.options.schema import StudentConfig


class Mlp(nn.Module):
    """Linear layers, initialised as ``nn.Linear``, with ReLU and dropout between them.

    ``input_drop`` is the share of the features that is dropped before the first layer.
    """

    def __init__(
        self, drop: float, sizes: Sequence[int], init: Initializer, input_drop: float = 0.0
    ) -> None:
        super().__init__()
        self.drop, self.input_drop = drop, input_drop
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for fan_in, fan_out in pairwise(sizes):
            bound = 1.0 / math.sqrt(fan_in)
            self.weights.append(init.uniform(fan_in, fan_out, bound=bound))
            self.biases.append(init.uniform(1, fan_out, bound=bound))

    @property
    def dropped_widths(self) -> list[int]:
        """The number of values of a node at each dropout, in the order of the draws."""
        inputs = [self.weights[0].shape[1]] if self.input_drop else []
        return inputs + [bias.shape[2] for bias in self.biases[:-1]]

    def forward(self, inputs: Inputs, streams: Streams | None = None) -> Float[Tensor, "R n C"]:
        """Logits; with ``streams``, with dropout. That of features needs ``RawInputs``."""
        if streams is not None and self.input_drop:
            assert isinstance(inputs, RawInputs), "features are multiplied out for their dropout"
            inputs = inputs.with_dropout(self.input_drop, streams)
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
    sizes = [num_features, *hidden, num_classes]
    return Mlp(config.dropout, sizes, init, config.input_dropout)
