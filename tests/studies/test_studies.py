"""``gkd-study``: what it refuses, what it measures, what it measures again, what it says."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from reporting.study_lines import inference_row
from support import SMALL

from gkd_runner.cli.study import main
from gkd_runner.serving import timing
from gkd_runner.studies import inference, influence
from gkd_runner.studies.wording import gaps

OPTIONS = [text for text in SMALL if not text.startswith("dataset=")]
INFERENCE_COLUMNS = (
    "dataset,protocol,setting,teacher,model,layers,hidden_dim,size,nodes,median_seconds_per_node,"
    "low,high,peak_bytes,nodes_read,repeats,threads,device,commit,configuration"
)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "SECONDS", 0.0)
    monkeypatch.delenv("KINETO_LOG_LEVEL", raising=False)
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)


def run(name: str, folder: Path, *arguments: str) -> list[dict[str, str]]:
    where = ["--datasets", "synthetic", f"output_dir={folder}", "protocol=infgrand", *OPTIONS]
    main([name, *where, *arguments])
    with (folder / "studies" / f"{name}.csv").open(newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            "infuence",
            ["study=infuence is not one of recipe, hardness, influence", "mean 'influence'"],
        ),
        ("inference --datasets corra", ["dataset=corra is not one of", "did you mean 'cora'"]),
        ("inference --teachers gcnn", ["teacher=gcnn is not one of", "did you mean 'gcn'"]),
        ("influence --seeds 1,1", ["seeds=[1, 1] repeats 1"]),
        ("influence --seeds 4-0", ["seeds=4-0 counts down; write seeds=0-4"]),
        ("influence --epochs 9", ["--epochs 9: options are", "write training.max_epochs=9"]),
        ("influence method.tua=3", ["method.tua is not an option", "mean 'method.tau'"]),
        ("influence dataset=cora", ["dataset=cora: a study takes --datasets cora"]),
        ("influence dataset=cora method.tua=3", ["2 configuration mistakes", "--datasets", "tua"]),
        ("influence seeds=[1,2]", ["seeds=[1,2]: a study takes --seeds 1,2"]),
        ("influence method=glnn", ["method=glnn: this study is about infgrand"]),
        ("influence preset=common,none", ["and one value of every other option"]),
        ("influence --datasets cora,cora", ["takes each dataset and teacher once"]),
        ("inference --seeds 1,2", ["seeds=[1, 2]: time is measured with one"]),
        ("inference method.pooling=max", ["method.pooling=max: on request only mean"]),
        ("ablation method.pooling=max", ["this study varies method.pooling itself; leave it out"]),
        ("ablation method.lam=0.5", ["method.lam=0.5: this study varies the method"]),
        ("influence method.influence_graph=published setting=inductive", ["at hidden nodes"]),
        ("hardness cache=off", ["cache=off: the study looks at the cached teachers"]),
        ("hardness preset=paper --datasets cora", ["teachers of their own", "use preset=common"]),
        ("influence --max-width 0", ["0 is not a whole number >= 1"]),
        ("influence --threads -1", ["-1 is not a whole number >= 1"]),
        ("hardness -m", ["-m is for sweeps of gkd-train; leave it out"]),
        (
            "scarcity method=mlp tracer=none",
            ["2 configuration mistakes", "varies method", "tracer"],
        ),
        ("inference --teachers gat --max-width 6", ["teacher.hidden_dim=6 is not a multiple"]),
    ],
)
def test_a_mistake_is_told_before_anything_is_measured(
    arguments: str, told: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, *others = arguments.split()
    one = [] if "--datasets" in others else ["--datasets", "cora"]  # each is composed
    with pytest.raises(SystemExit) as stopped:
        main([name, *one, *others, f"output_dir={tmp_path}"])
    message = f"{stopped.value}{capsys.readouterr().err}"
    for part in told:
        assert part in message
    assert "study" in message
    assert not list(tmp_path.rglob("*.csv"))


def test_inference_measures_every_model_at_every_batch_size_that_fits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = run("inference", tmp_path, "--max-width", "8")

    assert ",".join(rows[0]) == INFERENCE_COLUMNS
    measured = {(row["teacher"], row["model"], row["size"], int(row["nodes"])) for row in rows}
    assert len(rows) == len(measured)
    assert measured == {
        (gnn, model, size, nodes)
        for gnn in ("gcn", "sage", "gat")
        for model in (gnn, *inference.STUDENTS)
        for size, nodes in (("1", 1), ("32", 32), ("all", 100))
    }
    for row in rows:
        assert float(row["low"]) <= float(row["median_seconds_per_node"]) <= float(row["high"])
        assert int(row["repeats"]) >= timing.FEWEST
        assert row["hidden_dim"] == "8"
        assert float(row["nodes_read"]) >= int(row["nodes"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "times as fast as gcn" in printed


def test_inference_measured_again_replaces_its_lines_and_keeps_the_others(tmp_path: Path) -> None:
    run("inference", tmp_path, "--teachers", "gcn", "--max-width", "8")
    before = run("inference", tmp_path, "--teachers", "sage", "--max-width", "8")
    after = run("inference", tmp_path, "--teachers", "gcn", "--max-width", "4")
    widths = [row["hidden_dim"] for row in after]
    assert len(before) == len(after)
    assert sorted(set(widths)) == ["4", "8"], "of gcn and of sage"
    assert len(run("inference", tmp_path, "--teachers", "gcn", "--max-width", "4")) == len(after)


def test_the_speed_up_is_a_geometric_mean_over_graphs_held_against_the_claim() -> None:
    seconds = {"cora": (20.0, 6.0), "pubmed": (5.0, 3.0), "citeseer": (10.0, 3.0)}
    rows = [
        inference_row(
            dataset, teacher="sage", model=model, size=size, median_seconds_per_node=taken
        )
        for dataset, sizes in seconds.items()
        for size, of_gnn in zip(("1", "all"), sizes, strict=True)
        for model, taken in (("sage", of_gnn), ("mlp", 1.0), ("infgrand-mlp", 2.0))
    ]
    measured = inference.FORM.table(rows)
    ratios = inference.speed_ups(measured).reset_index().set_index(["size", "dataset"])
    assert ratios.loc["1", "mlp"].to_dict() == {"cora": 20.0, "pubmed": 5.0, "citeseer": 10.0}
    assert ratios.loc["all", "infgrand-mlp"].to_dict() == {
        "cora": 3.0, "pubmed": 1.5, "citeseer": 1.5
    }  # fmt: skip
    told = inference.sentence(measured)
    assert "One node at a time, the claim holds: the MLP is 10.0 times as fast as sage." in told
    assert "propagated beforehand, is 5.0 times as fast as sage." in told
    assert "All test nodes at once, the claim does not hold for sage: the MLP is 3.8 times" in told
    few = measured[measured["dataset"] != "cora"]
    assert "cannot be judged on fewer than 3 graphs" in inference.sentence(few)


def test_influence_trains_on_all_quarters_and_only_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = ("--teachers", "gcn")
    first = run("influence", tmp_path, *short, "--seeds", "0,1")
    trained: list[int] = []
    train = influence.train_teachers

    def counted(tasks: Any, *others: Any) -> Any:
        trained.extend(task.seed for task in tasks)
        return train(tasks, *others)

    monkeypatch.setattr(influence, "train_teachers", counted)
    second = run("influence", tmp_path, *short, "--seeds", "0,1")
    third = run("influence", tmp_path, *short, "--seeds", "0,1,2")

    assert second == first
    assert trained == [2] * 4
    assert third[: len(first)] == first
    accuracies = [row for row in third if row["measure"] == "test_accuracy"]
    assert len(accuracies) == 3 * 4
    assert len(third) == 2 * len(accuracies) + 2
    assert {row["nodes"] for row in accuracies if row["grouping"] == "per-class"} == {"10"}
    assert {row["classes"] for row in accuracies if row["grouping"] == "per-class"} == {"5"}


def test_what_was_measured_with_other_options_is_measured_anew(tmp_path: Path) -> None:
    short = ("--teachers", "gcn", "--seeds", "0")
    first = run("influence", tmp_path, *short)
    second = run("influence", tmp_path, *short, "teacher.dropout=0.1")
    changed = [b["measure"] for b in second if b not in first]
    assert len(second) == len(first), "nothing outdated is left"
    assert changed == ["test_accuracy", "seconds_per_epoch"] * 4


def both_sides(dataset: str, grouping: str, leads: list[float]) -> list[dict[str, Any]]:
    """Rows of a GCN on the top and the bottom quarter; ``leads`` of the top one by seed."""
    common = {
        "dataset": dataset, "protocol": "infgrand", "setting": "transductive", "teacher": "gcn",
        "layers": 2, "hidden_dim": 8, "grouping": grouping, "nodes": 5, "repeats": 1, "threads": 1,
        "device": "cpu", "commit": "", "configuration": "c", "measure": "test_accuracy",
    }  # fmt: skip
    rows = [
        common | {"side": side, "seed": seed, "value": value, "classes": classes}
        for seed, lead in enumerate(leads)
        for side, value, classes in (("top", 0.5 + lead, 3), ("bottom", 0.5, 2))
    ]
    return [*rows, rows[0] | {"measure": "seconds_per_epoch", "value": 0.1}]


def test_top_and_bottom_are_paired_by_seed_and_counted_by_grouping() -> None:
    rows = [
        *both_sides("cora", "overall", [0.10, 0.11, 0.12]),
        *both_sides("citeseer", "overall", [0.10, 0.11, 0.12]),
        *both_sides("pubmed", "overall", [-0.2, 0.1, 0.0]),
        *both_sides("cora", "per-class", [0.3, -0.1, 0.1]),
        *both_sides("pubmed", "per-class", [0.10, 0.11, 0.12]),
    ]
    measured = influence.FORM.table(rows)
    accuracy = influence.accuracies(measured)
    gap = gaps(accuracy["top"], accuracy["bottom"], influence.BY)
    assert gap.loc["overall", "cora", "transductive", "gcn"]["mean"] == pytest.approx(0.11)
    told = influence.sentence(measured)
    assert "This is not confirmed here: 1 of 3 differences are ties." in told
    pairs = "pairs of graph and teacher, with p < 0.05 on"
    assert f"of the bottom quarter on 2 of 3 {pairs} 2 of them." in told
    assert f"of each class, it is ahead on 2 of 2 {pairs} 1 of them." in told
    assert list(influence.table(measured).columns[6].cells) == ["3, 2"] * 5, "classes"


def test_a_seed_of_one_side_alone_is_no_pair() -> None:
    measured = influence.FORM.table(both_sides("cora", "overall", [0.10, 0.11, 0.12]))
    half = measured[(measured["side"] != "bottom") | (measured["seed"] != 0)]
    accuracy = influence.accuracies(half)
    assert gaps(accuracy["top"], accuracy["bottom"], influence.BY)["n"].tolist() == [2]
    assert influence.accuracies(measured[measured["side"] == "top"]).empty
