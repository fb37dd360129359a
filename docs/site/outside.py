"""MkDocs hook: makes pages of files that stand elsewhere in the repository.

In a page, a link to such a file leads to its page.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]

PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "outputs/README.md": "files.md",
    "outputs/reference/tables.md": "measured.md",
    "examples/outside-method/README.md": "outside-method.md",
}
"""The page of each file, both relative to their roots."""

_LINK = re.compile(r"(\]\()([^)#\s:]+)(#[^)\s]*)?(\))")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    for path, page in PAGES.items():
        text = (ROOT / path).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links between files of the repository into links between pages."""
    path = page.file.src_uri
    own = next((source for source, name in PAGES.items() if name == path), f"docs/{path}")

    def relinked(match: re.Match[str]) -> str:
        start, target, anchor, end = match.groups("")
        linked = posixpath.normpath(posixpath.join(posixpath.dirname(own), target))
        return f"{start}{PAGES.get(linked) or linked.removeprefix('docs/')}{anchor}{end}"

    return _LINK.sub(relinked, markdown)
