"""Opening the page and reading what it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

PATIENCE = 180_000  # milliseconds, for machines with other work to do


def ready(view: Page) -> Page:
    view.wait_for_function("document.documentElement.dataset.ready === 'true'")
    return view


def opened(browser: Browser, path: Path, hash_: str = "", **options: Any) -> Page:
    """A page that fails the test on any error, message or request but for its own file."""
    view = browser.new_page(**({"viewport": {"width": 1400, "height": 900}} | options))
    view.set_default_timeout(PATIENCE)
    view.on("console", lambda message: pytest.fail(f"console: {message.text}"))
    view.on("pageerror", lambda error: pytest.fail(f"error: {error}"))
    view.on("request", lambda request: _own(request.url, path))
    view.goto(path.as_uri() + hash_)
    return ready(view)


def _own(url: str, path: Path) -> None:
    if url.partition("#")[0] != path.as_uri():
        pytest.fail(f"request: {url}")


def cells(view: Page) -> list[list[str]]:
    """Texts of the comparison's visible lines, without footnote letters."""
    return view.evaluate("""() => {
        const text = (cell) => {
            const copy = cell.cloneNode(true);
            for (const letters of copy.querySelectorAll("sup")) letters.remove();
            return copy.textContent;
        };
        const rows = document.querySelectorAll("#table tbody tr:not([hidden])");
        return [...rows].map((row) => [...row.cells].map(text));
    }""")


def drawn(view: Page, figure: str) -> list[dict[str, Any]]:
    """The records that a figure draws."""
    return view.evaluate(
        f"""document.querySelector('[data-figure="{figure}"]').view.data("rows")
        .map(({{group, dataset, setting, teacher, method, kind, seed, accuracy}}) =>
            ({{group, dataset, setting, teacher, method, kind, seed, accuracy}}))"""
    )
