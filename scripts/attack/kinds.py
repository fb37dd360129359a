"""What is computed from each kind of file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from attack.written import Written, settings
from gkd_runner.common.errors import GkdError
from gkd_runner.data.npz import load_npz, read_npz
from gkd_runner.predict.exported import ExportedStudent
from gkd_runner.reporting.curves import _metrics, read_stored
from gkd_runner.results.frame import read_csv
from gkd_runner.results.stored import read_run
from gkd_runner.runs.record import Record
from gkd_runner.runs.reload import reload_student
from gkd_runner.sweeps.folder import read_failures, read_sweep
from gkd_runner.sweeps.trials import counted, open_study
from gkd_runner.training.teacher_files import load_teacher


class LeftOutError(GkdError):
    """A file that was named in the log and left out."""


def teacher(written: Written) -> object:
    """All that the cache gives back."""
    path = written.teachers[0]
    found = load_teacher(path, path.stem)
    tensors = {name: value.numpy().tobytes() for name, value in found.state.items()}
    logits = found.observed_logits.tobytes(), found.hidden_logits.tobytes()
    return tensors, logits, found.history, found.best_epoch, found.seed, found.seconds


def student(written: Written) -> object:
    """The reloaded student's answers, with the result and the configuration of its run."""
    found = reload_student(written.run, written.seeds[0])
    return found.student.all.tobytes(), found.result, found.config


def result(written: Written) -> object:
    """The run as tables have it."""
    return _left_out_if_none(read_run(written.run))


def curves(written: Written) -> object:
    """The metrics of all epochs."""
    _metrics.cache_clear()
    return _left_out_if_none(_metrics(str(written.run)))


def graph(written: Written) -> object:
    """The graph that the next run has in its folder, whatever the shared file holds."""
    record = Record(settings(written.seeds, written.outputs), "0" * 64)
    known = read_npz(written.run / "graph.npz", "synthetic")
    record.graph(known)
    record.close()
    found = read_npz(record.path / "graph.npz", "synthetic")
    shutil.rmtree(record.path)
    return found.fingerprint, found.names_fingerprint


def given_graph(written: Written) -> object:
    """The fingerprints of a graph in ``data_dir``, by which keys of teachers and runs know it."""
    found = load_npz(written.graph, "mine")
    return found.fingerprint, found.names_fingerprint


def answers(written: Written) -> object:
    """The answers and the weights of an exported student."""
    found = ExportedStudent(written.exported, threads=1)
    known = found.predict_known(found.graph.ids).probabilities
    weights = [array.tobytes() for layers in found.models for layer in layers for array in layer]
    return (
        known.tobytes(),
        found.predict_all().probabilities.tobytes(),
        weights,
        found.facts.classes,
    )


def table(written: Written) -> object:
    """The rows of a table of runs."""
    return read_csv(written.tables / "runs.csv").to_json()


def stored_curves(written: Written) -> object:
    """The learning curves beside a table of runs."""
    return _left_out_if_none(read_stored([written.tables]))


def study(written: Written) -> object:
    """The rows of a study."""
    return written.study.read().to_json()


def search(written: Written) -> object:
    """The trials so far."""
    trials = counted(open_study(written.search))
    return [(trial.state, trial.value, trial.params, trial.user_attrs) for trial in trials]


def plan(written: Written) -> object:
    """The cells of a sweep."""
    return asdict(read_sweep(written.sweep.path))


def failure(written: Written) -> object:
    """The failures of a sweep."""
    return _left_out_if_none([asdict(found) for found in read_failures(written.sweep.path)])


def _left_out_if_none(found: object) -> object:
    if not found:
        raise LeftOutError("the log has named it")
    return found


Place = Callable[[Written], Path]

READERS: dict[str, tuple[Place, Callable[[Written], object]]] = {
    "teacher": (lambda written: written.teachers[0], teacher),
    "student": (lambda w: w.run / f"student-{w.seeds[0]}.safetensors", student),
    "configuration": (lambda written: written.run / "config.yaml", student),
    "graph of the run": (lambda written: written.run / "graph.npz", student),
    "result": (lambda written: written.run / "result.json", result),
    "metrics": (lambda written: written.run / "metrics.jsonl", curves),
    "shared graph": (lambda w: next((w.outputs / "cache" / "graphs").glob("*.npz")), graph),
    "graph in data_dir": (lambda written: written.graph, given_graph),
    "exported facts": (lambda written: written.exported / "config.json", answers),
    "exported model": (lambda written: written.exported / "model.onnx", answers),
    "exported weights": (lambda written: written.exported / "model.safetensors", answers),
    "exported graph": (lambda written: written.exported / "graph.npz", answers),
    "exported table": (lambda written: written.exported / "propagated.npy", answers),
    "exported mask": (lambda written: written.exported / "observed.npy", answers),
    "table of runs": (lambda written: written.tables / "runs.csv", table),
    "learning curves": (lambda written: written.tables / "curves.jsonl", stored_curves),
    "study": (lambda written: written.study.path, study),
    "search": (lambda written: written.search, search),
    "plan of a sweep": (lambda written: written.sweep.path / "plan.json", plan),
    "failure of a cell": (lambda written: written.sweep.path / "failed-0.json", failure),
}
"""Per kind of file: where it is, and what is computed from it."""

MENDED = ("shared graph",)
"""Kinds that are written again in silence, as their content is known from elsewhere."""


def harmless(kind: str, found: object, before: object) -> bool:
    """Whether ``found``, read from a damaged file, gives the numbers of ``before``.

    A search that was cut off between two trials is one that was killed there: it goes on.
    """
    if kind == "search" and isinstance(found, list) and isinstance(before, list):
        return found == before[: len(found)]
    return found == before
