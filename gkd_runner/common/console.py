"""The terminal: consoles, the log, plain tables."""

from __future__ import annotations

import logging

from rich import box
from rich.console import Console
from rich.logging import RichHandler
from rich.table import Table

PIPE_WIDTH = 100


def make_console(*, stderr: bool = False) -> Console:
    """A console that is wide enough for tables if its output goes to a pipe."""
    console = Console(stderr=stderr, highlight=False)
    return (
        console
        if console.is_terminal
        else Console(stderr=stderr, highlight=False, width=PIPE_WIDTH)
    )


def show_log(*, errors_alone: bool = False) -> None:
    """Send the package's log to stderr, warnings in colour on a terminal."""
    handler = RichHandler(console=make_console(stderr=True), show_time=False, show_path=False)
    logger = logging.getLogger("gkd_runner")
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.ERROR if errors_alone else logging.INFO)


def plain_table(caption: str | None = None) -> Table:
    """A table without columns in the style of all tables: a line below the headings, no other."""
    return Table(
        caption=caption,
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
