"""The model card of an exported student, from its facts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gkd_runner.common.files import write_file
from gkd_runner.exporting.serve_cost import EXPORTED
from gkd_runner.options.metrics import BESIDE_ACCURACY, METRICS

TEMPLATE = Path(__file__).with_name("card.md")

SMALL_ERROR = 0.05
"""Calibration error up to which the card does not warn of reading confidences as probabilities."""

FEW_FEATURES = 20
"""Names of features that the card lists at most."""

INDUCTIVE = "inductive"


def write_card(facts: Mapping[str, Any], path: Path) -> None:
    """Write the model card (``README.md``) for ``config.json``'s ``facts``."""
    loader = FileSystemLoader(TEMPLATE.parent)
    environment = Environment(  # noqa: S701  # Markdown, not HTML
        loader=loader, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters |= {"percent": percent, "micro": micro, "size": size}
    text = environment.get_template(TEMPLATE.name).render(**facts, **_derived(facts))
    write_file(path, text)


def percent(share: float | None) -> str:
    """A share in percent."""
    return "none" if share is None else f"{100 * share:.2f}"


def micro(seconds: float) -> str:
    """Seconds as microseconds, with three digits."""
    return f"{1e6 * seconds:,.0f}" if seconds >= 1e-4 else f"{1e6 * seconds:.1f}"


def size(count: int) -> str:
    """Bytes as kB or MB."""
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def _derived(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Values of the template that follow from the facts."""
    training, scores = facts["training"], facts["scores"]
    seed = str(facts["seeds"][0])
    return {
        "ensemble": len(facts["seeds"]) > 1,
        "seed": seed,
        "recorded": scores["recorded"][seed],
        "selected": {
            METRICS[metric].title: scores[metric] for metric in BESIDE_ACCURACY if metric in scores
        },
        "exported": scores["exported"],
        "inductive": training["setting"] == INDUCTIVE,
        "speed_up": _speed_up(facts["latency"]),
        "names": list(facts["id2label"].values()),
        "few_features": 0 < len(facts["features"]["names"]) <= FEW_FEATURES,
        "uncalibrated": (scores["recorded"][seed]["student_calibration_error"] or 0) > SMALL_ERROR,
    }


def _speed_up(latency: Mapping[str, Any] | None) -> dict[str, float]:
    """The teacher's median time over the exported student's, by size."""
    if latency is None:
        return {}
    times = {(row["model"], row["size"]): row["p50_seconds"] for row in latency["rows"]}
    return {
        size: seconds / times[EXPORTED, size]
        for (model, size), seconds in times.items()
        if model.startswith("teacher")
    }
