"""What figures are drawn from: curves, inference times, teachers, colours."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gkd_runner.reporting.curves import POINTS, curve_records, held, read_stored, thin
from gkd_runner.reporting.page.build import HERE
from gkd_runner.reporting.page.colours import COLOURS, LIGHTER, colours, on_dark
from gkd_runner.reporting.page.figures import own_figures
from gkd_runner.reporting.page.inference import read_inference
from gkd_runner.reporting.page.studies.charts import ALL_COLOURS
from gkd_runner.reporting.provenance import read_all_failures
from gkd_runner.reporting.render import write_tables
from gkd_runner.reporting.series import seed_records, series_of
from gkd_runner.results.compare import compare
from gkd_runner.results.frame import load_runs
from tests.reporting.folder import grid, write_metrics
from tests.reporting.study_lines import write_studies
from tests.results.runs import run, seeds, table


def series(runs: pd.DataFrame) -> pd.DataFrame:
    return series_of(compare(runs))


def test_a_shared_teacher_is_shown_once_and_different_ones_by_method() -> None:
    shared = series(table([run("mlp"), run("glnn"), run("infgrand")]))
    own = series(table([
        run("mlp", preset="paper"),
        run("glnn", preset="paper"),
        run("infgrand", preset="paper", teacher_key="other"),
    ]))  # fmt: skip

    assert list(shared["series"]) == ["teacher", "mlp", "glnn", "infgrand"]
    assert list(own["series"])[:2] == ["glnn's teacher", "infgrand's teacher"]
    assert "method" not in seed_records(shared)[0], "the page's filters leave it where it is"
    assert seed_records(own)[0]["method"] == "glnn"


def test_seeds_that_stopped_hold_their_best_state() -> None:
    found = held([[0.1, 0.5, 0.4], [0.2]], [0.5, 0.2])
    assert found.tolist() == [[0.1, 0.5, 0.4], [0.2, 0.2, 0.2]]


@pytest.mark.parametrize("epochs", [1, 59, 60, 61, 500, 5000])
def test_curves_are_thinned_between_their_ends(epochs: int) -> None:
    found = thin(epochs)
    assert len(found) == min(epochs, len(found)) <= POINTS
    assert (found[0], found[-1]) == (1, epochs)
    assert (np.diff(np.diff(found)) >= -1).all(), "no denser at the end than at the beginning"


def test_curves_are_the_mean_and_the_range_over_seeds(tmp_path: Path) -> None:
    some = write_metrics(tmp_path, table(seeds("glnn", [0.8, 0.7])), epochs=10)

    (taught, student), missing = curve_records(series(some))

    assert (taught["series"], missing) == ("teacher", set())
    assert student["epoch"] == list(range(1, 11))
    first = [100 * value * 0.5 for value in (0.8, 0.7)]
    last = [80 * (1 - 0.5 / 10), 70.0]  # the second stopped after 9 epochs, at its best state
    for at, values in ((0, first), (-1, last)):
        shown = [student[name][at] for name in ("mean", "low", "high")]
        assert shown == pytest.approx([np.mean(values), min(values), max(values)], abs=0.006)


def test_the_files_of_gkd_tables_keep_the_curves_of_their_runs(tmp_path: Path) -> None:
    some = write_metrics(tmp_path, table(seeds("glnn", [0.8, 0.7])), epochs=10)
    write_tables(compare(some), read_all_failures([]), tmp_path / "kept")
    read = load_runs([tmp_path / "kept"])

    for source in (tmp_path / "kept", tmp_path / "kept" / "runs.csv"):
        assert curve_records(series(read), read_stored([source])) == curve_records(series(some))
    others = table(seeds("glnn", [0.8, 0.7], run="another"))
    found, missing = curve_records(series(others), read_stored([tmp_path / "kept"]))
    assert (found, missing) == ([], {"another"}), "curves belong to the very runs"


def test_tables_of_a_csv_keep_the_curves_beside_it(tmp_path: Path) -> None:
    some = write_metrics(tmp_path, table(seeds("glnn", [0.8, 0.7])), epochs=10)
    write_tables(compare(some), read_all_failures([]), tmp_path / "kept")
    csv = tmp_path / "kept" / "runs.csv"

    write_tables(compare(load_runs([csv])), read_all_failures([]), tmp_path / "again", [csv])

    first, again = (read_stored([tmp_path / name]) for name in ("kept", "again"))
    assert first == again != {}


def test_runs_without_metrics_are_counted_and_have_no_curve(tmp_path: Path) -> None:
    with_metrics = write_metrics(tmp_path, table(seeds("glnn", [0.8, 0.7])))
    without = table(seeds("infgrand", [0.8, 0.7]))

    curves, missing = curve_records(series(pd.concat([with_metrics, without])))

    assert {record["series"] for record in curves} == {"teacher", "glnn"}
    assert missing == set(without["run"])


def timed(folder: Path, runs: pd.DataFrame) -> tuple[dict[str, list[float]], str]:
    """Seconds at one node per call by kind of model, and the figure's text."""
    write_studies(folder)
    figures = {figure.name: figure for figure in own_figures(compare(runs), [folder])}
    spec = figures["cost"].spec
    assert spec is not None
    (records,) = spec["datasets"].values()
    costs = pd.DataFrame(records)
    assert set(costs.batch) == {"1", "32", "1024", "all"}
    assert set(costs.machine) == {"1 thread of cpu"}
    single = costs[costs.batch == "1"].groupby("kind").seconds.unique()
    return {kind: list(values) for kind, values in single.items()}, figures["cost"].text


def test_each_model_stands_at_its_own_inference_time(tmp_path: Path) -> None:
    some = grid(datasets=["cora"], teachers=["gcn"]).assign(student_parameters=1000)

    seconds, text = timed(tmp_path, some)

    assert seconds == {
        "teacher": [8.0], "mlp": [1.0], "glnn": [1.0], "hgmd-weight": [1.0], "hgmd-mixup": [1.0],
        "infgrand": [2.0],
    }  # fmt: skip
    assert "The students of infgrand were timed on features that were propagated before" in text
    assert "the time to propagate those of a node that arrives is not counted" in text
    assert "Those of glnn, hgmd-weight and hgmd-mixup read raw features" in text
    assert "Left out" not in text


def test_no_student_stands_at_the_time_of_another_model(tmp_path: Path) -> None:
    methods = ("mlp", "glnn", "krd", "adaprop", "unheard-of")
    runs = [run(name, seed, 0.8, student_parameters=1000) for name in methods for seed in (0, 1)]
    wider = [run("hgmd-weight", 0, 0.8, student_parameters=2000)]
    hops = [run("krd", 0, 0.8, dataset="citeseer", changed={"method.propagation_hops": 4}),
            run("mlp", 0, 0.8, dataset="citeseer")]  # fmt: skip

    seconds, text = timed(tmp_path, table([*runs, *wider, *hops]))

    assert seconds.keys() == {"teacher", "mlp", "glnn", "krd"}
    assert text.endswith(
        "Left out, as their students were not timed: krd (in part), hgmd-weight, adaprop and"
        " unheard-of."
    )


def test_times_of_another_form_are_named_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "studies" / "inference.csv"
    path.parent.mkdir()
    path.write_text("dataset,seconds\ncora,1\n")
    read_inference([tmp_path])
    (told,) = caplog.messages
    assert f"{path} has columns dataset, seconds, this" in told


@pytest.mark.parametrize("shown", [list(COLOURS.values()), list(map(on_dark, COLOURS.values()))])
def test_methods_are_told_apart_with_any_one_kind_of_cone_missing(shown: list[str]) -> None:
    linear = [_linear(colour) for colour in shown]
    dichromats = (  # Machado, Oliveira and Fernandes (2009), severity 1
        [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]],
        [[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]],
        [[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]],
    )
    for seen in (np.eye(3), *map(np.array, dichromats)):
        found = [_oklab(seen @ colour) for colour in linear]
        for a, b in itertools.combinations(found, 2):
            assert np.linalg.norm(a - b) > 0.1
    assert len(set(colours([*COLOURS, "new"]).values())) == len(COLOURS) + 1


@pytest.mark.parametrize("colour", sorted(ALL_COLOURS))
def test_every_colour_is_seen_on_both_grounds(colour: str) -> None:
    """A contrast of at least 3 to 1, as WCAG 2.1 asks for of graphics."""
    light, dark = re.findall(r"--ground: (#\w+);", (HERE / "page.css").read_text())[:2]
    assert _contrast(colour, "#ffffff" if light == "#fff" else light) >= 3
    assert _contrast(on_dark(colour), dark) >= 3
    lightness = [_oklab(_linear(c))[0] for c in (colour, on_dark(colour))]
    assert lightness[1] - lightness[0] == pytest.approx(LIGHTER, abs=0.05), "some is cut off"


def _linear(colour: str) -> np.ndarray:
    shares = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    return np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)


def _contrast(*pair: str) -> float:
    low, high = sorted(_linear(colour) @ [0.2126, 0.7152, 0.0722] for colour in pair)
    return float((high + 0.05) / (low + 0.05))


def _oklab(linear: np.ndarray) -> np.ndarray:
    cones = np.array([
        [0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]) @ linear.clip(0, 1)  # fmt: skip
    return np.array([
        [0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]) @ np.cbrt(cones)  # fmt: skip
