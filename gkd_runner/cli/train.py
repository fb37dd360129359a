"""``gkd-train``: one job, or a sweep of them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omegaconf import DictConfig


def run(composed: DictConfig) -> float:
    """Hydra's task function; returns the mean validation accuracy, what a search maximises."""
    from hydra.core.hydra_config import HydraConfig

    from gkd_runner.common.console import make_console, show_log
    from gkd_runner.common.errors import explain
    from gkd_runner.config.build import to_config
    from gkd_runner.runs.display import report
    from gkd_runner.runs.train import train
    from gkd_runner.sweeps.folder import current

    show_log()
    config = to_config(composed)
    sweep = current()
    if sweep:
        from gkd_runner.sweeps.run import run_cell

        return run_cell(sweep, HydraConfig.get().job.num, config)
    try:
        result = train(config)
    except Exception as failure:
        text = explain(failure)
        if text is None:
            raise
        sys.exit(f"gkd-train: {text}")
    make_console().print(report(result), crop=False)
    return result.val_accuracy


def let_waiting_threads_sleep() -> None:
    """Call before torch is imported, when OpenMP reads it.

    Threads that wait sleep instead of spinning, which costs little on an idle machine and saves
    much beside another busy process.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def main() -> None:
    """Console script ``gkd-train``."""
    let_waiting_threads_sleep()
    import hydra

    from gkd_runner.common.errors import ConfigError
    from gkd_runner.common.paths import conf_dir
    from gkd_runner.config.command_line import check_command_line, chooses_sweeper
    from gkd_runner.config.presets import register_resolvers

    register_resolvers()
    # argparse wants all overrides in one run, so flags that take no value go first
    sys.argv[1:] = sorted(sys.argv[1:], key=lambda text: text not in ("-m", "--multirun"))
    start = hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="train")(run)
    try:
        cells = check_command_line(sys.argv[1:])
        if cells:
            from gkd_runner.sweeps.run import run_sweep

            run_sweep(cells, start, listed=not chooses_sweeper(sys.argv))
        else:
            start()
    except ConfigError as error:
        sys.exit(f"gkd-train: {error}")
    except KeyboardInterrupt:
        print("gkd-train: interrupted; the same command goes on from here", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
