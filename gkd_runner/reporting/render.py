"""The forms that tables take: terminal, Markdown, LaTeX and HTML."""

from __future__ import annotations

import html
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.console import Group, JustifyMethod, RenderableType
from rich.text import Text

from gkd_runner.common.console import plain_table
from gkd_runner.reporting.document import Document, Line, Section, Value, letters
from gkd_runner.reporting.rows import Row

STYLES = {"best": "bold", "second": "underline", "": ""}


def terminal(documents: Iterable[Document], width: int) -> Group:
    """All tables for a terminal of ``width`` characters."""
    parts: list[RenderableType] = []
    for document in documents:
        parts.append(Text(f"\n{document.title}", style="bold"))
        parts += [part for section in document.sections for part in _terminal(section, width)]
    return Group(*parts)


def _terminal(section: Section, width: int) -> Iterator[RenderableType]:
    """One table per block, all with the same column widths; wide ones in several parts."""
    footnotes = section.footnotes()
    blocks = [
        (
            block.heading,
            [
                [Text(line.label), *(_rich(value, footnotes) for value in line.values)]
                for line in block.lines
            ],
        )
        for block in section.blocks
    ]
    cells = zip(*itertools.chain(*(rows for _, rows in blocks)), strict=True)
    headings = ("", *section.columns)
    widths = [
        max(len(heading), *(cell.cell_len for cell in column))
        for heading, column in zip(headings, cells, strict=True)
    ]
    yield Text(f"\n{section.title}")
    for heading, rows in blocks:
        yield Text(f"\n{heading}".rstrip(), style="italic")
        for part in _parts(widths, width):
            table = plain_table()
            for column in part:
                justify: JustifyMethod = "right" if column else "left"
                table.add_column(
                    headings[column], justify=justify, min_width=widths[column], no_wrap=True
                )
            for row in rows:
                table.add_row(*(row[column] for column in part))
            yield table
    yield Text(section.caption, style="dim")
    for note, letter in footnotes.items():
        yield Text(f"{letter}: {note}", style="dim")


def _parts(widths: Sequence[int], width: int) -> list[list[int]]:
    """Column numbers of each part that fits into ``width``; every part begins with the labels."""
    parts, room = [[0]], width - widths[0] - 4
    for column, wide in enumerate(widths[1:], start=1):
        if wide + 2 > room and len(parts[-1]) > 1:
            parts.append([0])
            room = width - widths[0] - 4
        parts[-1].append(column)
        room -= wide + 2
    return parts


def _rich(value: Value, footnotes: dict[str, str]) -> Text:
    marks = letters(value, footnotes)
    return Text.assemble((value.text, STYLES[value.mark]), f" {marks}" if marks else "")


def markdown(documents: Iterable[Document]) -> str:
    """All tables as GitHub-flavoured Markdown."""
    lines: list[str] = []
    for document in documents:
        lines += [f"## {document.title}", ""]
        for section in document.sections:
            lines += _markdown(section)
    return "\n".join(lines)


def _markdown(section: Section) -> Iterator[str]:
    footnotes = section.footnotes()
    yield f"### {section.title}\n"
    yield _piped(("", *section.columns))
    yield _piped(("---", *("---:" for _ in section.columns)))
    for block in section.blocks:
        if block.heading:
            yield _piped((f"*{block.heading}*", *("" for _ in section.columns)))
        for line in block.lines:
            yield _piped((line.label, *(_marked_down(value, footnotes) for value in line.values)))
    notes = "".join(f"<br><sup>{letter}</sup> {note}" for note, letter in footnotes.items())
    yield f"\n{section.caption}{notes}\n"


def _marked_down(value: Value, footnotes: dict[str, str]) -> str:
    text = value.text.replace("*", r"\*")
    text = {"best": f"**{text}**", "second": f"<ins>{text}</ins>"}.get(value.mark, text)
    marks = letters(value, footnotes)
    return f"{text}<sup>{marks}</sup>" if marks else text


def _piped(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


LATEX_HEAD = r"""\documentclass{article}
\usepackage[a4paper,landscape,margin=1cm]{geometry}
\usepackage{booktabs}
\usepackage[utf8]{inputenc}
\begin{document}
\scriptsize
"""
LATEX_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "±": r"$\pm$", "<": r"$<$", ">": r"$>$", "*": r"$^{*}$",
}  # fmt: skip


def latex(documents: Iterable[Document]) -> str:
    """A document that compiles as it is; each table between its own rules (booktabs) for papers."""
    lines = [LATEX_HEAD]
    for document in documents:
        lines.append(rf"\section*{{{_tex(document.title)}}}")
        for section in document.sections:
            lines += _latex(section)
    return "\n".join([*lines, r"\end{document}", ""])


def _latex(section: Section) -> Iterator[str]:
    """One tabular per block, so that each fits a page."""
    footnotes = section.footnotes()
    yield rf"\subsection*{{{_tex(section.title)}}}"
    for block in section.blocks:
        yield rf"\noindent\begin{{tabular}}{{l{'r' * len(section.columns)}}}"
        yield r"\toprule"
        yield _row([rf"\emph{{{_tex(block.heading)}}}", *map(_tex, section.columns)])
        yield r"\midrule"
        for line in block.lines:
            yield _row([_tex(line.label), *(_tex_value(value, footnotes) for value in line.values)])
        yield r"\bottomrule"
        yield r"\end{tabular}\par\medskip"
    notes = "".join(rf"\\ $^{{{letter}}}$ {_tex(note)}" for note, letter in footnotes.items())
    yield rf"\noindent {_tex(section.caption)}{notes}"
    yield r"\par\bigskip"


def _row(cells: Sequence[str]) -> str:
    return rf"{' & '.join(cells)} \\"


def _tex_value(value: Value, footnotes: dict[str, str]) -> str:
    commands = {"best": r"\textbf{%s}", "second": r"\underline{%s}", "": "%s"}
    text = commands[value.mark] % _tex(value.text)
    marks = letters(value, footnotes)
    return rf"{text}$^{{{marks}}}$" if marks else text


def _tex(text: str) -> str:
    return "".join(LATEX_SPECIAL.get(character, character) for character in text)


HTML_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>gkd-runner: tables</title>
<style>
:root { color-scheme: light dark; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 90rem;
  padding: 0 1rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0; }
th, td { padding: .2rem .7rem; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
thead th { border-bottom: 1px solid; }
tr.block th { font-style: italic; font-weight: 400; text-align: left; padding-top: .6rem; }
tbody tr:hover { background: color-mix(in srgb, currentColor 7%, transparent); }
tbody tr:target { background: color-mix(in srgb, orange 30%, transparent); }
.note, p { opacity: .8; max-width: 60rem; margin: .2rem 0; }
tbody th { font-weight: 400; }
sup { line-height: 0; }
td a { color: inherit; text-decoration: none; }
td a.more { opacity: .6; padding-left: .15em; }
td a:hover, td a:focus { outline: 2px solid; }
</style></head><body>
<h1>gkd-runner: tables</h1>
<p>Each number leads to the runs that it was made of.</p>
"""


def html_page(
    documents: Iterable[Document], rows: Sequence[Row], folders: Mapping[str, str]
) -> str:
    """One page, without scripts. ``folders`` has the path from the page to each run's folder."""
    lines = [HTML_HEAD]
    for document in documents:
        lines.append(f"<h2>{html.escape(document.title)}</h2>")
        for section in document.sections:
            lines += _html(section)
    lines += ["<h2>Runs</h2>", *provenance(rows, folders), "</body></html>", ""]
    return "\n".join(lines)


def _html(section: Section) -> Iterator[str]:
    footnotes = section.footnotes()
    yield f'<h3>{html.escape(section.title)}</h3><div class="scroll"><table>'
    yield _html_head(("", *section.columns))
    for block in section.blocks:
        if block.heading:
            span = len(section.columns) + 1
            yield f'<tr class="block"><th colspan="{span}">{html.escape(block.heading)}</th></tr>'
        for line in block.lines:
            yield _html_line(line, footnotes)
    yield f"</tbody></table></div><p>{html.escape(section.caption)}</p>"
    for note, letter in footnotes.items():
        yield f'<p class="note"><sup>{letter}</sup> {html.escape(note)}</p>'


def _html_head(columns: Sequence[str]) -> str:
    cells = "".join(f'<th scope="col">{html.escape(column)}</th>' for column in columns)
    return f"<thead><tr>{cells}</tr></thead><tbody>"


def _html_line(line: Line, footnotes: dict[str, str]) -> str:
    cells = "".join(f"<td>{_html_value(value, footnotes)}</td>" for value in line.values)
    return f'<tr><th scope="row">{html.escape(line.label)}</th>{cells}</tr>'


def _html_value(value: Value, footnotes: dict[str, str]) -> str:
    text = html.escape(value.text)
    if value.runs:
        first, *others = (html.escape(run) for run in value.runs)
        text = f'<a href="#{first}" title="{first}">{text}</a>' + "".join(
            f'<a class="more" href="#{run}" title="{run}">+</a>' for run in others
        )
    text = {"best": f"<b>{text}</b>", "second": f"<u>{text}</u>"}.get(value.mark, text)
    marks = letters(value, footnotes)
    return f"{text}<sup>{marks}</sup>" if marks else text


def provenance(rows: Sequence[Row], folders: Mapping[str, str]) -> Iterator[str]:
    """Every run behind the tables: seeds, commit, seconds, and the command that made it."""
    columns = ("run", "seeds", "seconds", "commit", "hyperparameters", "command")
    yield f'<div class="scroll"><table>{_html_head(columns)}'
    runs: dict[str, list[Row]] = {}
    for row in rows:
        runs.setdefault(row.run, []).append(row)
    for run, mine in runs.items():
        name = html.escape(run)
        seconds = sum(row.teacher_seconds + row.student_seconds for row in mine)
        where = name
        if run in folders:
            where = f'<a href="{html.escape(folders[run])}/result.json">{name}</a>'
        cells = (
            ", ".join(str(row.seed) for row in mine),
            f"{seconds:.0f}",
            mine[0].commit[:12],
            mine[0].preset_source,
            mine[0].command,
        )
        rest = "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
        yield f'<tr id="{name}"><td>{where}</td>{rest}</tr>'
    yield "</tbody></table></div>"
