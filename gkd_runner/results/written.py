"""What ``result.json`` must have: the entries that are read again, their types and their limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, TypedDict

from gkd_runner.options.metrics import BESIDE_ACCURACY
from gkd_runner.results.fields import mistakes
from gkd_runner.results.identity import NAMES
from gkd_runner.results.scores import STAGES, SeedResult

TEACHER_KEY = "teacher_key"
"""The entry of a seed beside those of ``SeedResult``."""


class _Graph(TypedDict):
    fingerprint: str


class _Origin(TypedDict):
    kind: str
    rows: list[str]
    changed: dict[str, Any]


class _Versions(TypedDict):
    torch: str


class _Device(TypedDict):
    type: str
    gpu: str | None


class _Git(TypedDict):
    commit: str
    dirty: bool


class _Told(TypedDict, total=False):
    """Entries that older formats lack."""

    method_facts: list[dict[str, Any]]
    files: dict[str, str]
    failures: list[dict[str, Any]]


class _Result(_Told):
    key: str
    identity: dict[str, str]
    hyperparameters: _Origin
    started: str
    graph: _Graph
    seconds: dict[str, float]
    seeds: list[dict[str, Any]]
    versions: _Versions
    device: _Device
    git: _Git | None
    command: list[str]


def problems(raw: Any) -> Iterator[str]:
    """The mistakes in the content of ``result.json``, by the names of its entries."""
    wrong = list(mistakes(raw, _Result, "result"))
    if wrong:
        yield from wrong
        return
    yield from (f"identity has no {name}" for name in NAMES if name not in raw["identity"])
    if not _is_time(raw["started"]):
        yield f"started is {raw['started']!r}, not a time"
    numbers = [entry.get("seed") for entry in raw["seeds"]]
    if not numbers or len(set(map(str, numbers))) < len(numbers):
        yield f"its seeds are {numbers}, not one or more different ones"
    if len(raw.get("method_facts", numbers)) != len(numbers):
        yield f"it has method_facts of {len(raw['method_facts'])} seeds, not of {len(numbers)}"
    for entry in raw["seeds"]:
        yield from _of_seed(entry, f"seed {entry.get('seed')}")


def _of_seed(entry: Mapping[str, Any], name: str) -> Iterator[str]:
    result = {field: value for field, value in entry.items() if field != TEACHER_KEY}
    wrong = list(mistakes(result, SeedResult, name))
    if type(entry.get(TEACHER_KEY)) is not str:
        wrong.append(f"{name} has no {TEACHER_KEY}")
    if wrong:
        yield from wrong
        return
    if not 0 <= entry["hidden_nodes"] <= entry["test_nodes"]:
        yield f"{name} has {entry['hidden_nodes']} hidden of {entry['test_nodes']} test nodes"
    if entry["temperature"] <= 0:
        yield f"{name}.temperature is {entry['temperature']}, not positive"
    for stage in STAGES:
        yield from _of_stage(entry[stage], entry["test_nodes"], f"{name}.{stage}")


def _of_stage(stage: Mapping[str, Any], test_nodes: int, name: str) -> Iterator[str]:
    for metric in ("scores", *BESIDE_ACCURACY):
        for part, value in (stage.get(metric) or {}).items():
            if value is not None and not 0 <= value <= 1:
                yield f"{name}.{metric}.{part} is {value}, not between 0 and 1"
    best, epochs = stage["best_epoch"], stage["epochs"]
    if not min(epochs, 1) <= best <= epochs:
        yield f"{name}.best_epoch is {best} of {epochs} epochs"
    if (stage["seconds"] or 0) < 0:
        yield f"{name}.seconds is {stage['seconds']}, less than 0"
    if (counts := stage.get("confusion")) is not None:
        ragged = any(len(row) != len(counts) or min(row) < 0 for row in counts)
        if ragged or sum(map(sum, counts)) != test_nodes:
            yield f"{name}.confusion does not count the {test_nodes} test nodes"


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
