"""The colours of teachers and methods, on light ground and on dark."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gkd_runner.methods import METHODS

COLOURS = {"teacher": "#575757", **{name: method.colour for name, method in METHODS.items()}}
"""Told apart with any one kind of cone missing; seen on white, and on dark ground ``on_dark``."""

SPARE = ("#b3558a", "#8c6d31", "#5c4a3a")
"""For methods that are not installed."""

LIGHTER = 0.15
"""Lightness that colours gain on dark ground: the darkest is then seen there, too."""

TO_CONES = np.array([
    [0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
])  # fmt: skip
TO_OKLAB = np.array([
    [0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.8086757660],
])  # fmt: skip
"""From linear sRGB to the response of the cones, and from its cube root to OKLab (B. Ottosson)."""


def colours(kinds: Sequence[str]) -> dict[str, str]:
    """A colour for each of ``kinds``."""
    others = [kind for kind in kinds if kind not in COLOURS]
    spare = {kind: SPARE[number % len(SPARE)] for number, kind in enumerate(others)}
    return {kind: COLOURS.get(kind, spare.get(kind, "")) for kind in kinds}


def on_dark(colour: str) -> str:
    """The colour (``#rrggbb``) for dark ground: lighter by ``LIGHTER`` in OKLab."""
    shares = np.frombuffer(bytes.fromhex(colour[1:]), np.uint8) / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    lab = TO_OKLAB @ np.cbrt(TO_CONES @ linear) + [LIGHTER, 0, 0]
    lighter = np.linalg.solve(TO_CONES, np.linalg.solve(TO_OKLAB, lab) ** 3).clip(0, 1)
    shown = np.where(lighter <= 0.0031308, 12.92 * lighter, 1.055 * lighter ** (1 / 2.4) - 0.055)
    return f"#{np.round(255 * shown).astype(np.uint8).tobytes().hex()}"
