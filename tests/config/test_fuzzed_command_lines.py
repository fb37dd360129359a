"""Random command lines: each is a valid configuration or a list of plain mistakes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import suppress

import hydra
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gkd_runner.common.errors import ConfigError
from gkd_runner.config.command_line import checking
from gkd_runner.config.hydra_options import starting
from gkd_runner.config.schemas import SCHEMAS
from gkd_runner.config.shorthand import written_out
from gkd_runner.config.typed import to_config
from gkd_runner.options.schema import GROUPS, Config

LINES = 1000

CHOICES = {
    "dataset": ["cora", "synthetic", "custom", "ogbn-arxiv", "my.npz", "a/b.npz"],
    "protocol": ["infgrand", "krd", "glnn"],
    "setting": ["transductive", "inductive"],
    "teacher": ["gcn", "sage", "gat", "precomputed", "my.npy", "my.npz"],
    "student": ["mlp"],
    "method": [*SCHEMAS["method"], "glob(h*)", "glob(*)"],
    "preset": ["paper", "common", "none"],
    "tracker": ["none", "wandb", "trackio"],
}

HYDRAS = [
    "hydra", "hydra.verbose", "hydra.run.dir", "hydra.sweep.dir", "hydra.mode", "hydra.job.name",
    "hydra.searchpath", "hydra.launcher.n_jobs", "hydra/launcher", "hydra/sweeper", "hydra.nosuch",
    "hydra/nosuch", "hydra.help.template", "hydra.output_subdir",
]  # fmt: skip


def options() -> Iterator[str]:
    """Every option of every choice."""
    yield from (field.name for field in dataclasses.fields(Config))
    for group, base in GROUPS.items():
        for schema in (base, *SCHEMAS.get(group, {}).values()):
            yield from (f"{group}.{field.name}" for field in dataclasses.fields(schema))


OPTIONS = sorted(set(options()))

# keys and scalars that mean something to Hydra's grammar or to OmegaConf
scalars = st.one_of(
    st.integers(-2, 300).map(str),
    st.floats(-1, 2).map(lambda value: f"{value:.3g}"),
    st.sampled_from([
        "", "null", "true", "False", "yes", "nan", "inf", "-inf", "1e400", "1e-400", "0x10", "1_0",
        "99999999999999999999", "???", "cpu", "auto", "use", "a b", "é", "\U0001f600", "'a,b'",
        '"a:b"', "a=b", "\\,", "none", "planetoid", "accuracy", "/", "../x", "~", "%s", "[", "}",
        "${nosuch}", "${seeds}", "${method}", "${method.lam}", "${oc.env:NOSUCH}", "${a:b}",
        "${preset:tau}", "${preset:tau,1.0}", "${", "${}", "${.lam}", "${..x}", "x${method.lam}",
        "${output_dir}", "${oc.select:x,[1]}", "${oc.create:{a:1}}", "${oc.dict.keys:method}",
    ]),
    st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=5),
)  # fmt: skip


def written(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Lists, dictionaries and calls of Hydra's functions around ``values``."""
    several = st.lists(values, max_size=3).map(",".join)
    keyed = st.lists(st.tuples(st.sampled_from(["a", "name", "1", "lam"]), values), max_size=2)
    names = [
        "choice", "range", "interval", "sort", "shuffle", "tag", "int", "float", "str", "bool",
        "glob", "json_str", "extend_list", "nosuch",
    ]  # fmt: skip
    return st.one_of(
        several.map(lambda text: f"[{text}]"),
        keyed.map(lambda pairs: "{" + ",".join(f"{key}:{value}" for key, value in pairs) + "}"),
        st.builds("{}({})".format, st.sampled_from(names), several),
        st.lists(values, min_size=2, max_size=2).map(",".join),
    )


values = st.recursive(scalars, written, max_leaves=4)
lists = st.sampled_from(
    ["0-2", "5", "0,1", "[0]", "3..1", "[0,0]", "range(0,3)", "[range(0,2)]", "{}", "null", "[[1]]"]
)
keys = st.one_of(
    st.sampled_from(OPTIONS),
    st.sampled_from(OPTIONS).map(lambda key: f"{key}.x"),
    st.sampled_from(["a", "a.b.c.d", "seeds.0", "seeds[0]", "tau", "", ".", "a..b", "x@y", "1"]),
    st.sampled_from([f"{group}@{place}" for group in CHOICES for place in ("x", "method")]),
)
choices = st.sampled_from([f"{group}={name}" for group in CHOICES for name in CHOICES[group]])
words = st.one_of(
    choices,
    st.builds("{}={}".format, st.sampled_from(["seeds", "splits"]), lists),
    st.builds("{}={}".format, keys, values),
    st.builds("{}={}".format, keys, scalars),
    st.builds(str, scalars),
)
prefixed = st.builds("{}{}".format, st.sampled_from(["", "", "", "", "", "+", "++", "~"]), words)
own = st.lists(prefixed.filter(lambda word: not word.startswith("-")), max_size=4)
# few, as Hydra composes its settings anew for each
hydras = st.builds("{}={}".format, st.sampled_from(HYDRAS), values).map(lambda word: [word])
some_hydras = st.integers(1, 20).flatmap(lambda n: hydras if n == 20 else st.just([]))
flags = st.sampled_from([[], [], ["-m"]])
lines = st.builds(lambda *parts: [word for part in parts for word in part], flags, own, some_hydras)


def test_every_command_line_is_valid_or_refused_in_plain_lines(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So is what Hydra makes of a line that was let through."""
    monkeypatch.chdir(tmp_path_factory.mktemp("empty"))
    seen = dict.fromkeys(("valid", "refused"), 0)

    @settings(
        max_examples=LINES, derandomize=True, database=None, deadline=None,
        phases=[Phase.generate],  # a line has few words, and shrinking it takes minutes
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(lines)
    def holds(line: list[str]) -> None:
        cells, mistakes = check(line)
        seen["refused" if mistakes else "valid"] += 1
        assert all(mistake.strip() and "\n" not in mistake for mistake in mistakes)
        assert all(isinstance(cell.config, Config) for cell in cells)
        if not mistakes and "-m" not in line and seen["valid"] % 10 == 0:
            composed_by_hydra(line)

    with checking() as check:
        holds()
    assert seen["valid"] > LINES / 20, seen
    assert sum(seen.values()) >= LINES


def composed_by_hydra(line: list[str]) -> None:
    """Let Hydra compose what was let through, and check it as the job does."""
    with suppress(ConfigError), starting(to_config):
        to_config(hydra.compose("train", written_out(line)))
