"""Random numbers for all replicas, from one generator per seed.

A seed draws the same numbers whichever seeds it is trained with.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int16

from gkd_runner.common.lazy import torch
from gkd_runner.common.seeding import generator, stream_seed

_LEVELS = 1 << 16

VALUES_AT_ONCE = 30_000
"""Number of values that a CPU masks or activates at once, so that they stay in its cache.

19,717 x 512 values, one core: 17 ms instead of 33 for bias, ReLU and dropout. From 32,768 values on
torch would wake further threads for each step.
"""


class Streams:
    """One stream per seed, all with the same name, on one device.

    On the CPU NumPy's SFC64 fills 16-bit words, which makes dropout several times faster than
    ``F.dropout`` there (``make bench ARGS=choices``).
    """

    def __init__(self, seeds: Sequence[int], name: str, device: torch.device) -> None:
        self.device = device
        self._on_host = device.type == "cpu"
        self._host = [generator(seed, name) for seed in seeds] if self._on_host else []
        self._device = (
            []
            if self._on_host
            else [torch.Generator(device).manual_seed(stream_seed(seed, name)) for seed in seeds]
        )

    @property
    def replicas(self) -> int:
        return len(self._host) or len(self._device)

    def words(self, counts: Sequence[int]) -> Int16[torch.Tensor, " total"]:
        """``counts[r]`` uniform 16-bit words from stream ``r``, one replica after another."""
        parts = [self._words(replica, count) for replica, count in enumerate(counts)]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _words(self, replica: int, count: int) -> Int16[torch.Tensor, " count"]:
        quads = -(-count // 4)
        if self._on_host:
            draws = self._host[replica].bit_generator.random_raw(quads)
            return torch.from_numpy(draws.view(np.int16))[:count]
        words = torch.empty(quads, dtype=torch.int64, device=self.device)
        # random_() sets the sign bit of int64 only if the full range is given
        words.random_(-(2**63), None, generator=self._device[replica])
        return words.view(torch.int16)[:count]

    def mask(
        self, shape: Sequence[int], drop: float, rows: Sequence[int] | None = None
    ) -> Float[torch.Tensor, "R ..."]:
        """Dropout's factors: 0 with probability ``drop``, else one over the share that is kept.

        The leading dimension of ``shape`` is that of the replicas, the next that of nodes. Replica
        ``r`` draws for its first ``rows[r]`` nodes; the others, if any, pad it and get 0.
        """
        each = int(np.prod(shape[2:]))
        if rows is None or min(rows) == shape[1]:
            return self.mask_flat([shape[1] * each] * shape[0], drop).view(*shape)
        counts = [count * each for count in rows]
        padded = torch.zeros(shape[0], shape[1] * each, device=self.device)
        parts = torch.split(self.mask_flat(counts, drop), counts)
        for own, drawn in zip(padded, parts, strict=True):
            own[: len(drawn)] = drawn
        return padded.view(*shape)

    def mask_flat(self, counts: Sequence[int], drop: float) -> Float[torch.Tensor, " total"]:
        """Dropout's factors for ``counts[r]`` values of each replica ``r``, laid end to end."""
        if not self._on_host:
            keep = self.words(counts) >= _first_kept(drop)
            return keep.float().mul_(keep_scale(drop))
        factors = torch.empty(sum(counts))
        for replica, own in enumerate(torch.split(factors, list(counts))):
            for part in torch.split(own, VALUES_AT_ONCE):
                self.fill_mask(part, replica, drop)
        return factors

    def fill_mask(
        self, factors: Float[torch.Tensor, " *shape"], replica: int, drop: float
    ) -> Float[torch.Tensor, " *shape"]:
        """Draw dropout's factors for one replica into ``factors``, which lie in host memory.

        One call draws the same as several that share its values, if all but the last have a
        multiple of four.
        """
        words = self._words(replica, factors.numel()).numpy().reshape(factors.shape)
        # NumPy compares 16-bit words ten times faster than torch
        np.multiply(words >= _first_kept(drop), np.float32(keep_scale(drop)), out=factors.numpy())
        return factors

    def uniform(self, counts: Sequence[int]) -> Float[torch.Tensor, " total"]:
        """Uniform numbers in (0, 1), 32 random bits each, laid end to end."""
        return uniform_numbers(self.words([2 * count for count in counts]))


def uniform_numbers(words: Int16[torch.Tensor, " twice"]) -> Float[torch.Tensor, " total"]:
    """Numbers in (0, 1), one from each pair of 16-bit words: the high half and the low half."""
    high, low = (half.float() for half in words.view(-1, 2).unbind(1))
    low.add_(_LEVELS / 2 + 0.5)  # exact in float32, like the other half: only their sum is rounded
    return low.add_(high.add_(_LEVELS / 2), alpha=_LEVELS).mul_(_LEVELS**-2).clamp_max_(1 - 2**-24)


def _first_kept(drop: float) -> int:
    """The smallest word, read as a signed number, that is kept."""
    return _dropped_levels(drop) - _LEVELS // 2


def _dropped_levels(drop: float) -> int:
    """How many of the 16-bit words are dropped; never all."""
    return min(round(drop * _LEVELS), _LEVELS - 1)


def keep_scale(drop: float) -> float:
    """The factor for kept values: one over the exact share of words that are kept."""
    return _LEVELS / (_LEVELS - _dropped_levels(drop))
