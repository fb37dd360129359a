"""The documentation builds without a warning, and is read without a network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from html.parser import HTMLParser
from pathlib import Path

import pytest
from playwright.sync_api import TimeoutError as BrowserTimeout
from playwright.sync_api import sync_playwright

from gkd_runner.config.help import options_text
from tests.docs.markdown import ROOT
from tests.reporting.browser import BROWSERS, PATIENCE

ATTEMPTS = 12
SETTLED = 1_000
"""Milliseconds in which the page loads its index."""

LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
"""Elements that make a browser load something, and the attribute that says what."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return folder


class _Loaded(HTMLParser):
    """The addresses that a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        address = dict(attrs).get(LOADED.get(tag, ""))
        if address:
            self.addresses.append(address)


def loaded(page: Path) -> Iterator[str]:
    """What a page or a style sheet loads."""
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".html":
        parser = _Loaded()
        parser.feed(text)
        yield from parser.addresses
    yield from re.findall(r"(?:url\(|@import )[\"']?([^\"')]+)", text)


@pytest.mark.slow
def test_no_page_loads_anything_from_the_network(site: Path) -> None:
    files = [*site.rglob("*.html"), *site.rglob("*.css")]
    away = re.compile(r"(?:\w+:)?//")
    found = {str(page): [a for a in loaded(page) if away.match(a)] for page in files}
    assert len(files) > 20
    assert {page: addresses for page, addresses in found.items() if addresses} == {}


@pytest.mark.slow
def test_what_pages_load_is_there(site: Path) -> None:
    for page in set(site.glob("*.html")) - {site / "404.html"}:  # a server's page
        for address in loaded(page):
            if not address.startswith("data:"):
                assert (page.parent / address.partition("#")[0]).exists(), (page.name, address)


@pytest.mark.slow
def test_equations_are_mathml(site: Path) -> None:
    methods = (site / "methods.html").read_text(encoding="utf-8")
    assert methods.count("<math") > 50
    pages = [page for page in site.glob("*.html") if page.name != "search.html"]
    assert [page.name for page in pages if "arithmatex" in page.read_text("utf-8")] == []
    assert [tex for tex in re.findall(r"<math.*?</math>", methods) if "\\" in tex] == []


@pytest.mark.slow
def test_the_reference_has_every_option(site: Path) -> None:
    reference = (site / "configuration.html").read_text(encoding="utf-8")
    options = re.findall(r"^  ([a-z_.0-9]+) ", options_text(), re.MULTILINE)
    assert len(options) > 50
    assert [option for option in options if f"<code>{option}</code>" not in reference] == []


@pytest.mark.slow
def test_the_search_works_from_the_file_system(site: Path) -> None:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip(f"no browser is installed (looked for {', '.join(BROWSERS)})")
    asked, errors = list[str](), list[str]()
    with sync_playwright() as playwright:
        view = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"]).new_page()
        view.set_default_timeout(PATIENCE)
        view.on("request", lambda request: asked.append(request.url))
        view.on("pageerror", lambda error: errors.append(str(error)))
        found = view.locator(".md-search-result__list", has_text="Methods")
        for _ in range(ATTEMPTS):  # what is typed before the search has loaded is not looked for
            view.goto((site / "index.html").as_uri())
            view.wait_for_timeout(SETTLED)
            view.fill("input.md-search__input", "distillation hardness")
            with suppress(BrowserTimeout):
                found.wait_for(timeout=PATIENCE / ATTEMPTS)
                break
        assert found.is_visible()
    assert errors == []
    assert [url for url in asked if not url.startswith("file://")] == []


def test_every_promise_names_its_tests() -> None:
    text = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    for row in rows:
        tests = re.findall(r"`(tests/[\w/.]+)::(\w+)`", row)
        assert tests, row
        for path, name in tests:
            assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8"), f"{path}::{name}"


def test_messages_of_troubleshooting_are_those_of_the_code() -> None:
    text = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    code = "".join(path.read_text("utf-8") for path in (ROOT / "gkd_runner").rglob("*.py"))
    quoted = [
        message
        for line in text.splitlines()
        if line.startswith("| `")
        for message in re.findall(r"`([^`]+)`", line.split(" | ")[0])
    ]
    assert len(quoted) > 10
    assert [message for message in quoted if message not in code] == []
