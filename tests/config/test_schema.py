"""The YAML files and the schema describe the same options."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from omegaconf import OmegaConf

from gkd_runner.common.errors import ConfigError
from gkd_runner.common.paths import conf_dir
from gkd_runner.config.build import compose
from gkd_runner.config.presets import TABLES, read_table
from gkd_runner.config.schemas import SCHEMAS, schema_of
from gkd_runner.methods import METHODS
from gkd_runner.options.schema import GROUPS, Config
from gkd_runner.results.identity import source_text

OPTIONS = sorted(
    (path.parent.name, path.stem)
    for path in conf_dir().glob("*/*.yaml")
    if path.parent.name in GROUPS
)
ROWS = [
    pytest.param(name, row, id="-".join([name, *list(row.values())[:3]]))
    for name in TABLES
    for row in read_table(name)
]


@pytest.mark.parametrize(("group", "name"), OPTIONS)
def test_every_yaml_has_exactly_the_fields_of_its_schema(group: str, name: str) -> None:
    keys = set(OmegaConf.load(conf_dir() / group / f"{name}.yaml"))

    assert keys == {field.name for field in dataclasses.fields(schema_of(group, name))}


@pytest.mark.parametrize("schema", [Config, *GROUPS.values(), *SCHEMAS["method"].values()])
def test_every_option_says_what_it_means(schema: type) -> None:
    for field in dataclasses.fields(schema):
        assert len(field.metadata["help"]) > 5


@pytest.mark.parametrize(("table", "row"), ROWS)
def test_every_published_row_composes_to_its_own_values(table: str, row: dict[str, str]) -> None:
    method = row.get("method", table)
    choices = [f"{key}={row[key]}" for key in ("dataset", "teacher", "setting")]
    overrides = [*choices, f"method={method}", "protocol=krd"]  # which covers all graphs
    if row.get("unsupported"):
        with pytest.raises(ConfigError, match=f"preset=paper needs {row['unsupported']} for"):
            compose(overrides)
        compose([*overrides, "preset=common"])
        return

    config = compose(overrides)

    assert source_text(config).startswith("published")
    assert config.teacher.num_layers == config.student.num_layers == int(row["num_layers"])
    assert config.teacher.hidden_dim == config.student.hidden_dim == int(row["hidden_dim"])
    assert config.teacher.dropout == float(row["dropout_teacher"])
    assert config.student.dropout == float(row["dropout_student"])
    assert config.student.learning_rate == float(row["learning_rate"])
    assert config.teacher.learning_rate == float(row.get("teacher_learning_rate", 0.01))
    assert config.teacher.weight_decay == float(row["weight_decay"])
    assert config.training.max_epochs == int(row["max_epochs"])
    assert config.training.patience == int(row.get("patience", 50))
    own = {field.name for field in dataclasses.fields(METHODS[method].options)} & row.keys()
    assert len(own) > 2
    for column in own:
        assert getattr(config.method, column) == float(row[column])


def test_the_command_line_wins_over_a_preset() -> None:
    config = compose(["teacher.hidden_dim=64", "method.tau=3", "training.patience=7"])

    assert config.teacher.hidden_dim == config.student.hidden_dim == 64
    assert config.method.tau == 3
    assert config.training.patience == 7
    assert config.teacher.num_layers == 3  # the rest is still the preset's


def test_common_gives_every_method_the_same_teacher_and_student() -> None:
    configs = {method: compose(["preset=common", f"method={method}"]) for method in METHODS}

    assert all(config.teacher == configs["infgrand"].teacher for config in configs.values())
    shared = configs["infgrand"].student
    for name, config in configs.items():  # a method may have defaults of its own
        assert config.student == replace(shared, **METHODS[name].student_options)
    assert configs["hgmd-mixup"].method.alpha == 5.0  # type: ignore[attr-defined]  # its own row


def test_paper_gives_hgmd_its_own_teacher() -> None:
    assert compose(["method=hgmd-mixup"]).teacher.dropout == 0.6
    assert compose(["method=infgrand"]).teacher.dropout == 0.5


@pytest.mark.parametrize(
    ("overrides", "source"),
    [
        (["preset=none"], "plain defaults"),
        (["dataset=amazon-computers"], "plain defaults (nothing published for amazon-computers)"),
        (["method=hgmd-weight"], "inferred from: HGMD row cora/gcn/transductive"),
        (["method=hgmd-mixup", "teacher=gat"], "inferred from: HGMD row"),
        (["method=glnn"], "inferred from: InfGraND row cora/gcn/transductive"),
        (["preset=common"], "common: InfGraND row cora/gcn/transductive"),
        (["method=krd", "teacher=gat"], "published: KRD row cora/gat/transductive"),
        (["method=glnn", "preset.table=krd"], "inferred from: KRD row cora/gcn/transductive"),
    ],
)
def test_the_source_of_hyperparameters_is_named(overrides: list[str], source: str) -> None:
    assert source_text(compose(overrides)).startswith(source)


GUARD = """
import sys, traceback
class Guard:
    def find_spec(self, name, path=None, target=None):
        if name in {'torch', 'dgl', 'wandb', 'pandas'}:
            files = [frame.filename for frame in traceback.extract_stack()]
            asked = [file for file in files if 'gkd_runner' in file and 'lazy' not in file]
            sys.exit(f'{name} is imported at start-up by {asked[-1:]}')
sys.meta_path.insert(0, Guard())
"""
"""Fails the import of a heavy package, naming the module that asked for it."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", [["--help"], ["--cfg=job"], ["--hydra-help"], ["method=glmn", "lam=3"]], ids=str
)
def test_questions_about_options_are_answered_without_torch_or_dgl(arguments: list[str]) -> None:
    start = f"sys.argv = ['gkd-train', *{arguments}]\nfrom gkd_runner.cli.train import main\nmain()"
    code = GUARD + start

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert "at start-up" not in done.stderr, done.stderr
    assert done.returncode == ("configuration mistakes" in done.stderr), done.stderr


def test_what_the_command_line_changed_is_named() -> None:
    config = compose(["teacher.hidden_dim=64", "method.tau=9", "method.gamma_1=0.8"])

    assert source_text(config) == (
        "published: InfGraND row cora/gcn/transductive;"
        " changed: teacher.hidden_dim=64, student.hidden_dim=64, method.tau=9; teacher calibrated"
    )


def test_common_names_both_tables_that_it_reads() -> None:
    source = source_text(compose(["preset=common", "method=hgmd-mixup"]))

    assert "InfGraND row cora/gcn/transductive and HGMD row cora/gcn/transductive" in source
    assert "changed" not in source


def test_a_changed_protocol_does_not_keep_its_name() -> None:
    assert compose([]).protocol.name == "infgrand"
    few = compose(["protocol.train_per_class=5"])
    fewer = compose(["protocol.train_per_class=4"])
    assert re.fullmatch("infgrand-modified-[0-9a-f]{4}", few.protocol.name)
    assert few.protocol.name != fewer.protocol.name
    assert "changed: protocol.train_per_class=5" in source_text(few)
    assert compose(["protocol.label_fraction=0.1"]).protocol.name == "infgrand-labels10"
    both = ["protocol=krd", "protocol.train_per_class=5", "protocol.label_fraction=0.4"]
    assert re.fullmatch("krd-modified-[0-9a-f]{4}-labels40", compose(both).protocol.name)


@pytest.mark.parametrize(
    ("overrides", "changed"),
    [
        (["method.pooling=max", "method.self_loops=1"], "method.self_loops=1, method.pooling=max"),
        (["method=glnn", "method.tau=5"], "method.tau=5"),
        (["teacher=gat", "teacher.output_heads=4"], "teacher.output_heads=4"),
        (["dataset.row_normalize=false"], "dataset.row_normalize=False"),
        (["preset=none", "teacher.dropout=0.1", "training.patience=9"],
         "teacher.dropout=0.1, training.patience=9"),
        (["dataset=custom", "dataset.path=x.npz", "dataset.name=mine", "dataset.repair=true"],
         "dataset.repair=True"),
    ],
)  # fmt: skip
def test_every_change_is_named_whether_a_table_has_it_or_not(
    overrides: list[str], changed: str
) -> None:
    assert f"; changed: {changed};" in source_text(compose(overrides))


@pytest.mark.parametrize("group", ["dataset", "teacher", "method", "preset"])
def test_choices_alone_are_no_change(group: str) -> None:
    path = {"custom": ["dataset.path=x.npz"]}
    own = {"precomputed"}  # its file counts as a change, so that tables name it
    for name in {name for part, name in OPTIONS if part == group} - own:
        overrides = [f"{group}={name}", "protocol=krd", *path.get(name, [])]
        assert "changed" not in source_text(compose(overrides))
