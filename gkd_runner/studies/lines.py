"""A study's CSV: one measurement per line, written atomically, shared by processes at once."""

from __future__ import annotations

import csv
import io
import typing
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from gkd_runner.common.files import replacing
from gkd_runner.common.locks import held
from gkd_runner.reporting.rows import ReportError


@dataclass(frozen=True, kw_only=True)
class Line:
    """Base of dataclasses of ``str``, ``int``, ``float`` and optional such fields, one per column.

    ``SCOPE`` names the columns of what is measured, ``IDENTITY`` those that tell the measurements
    of one scope apart. ``configuration`` hashes what shaped the measurement, seeds aside: all
    lines of a scope come from one configuration.
    """

    SCOPE: ClassVar[tuple[str, ...]]
    IDENTITY: ClassVar[tuple[str, ...]]
    configuration: str


LineT = TypeVar("LineT", bound=Line)


class Lines(Generic[LineT]):
    """The measurements in ``path``, of the dataclass ``kind``; ``None`` is written as nothing."""

    def __init__(self, path: Path, kind: type[LineT]) -> None:
        self.path, self._kind = path, kind
        names = sorted((field.name for field in fields(kind)), key="configuration".__eq__)
        hints = typing.get_type_hints(kind)
        self._types = {name: hints[name] for name in names}

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
            return [self._parsed(number, line) for number, line in enumerate(reader, start=2)]

    def add(self, lines: Sequence[LineT]) -> None:
        """Write ``lines`` beside what is there, in place of what they outdate."""
        with held(self.path.with_name(f".{self.path.name}.lock"), f"writes {self.path}"):
            text = io.StringIO()
            writer = csv.DictWriter(text, list(self._types), lineterminator="\n")
            writer.writeheader()
            kept = current([*self.read(), *lines])
            writer.writerows(asdict(line) for line in kept)
            with replacing(self.path) as part:
                part.write_text(text.getvalue(), encoding="utf-8")

    def _parsed(self, number: int, line: dict[str, str]) -> LineT:
        try:
            return self._kind(**{name: self._value(name, text) for name, text in line.items()})
        except (TypeError, ValueError) as error:
            raise ReportError(
                f"{self.path}, line {number} is broken ({error}); delete the line, and run the"
                " study again"
            ) from error

    def _value(self, name: str, text: str) -> Any:
        allowed = typing.get_args(self._types[name]) or (self._types[name],)
        if text == "" and type(None) in allowed:
            return None
        (kind,) = (kind for kind in allowed if kind is not type(None))
        return kind(text)


def current(lines: Iterable[LineT]) -> list[LineT]:
    """Of lines in the order of time: each scope's last configuration, and the last of equals."""
    kept: dict[tuple[Any, ...], LineT] = {}
    last: dict[tuple[Any, ...], str] = {}
    for line in lines:
        scope = _values(line, line.SCOPE)
        kept[scope, _values(line, line.IDENTITY)] = line
        last[scope] = line.configuration
    return [line for (scope, _), line in kept.items() if line.configuration == last[scope]]


def _values(line: Line, columns: Iterable[str]) -> tuple[Any, ...]:
    return tuple(getattr(line, name) for name in columns)
