"""Tables as studies print them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from gkd_runner.common.console import plain_table


def study_table(caption: str, names: Sequence[str], numbers: Sequence[str]) -> Table:
    """A table without rows yet: columns of ``names`` to the left, of ``numbers`` to the right."""
    table = plain_table(caption)
    for heading in names:
        table.add_column(heading, no_wrap=True)
    for heading in numbers:
        table.add_column(heading, justify="right")
    return table
