"""The YAML files and the schema describe the same options."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys

import pytest
from omegaconf import OmegaConf

from gkd_runner.common.paths import conf_dir
from gkd_runner.config.build import compose
from gkd_runner.config.presets import METHOD_COLUMNS, read_table
from gkd_runner.options.schema import GROUPS, Config, schema_of
from gkd_runner.results.identity import source_text

OPTIONS = sorted(
    (path.parent.name, path.stem)
    for path in conf_dir().glob("*/*.yaml")
    if path.parent.name in GROUPS
)
ROWS = [(name, row) for name in ("infgrand", "hgmd") for row in read_table(name)]


@pytest.mark.parametrize(("group", "name"), OPTIONS)
def test_every_yaml_has_exactly_the_fields_of_its_schema(group: str, name: str) -> None:
    keys = set(OmegaConf.load(conf_dir() / group / f"{name}.yaml"))

    assert keys == {field.name for field in dataclasses.fields(schema_of(group, name))}


@pytest.mark.parametrize("schema", [Config, *GROUPS.values()])
def test_every_option_says_what_it_means(schema: type) -> None:
    for field in dataclasses.fields(schema):
        assert len(field.metadata["help"]) > 5


@pytest.mark.parametrize(
    ("table", "row"), ROWS, ids=lambda value: value if isinstance(value, str) else value["dataset"]
)
def test_every_published_row_composes_to_its_own_values(table: str, row: dict[str, str]) -> None:
    method = "infgrand" if table == "infgrand" else "hgmd-mixup"
    protocol = "infgrand" if table == "infgrand" else "krd"
    teacher, setting = row.get("teacher", "gcn"), row.get("setting", "transductive")

    config = compose(
        [
            f"dataset={row['dataset']}",
            f"protocol={protocol}",
            f"teacher={teacher}",
            f"setting={setting}",
            f"method={method}",
        ]
    )

    assert source_text(config).startswith("published")
    assert config.teacher.num_layers == config.student.num_layers == int(row["num_layers"])
    assert config.teacher.hidden_dim == config.student.hidden_dim == int(row["hidden_dim"])
    assert config.teacher.dropout == float(row["dropout_teacher"])
    assert config.student.dropout == float(row["dropout_student"])
    assert config.student.learning_rate == float(row["learning_rate"])
    assert config.teacher.learning_rate == float(row["teacher_learning_rate"])
    assert config.teacher.weight_decay == float(row["weight_decay"])
    assert config.training.max_epochs == int(row["max_epochs"])
    assert config.training.patience == int(row["patience"])
    for column in METHOD_COLUMNS:
        if row.get(column):
            assert getattr(config.method, column) == float(row[column])


def test_the_command_line_wins_over_a_preset() -> None:
    config = compose(["teacher.hidden_dim=64", "method.tau=3", "training.patience=7"])

    assert config.teacher.hidden_dim == config.student.hidden_dim == 64
    assert config.method.tau == 3
    assert config.training.patience == 7
    assert config.teacher.num_layers == 3  # the rest is still the preset's


def test_common_gives_every_method_the_same_teacher_and_student() -> None:
    methods = ("mlp", "glnn", "hgmd-weight", "hgmd-mixup", "infgrand")
    configs = [compose(["preset=common", f"method={method}"]) for method in methods]

    assert all(config.teacher == configs[-1].teacher for config in configs)
    assert all(config.student == configs[-1].student for config in configs)
    assert configs[3].method.alpha == 5.0  # type: ignore[attr-defined]  # HGMD's own row


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
    ],
)
def test_the_source_of_hyperparameters_is_named(overrides: list[str], source: str) -> None:
    assert source_text(compose(overrides)).startswith(source)


@pytest.mark.slow
def test_questions_about_options_are_answered_without_torch_or_dgl() -> None:
    code = (
        "import sys\n"
        "from gkd_runner.cli.train import main\n"
        "for flag in ('--help', '--cfg=job', '--hydra-help'):\n"
        "    sys.argv = ['gkd-train', flag]\n"
        "    try:\n        main()\n    except SystemExit as stop:\n        assert not stop.code\n"
        "assert not {'torch', 'dgl', 'wandb', 'pandas'} & set(sys.modules)\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "Groups (choose with group=option):" in done.stdout
    assert "max_epochs: " in done.stdout


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
        (["method.pooling=max", "method.self_loops=1"], "method.pooling=max, method.self_loops=1"),
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
    for _, name in (option for option in OPTIONS if option[0] == group):
        overrides = [f"{group}={name}", "protocol=krd", *path.get(name, [])]
        assert "changed" not in source_text(compose(overrides))
