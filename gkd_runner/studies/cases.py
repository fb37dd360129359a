"""The configurations that a study runs, from a command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from gkd_runner.common.errors import ConfigError
from gkd_runner.config.command_line import Cell, check_command_lines, check_trained
from gkd_runner.config.schemas import SCHEMAS
from gkd_runner.options.schema import Config, MethodConfig
from gkd_runner.studies.study import Case, Study
from gkd_runner.sweeps.targets import capped

MethodT = TypeVar("MethodT", bound=MethodConfig)

OWN_OPTIONS = {"dataset": "datasets", "teacher": "teachers", "seeds": "seeds"}
"""gkd-train's options that a study takes as lists of its own."""


def study_cases(
    study: Study, own: Mapping[str, str], overrides: Sequence[str], max_width: int | None = None
) -> list[Case]:
    """One configuration per variant, dataset and teacher.

    ``own`` has the lists given as ``--datasets``, ``--teachers`` and ``--seeds``, by those names;
    ``max_width`` caps the hidden widths. Raises ``ConfigError`` with all mistakes.
    """
    refused = dict(_refused(study, overrides))
    others = [text for text in overrides if text not in refused]
    given = set(map(_option, others))
    values = {option: text for option, text in study.defaults.items() if option not in given}
    values |= {option: own[name] for option, name in OWN_OPTIONS.items() if own.get(name)}
    lines = [
        [
            "-m",
            *(f"{option}={text}" for option, text in (values | variant.options).items()),
            *others,
        ]
        for variant in study.variants
    ]
    try:
        cells = check_command_lines(lines)
        _check_once(cells[0], " ".join(lines[0][1:]))
        check_trained(cells[0])
        cases = [
            Case(capped(cell.config, max_width) if max_width else cell.config, variant.name)
            for variant, of_variant in zip(study.variants, cells, strict=True)
            for cell in of_variant
        ]
    except ConfigError as error:
        raise ConfigError([*refused.values(), *error.mistakes]) from None
    if refused:
        raise ConfigError(refused.values())
    return cases


def _refused(study: Study, overrides: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The overrides that the study does not take, and why."""
    varied = {option for variant in study.variants for option in variant.options}
    for text in overrides:
        option = _option(text)
        if option in OWN_OPTIONS:
            value = text.partition("=")[2].strip("[]")
            yield text, f"{text}: a study takes --{OWN_OPTIONS[option]} {value}"
        elif option in varied:
            yield text, f"{text}: this study varies {option} itself; leave it out"
        elif option.startswith("method.") and "method" in varied:
            yield text, f"{text}: this study varies the method, whose options stay the preset's"


def _option(text: str) -> str:
    return text.lstrip("+").partition("=")[0]


def _check_once(cells: Sequence[Cell], line: str) -> None:
    """Refuse sweeps over anything but datasets and teachers."""
    if len({(cell.config.dataset.name, cell.config.teacher.name) for cell in cells}) < len(cells):
        raise ConfigError(
            [f"{line}: a study takes each dataset and teacher once, and one value of every other"
             " option"]
        )  # fmt: skip


def only_method(config: Config, kind: type[MethodT]) -> MethodT:
    """The method's options. Raises ``ConfigError`` where it is not of ``kind``."""
    if not isinstance(config.method, kind):
        wanted = [name for name, schema in SCHEMAS["method"].items() if issubclass(schema, kind)]
        raise ConfigError(
            [f"method={config.method.name}: this study is about {', '.join(wanted)}; leave it out"]
        )
    return config.method
