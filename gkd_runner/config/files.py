"""Files as choices of a group.

``dataset=my.npz`` stands for ``dataset=custom`` with path and name, and ``teacher=my-logits.npz``
for ``teacher=precomputed`` with its file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.types import Override, QuotedString, ValueType
from omegaconf import OmegaConf

from gkd_runner.common.paths import conf_dir
from gkd_runner.options.schema import Config, DatasetConfig, PrecomputedConfig

SUFFIX = ".npz"

SUFFIXES = {"dataset": (SUFFIX,), "teacher": (SUFFIX, ".npy")}
"""Endings of the files that a group takes in place of a choice."""


def is_file_choice(group: str, value: object) -> bool:
    """True if the value of ``group=...`` is the path of a file."""
    return isinstance(value, str) and value.endswith(SUFFIXES.get(group, ()))


def register_files(overrides: Iterable[Override]) -> None:
    """Make every file that ``overrides`` name in place of a choice a choice of its group.

    Hydra then composes it like any other choice, also in a sweep and in a launcher's processes.
    """
    for override in overrides:
        group = override.key_or_group
        if group in SUFFIXES:
            for choice in _values(override):
                if is_file_choice(group, choice):
                    _register(group, str(choice))


def _values(override: Override) -> Iterator[object]:
    if override.value_type == ValueType.GLOB_CHOICE_SWEEP:
        return  # chooses among what is there
    if override.is_choice_sweep():
        for value in override.sweep_iterator():
            yield value.text if isinstance(value, QuotedString) else value
    elif not override.is_sweep_override():
        yield override.value()


def _register(group: str, path: str) -> None:
    if group == "dataset":
        choice, given = "custom", {"name": Path(path).stem, "path": path}
    else:
        choice, given = "precomputed", {"logits": path}
    options = OmegaConf.load(conf_dir() / group / f"{choice}.yaml")
    options.update(given)
    folder, _, name = path.rpartition("/")
    subgroup = "/".join([group, *filter(None, folder.split("/"))])
    ConfigStore.instance().store(name, options, group=subgroup, package=group)


def file_mistakes(config: Config) -> Iterator[str]:
    """Name the files that ``config`` needs and that are missing.

    Only a command line needs the graph's at once: in Python, a graph may be given to the training.
    """
    yield from filter(None, (graph_mistake(config), logits_mistake(config)))


def logits_mistake(config: Config) -> str | None:
    """Say that the logits of a precomputed teacher are missing; ``None`` if they are there."""
    if not isinstance(config.teacher, PrecomputedConfig):
        return None
    path = config.teacher.logits
    if Path(path).expanduser().is_file():
        return None
    return f"teacher.logits={path}: no such file; give the path of the teacher's logits"


def graph_mistake(config: Config) -> str | None:
    """Say that the graph file of ``config`` is missing; ``None`` if it is there or not needed."""
    dataset = config.dataset
    if dataset.path is not None:
        return None if Path(dataset.path).expanduser().is_file() else _no_file(dataset.path)
    if dataset.family != "custom":
        return None
    path = Path(config.data_dir).expanduser() / f"{dataset.name}{SUFFIX}"
    return None if path.is_file() else _no_named_file(dataset, path)


def _no_file(path: str) -> str:
    if Path(path).expanduser().is_dir():
        return f"{path} is a folder; give the file in it, as in dataset={Path(path, 'my.npz')}"
    return f"{path}: no such file"


def _no_named_file(dataset: DatasetConfig, path: Path) -> str:
    if dataset.name == "custom":
        return (
            "dataset=custom has no graph file; give one with dataset=my.npz (gkd-import makes it"
            " from tables and other formats), or folder and name with data_dir=... dataset.name=..."
        )
    return (
        f"dataset.name={dataset.name}: no such file {path}; give the folder of"
        f" {path.name} with data_dir=..., or the file itself with dataset=..."
    )


def same_names(configs: Iterable[Config]) -> Iterator[str]:
    """Report files of one sweep that share a name, as their results would be mixed."""
    graphs: dict[str, dict[str, None]] = {}
    teachers = dict[str, None]()
    for config in configs:
        if config.dataset.family == "custom" and config.dataset.path is not None:
            graphs.setdefault(config.dataset.name, {})[config.dataset.path] = None
        if isinstance(config.teacher, PrecomputedConfig):
            teachers[config.teacher.logits] = None
    for name, same in graphs.items():
        if len(same) > 1:
            yield (
                f"{', '.join(same)}: graphs of one sweep need different names, and these are all"
                f" named {name}; rename the files and give them as dataset=a.npz,b.npz"
            )
    if len(teachers) > 1:
        yield (
            f"{', '.join(teachers)}: tables would show only one of them, as all are named"
            " precomputed; give each a sweep and an output_dir of its own"
        )
