"""A table as text, and figures as the cells of tables."""

from __future__ import annotations

from dataclasses import dataclass

from rich.table import Table

from bench.clock import Spread
from bench.compare import Ratio

NOTHING = "-"


@dataclass(frozen=True)
class Grid:
    """A table as text."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """A Markdown table under its title."""
        lines = [self.columns, tuple("---" for _ in self.columns), *self.rows]
        return "\n".join([f"**{self.title}**", "", *(f"| {' | '.join(row)} |" for row in lines)])

    def rich(self) -> Table:
        """For the terminal."""
        table = Table(title=self.title, title_justify="left")
        for column in self.columns:
            table.add_column(column, overflow="fold")
        for row in self.rows:
            table.add_row(*row)
        return table


def milliseconds(spread: Spread | None) -> str:
    """Median, and half the distance of the quartiles in percent where there are some samples."""
    if spread is None:
        return NOTHING
    median = _digits(1e3 * spread.median)
    if spread.count == 1 or not spread.median:
        return median
    return f"{median} ±{50 * (spread.high - spread.low) / spread.median:.0f}%"


def _digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def times(ratio: Ratio | None) -> str:
    """A ratio with its bounds."""
    if ratio is None:
        return NOTHING
    return f"{ratio.middle:.2f} ({ratio.low:.2f}-{ratio.high:.2f})"


def megabytes(size: int | None) -> str:
    """Binary megabytes."""
    return NOTHING if size is None else f"{size / 2**20:,.0f}"
