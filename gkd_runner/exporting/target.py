"""The folder that an export is written to, which may be there already."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gkd_runner.common.checksums import FILES, of_file
from gkd_runner.common.errors import ConfigError
from gkd_runner.common.files import naming
from gkd_runner.predict import folder as files

EARLIER_CARD = "card_sha256"
"""The entry of ``config.json`` with the model card's checksum in folders of format 1."""

_OTHER = "name another folder, or delete this one"


def check_target(target: Path) -> None:
    """Raise ``ConfigError`` if writing to ``target`` would delete what no export wrote."""
    if not target.exists() or _is_empty(target):
        return
    facts = _facts(target)
    if facts.get("model_type") != files.MODEL_TYPE:
        raise ConfigError([f"{target} exists and is no exported student; name another folder"])
    others = sorted(path.name for path in target.iterdir() if path.name not in files.WRITTEN)
    if others:
        more = f" and {len(others) - 1} more" if others[1:] else ""
        raise ConfigError([f"{target} has {others[0]}{more}, not of an export; {_OTHER}"])
    card = target / files.CARD
    listed = facts.get(FILES)
    written = listed.get(files.CARD) if isinstance(listed, dict) else facts.get(EARLIER_CARD)
    if card.is_file() and of_file(card) != written:
        raise ConfigError([f"{target}: its {files.CARD} is not as the export wrote it; {_OTHER}"])


@contextmanager
def replaced_when_complete(target: Path) -> Iterator[Path]:
    """A new folder beside ``target``, which it replaces unless the block raises.

    Raises ``ConfigError`` as ``check_target`` does.
    """
    check_target(target)
    part = target.with_name(f"{target.name}.part")
    with naming(target, part):
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        try:
            yield part
            check_target(target)  # which may have changed while the files were written
            shutil.rmtree(target, ignore_errors=True)
            part.replace(target)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def _facts(target: Path) -> dict[str, Any]:
    try:
        facts = json.loads((target / files.CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())
