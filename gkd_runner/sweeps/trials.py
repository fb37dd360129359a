"""The trials of a search: each is an ordinary run, and the search goes on where it was.

Needs Optuna, the extra ``search``.
"""

from __future__ import annotations

import json
import logging
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from omegaconf import OmegaConf
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from gkd_runner.common.checksums import CHECKSUM, check_seal, sealed
from gkd_runner.common.errors import DamageError, GkdError, on_one_line
from gkd_runner.common.files import write_file
from gkd_runner.common.locks import held
from gkd_runner.common.reading import reading, whole_lines
from gkd_runner.config.build import compose
from gkd_runner.options.metrics import METRICS
from gkd_runner.results.stored import read_run
from gkd_runner.results.verdict_text import NODES
from gkd_runner.runs.display import score_text
from gkd_runner.runs.train import train
from gkd_runner.sweeps.search import Search, study_file
from gkd_runner.training.failures import FailedSeedsError

logger = logging.getLogger("gkd_runner")

SHOWN = 10
"""Trials in the closing table."""


def run_search(search: Search, trials: int) -> None:
    """Add trials until there are ``trials`` in all, and print the best; a line for each."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = study_file(search)
    with held(path.with_suffix(".lock"), f"searches in {path}"):
        study = open_study(path)
        run(study, search, trials)
        report(study, search, path)


def open_study(path: Path) -> optuna.Study:
    """The study in ``path``, new or with the trials so far; a trial that was cut off is closed.

    Half a last line, which a killed process leaves behind, is removed. Raises ``UnreadableError``
    for a file that is damaged elsewhere.
    """
    remedy = "move it away, its runs are found again"
    if path.is_file():
        _end_last_line(path)
        with reading(path, remedy):
            _check_lines(path)
    backend = SealedJournal(str(path))  # makes the file
    with reading(path, remedy):
        storage = optuna.storages.JournalStorage(backend)
        others = {study.study_name for study in storage.get_all_studies()} - {path.stem}
        if others:
            raise DamageError(f"it is the file of the search {', '.join(sorted(others))}")
    study = optuna.create_study(
        storage=storage, study_name=path.stem, direction="maximize", load_if_exists=True
    )
    with reading(path, remedy):
        for trial in study.trials:
            _check(trial)
    for trial in study.get_trials(states=[TrialState.RUNNING]):
        study.tell(trial.number, state=TrialState.FAIL)
    return study


class SealedJournal(JournalFileBackend):
    """Optuna's journal, each line with its own checksum."""

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        super().append_logs([sealed(log) for log in logs])


def _check_lines(path: Path) -> None:
    """Raise ``DamageError`` for a line without its checksum.

    A file of an earlier version, which has none, gets them. Raises ``ValueError`` for a
    line that is no JSON.
    """
    logs = [json.loads(line) for line in whole_lines(path)]
    if any(CHECKSUM in log for log in logs):
        for log in logs:
            check_seal(log)
    elif logs:
        logger.info("%s is of an earlier version and has no checksums yet; it gets them now", path)
        write_file(path, "".join(json.dumps(sealed(log)) + "\n" for log in logs))


def _end_last_line(path: Path) -> None:
    """Leave out what follows the last line break: the next trial would be written behind it."""
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        logger.warning("%s: its last line was cut off and is left out", path)
        write_file(path, whole)


def _check(trial: FrozenTrial) -> None:
    """Raise ``KeyError``, ``TypeError`` or ``ValueError`` for a finished trial that lacks facts."""
    if trial.value is not None:
        shlex.join(trial.user_attrs["options"])
        [Path(run) for run in trial.user_attrs["runs"]]
    elif not isinstance(trial.user_attrs.get("cause", ""), str):
        raise TypeError("the cause of a failure is a text")


def run(study: optuna.Study, search: Search, trials: int) -> None:
    """Add trials until there are ``trials``, those that failed for a cause included.

    The first has the values that the options have anyway: in most cases the published ones.
    """
    config = OmegaConf.structured(search.config)
    while (number := len(counted(study))) < trials:
        # by number, so that a search that was interrupted goes on as it would have
        (seed,) = np.random.SeedSequence([search.seed, number]).generate_state(1)
        study.sampler = optuna.samplers.TPESampler(seed=int(seed))
        if number == 0:
            study.enqueue_trial({o: OmegaConf.select(config, o) for o in search.space})
        trial = study.ask(search.space)
        print(f"trial {number + 1} of {trials}: {run_trial(study, trial, search)}", flush=True)


def run_trial(study: optuna.Study, trial: Trial, search: Search) -> str:
    """Train one trial and record it; what came out, in a line."""
    chosen = [f"{option}={value:.4g}" for option, value in trial.params.items()]
    trial.set_user_attr("options", chosen)
    try:
        result = train(compose([*search.options, *chosen]))
        if result.failures:  # a mean over fewer seeds does not compare
            raise FailedSeedsError(result.failures)
    except GkdError as error:
        trial.set_user_attr("cause", str(error))
        study.tell(trial, state=TrialState.FAIL)
        return f"failed: {on_one_line(str(error))}  {' '.join(chosen)}"
    trial.set_user_attr("runs", [str(path.absolute()) for path in result.paths])
    study.tell(trial, result.val_score)
    return f"val {100 * result.val_score:.2f}  {' '.join(chosen)}"


def counted(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that ran to an end, good or bad."""
    return [t for t in study.trials if t.value is not None or "cause" in t.user_attrs]


def report(study: optuna.Study, search: Search, path: Path) -> None:
    """Print the best trials by validation score and, of the very best, the test score."""
    trials = counted(study)
    done = (trial for trial in trials if trial.value is not None)
    ranked = sorted(done, key=lambda trial: (-_score(trial), trial.number))
    if not ranked:
        cause = trials[-1].user_attrs["cause"]
        raise GkdError(f"all {len(trials)} trials failed; the last: {cause}")
    metric = search.config.training.select_by
    print_trials(list(search.space), trials, ranked[:SHOWN], METRICS[metric].title)
    best = ranked[0].user_attrs
    part = "test_hidden" if search.config.setting.name == "inductive" else "test"
    found = _test(search, best["runs"], part)
    of_best = f"test {METRICS[metric].title} of the best ({NODES[part]})"
    print(f"{of_best}, looked at after the choice: {found}\n")
    print(f"trials  {path}")
    print(f"repeat  {shlex.join(['gkd-train', *search.given, *best['options']])}")


def print_trials(
    options: Sequence[str],
    trials: Sequence[FrozenTrial],
    shown: Sequence[FrozenTrial],
    metric: str,
) -> None:
    """A line per trial that is ``shown``, with its place among all ``trials``."""
    names = [f"{option.rpartition('.')[2]:>6}" for option in options]
    places = {trial.number: place for place, trial in enumerate(trials, 1)}
    print("\ntrial    val ", *names)
    for trial in shown:
        values = (f"{trial.params[o]:{len(n)}.4g}" for o, n in zip(options, names, strict=True))
        print(f"{places[trial.number]:5} {100 * _score(trial):6.2f} ", *values)
    failed = sum(trial.value is None for trial in trials)
    print(f"val: mean {metric} over the seeds, in %; {len(trials)} trials, {failed} failed\n")


def _score(trial: FrozenTrial) -> float:
    """The validation score of a trial that did not fail."""
    assert trial.value is not None
    return trial.value


def _test(search: Search, paths: Sequence[str], part: str) -> str:
    """Mean ± population std over the seeds; the only place where test scores are read."""
    runs = [run for path in paths if (run := read_run(Path(path)))]
    results = [seed for run in runs for seed in run.seeds if seed.seed in search.config.seeds]
    if {result.seed for result in results} != set(search.config.seeds):
        return "unknown, as its run was removed; repeat it"
    metric = search.config.training.select_by
    accuracy = f" (accuracy {score_text(results, 'student', part)})"
    return score_text(results, "student", part, metric) + accuracy * (metric != "accuracy")
