"""The smallest product of two sets of unit rows: exactly, or from above in linear time.

The exact search multiplies blocks of rows that fit into the processor's cache. It leaves out the
rows that cannot be part of a smaller product than the smallest known one: columns that lie
together form a ball of angle ``r`` around a centre ``c``, and the triangle inequality for angles
gives ``x . y >= cos(angle(x, c) + r)`` for every ``y`` of the ball. The linear search comes first,
so that this limit is tight from the beginning.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from jaxtyping import Bool, Float, Int

from gkd_runner.common.lazy import torch
from gkd_runner.graph.row_blocks import DenseRows, Rows

BLOCK = {"cpu": (4096, 128), "cuda": (32768, 1024)}
"""Rows and columns of one product on each device: on a CPU it stays in the cache of a core."""

TOGETHER = 4
"""Blocks of columns that are multiplied at once where next to nothing can be left out."""

STARTS = 1024
"""Columns that the search from above starts from."""

GATHERED_AT_MOST = 0.7
"""Up to this share of a block's rows are copied out and multiplied alone; more take all."""

OnShare = Callable[[float], None]


class Smallest(NamedTuple):
    """The smallest product, and the number of pairs of rows that were multiplied to prove it."""

    value: float
    pairs: int


def smallest_from_above(rows: Rows, columns: Rows, starts: int) -> float:
    """A product of a row and a column that is hardly ever larger than the smallest one.

    From ``starts`` columns, spread evenly, the search goes to the row that is most opposed to each
    of them, from there to the most opposed column, and so on, as long as the smallest product
    falls. Its cost is linear in the number of rows.
    """
    first = torch.linspace(0, len(columns) - 1, min(starts, len(columns)), dtype=torch.float64)
    here, there, asked = rows, columns, columns.take(first.round().long())
    smallest, unchanged = math.inf, 0
    while unchanged < 2:
        found, ids = _most_opposed(here, asked)
        unchanged = 0 if found < smallest else unchanged + 1
        smallest = min(smallest, found)
        here, there, asked = there, here, here.take(torch.tensor(sorted(set(ids.tolist()))))
    return smallest


def _most_opposed(rows: Rows, asked: Float[torch.Tensor, "k d"]) -> tuple[float, torch.Tensor]:
    """The smallest product with any of ``asked``, and the ids of the rows most opposed to each."""
    best = asked.new_full((len(asked),), math.inf)
    ids = torch.zeros(len(asked), dtype=torch.long, device=asked.device)
    for start, block in rows.blocks(BLOCK["cpu"][0]):
        values, places = (asked @ block.T).min(dim=1)
        ids = torch.where(values < best, places + start, ids)
        best = torch.minimum(best, values)
    return float(best.min()), ids


def smallest_product(rows: Rows, columns: Rows, floor: float, on_share: OnShare) -> Smallest:
    """The smallest product of a row and a column, up to the float32 rounding of one product.

    Rows of ``rows`` ``[n, d]`` and ``columns`` ``[m, d]`` have norm 1 or are zero. The search
    ends early at a product that is not above ``floor``.
    """
    known = smallest_from_above(rows, columns, STARTS // 4)
    if known <= floor:
        return Smallest(known, 0)
    if isinstance(rows, DenseRows) and isinstance(columns, DenseRows):
        left, right = _not_zero(rows.matrix), _not_zero(columns.matrix)
        return _pruned(left, right, known, floor, on_share)
    return _compared(rows, columns, known, floor, on_share)


def _compared(rows: Rows, columns: Rows, known: float, floor: float, on_share: OnShare) -> Smallest:
    """Every row with every column."""
    size, pairs = BLOCK["cpu"][0] // 4, 0
    for start, block in columns.blocks(size):
        for _, others in rows.blocks(size):
            known = min(known, float((others @ block.T).min()))
            pairs += len(others) * len(block)
        if known <= floor:
            break
        on_share((start + len(block)) / len(columns))
    return Smallest(known, pairs)


def _not_zero(matrix: Float[torch.Tensor, "n d"]) -> Float[torch.Tensor, "k d"]:
    """Without the rows of zeros, whose product with every row is the 0 that is known already."""
    kept = matrix.any(dim=1)
    return matrix if bool(kept.all()) else matrix[kept]


def _pruned(
    rows: Float[torch.Tensor, "n d"],
    columns: Float[torch.Tensor, "m d"],
    known: float,
    floor: float,
    on_share: OnShare,
) -> Smallest:
    """Every row with the balls that may hold a smaller product with it."""
    height, width = BLOCK[rows.device.type]
    balls = Balls.of(columns, width)
    largest = min(height, len(rows)) * min(width * TOGETHER, len(columns))
    buffer, pairs = rows.new_empty(largest), 0
    for start, block in DenseRows(rows).blocks(height):
        smallest = block.new_full((), known)
        for left, right in _remaining(block, balls, known):
            product = buffer[: len(left) * len(right)].view(len(left), len(right))
            smallest = torch.minimum(smallest, torch.mm(left, right.T, out=product).min())
            pairs += product.numel()
        known = float(smallest)
        if known <= floor:
            break
        on_share((start + len(block)) / len(rows))
    return Smallest(known, pairs)


def _remaining(
    block: Float[torch.Tensor, "n d"], balls: Balls, known: float
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Rows and columns among whose products one may be below ``known``."""
    kept = balls.may_undercut(block, known)
    counts = kept.sum(dim=1).tolist()
    most = [count > GATHERED_AT_MOST * len(block) for count in counts]
    for whole, group in groupby(range(len(counts)), key=most.__getitem__):
        numbers = list(group)
        if whole:
            for first in numbers[::TOGETHER]:
                yield block, balls.columns(first, min(first + TOGETHER, numbers[-1] + 1))
        else:
            for number in filter(counts.__getitem__, numbers):
                yield block[kept[number]], balls.columns(number, number + 1)


@dataclass(frozen=True, eq=False)
class Balls:
    """Unit rows in blocks of ``size``, each inside a ball on the sphere; angles in radians."""

    matrix: Float[torch.Tensor, "m d"]
    size: int
    centres: Float[torch.Tensor, "b d"]
    radii: Float[torch.Tensor, " b"]

    @classmethod
    def of(cls, matrix: Float[torch.Tensor, "m d"], size: int) -> Balls:
        """Blocks of ``size`` rows that lie together."""
        matrix = matrix[nearby_order(matrix, size)]
        blocks = [block for _, block in DenseRows(matrix).blocks(size)]
        centres = torch.stack([_centre(block) for block in blocks])
        chords = torch.stack(
            [(block - c).norm(dim=1).max() for block, c in zip(blocks, centres, strict=True)]
        )
        # of the chord, as an angle from a product near 1 has an error far above its rounding
        radii = 2 * torch.asin((chords / 2).clamp(max=1))
        return cls(matrix, size, centres, radii)

    def columns(self, first: int, end: int) -> Float[torch.Tensor, "k d"]:
        """The rows of the balls from ``first`` to before ``end``."""
        return self.matrix[first * self.size : end * self.size]

    def may_undercut(
        self, rows: Float[torch.Tensor, "n d"], known: float
    ) -> Bool[torch.Tensor, "b n"]:
        """False where no product of a row with a column of the ball is below ``known``."""
        room = math.acos(min(max(known, -1.0), 1.0)) - self.radii
        rounding = torch.finfo(rows.dtype).eps * rows.shape[1]
        limits = torch.where(room > 0, room.clamp(min=0).cos() + rounding, math.inf)
        return self.centres @ rows.T < limits.unsqueeze(1)


def _centre(block: Float[torch.Tensor, "k d"]) -> Float[torch.Tensor, " d"]:
    """A unit vector amid the rows: their mean, or the first where they cancel out."""
    mean = block.mean(dim=0)
    norm = mean.norm()
    return torch.where(norm > 1e-3, mean / norm.clamp(min=1e-3), block[0])


def nearby_order(matrix: Float[torch.Tensor, "m d"], size: int) -> Int[torch.Tensor, " m"]:
    """An order of the rows in which consecutive blocks of ``size`` lie together.

    Sets of rows are halved along their main direction until they fit into one block.
    """
    order = torch.arange(len(matrix), device=matrix.device)
    waiting = [(0, len(matrix))]
    while waiting:
        start, stop = waiting.pop()
        blocks = math.ceil((stop - start) / size)
        if blocks < 2:
            continue
        ids = order[start:stop].clone()
        rows = matrix[ids]
        order[start:stop] = ids[(rows @ _main_direction(rows)).argsort(stable=True)]
        middle = start + blocks // 2 * size
        waiting += [(start, middle), (middle, stop)]
    return order


def _main_direction(rows: Float[torch.Tensor, "k d"]) -> Float[torch.Tensor, " d"]:
    """About the first principal axis, by three steps of power iteration on at most 2,048 rows."""
    sample = rows[:: max(1, len(rows) // 1024)]
    centred = sample - sample.mean(dim=0)
    axis = centred[centred.norm(dim=1).argmax()]
    for _ in range(3):
        axis = centred.T @ (centred @ axis)
        axis = axis / axis.norm().clamp(min=torch.finfo(axis.dtype).tiny)
    return axis
