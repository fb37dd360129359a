"""The forms that tables take: terminal, Markdown, LaTeX and HTML."""

from __future__ import annotations

import functools
import html
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import jinja2
import pandas as pd
from markupsafe import Markup
from rich.console import Group, JustifyMethod, RenderableType
from rich.text import Text

from gkd_runner.common.checksums import write_with_sum
from gkd_runner.common.console import plain_table
from gkd_runner.common.files import write_file
from gkd_runner.reporting.curves import FILE as CURVES
from gkd_runner.reporting.curves import read_stored, stored_text
from gkd_runner.reporting.provenance import provenance
from gkd_runner.reporting.series import series_of
from gkd_runner.reporting.table import Table
from gkd_runner.reporting.tables import make_tables
from gkd_runner.results.compare import Comparison
from gkd_runner.results.frame import to_csv

Tables = Mapping[str, Sequence[Table]]
"""Tables that belong together, by their common heading."""

STYLES = {"best": "bold", "second": "underline", "": ""}


def terminal(tables: Tables, width: int) -> Group:
    """All tables for a terminal of ``width`` characters."""
    parts: list[RenderableType] = []
    for heading, of_group in tables.items():
        parts.append(Text(f"\n{heading}", style="bold"))
        parts += [part for table in of_group for part in _terminal(table, width)]
    return Group(*parts)


def _terminal(table: Table, width: int) -> Iterator[RenderableType]:
    """One table per block, all with the same column widths; wide ones in several parts."""
    written = table.written(_rich)
    written.insert(0, "", [Text(label) for label in written.index.get_level_values("label")])
    widths = [max(len(name), *(text.cell_len for text in written[name])) for name in written]
    yield Text(f"\n{table.title}")
    yield from map(Text, table.lead)
    for heading, block in written.groupby(level="block", sort=False):
        yield Text(f"\n{heading}".rstrip(), style="italic")
        for part in _parts(widths, width):
            grid = plain_table()
            for number in part:
                justify: JustifyMethod = "right" if number else "left"
                grid.add_column(
                    written.columns[number],
                    justify=justify,
                    min_width=widths[number],
                    no_wrap=True,
                )
            for row in block.iloc[:, part].itertuples(index=False):
                grid.add_row(*row)
            yield grid
    yield Text(table.caption, style="dim")
    for note, letter in table.footnotes().items():
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


def _rich(text: str, mark: str, letters: str, runs: Sequence[str]) -> Text:
    return Text.assemble((text, STYLES[mark]), f" {letters}" if letters else "")


def markdown(tables: Tables) -> str:
    """All tables as GitHub-flavoured Markdown."""
    lines: list[str] = []
    for heading, of_group in tables.items():
        lines += [f"## {heading}", ""]
        lines += [line for table in of_group for line in _markdown(table)]
    return "\n".join(lines)


def _markdown(table: Table) -> Iterator[str]:
    parts = []
    for heading, block in table.written(_marked_down).groupby(level="block", sort=False):
        if heading:
            parts.append(pd.DataFrame("", index=[f"*{heading}*"], columns=table.columns))
        parts.append(block.droplevel("block"))
    rows = (
        pd.concat(parts).rename_axis("").reset_index().map(lambda text: text.replace("|", "&#124;"))
    )
    align = ("left", *("right" for _ in table.columns))
    yield f"### {table.title}\n"
    yield from (f"- {sentence}" for sentence in table.lead)
    yield ""
    yield rows.to_markdown(index=False, disable_numparse=True, colalign=align)
    notes = "".join(f"<br><sup>{letter}</sup> {n}" for n, letter in table.footnotes().items())
    yield f"\n{table.caption}{notes}\n"


def _marked_down(text: str, mark: str, letters: str, runs: Sequence[str]) -> str:
    text = text.replace("*", r"\*")
    text = {"best": f"**{text}**", "second": f"<ins>{text}</ins>"}.get(mark, text)
    return f"{text}<sup>{letters}</sup>" if letters else text


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


def latex(tables: Tables) -> str:
    """A document that compiles as it is; each table between its own rules (booktabs) for papers."""
    lines = [LATEX_HEAD]
    for heading, of_group in tables.items():
        lines.append(rf"\section*{{{_tex(heading)}}}")
        lines += [line for table in of_group for line in _latex(table)]
    return "\n".join([*lines, r"\end{document}", ""])


def _latex(table: Table) -> Iterator[str]:
    """One tabular per block, so that each fits a page."""
    yield rf"\subsection*{{{_tex(table.title)}}}"
    if table.lead:
        yield rf"\noindent {_tex(' '.join(table.lead))}\par\medskip"
    written = table.written(_tex_cell).rename(columns=_tex, index=_tex)
    for heading, block in written.groupby(level="block", sort=False):
        rows = block.droplevel("block").rename_axis("").reset_index()
        align = f"l{'r' * len(table.columns)}"
        tabular = rows.style.hide(axis="index").to_latex(column_format=align, hrules=True)
        yield rf"\noindent\emph{{{heading}}}\par\nobreak\noindent{tabular.strip()}\par\medskip"
    notes = "".join(rf"\\ $^{{{letter}}}$ {_tex(n)}" for n, letter in table.footnotes().items())
    yield rf"\noindent {_tex(table.caption)}{notes}"
    yield r"\par\bigskip"


def _tex_cell(text: str, mark: str, letters: str, runs: Sequence[str]) -> str:
    commands = {"best": r"\textbf{%s}", "second": r"\underline{%s}", "": "%s"}
    text = commands[mark] % _tex(text)
    return rf"{text}$^{{{letters}}}$" if letters else text


def _tex(text: str) -> str:
    return "".join(LATEX_SPECIAL.get(character, character) for character in text)


@functools.cache
def templates() -> jinja2.Environment:
    """The HTML templates; what they insert is escaped."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


READ_AGAIN = ("runs.csv", CURVES)
"""The files of ``write_tables`` that gkd-tables and gkd-report read; they get a checksum."""


def write_tables(
    comparison: Comparison, failures: pd.DataFrame, out: Path, sources: Sequence[Path] = ()
) -> list[Path]:
    """Write all forms of the tables, and the runs, into folder ``out``; the files written.

    Learning curves that lie beside CSV files among the ``sources`` are written with those of runs.
    """
    made = make_tables(comparison, failures)
    texts = {
        "tables.md": markdown(made),
        "tables.tex": latex(made),
        "tables.html": html_page(made, comparison.runs, out),
        "runs.csv": to_csv(comparison.runs),
        CURVES: stored_text(series_of(comparison), read_stored(sources)),
    }
    if not texts[CURVES]:
        del texts[CURVES]
    out.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        write = write_with_sum if name in READ_AGAIN else write_file
        write(out / name, text)
    return [out / name for name in texts]


def html_page(tables: Tables, runs: pd.DataFrame, out: Path) -> str:
    """One page without scripts, which is to lie in folder ``out``."""
    groups = {
        heading: [(table, Markup(_html(table))) for table in of_group]  # noqa: S704  # _html escapes
        for heading, of_group in tables.items()
    }
    template = templates().get_template("tables.html")
    return template.render(groups=groups, runs=provenance(runs, out))


def _html(table: Table) -> str:
    written = table.written(_html_cell).rename(columns=html.escape, index=html.escape)
    blocks = [
        block.droplevel("block")
        .rename_axis(None)
        .style.set_caption(heading)
        .to_html(exclude_styles=True)
        for heading, block in written.groupby(level="block", sort=False)
    ]
    return "".join(blocks)


def _html_cell(text: str, mark: str, letters: str, runs: Sequence[str]) -> str:
    text = html.escape(text)
    if runs:
        first, *others = (html.escape(run) for run in runs)
        text = f'<a href="#{first}" title="{first}">{text}</a>' + "".join(
            f'<a class="more" href="#{run}" title="{run}">+</a>' for run in others
        )
    text = {"best": f"<b>{text}</b>", "second": f"<u>{text}</u>"}.get(mark, text)
    return f"{text}<sup>{letters}</sup>" if letters else text
