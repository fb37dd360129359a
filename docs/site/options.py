"""MkDocs hook: writes configuration.md and presets.md from the schema of options and ``conf/``."""

from __future__ import annotations

import csv
import dataclasses
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from omegaconf import OmegaConf

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the schema of this checkout

from gkd_runner.config.fields import limits_text  # noqa: E402
from gkd_runner.config.schemas import choices_in, schema_of  # noqa: E402
from gkd_runner.options.schema import GROUPS, Config  # noqa: E402

CONF = ROOT / "conf"

CONFIGURATION = """\
# Configuration

Generated from the schema (`gkd_runner/options/schema.py`, `gkd_runner/methods/`) and from the
values in `conf/`. `gkd-train --help` prints the same options, and `gkd-train --cfg job --resolve`
the values that a command line results in.

A *group* such as `method` is chosen with `method=krd`; an option is set with `method.tau=2`.
The default *column `tau`* means: the value in that column of the
[published table](presets.md) that `preset` selects, and the value beside it where no table has one.
"""

PRESETS = """\
# Published hyperparameters

The tables that `preset=paper` and `preset=common` read, as they stand in `conf/method/`. A row is
looked up by dataset, teacher and setting, and where the table has the column by method. If a paper
has no row for them, the first row of the dataset is used and the run says *inferred*.
"""

_PRESET = re.compile(r"\$\{preset:(\w+),(.*)\}")
_TEACHERS = re.compile(r"\$\{oc\.select:(teacher\.\w+),(\$\{.*\})\}")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add both pages."""
    files.append(File.generated(config, "configuration.md", content=configuration()))
    files.append(File.generated(config, "presets.md", content=presets()))
    return files


def configuration() -> str:
    """The reference of all options as Markdown."""
    root = OmegaConf.load(CONF / "train.yaml")
    top = [field for field in dataclasses.fields(Config) if field.name not in GROUPS]
    rows = [_row(field.name, field, _default(root._get_node(field.name))) for field in top]
    parts = [CONFIGURATION, "## Options of the job\n", _table(rows)]
    return "\n".join([*parts, *map(_group, GROUPS)])


def presets() -> str:
    """The published tables as Markdown."""
    parts = [PRESETS]
    for path in sorted((CONF / "method").glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as lines:
            header, *rows = csv.reader(lines)
        parts += [f"## {path.name}\n", _markdown(header, rows)]
    return "\n".join(parts)


def _group(group: str) -> str:
    """The section of a group: its choices, the options of all of them, then of only some."""
    names = choices_in([CONF]).get(group, [])
    schemas = {name: schema_of(group, name) for name in names}
    common = dataclasses.fields(GROUPS[group])
    files = {name: OmegaConf.load(CONF / group / f"{name}.yaml") for name in names}
    if group == "training":
        files = {"": OmegaConf.load(CONF / "train.yaml").training}
    parts = [f"## {group}\n", f"{GROUPS[group].__doc__}\n"]
    if names:
        listed = ", ".join(f"`{name}`" for name in names)
        parts += [f"Choose with `{group}=`: {listed}.\n", *_described(group, names)]
    if rows := list(_rows(group, common, files)):
        parts.append("\n" + _table(rows))
    for name, schema in schemas.items():
        own = [field for field in dataclasses.fields(schema) if field not in common]
        fields = [field for field in own if field.name not in {f.name for f in common}]
        if fields:
            parts.append(f"### {group}={name}\n")
            parts.append(_table(_rows(group, fields, {name: files[name]})))
    return "\n".join(parts)


def _described(group: str, names: Iterable[str]) -> Iterator[str]:
    """The choices whose file begins with a comment, and that comment."""
    for name in names:
        lines = (CONF / group / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
        if head := list(takewhile(lambda line: line.startswith("# "), lines)):
            yield f"- `{name}`: {' '.join(line[2:] for line in head)}"


def _rows(
    group: str, fields: Sequence[dataclasses.Field[Any]], files: dict[str, Any]
) -> Iterator[tuple[str, ...]]:
    for field in fields:
        if field.name == "family" or (field.name == "name" and group != "dataset"):
            continue  # chosen with the group
        values: dict[str, list[str]] = {}
        for choice, file in files.items():
            if file._get_node(field.name) is None:
                continue  # an option that this choice lacks
            values.setdefault(_default(file._get_node(field.name)), []).append(choice)
        if field.name == "name":
            values = {"the choice": []}
        yield _row(f"{group}.{field.name}", field, _by_choice(values))


def _by_choice(values: dict[str, list[str]]) -> str:
    """Each default with the choices that have it; the commonest without."""
    if len(values) == 1:
        return next(iter(values))
    commonest = max(values, key=lambda text: len(values[text]))
    rare = [f"{text} ({', '.join(values[text])})" for text in values if text != commonest]
    return "; ".join([commonest, *rare])


def _row(path: str, field: dataclasses.Field[Any], default: str) -> tuple[str, ...]:
    return f"`{path}`", field.metadata["help"], limits_text(field), default


def _default(node: Any) -> str:
    """The value of a YAML file as it is written there."""
    value = node._value() if not OmegaConf.is_config(node) else OmegaConf.to_container(node)
    if found := _PRESET.fullmatch(str(value)):
        return f"column `{found[1]}`, or `{found[2]}`"
    if found := _TEACHERS.fullmatch(str(value)):
        preset = _PRESET.fullmatch(found[2])
        assert preset, found[2]
        return f"`{found[1]}`; without one, column `{preset[1]}`, or `{preset[2]}`"
    if value == "???":
        return "to be given"
    if value is None or isinstance(value, bool):
        value = {None: "null", True: "true", False: "false"}[value]
    return f"`{value}`".replace("'", "") if isinstance(value, list) else f"`{value}`"


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    return _markdown(("option", "meaning", "allowed", "default"), rows)


def _markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(map(_escaped, line))} |\n" for line in lines)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
