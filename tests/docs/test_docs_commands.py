"""Every command and every block of Python in README and documentation runs.

The tables of this file say which options make a command fast, and which commands are not run, and
why.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from gkd_runner.config.command_line import check_command_line
from gkd_runner.config.presets import register_resolvers
from gkd_runner.exporting import serve_cost
from gkd_runner.serving import latency, timing
from tests.docs.furnished import furnish
from tests.docs.markdown import PAGES, ROOT, Step, steps
from tests.docs.running import SCRIPTS, run_here

FAST = ("seeds=[2022]", "training.max_epochs=2", "teacher.hidden_dim=8", "student.hidden_dim=8")
TINY = ("--datasets", "cora", "--seeds", "2022", "--max-width", "8", "training.max_epochs=2")
ADDED = {
    "gkd-train": FAST,
    "gkd-study": ("--teachers", "gcn", *TINY),
    "gkd-reproduce": ("--teachers", "gcn", "--settings", "transductive", *TINY),
    "gkd-search": ("--trials", "1", *FAST),
}
"""Appended to a command, so that it ends within seconds."""

UNTRACKED = ("gkd-train", "gkd-study", "gkd-reproduce")
"""Run with ``tracker=none`` if they name no tracker: W&B starts a process per run."""

FAST_PYTHON = {
    seeds: f'{seeds}, "training.max_epochs=2", "tracker=none"'
    for seeds in ('"seeds=[0,1]"', '"seeds=0-1"')
}
"""Replaced in a block of Python, to the same end."""

ONLY_COMPOSED = {
    "hydra/launcher=joblib": "starts processes, as tests/sweeps/test_launchers.py does",
    "hydra/launcher=submitit_local": "starts processes, as tests/sweeps/test_launchers.py does",
    "hydra/launcher=submitit_slurm": "needs Slurm, as tests/sweeps/test_clusters.py starts it",
}
"""Commands with one of these words are checked as ``gkd-train`` does before it runs."""

NOT_RUN = {
    "hydra/launcher=ray": "needs Ray, which is large: tests/sweeps/test_clusters.py starts it",
    "wandb leet": "waits for keys in a terminal",
    "wandb sync": "uploads to an account; tests/tracking/test_dead_services.py has a server",
    "trackio show": "starts a server",
    "python scripts/wandb_dashboard.py": "reads runs from an account; its own tests have a server",
    "python -m bench": "takes minutes; tests/scripts/test_bench_results.py runs a small one",
    "gkd-train method=smooth": "a package is to be installed: tests/methods/test_outside.py",
}
"""Commands with these words are left alone."""

SHORTENED = {"CONTRIBUTING.md": "shows parts of methods/krd.py"}
"""Pages whose blocks of Python do not run by themselves."""


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("furnished")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("GKD_DATA", str(folder / "data"))
        furnish(folder, lambda words: run_here([*words, *_added(words)]))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_every_step_of_a_page_runs(
    page: str, furnished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(furnished, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GKD_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("MPLBACKEND", "agg")
    for module in (latency, serve_cost, timing):
        monkeypatch.setattr(module, "SECONDS", 0.0)  # as few repeats as there may be
    names: dict[str, object] = {}
    for step in steps((ROOT / page).read_text(encoding="utf-8")):
        if step.python and page not in SHORTENED:
            exec(compile(_fast(step.text), page, "exec"), names)
        elif step.program in SCRIPTS and not _left_alone(step):
            run_here([*step.words, *_added(step.words)])


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_is_known(page: str) -> None:
    register_resolvers()
    for step in steps((ROOT / page).read_text(encoding="utf-8")):
        if step.program in ("make", "pip"):
            assert _exists(step.words), step.text
        elif any(word in step.words for word in ONLY_COMPOSED):
            assert check_command_line(step.words[1:]) or "--cfg" in step.words, step.text
        else:
            assert step.python or _left_alone(step) or step.program in SCRIPTS, step.text


def test_no_exception_is_out_of_use() -> None:
    pages = {page: steps((ROOT / page).read_text(encoding="utf-8")) for page in PAGES}
    texts = [step.text for page in pages.values() for step in page]
    used = [*NOT_RUN, *ONLY_COMPOSED, *FAST_PYTHON, *ADDED]
    assert [text for text in used if not any(text in shown for shown in texts)] == []
    assert [page for page in SHORTENED if not any(step.python for step in pages[page])] == []


def _added(words: list[str]) -> tuple[str, ...]:
    """The options that make a command fast; none where it only prints."""
    if {"--help", "--cfg", "--dry-run"} & set(words):
        return ()
    tracked = words[0] not in UNTRACKED or any(word.startswith("tracker=") for word in words)
    given = {word.partition("=")[0] for word in words if "," in word}  # swept: given only once
    given |= {"teacher.hidden_dim" for word in words if word.startswith("teacher=my-logits")}
    added = [*ADDED.get(words[0], ()), *(() if tracked else ("tracker=none",))]
    return tuple(text for text in added if text.partition("=")[0] not in given)


def _fast(code: str) -> str:
    for slow, fast in FAST_PYTHON.items():
        code = code.replace(slow, fast)
    return code


def _left_alone(step: Step) -> bool:
    composed = any(word in step.words for word in ONLY_COMPOSED)
    return composed or any(text in step.text for text in NOT_RUN)


def _exists(words: list[str]) -> bool:
    """Whether the Makefile has the target, or the package the extra."""
    if words[0] == "make":
        return f"\n{words[1]}: " in (ROOT / "Makefile").read_text(encoding="utf-8")
    extras = re.findall(r"\[([\w,]+)\]", words[-1])
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return all(f"\n{extra} = [" in project for extra in ",".join(extras).split(",") if extra)
