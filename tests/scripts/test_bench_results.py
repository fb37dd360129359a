"""What the benchmark writes, and how two results compare."""

import json
from importlib.util import find_spec

import pytest
from bench.choices import choices
from bench.cli import main, parser
from bench.clock import Effort, Enough, EpochClock, Sample, Spread, alternate
from bench.commands import command_block
from bench.compare import compare, round_ratio
from bench.measure import added
from bench.page import markdown, write_page
from bench.results import OURS, REFERENCE, Key, Line, Results, load, merged
from bench.threads import asked_threads
from support import CPU


def line(part, cpu, contender=OURS, peak=None):
    """A line whose CPU seconds are 90, 100 and 110% of ``cpu`` in three turns."""
    turns = [[Sample(share * cpu, 2 * share * cpu)] * 3 for share in (0.9, 1.0, 1.1)]
    made = Line.of(Key("cora", part, contender), "epoch", turns)
    return Line(**{**vars(made), "peak_bytes": peak})


def results(*lines):
    return Results("test", {}, {}, list(lines))


def test_a_file_gives_back_what_was_saved(tmp_path):
    saved = results(line("teacher gcn", 0.5, peak=1000), line("student glnn", 0.25))
    saved.skipped.append(("cora", "cache", "reason"))
    saved.save(tmp_path / "a.json")
    assert load(tmp_path / "a.json") == saved


def test_a_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "a.json").write_text('{"format": 0}')
    with pytest.raises(ValueError, match="not a result of this benchmark"):
        load(tmp_path / "a.json")


def test_ratios_are_old_over_new_and_lines_of_one_side_are_told():
    old = results(line("teacher gcn", 0.6, peak=400), line("student krd", 1.0))
    new = results(line("teacher gcn", 0.2, peak=100), line("student mlp", 1.0))
    found = compare(old, new)
    (common,) = found.lines
    assert common.key.part == "teacher gcn"
    assert (common.cpu.middle, common.wall.middle) == (pytest.approx(3), pytest.approx(3))
    assert common.cpu.low == pytest.approx(0.54 / 0.22)
    assert common.cpu.high == pytest.approx(0.66 / 0.18)
    assert common.memory == 4
    assert [key.part for key in found.only_old] == ["student krd"]
    assert [key.part for key in found.only_new] == ["student mlp"]


def test_contenders_that_took_turns_are_compared_turn_by_turn():
    ratio = round_ratio(line("teacher gcn", 0.6, REFERENCE), line("teacher gcn", 0.2))
    assert (ratio.low, ratio.middle, ratio.high) == pytest.approx((3, 3, 3))


def test_turns_alternate():
    order = []

    def block(name):
        return lambda: order.append(name) or [Sample(1, 1)]

    found = alternate({name: block(name) for name in "ab"}, 3)
    assert order == [*"ababab"]
    assert [len(turns) for turns in found.values()] == [3, 3]


def test_the_spread_is_the_median_with_the_quartiles():
    assert Spread.of([1, 2, 3, 4, 100]) == Spread(3, 2, 4, 5)
    assert Spread.of([7]) == Spread(7, 7, 7, 1)


def test_the_floor_is_the_sum_of_its_pieces():
    pieces = [[Sample(1, 2), Sample(3, 4)], [Sample(10, 20), Sample(30, 40)]]
    assert added(pieces) == [Sample(11, 22), Sample(33, 44)]


@pytest.mark.parametrize(("epochs", "seconds", "counted"), [(3, 60, 3), (10, 0, 1)])
def test_the_clock_leaves_out_the_first_epochs_and_ends_the_training(epochs, seconds, counted):
    clock, seen = EpochClock(Effort(1, epochs, seconds, warm=2), CPU), []

    def train():
        for epoch in range(1, 100):
            seen.append(epoch)
            clock([0], epoch, [])

    with pytest.raises(Enough):
        train()
    assert (len(clock.samples), len(seen)) == (counted, counted + 2)


@pytest.mark.parametrize(
    ("arguments", "threads"),
    [((), 2), (("cora", "--threads", "4"), 4), (("--threads=1",), 1), (("--threads", "x"), 2)],
)
def test_threads_are_known_before_the_arguments_are_read(arguments, threads):
    assert asked_threads(arguments) == threads


def test_a_wrong_name_is_refused(capsys):
    for wrong in (["corra"], ["cora", "--parts", "teachers"]):
        with pytest.raises(SystemExit):
            main(wrong)
        assert "is not one of" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_has_all_that_was_asked_for(tmp_path, capsys):
    chosen = ["--teachers", "gcn", "--methods", "infgrand", "--rounds", "2", "--epochs", "1"]
    file = tmp_path / "found.json"
    main(["cora", *chosen, "--threads", "1", "--json", str(file)])
    found = load(file)
    assert found.skipped == []
    assert found.workloads["cora"]["nodes"] == 2708
    assert {"cpu", "cores", "threads", "versions", "git"} <= set(found.machine)
    for part in ("teacher gcn", "student infgrand"):
        for contender in (OURS, REFERENCE, "floor"):
            measured = found.find("cora", part, contender)
            assert (measured.cpu.count, len(measured.cpu_rounds)) == (2, 2)
            assert measured.cpu.median > 0
        for contender in (OURS, REFERENCE):
            peak = found.find("cora", f"memory of {part}", contender)
            assert peak.peak_bytes > peak.start_bytes > 2**20
    assert found.find("cora", "teacher gcn", "floor of needed rows")
    assert found.find("cora", "influence", OURS)
    assert found.find("cora", "hardness", OURS)
    assert found.find("cora", "cache", f"{OURS}, read")
    assert "teacher gcn" in capsys.readouterr().out
    assert json.loads(file.read_text())["format"] == 1
    main(["--show", str(file), "--compare", str(file)])
    assert "1.00" in capsys.readouterr().out
    assert "| teacher gcn |" in markdown(found)


@pytest.mark.slow
def test_commands_tell_whether_they_import_torch(tmp_path):
    main(["start-up", "--rounds", "1", "--json", str(tmp_path / "found.json")])
    found = load(tmp_path / "found.json")
    assert found.skipped == []
    told = found.workloads["start-up"]
    assert set(told) == {"gkd-train --help", "gkd-train --cfg job", "gkd-tables --help"}
    assert not any(facts["imports_torch"] for facts in told.values())


@pytest.mark.slow
def test_a_job_tells_its_share_of_training(tmp_path):
    options = ["seeds=[0]", "training.max_epochs=2", "tracker=none"]
    facts = {}
    block = command_block("job", facts, ["-m", "bench.job"], options, trains=True)
    (sample,) = block()
    assert 0 < facts["job"]["training_share"] < 1
    assert facts["job"]["training_cpu_seconds"] < sample.cpu


@pytest.mark.slow
def test_every_choice_is_beside_an_alternative():
    beside_dgl = ("neighbour sums", "dot products")
    for what, blocks in choices(CPU).items():
        if not what.startswith(beside_dgl) or find_spec("dgl"):
            assert len(blocks) == 2, what
        assert all(sample.cpu >= 0 for block in blocks.values() for sample in block())


def test_figures_replace_those_between_the_marks_of_a_page(tmp_path):
    page = tmp_path / "speed.md"
    page.write_text("before\n<!-- figures: command -->\nold\n<!-- end of figures -->\nafter\n")
    machine = {"cpu": "a CPU", "cores": 2, "threads": 2, "versions": {"torch": "2"}, "git": None}
    made = results()
    made.machine = {**machine, "load_before": 0.0, "started": "today"}
    for _ in range(2):
        write_page([made], page)
    text = page.read_text()
    assert text.startswith("before\n<!-- figures: command -->\n\nMeasured on: a CPU")
    assert text.endswith("<!-- end of figures -->\nafter\n")
    assert text.count("a CPU") == 1
    assert "old" not in text
    page.write_text("nothing")
    with pytest.raises(ValueError, match="has no lines"):
        write_page([made], page)


def test_merged_results_have_the_last_of_equal_lines(tmp_path):
    first = results(line("teacher gcn", 0.6), line("student krd", 1.0))
    second = results(line("teacher gcn", 0.2))
    for name, each in (("a.json", first), ("b.json", second)):
        each.save(tmp_path / name)
    both = merged([load(tmp_path / name) for name in ("a.json", "b.json")])
    assert both.find("cora", "teacher gcn", OURS) == second.lines[0]
    assert both.find("cora", "student krd", OURS) == first.lines[1]


def test_help_names_every_workload():
    assert "products-shape" in parser().format_help()
