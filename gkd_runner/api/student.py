"""A student that answers, from an exported folder or straight from a run."""

from __future__ import annotations

from pathlib import Path

from gkd_runner.common.errors import ConfigError
from gkd_runner.predict.exported import ExportedStudent
from gkd_runner.predict.folder import CONFIG
from gkd_runner.predict.student import Student


def load_student(folder: str | Path, seed: int | None = None) -> Student:
    """The student in the folder that ``gkd-export`` wrote, or in that of a finished run.

    An exported student needs the extra ``predict`` alone, a run's needs the extra ``train``. Of a
    run, ``seed`` chooses the student; by default it is the best by the validation score
    that selected its epochs.

    Raises:
        ConfigError: for a ``seed`` beside an exported folder, which has one student.
        RunError: for a run that is not finished or cannot be read.
        PredictError: for a folder that is neither.
    """
    path = Path(folder).expanduser()
    if (path / "result.json").is_file():
        from gkd_runner.exporting.from_run import student_of_run  # needs torch

        return student_of_run(path, seed)
    if seed is not None and (path / CONFIG).is_file():
        raise ConfigError([f"seed={seed}: {path} is an exported student; leave the seed out"])
    return ExportedStudent(path)
