"""Search a method's hyperparameters for the best mean validation accuracy over the seeds.

    python scripts/search.py method=infgrand dataset=cora --trials 20

The options of method and student say in their schema which values are tried; what the command line
gives is not searched. Each trial is an ordinary run in <output_dir>/runs, the search itself a
file in <output_dir>/searches: the same command goes on from it, and with more trials goes further.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import OmegaConf

from gkd_runner.cli.boundary import command, whole
from gkd_runner.common.errors import ConfigError, GkdError, on_one_line
from gkd_runner.common.locks import held
from gkd_runner.config.build import compose, data_dir
from gkd_runner.config.command_line import check_command_line
from gkd_runner.config.hydra_options import PREFIXES
from gkd_runner.config.presets import register_resolvers
from gkd_runner.methods import METHODS
from gkd_runner.options.schema import Config, Range
from gkd_runner.results.stored import read_run
from gkd_runner.runs.train import train

try:
    import optuna
    from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
    from optuna.storages.journal import JournalFileBackend
    from optuna.trial import FrozenTrial, Trial, TrialState
except ImportError as error:
    sys.exit(f'search: optuna cannot be imported ({error}); pip install "gkd-runner[search]"')

SHOWN = 10
"""Trials in the closing table."""


@dataclass(frozen=True)
class Search:
    """A search: ``space`` has each option's distribution, ``seed`` is the sampler's.

    ``given`` is the command line; ``options`` adds ``tracker=none`` where it has no tracker.
    """

    given: tuple[str, ...]
    options: tuple[str, ...]
    config: Config
    space: dict[str, BaseDistribution]
    seed: int


@command("search", resumes=True)
def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    arguments = _parser().parse_intermixed_args(argv)
    from gkd_runner.common.console import show_log

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    show_log()
    search = prepare(arguments.overrides, arguments.search_seed)
    path = study_file(search)
    with held(path.with_suffix(".lock"), f"searches in {path}"):
        study = open_study(path)
        run(study, search, arguments.trials)
        report(study, search, path)


def prepare(given: Sequence[str], seed: int) -> Search:
    """Check the command line as gkd-train does and find the method's space."""
    mistakes = [
        f"{text}: trials run here one after the other; leave Hydra's own options out"
        for text in given
        if text.lstrip("+~").startswith(PREFIXES)
    ]
    if mistakes:
        raise ConfigError(mistakes)
    register_resolvers()
    tracked = any(text.startswith("tracker=") for text in given)
    options = given if tracked else ("tracker=none", *given)
    cells = check_command_line(["-m", *options])
    if len(cells) != 1:
        raise ConfigError([f"{cells[-1].label}: a search keeps what it is given; give one value"])
    config = cells[0].config
    named = {text.lstrip("+").partition("=")[0] for text in given}
    space = {k: v for k, v in search_space(config).items() if k not in named}
    if not space:
        raise ConfigError(["all options of the space are given, so that none is left to search"])
    return Search(tuple(given), tuple(options), config, space, seed)


def search_space(config: Config) -> dict[str, BaseDistribution]:
    """The options of method and student that say which values a search tries."""
    groups: dict[str, Any] = {"student": config.student}
    if METHODS[config.method.name].distils:
        groups = {"method": config.method, **groups}
    return {
        f"{group}.{field.name}": _distribution(field.metadata["search"])
        for group, options in groups.items()
        for field in fields(options)
        if field.metadata["search"]
    }


def _distribution(tried: Range) -> BaseDistribution:
    if isinstance(tried.low, int):
        return IntDistribution(tried.low, int(tried.high), log=tried.log)
    return FloatDistribution(tried.low, tried.high, log=tried.log)


def study_file(search: Search) -> Path:
    """The file of this search's trials: same options, graph, code, seeds and space."""
    from gkd_runner.data.datasets import load_dataset
    from gkd_runner.results.key import config_key
    from gkd_runner.runs.environment import choose_device

    config = search.config
    graph = load_dataset(config.dataset, config.protocol, data_dir(config))
    key = config_key(config, graph, choose_device(config.device))
    space = {option: str(distribution) for option, distribution in search.space.items()}
    parts = json.dumps([key, config.seeds, space, search.seed])
    names = (config.dataset.name, config.teacher.name, config.method.name)
    name = "-".join((*names, hashlib.sha256(parts.encode()).hexdigest()[:8]))
    return Path(config.output_dir).expanduser().absolute() / "searches" / f"{name}.jsonl"


def open_study(path: Path) -> optuna.Study:
    """The study in ``path``, new or with the trials so far; a trial that was cut off is closed."""
    try:
        storage = optuna.storages.JournalStorage(JournalFileBackend(str(path)))
        study = optuna.create_study(
            storage=storage, study_name=path.stem, direction="maximize", load_if_exists=True
        )
    except ValueError as error:
        raise GkdError(f"{path}: {error}; move it away, its runs are found again") from error
    for trial in study.get_trials(states=[TrialState.RUNNING]):
        study.tell(trial.number, state=TrialState.FAIL)
    return study


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
    except GkdError as error:
        trial.set_user_attr("cause", str(error))
        study.tell(trial, state=TrialState.FAIL)
        return f"failed: {on_one_line(str(error))}  {' '.join(chosen)}"
    trial.set_user_attr("runs", [str(path.absolute()) for path in result.paths])
    study.tell(trial, result.val_accuracy)
    return f"val {100 * result.val_accuracy:.2f}  {' '.join(chosen)}"


def counted(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that ran to an end, good or bad."""
    return [t for t in study.trials if t.value is not None or "cause" in t.user_attrs]


def report(study: optuna.Study, search: Search, path: Path) -> None:
    """Print the best trials by validation accuracy and, of the very best, the test accuracy."""
    trials = counted(study)
    ranked = sorted((t for t in trials if t.value is not None), key=lambda t: (-t.value, t.number))
    if not ranked:
        cause = trials[-1].user_attrs["cause"]
        raise GkdError(f"all {len(trials)} trials failed; the last: {cause}")
    print_trials(list(search.space), trials, ranked[:SHOWN])
    best = ranked[0].user_attrs
    print(f"test accuracy of the best, looked at after the choice: {_test(search, best['runs'])}\n")
    print(f"trials  {path}")
    print(f"repeat  {shlex.join(['gkd-train', *search.given, *best['options']])}")


def print_trials(
    options: Sequence[str], trials: Sequence[FrozenTrial], shown: Sequence[FrozenTrial]
) -> None:
    """A line per trial that is ``shown``, with its place among all ``trials``."""
    names = [f"{option.rpartition('.')[2]:>6}" for option in options]
    places = {trial.number: place for place, trial in enumerate(trials, 1)}
    print("\ntrial    val ", *names)
    for trial in shown:
        values = (f"{trial.params[o]:{len(n)}.4g}" for o, n in zip(options, names, strict=True))
        print(f"{places[trial.number]:5} {100 * trial.value:6.2f} ", *values)
    failed = sum(trial.value is None for trial in trials)
    print(f"val: mean over the seeds, in %; {len(trials)} trials, {failed} failed\n")


def _test(search: Search, paths: Sequence[str]) -> str:
    """Mean ± population std over the seeds; the only place where test accuracy is read."""
    from gkd_runner.runs.display import accuracy_text

    runs = [run for path in paths if (run := read_run(Path(path)))]
    results = [seed for run in runs for seed in run.seeds if seed.seed in search.config.seeds]
    if {result.seed for result in results} != set(search.config.seeds):
        return "unknown, as its run was removed; repeat it"
    return accuracy_text(results, "student", "test")


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("search.py", description=__doc__, formatter_class=raw)
    parser.add_argument("overrides", nargs="*", metavar="option=value", help="as for gkd-train")
    parser.add_argument("--trials", type=whole(1), default=20, help="in all; default: %(default)s")
    parser.add_argument(
        "--search-seed", type=whole(0), default=0, help="of the sampler; default: %(default)s"
    )
    return parser


if __name__ == "__main__":
    main()
