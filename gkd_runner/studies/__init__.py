"""The studies of the papers' claims, by the names that ``gkd-study`` takes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from gkd_runner.common.errors import ConfigError, nearest
from gkd_runner.common.reading import skipping
from gkd_runner.studies import ablation, hardness, inference, influence, recipe, scarcity
from gkd_runner.studies.study import Study

STUDIES: dict[str, Study] = {
    "recipe": recipe.STUDY,
    "hardness": hardness.STUDY,
    "influence": influence.STUDY,
    "ablation": ablation.STUDY,
    "scarcity": scarcity.STUDY,
    "inference": inference.STUDY,
}


def find_study(name: str) -> Study:
    """The study of that name. Raises ``ConfigError`` with the choices."""
    if name not in STUDIES:
        raise ConfigError(
            [f"study={name} is not one of {', '.join(STUDIES)}{nearest(name, STUDIES)}"]
        )
    return STUDIES[name]


def read_study(name: str, output_dirs: Iterable[Path]) -> pd.DataFrame:
    """A study's measurements in output folders; those of later folders replace earlier ones.

    A file that cannot be read is named in the log and left out.
    """
    form, tables = STUDIES[name].form, []
    for folder in output_dirs:
        measurements = STUDIES[name].measurements(name, folder)
        with skipping(measurements.path, "the study is left out"):
            tables.append(measurements.read())
    return form.current(pd.concat([form.table(), *tables], ignore_index=True))
