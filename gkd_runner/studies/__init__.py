"""The studies that the papers' claims rest on, by the names that ``scripts/study.py`` takes."""

from __future__ import annotations

from gkd_runner.common.errors import ConfigError, nearest
from gkd_runner.studies import ablation, hardness, inference, influence, scarcity
from gkd_runner.studies.study import Study

STUDIES: dict[str, Study] = {
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
