"""``gkd-train``: one job, or a sweep of them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gkd_runner.cli.boundary import command, failures_told, one_interrupt
from gkd_runner.common.errors import ConfigError
from gkd_runner.common.processes import connected, started

if TYPE_CHECKING:
    from omegaconf import DictConfig

NAME = "gkd-train"


def run(composed: DictConfig) -> float:
    """Hydra's task function; returns the mean validation score, what a search maximises.

    Under torchrun only the first process has a result.
    """
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from gkd_runner.common.console import make_console, show_log
    from gkd_runner.config.typed import to_config
    from gkd_runner.runs.display import failures_text, report
    from gkd_runner.runs.environment import choose_device
    from gkd_runner.runs.train import follow, train
    from gkd_runner.sweeps.folder import read_sweep
    from gkd_runner.sweeps.run import run_cell

    show_log(errors_alone=not started().first)
    settings = HydraConfig.get()
    os.chdir(settings.runtime.cwd)  # Ray's processes start elsewhere
    if settings.mode == RunMode.MULTIRUN:
        with one_interrupt():
            sweep = read_sweep(Path(settings.sweep.dir))
            return run_cell(sweep, settings.job.num, to_config(composed))
    with failures_told(NAME):
        config = to_config(composed)
        _check_batches(config.training.batch_size)
        with connected(choose_device(config.device)) as processes:
            if not processes.first:
                follow(config, processes)
                return float("nan")
            result = train(config, processes=processes)
    make_console().print(report(result), crop=False)
    if result.failures:
        sys.exit(f"{NAME}: {failures_text(result)}")
    return result.val_score


@command(NAME, resumes=True)
def main() -> None:
    """Console script ``gkd-train``."""
    import hydra

    from gkd_runner.common.paths import conf_dir
    from gkd_runner.config.command_line import check_command_line
    from gkd_runner.config.hydra_options import PREFIXES, starting
    from gkd_runner.config.overrides import chooses_sweeper
    from gkd_runner.config.shorthand import written_out

    # argparse wants all overrides in one run, so flags that take no value go first
    arguments = sorted(sys.argv[1:], key=lambda text: text not in ("-m", "--multirun"))
    cells = check_command_line(arguments)
    if cells and started().size > 1:
        raise ConfigError(
            ["-m under torchrun: torchrun divides one job among its processes, and -m runs several"
             " jobs; leave out -m, or start the sweep without torchrun"]
        )  # fmt: skip
    launched = any(text.startswith(PREFIXES) for text in arguments)  # or searched by a sweeper
    # Hydra, which runs all but a sweep in this process, reads the arguments once more
    sys.argv[1:] = written_out(arguments) if launched or not cells else arguments
    start = hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="train")(run)
    if not cells:
        with starting(run):
            start()
        return

    from gkd_runner.sweeps.run import run_all, run_sweep

    def launch(folder: Path) -> None:
        escaped = str(folder).replace('"', '\\"')
        sys.argv.append(f'hydra.sweep.dir="{escaped}"')
        start()

    if launched:
        run_sweep(cells, launch, listed=not chooses_sweeper(sys.argv))
    else:
        run_all(cells)


def _check_batches(batch_size: int | None) -> None:
    """Refuse a full batch under torchrun."""
    processes = started().size
    if processes > 1 and batch_size is None:
        raise ConfigError(
            [f"training.batch_size=null under torchrun: a full batch cannot be divided among"
             f" {processes} processes; give training.batch_size=..., or start gkd-train without"
             " torchrun"]
        )  # fmt: skip


if __name__ == "__main__":
    main()
