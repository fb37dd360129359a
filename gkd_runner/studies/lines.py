"""A study's CSV: one measurement per line, written atomically, shared by processes at once."""

from __future__ import annotations

import csv
import io
import os
import typing
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Generic, TypeVar

from gkd_runner.locks import held
from gkd_runner.reporting.rows import ReportError

LineT = TypeVar("LineT")


class Lines(Generic[LineT]):
    """The measurements in ``path``; those that agree in the ``key`` columns replace each other.

    ``kind`` is a dataclass of ``str``, ``int``, ``float`` and optional such fields, one per column;
    ``None`` is written as nothing.
    """

    def __init__(self, path: Path, kind: type[LineT], key: Sequence[str]) -> None:
        self.path, self._kind, self._key = path, kind, tuple(key)
        self._types = typing.get_type_hints(kind)

    def read(self) -> list[LineT]:
        """All measurements. Raises ``ReportError`` for a file with other columns."""
        if not self.path.is_file():
            return []
        with self.path.open(newline="", encoding="utf-8") as text:
            reader = csv.DictReader(text)
            if list(reader.fieldnames or ()) != list(self._types):
                raise ReportError(
                    f"{self.path} has columns {', '.join(reader.fieldnames or ())}, this version"
                    f" writes {', '.join(self._types)}; move it away"
                )
            return [self._parsed(line) for line in reader]

    def add(self, lines: Sequence[LineT]) -> None:
        """Write ``lines`` beside what is there, in place of those of equal key."""
        with held(self.path.with_name(f".{self.path.name}.lock"), f"writes {self.path}"):
            kept = {self._key_of(line): line for line in [*self.read(), *lines]}
            text = io.StringIO()
            names = [field.name for field in fields(self._kind)]  # type: ignore[arg-type]
            writer = csv.DictWriter(text, names, lineterminator="\n")
            writer.writeheader()
            writer.writerows(asdict(line) for line in kept.values())  # type: ignore[call-overload]
            partial = self.path.with_name(f"{self.path.name}.{os.getpid()}.part")
            partial.write_text(text.getvalue(), encoding="utf-8")
            partial.replace(self.path)

    def _key_of(self, line: LineT) -> tuple[Any, ...]:
        return tuple(getattr(line, name) for name in self._key)

    def _parsed(self, line: dict[str, str]) -> LineT:
        return self._kind(**{name: self._value(name, text) for name, text in line.items()})

    def _value(self, name: str, text: str) -> Any:
        allowed = typing.get_args(self._types[name]) or (self._types[name],)
        if text == "" and type(None) in allowed:
            return None
        (kind,) = (kind for kind in allowed if kind is not type(None))
        return kind(text)
