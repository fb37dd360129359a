"""Graph files as datasets: ``dataset=my.npz`` stands for ``dataset=custom`` with path and name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.types import Override, QuotedString
from omegaconf import OmegaConf

from gkd_runner.common.paths import conf_dir
from gkd_runner.options.schema import Config, DatasetConfig

SUFFIX = ".npz"


def is_graph_file(choice: object) -> bool:
    """True if the value of ``dataset=...`` is the path of a graph file."""
    return isinstance(choice, str) and choice.endswith(SUFFIX)


def register_graph_files(overrides: Iterable[Override]) -> None:
    """Make every graph file that ``dataset=...`` names a choice of the group ``dataset``.

    Hydra then composes it like any other choice, also in a sweep and in a launcher's processes.
    """
    for override in overrides:
        if override.key_or_group == "dataset":
            for choice in filter(is_graph_file, _values(override)):
                _register(str(choice))


def _values(override: Override) -> Iterator[object]:
    if override.is_choice_sweep():
        for value in override.sweep_iterator():
            yield value.text if isinstance(value, QuotedString) else value
    elif not override.is_sweep_override():
        yield override.value()


def _register(path: str) -> None:
    options = OmegaConf.load(conf_dir() / "dataset" / "custom.yaml")
    options.update({"name": Path(path).stem, "path": path})
    folder, _, name = path.rpartition("/")
    group = "/".join(["dataset", *filter(None, folder.split("/"))])  # a choice in a subgroup
    ConfigStore.instance().store(name, options, group=group, package="dataset")


def file_mistake(config: Config) -> str | None:
    """Say that the graph file of ``config`` is missing; ``None`` if it is there or not needed.

    Only a command line needs it at once: in Python, a graph may be given to the training.
    """
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
    """Report graph files of one sweep that share a name, as their results would be mixed."""
    paths: dict[str, dict[str, None]] = {}
    for config in configs:
        if config.dataset.family == "custom" and config.dataset.path is not None:
            paths.setdefault(config.dataset.name, {})[config.dataset.path] = None
    for name, same in paths.items():
        if len(same) > 1:
            yield (
                f"{', '.join(same)}: graphs of one sweep need different names, and these are all"
                f" named {name}; rename the files and give them as dataset=a.npz,b.npz"
            )
