"""Tables before they take a form: what stands where, how it is marked, and from which runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Value:
    """One cell: its text, its mark (``best``, ``second`` or none), its footnotes and its runs."""

    text: str
    mark: str = ""
    notes: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Line:
    """One row: its label and a value per column."""

    label: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Block:
    """Rows under one heading."""

    heading: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Section:
    """One table: title, explanation, column headings and blocks of rows."""

    title: str
    caption: str
    columns: tuple[str, ...]
    blocks: tuple[Block, ...]

    def footnotes(self) -> dict[str, str]:
        """Each note's letter, in order of appearance."""
        notes = [
            note
            for block in self.blocks
            for line in block.lines
            for value in line.values
            for note in value.notes
        ]
        return {note: letter(number) for number, note in enumerate(dict.fromkeys(notes))}


@dataclass(frozen=True)
class Document:
    """Sections under a heading, the tables that belong together."""

    title: str
    sections: tuple[Section, ...]


def letters(value: Value, footnotes: dict[str, str]) -> str:
    """The letters of a value's notes, as in ``a,b``."""
    return ",".join(footnotes[note] for note in value.notes)


def letter(number: int) -> str:
    """A footnote's: ``a`` to ``z``, then ``aa`` and so on."""
    prefix = letter(number // 26 - 1) if number >= 26 else ""
    return prefix + chr(ord("a") + number % 26)


def values(texts: Sequence[str]) -> tuple[Value, ...]:
    """Plain cells."""
    return tuple(Value(text) for text in texts)
