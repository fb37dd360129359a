"""Writing the page, opening it, and reading what it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from playwright.sync_api import Browser, Page

from tests.reporting.folder import html_of, write_failure, write_metrics
from tests.reporting.study_lines import write_studies

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

COMPLAINTS: dict[Page, list[str]] = {}
"""What each page said on its console, failed at, or asked for beyond its own file."""

PATIENCE = 180_000  # milliseconds, for machines with other work to do


def write(folder: Path, runs: pd.DataFrame, metric: str = "accuracy") -> Path:
    """The page of ``runs``, with all that may stand beside them."""
    runs = write_metrics(folder, runs)
    write_failure(folder, runs.iloc[0].to_dict(), [7], 1)
    write_studies(folder)
    (folder / "report.html").write_text(html_of(runs, folder, metric), encoding="utf-8")
    return folder / "report.html"


def ready(view: Page) -> Page:
    """Wait until all figures are drawn; nothing may have been said or asked for."""
    view.wait_for_function("document.documentElement.dataset.ready === 'true'")
    assert not COMPLAINTS[view], COMPLAINTS[view]
    return view


def opened(browser: Browser, path: Path, hash_: str = "", **options: Any) -> Page:
    """The page at ``path``, drawn."""
    view = browser.new_page(**({"viewport": {"width": 1400, "height": 900}} | options))
    view.set_default_timeout(PATIENCE)
    _listen(view, path.as_uri(), COMPLAINTS.setdefault(view, []))
    view.goto(path.as_uri() + hash_)
    return ready(view)


def _listen(view: Page, own: str, complaints: list[str]) -> None:
    def asked(url: str) -> None:
        if url.partition("#")[0] != own:
            complaints.append(f"request: {url}")

    view.on("console", lambda message: complaints.append(f"console: {message.text}"))
    view.on("pageerror", lambda error: complaints.append(f"error: {error}"))
    view.on("request", lambda request: asked(request.url))


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
    """The records that a figure draws, of the first of its sources."""
    return view.evaluate(
        """(figure) => {
            const [source] = Object.keys(payload.figures[figure].spec.datasets);
            const { view } = document.querySelector(`[data-figure="${figure}"]`);
            const names = ["group", "dataset", "setting", "teacher", "method", "kind", "score"];
            const picked = (record) => Object.fromEntries(names.map((n) => [n, record[n]]));
            return view ? view.data(source).map(picked) : []; // null: nothing to show
        }""",
        figure,
    )
