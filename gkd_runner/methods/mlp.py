"""The baseline: an MLP on raw features and labels alone."""

from __future__ import annotations

from gkd_runner.methods.base import Method
from gkd_runner.options.schema import MethodConfig


class PlainMlp(Method[MethodConfig]):
    """No teacher: every decision is the default."""

    name = "mlp"
    position = 0
    colour = "#c88609"
    distils = False
    is_reference = True

    def mistakes(self) -> list[str]:
        hops = self.config.propagation_hops
        if hops:
            return [
                f"method.propagation_hops={hops} with method={self.name}, the baseline, which reads"
                " raw features: leave it out"
            ]
        return super().mistakes()
