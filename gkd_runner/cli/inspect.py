"""``gkd-inspect``: one row per node of anyone's graph, with or without a finished run."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gkd_runner.common.errors import ConfigError, explain

if TYPE_CHECKING:
    from gkd_runner.options.schema import Config

MOVABLE = ("cache_dir", "data_dir", "dataset.path")
"""Options that say where files lie; the only ones that go with ``--run``."""

PICTURES = (".png", ".svg")

DESCRIPTION = "Write a CSV with one row per node of a graph, and say what the nodes are like."
EPILOG = """\
Without --run nothing is trained: degree, label, split, homophily, and influence as InfGraND
computes it. With --run, the folder of a finished gkd-train run: hardness, confidence and
predictions of its teacher and student as well.

  gkd-inspect dataset=cora
  gkd-inspect dataset=custom dataset.path=my.npz protocol=krd --plot nodes.png
  gkd-inspect --run outputs/runs/cora/infgrand-transductive/gcn/infgrand/<run id> --seed 2023

gkd-train --help names every option.
"""


@dataclass(frozen=True)
class Request:
    """What a command line asks for."""

    overrides: list[str]
    run: Path | None
    seed: int | None
    out: Path
    plot: Path | None


def read_request(argv: Sequence[str]) -> Request:
    """Split ``argv`` into overrides and flags, in any order."""
    parser = argparse.ArgumentParser(
        "gkd-inspect",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("overrides", nargs="*", metavar="option=value", help="as for gkd-train")
    parser.add_argument("--run", type=Path, help="folder of a finished run")
    parser.add_argument("--seed", type=int, help="whose split (default: the first of seeds)")
    parser.add_argument(
        "--out", type=Path, default=Path("nodes.csv"), help="the CSV (default: nodes.csv)"
    )
    parser.add_argument("--plot", type=Path, help="a picture as well: a .png or .svg file")
    return Request(**vars(parser.parse_intermixed_args(argv)))


def inspect(request: Request) -> None:
    """Write the files and print the summary. Raises ``GkdError``, with all mistakes at once."""
    config = _check(request)

    from gkd_runner.common.console import make_console, show_log
    from gkd_runner.nodes.inspected import inspect_graph, inspect_run
    from gkd_runner.nodes.summary import summary
    from gkd_runner.nodes.table import write_csv

    show_log()
    if config:
        found = inspect_graph(config, request.seed)
    else:
        assert request.run is not None, "_check makes no configuration for a run"
        moved = dict(text.split("=", 1) for text in request.overrides)
        found = inspect_run(request.run.expanduser(), request.seed, moved)
    write_csv(found.table, request.out)
    console = make_console()
    console.print(summary(found))
    console.print(f"wrote    {request.out} ({len(found.table)} rows)", soft_wrap=True)
    if request.plot:
        from gkd_runner.nodes.plot import save_plot

        save_plot(found, request.plot)
        console.print(f"drew     {request.plot}", soft_wrap=True)


def _check(request: Request) -> Config | None:
    """The configuration asked for; none with ``--run``, which has its own."""
    mistakes = [*_file_mistakes("--out", request.out), *_plot_mistakes(request.plot)]
    if request.seed is not None and request.seed < 0:
        mistakes.append(f"--seed {request.seed} is out of range; it must be >= 0")
    config = None
    if request.run:
        mistakes += _beside_run(request.overrides, request.run)
    else:
        from gkd_runner.config.command_line import check_overrides

        try:
            config = check_overrides(request.overrides)
        except ConfigError as error:
            mistakes += error.mistakes
    if mistakes:
        raise ConfigError(mistakes)
    return config


def _file_mistakes(flag: str, path: Path) -> list[str]:
    folder = path.parent
    if path.is_dir():
        return [f"{flag} {path} is a folder; give the name of a file in it"]
    if not folder.is_dir():
        return [f"{flag} {path}: there is no folder {folder}; make it first (mkdir -p {folder})"]
    if not os.access(folder, os.W_OK):
        return [f"{flag} {path}: the folder {folder} cannot be written; choose another"]
    return []


def _plot_mistakes(path: Path | None) -> list[str]:
    if path is None:
        return []
    mistakes = _file_mistakes("--plot", path)
    if path.suffix not in PICTURES:
        mistakes.append(f"--plot {path} must end in {' or '.join(PICTURES)}")
    if importlib.util.find_spec("matplotlib") is None:
        mistakes.append(
            '--plot needs matplotlib, which is not installed: pip install "gkd-runner[plot]"'
        )
    return mistakes


def _beside_run(overrides: Sequence[str], run: Path) -> list[str]:
    return [
        f"{text} beside --run: the configuration is the run's own ({run / 'config.yaml'}); leave it"
        f" out (only {', '.join(MOVABLE)} may be given, for files that have moved)"
        for text in overrides
        if text.partition("=")[0] not in MOVABLE or "=" not in text
    ]


def main() -> None:
    """Console script ``gkd-inspect``."""
    request = read_request(sys.argv[1:])
    try:
        inspect(request)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as failure:
        text = _told(failure)
        if text is None:
            raise
        sys.exit(f"gkd-inspect: {text}")


def _told(failure: Exception) -> str | None:
    """What to say of ``failure``, a single mistake in one line; ``None`` for a bug."""
    if isinstance(failure, ConfigError) and len(failure.mistakes) == 1:
        return failure.mistakes[0]
    return explain(failure)


if __name__ == "__main__":
    main()
