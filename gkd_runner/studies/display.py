"""Tables as studies print them."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table


def plain_table(caption: str, names: Sequence[str], numbers: Sequence[str]) -> Table:
    """A table without rows yet: columns of ``names`` to the left, of ``numbers`` to the right."""
    table = Table(
        caption=caption,
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for heading in names:
        table.add_column(heading, no_wrap=True)
    for heading in numbers:
        table.add_column(heading, justify="right")
    return table
