"""Around a launcher: its errors in one line, and jobs that outlive this process."""

from __future__ import annotations

import shutil
import textwrap
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gkd_runner.common.errors import GkdError, LaunchError, explain
from gkd_runner.common.files import write_file
from gkd_runner.config.hydra_options import errors_raised

if TYPE_CHECKING:
    from submitit import AutoExecutor, Job

LENGTH = 500
"""Characters of a launcher's error that are shown; its log has all."""


def check_slurm(arguments: Sequence[str]) -> None:
    """Raise ``LaunchError`` if the cells are to run on Slurm, whose commands are missing."""
    missing = [name for name in ("sbatch", "srun", "scancel") if shutil.which(name) is None]
    if missing and "hydra/launcher=submitit_slurm" in arguments:
        raise LaunchError(
            f"hydra/launcher=submitit_slurm needs Slurm's command {missing[0]}, which is not on the"
            " PATH; start gkd-train on a machine of the cluster, or use hydra/launcher=joblib"
        )


@contextmanager
def launching(folder: Path) -> Iterator[None]:
    """Let a launcher run the cells of the sweep in ``folder``.

    What ends the launcher is raised as ``LaunchError``, in one line; its traceback is in
    ``launcher.log``. A cell that fails does not end it.
    """
    try:
        with errors_raised(), _jobs_ended():
            yield
    except GkdError:
        raise
    except Exception as error:
        text = explain(error) or str(error) or type(error).__name__
        cause = textwrap.shorten(text, LENGTH, placeholder=" ...")
        raise LaunchError(
            f"the launcher ended the sweep: {cause}{_logged(error, folder / 'launcher.log')};"
            " the same command continues the sweep"
        ) from error


def _logged(error: Exception, log: Path) -> str:
    """Write the traceback; where it is, unless the disk refuses it."""
    try:
        write_file(log, "".join(traceback.format_exception(error)))
    except OSError:
        return ""
    return f"; the log is {log}"


@contextmanager
def _jobs_ended() -> Iterator[None]:
    """Leave no job of submitit behind: wait for them after an error, cancel them on signals."""
    if find_spec("submitit") is None:
        yield
        return
    with _submitted() as jobs:
        try:
            try:
                yield
            except Exception:  # of one job; the launcher does not wait for the others
                for job in jobs:
                    job.wait()
                raise
        except KeyboardInterrupt:
            for job in jobs:
                if not job.paths.result_pickle.exists():
                    job.cancel(check=False)
            raise


@contextmanager
def _submitted() -> Iterator[list[Job[Any]]]:
    """Collect the jobs that Hydra's launchers submit in the block."""
    import submitit

    jobs: list[Job[Any]] = []
    submit = submitit.AutoExecutor.map_array

    def submit_and_keep(executor: AutoExecutor, *arguments: Any) -> list[Job[Any]]:
        submitted = submit(executor, *arguments)
        jobs.extend(submitted)
        return submitted

    submitit.AutoExecutor.map_array = submit_and_keep  # type: ignore[method-assign,assignment]
    try:
        yield jobs
    finally:
        submitit.AutoExecutor.map_array = submit  # type: ignore[method-assign]
