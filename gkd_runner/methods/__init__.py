"""The methods, by the names that configurations use: those of this package and of others.

A module of this package, or one that another package names in the entry point group
``gkd_runner.methods``, is searched for subclasses of ``Method`` that have a name.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from omegaconf import OmegaConf

from gkd_runner.common.errors import ConfigError, nearest
from gkd_runner.common.paths import conf_dir
from gkd_runner.methods.base import Method
from gkd_runner.options.schema import MethodConfig

GROUP = "gkd_runner.methods"


def _methods_in(module: ModuleType) -> Iterator[type[Method[Any]]]:
    for value in vars(module).values():
        is_class = isinstance(value, type) and value.__module__ == module.__name__
        if is_class and issubclass(value, Method) and "name" in vars(value):
            yield value


def _outside(point: EntryPoint) -> tuple[ModuleType, list[type[Method[Any]]]]:
    """The module of an entry point, and its methods. Raises ``ConfigError`` for one that fails."""
    package = point.dist.name if point.dist else point.value
    try:
        module = import_module(point.module)
    except (Exception, SystemExit) as error:
        raise ConfigError(
            [
                f"the package {package} offers {GROUP} {point.name} = {point.value}, which cannot"
                f" be imported ({type(error).__name__}: {error}); mend or uninstall it"
            ]
        ) from error
    methods = list(_methods_in(module))
    if not methods:
        raise ConfigError(
            [
                f"the package {package}: no subclass of Method with a name is defined in the module"
                f" {point.module}"
            ]
        )
    return module, methods


def _check(method: type[Method[Any]], package: str, folder: Path) -> None:
    """Raise ``ConfigError`` unless a method has a colour and a YAML file with its name."""
    if not hasattr(method, "colour"):
        raise ConfigError([f"the package {package}: method {method.name} has no colour"])
    path = folder / "method" / f"{method.name}.yaml"
    if not path.is_file():
        raise ConfigError([f"the package {package}: method {method.name} has no file {path}"])
    name = OmegaConf.select(OmegaConf.load(path), "name")
    if name != method.name:
        raise ConfigError(
            [f"the package {package}: {path} has name: {name}, which must be {method.name}"]
        )


def _folder(module: ModuleType) -> Path:
    return Path(str(module.__file__)).resolve().parent / "conf"


def _find() -> tuple[dict[str, type[Method[Any]]], list[Path]]:
    """All methods in their order, and the folders of their YAML files."""
    own = [import_module(f"{__name__}.{info.name}") for info in iter_modules(__path__)]
    methods = [(method, "gkd-runner", conf_dir()) for m in own for method in _methods_in(m)]
    for point in entry_points(group=GROUP):
        module, theirs = _outside(point)
        package = point.dist.name if point.dist else point.value
        methods += [(method, package, _folder(module)) for method in theirs]
    by_name: dict[str, tuple[type[Method[Any]], str]] = {}
    for method, package, folder in sorted(methods, key=lambda m: (m[0].position, m[0].name)):
        other = by_name.setdefault(method.name, (method, package))
        if other[0] is not method:
            packages = " and ".join(sorted((package, other[1])))
            raise ConfigError([f"method={method.name} is in {packages}; rename or uninstall one"])
        _check(method, package, folder)
    folders = dict.fromkeys(folder for _, _, folder in methods)
    return {name: method for name, (method, _) in by_name.items()}, list(folders)


METHODS: dict[str, type[Method[Any]]]
"""Every method by its name, in the order of tables."""

CONF_DIRS: list[Path]
"""The folders with the YAML files of the methods; the first is this package's."""


def __getattr__(name: str) -> Any:
    """Look for the methods when they are first asked for, so that their modules can import this."""
    if name not in ("METHODS", "CONF_DIRS"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    listed = dict(zip(("METHODS", "CONF_DIRS"), _find(), strict=True))
    globals().update(listed)
    return listed[name]


def build_method(config: MethodConfig) -> Method[Any]:
    """The method that ``config.name`` names. Raises ``ConfigError`` with the choices."""
    methods = sys.modules[__name__].METHODS
    if config.name not in methods:
        allowed = ", ".join(methods)
        raise ConfigError(
            [f"method={config.name} is not one of {allowed}{nearest(config.name, methods)}"]
        )
    method: Method[Any] = methods[config.name](config)
    return method
