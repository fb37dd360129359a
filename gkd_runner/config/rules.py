"""Validity rules of options that only make sense together."""

from __future__ import annotations

import re

from omegaconf import OmegaConf

from gkd_runner.common.errors import nearest
from gkd_runner.common.paths import conf_dir
from gkd_runner.config.presets import TABLES, find_preset, preset_key
from gkd_runner.methods import build_method
from gkd_runner.options.metrics import ANY_CLASSES, METRICS
from gkd_runner.options.schema import (
    Config,
    GatConfig,
    PrecomputedConfig,
    TeacherConfig,
    TrackerConfig,
)


def check_together(config: Config) -> list[str]:
    """Mistakes that only show when several options are seen together."""
    return [
        *_protocol(config),
        *_teacher(config),
        *_mini_batches(config),
        *_selection(config),
        *build_method(config.method).mistakes(),
        *_preset(config),
        *_dataset(config),
        *_tracker(config.tracker),
    ]


def _protocol(config: Config) -> list[str]:
    protocol, family = config.protocol, config.dataset.family
    mistakes = []
    if family not in protocol.covers:
        files = sorted((conf_dir() / "protocol").glob("*.yaml"))
        fitting = [path.stem for path in files if family in OmegaConf.load(path).covers]
        mistakes.append(
            f"protocol={protocol.name} is not defined for dataset={config.dataset.name}"
            f" (it covers {', '.join(protocol.covers)}); use protocol={' or '.join(fitting)}"
        )
    if (protocol.val_per_class is None) == (protocol.val_size is None):
        mistakes.append(
            f"protocol.val_per_class={protocol.val_per_class} and"
            f" protocol.val_size={protocol.val_size}: set exactly one, the other null"
        )
    return mistakes


def _teacher(config: Config) -> list[str]:
    teacher = config.teacher
    if isinstance(teacher, PrecomputedConfig) and build_method(config.method).asks_teacher:
        return [
            f"method={config.method.name} asks its teacher about other features than the graph's,"
            f" which teacher={teacher.name} cannot answer; use teacher=gcn, sage or gat, or another"
            " method"
        ]
    if isinstance(teacher, GatConfig) and teacher.num_layers > 1:
        remainder = teacher.hidden_dim % teacher.heads
        if remainder:
            return [
                f"teacher.hidden_dim={teacher.hidden_dim} is not a multiple of"
                f" teacher.heads={teacher.heads}"
            ]
    return []


def _mini_batches(config: Config) -> list[str]:
    fan_outs, teacher = config.training.fan_outs, config.teacher
    if fan_outs is None:
        return []
    given = f"training.fan_outs=[{','.join(map(str, fan_outs))}]"
    mistakes = []
    if config.training.batch_size is None:
        mistakes.append(
            f"{given} without training.batch_size: a full batch draws no neighbours; give both,"
            " or neither"
        )
    if not isinstance(teacher, TeacherConfig):
        mistakes.append(f"{given}, but teacher={teacher.name} reads no neighbours; leave it out")
    elif len(fan_outs) != teacher.num_layers:
        mistakes.append(
            f"{given}, but teacher.num_layers={teacher.num_layers}; give one number for each layer"
        )
    return mistakes


def _selection(config: Config) -> list[str]:
    classes = getattr(config.dataset, "classes", 2)  # of other graphs when they are read
    metric = config.training.select_by
    if metric in METRICS and METRICS[metric].two_classes and classes > 2:
        return [
            f"training.select_by={metric} needs two classes, and dataset.classes={classes}; use"
            f" training.select_by={ANY_CLASSES}"
        ]
    return []


def _preset(config: Config) -> list[str]:
    key, table = preset_key(config), config.preset.table
    if table is not None and table not in TABLES:
        return [f"preset.table={table} is not one of {', '.join(TABLES)}{nearest(table, TABLES)}"]
    if missing := find_preset(key).unsupported:
        return [
            f"preset={key.preset} needs {missing} for method={key.method}"
            f" dataset={key.dataset} teacher={key.teacher}, which gkd-runner does not have;"
            " use preset=common or preset=none"
        ]
    return []


def _dataset(config: Config) -> list[str]:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", config.dataset.name):
        return [
            f"dataset.name={config.dataset.name} names folders: letters, digits, '.', '_' and '-';"
            " choose another with dataset.name=..."
        ]
    shipped = {path.stem for path in (conf_dir() / "dataset").glob("*.yaml")} - {"custom"}
    if config.dataset.family == "custom" and config.dataset.name in shipped:
        return [
            f"dataset.name={config.dataset.name} is the name of another graph, and yours needs one"
            " of its own; choose it with dataset.name=..., or rename the file"
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
