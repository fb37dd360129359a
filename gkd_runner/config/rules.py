"""Validity rules: one field at a time (from its schema entry), then fields together."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable
from typing import Any

from omegaconf import OmegaConf

from gkd_runner.common.errors import nearest
from gkd_runner.common.paths import conf_dir
from gkd_runner.options.schema import Config, GatConfig, TrackerConfig

_COMPARISONS: dict[str, tuple[Callable[[Any, float], bool], str]] = {
    "at_least": (lambda value, limit: value >= limit, ">="),
    "above": (lambda value, limit: value > limit, ">"),
    "at_most": (lambda value, limit: value <= limit, "<="),
    "below": (lambda value, limit: value < limit, "<"),
}


def check_field(path: str, value: Any, field: dataclasses.Field[Any]) -> str | None:
    """The mistake in ``path=value`` by the field's own rules, or ``None``."""
    items = list(value) if not isinstance(value, str) and hasattr(value, "__iter__") else [value]
    choices = field.metadata["choices"]
    rules: dict[str, float] = field.metadata["rules"]
    for item in items:
        if item is None:
            continue
        if item == "":
            return f"{path}= is empty; give it a value"
        if choices and item not in choices:
            allowed = ", ".join(choices)
            hint = "; did you mean 'cuda'?" if item == "gpu" else nearest(str(item), choices)
            return f"{path}={item} is not one of {allowed}{hint}"
        if rules and not (math.isfinite(item) and _within(item, rules)):
            return f"{path}={item} is out of range; it must be {limits_text(field)}"
    return _check_distinct(path, items) if field.metadata["distinct"] else None


def _check_distinct(path: str, items: list[Any]) -> str | None:
    if not items:
        return f"{path}=[] is empty; give at least one, as in {path}=[0]"
    twice = sorted({item for item in items if items.count(item) > 1})
    if twice:
        return f"{path}={items} repeats {', '.join(map(str, twice))}; each once"
    return None


def limits_text(field: dataclasses.Field[Any]) -> str:
    """The values a field may take, in words; empty where it has no rule."""
    if field.metadata["choices"]:
        return "one of " + ", ".join(field.metadata["choices"])
    rules: dict[str, float] = field.metadata["rules"]
    return " and ".join(f"{_COMPARISONS[rule][1]} {rules[rule]}" for rule in rules)


def _within(value: float, rules: dict[str, float]) -> bool:
    return all(_COMPARISONS[rule][0](value, limit) for rule, limit in rules.items())


def check_together(config: Config) -> list[str]:
    """Mistakes that only show when several options are seen together."""
    return [
        *_protocol(config),
        *_teacher(config),
        *_objective(config),
        *_dataset(config),
        *_tracker(config.tracker),
    ]


def _protocol(config: Config) -> list[str]:
    protocol, family = config.protocol, config.dataset.family
    mistakes = []
    if family not in protocol.covers:
        mistakes.append(
            f"protocol={protocol.name} is not defined for dataset={config.dataset.name}"
            f" (it covers {', '.join(protocol.covers)}); use protocol=krd or protocol=glnn"
        )
    if (protocol.val_per_class is None) == (protocol.val_size is None):
        mistakes.append(
            f"protocol.val_per_class={protocol.val_per_class} and"
            f" protocol.val_size={protocol.val_size}: set exactly one, the other null"
        )
    return mistakes


def _teacher(config: Config) -> list[str]:
    teacher = config.teacher
    if isinstance(teacher, GatConfig) and teacher.num_layers > 1:
        remainder = teacher.hidden_dim % teacher.heads
        if remainder:
            return [
                f"teacher.hidden_dim={teacher.hidden_dim} is not a multiple of"
                f" teacher.heads={teacher.heads}"
            ]
    return []


def _objective(config: Config) -> list[str]:
    method = config.method
    if method.name == "mlp" and method.lam != 1:
        return [f"method.lam={method.lam} with method=mlp, which has no teacher: it must be 1"]
    if method.name != "mlp" and method.lam == 1:
        return [f"method.lam=1.0 with method={method.name} leaves the teacher out; use method=mlp"]
    delta = [getattr(method, name, 1.0) for name in ("delta_1", "delta_2")]
    gamma = [getattr(method, name, 1.0) for name in ("gamma_1", "gamma_2")]
    if (method.lam == 0 or not any(delta)) and (method.name == "mlp" or not any(gamma)):
        return [
            f"method.lam={method.lam}, delta={delta}, gamma={gamma} leave nothing to learn from"
        ]
    return []


def _dataset(config: Config) -> list[str]:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", config.dataset.name):
        return [
            f"dataset.name={config.dataset.name} names folders: letters, digits, '.', '_' and '-'"
        ]
    shipped = {path.stem for path in (conf_dir() / "dataset").glob("*.yaml")} - {"custom"}
    if config.dataset.family == "custom" and config.dataset.name in shipped:
        return [
            f"dataset.name={config.dataset.name} with dataset=custom is the name of another graph;"
            " give yours one of its own"
        ]
    if config.dataset.name in shipped:
        family = OmegaConf.load(conf_dir() / "dataset" / f"{config.dataset.name}.yaml").family
        if config.dataset.family != family:
            return [
                f"dataset.family={config.dataset.family}, but {config.dataset.name} is of {family}"
            ]
    classes = getattr(config.dataset, "classes", 0)
    nodes = getattr(config.dataset, "nodes", 0)
    if classes > nodes:
        return [f"dataset.classes={classes} is more than dataset.nodes={nodes}"]
    return []


def _tracker(tracker: TrackerConfig) -> list[str]:
    given = {"entity": tracker.entity, "mode": tracker.mode}
    return [
        f"tracker.{option}={value} with tracker={tracker.name}: only tracker=wandb has {option};"
        " leave it null"
        for option, value in given.items()
        if value is not None and tracker.name != "wandb"
    ]
