"""Write the folder of an exported student, and check that it answers as the run did."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx
from safetensors.numpy import save
from scipy.special import softmax

from gkd_runner.common.checksums import FILES, listing, sealed
from gkd_runner.common.errors import ConfigError, RunError
from gkd_runner.common.files import write_file
from gkd_runner.data.graph import FloatArray
from gkd_runner.data.npz import save_npz
from gkd_runner.exporting.card import write_card
from gkd_runner.exporting.from_run import RunStudent, ensemble_of_run, student_of_run
from gkd_runner.exporting.int8 import Int8, quantize, try_int8
from gkd_runner.exporting.onnx_model import onnx_model
from gkd_runner.exporting.serve_cost import serve_cost
from gkd_runner.exporting.target import replaced_when_complete
from gkd_runner.options.metrics import METRICS
from gkd_runner.predict import folder as files
from gkd_runner.predict import new_nodes
from gkd_runner.predict.exported import ExportedStudent
from gkd_runner.results.scores import STAGES, Scores, summarize

MARGIN = 1e-4
"""Between two probabilities: rounding in another order of operations may turn them round."""

TABLES = ("float32", "float16")


@dataclass(frozen=True)
class Options:
    """The student that is exported, and its form.

    Attributes:
        seed: whose student; ``None``: the best by the validation score that selected its epochs.
        ensemble: all seeds' mean answer instead.
        table: the type of the table of propagated features, ``float32`` or ``float16``.
        int8: also write an 8-bit model, if it is as accurate and faster here.
        measures: time teacher and student for the card, which takes some seconds.
    """

    seed: int | None = None
    ensemble: bool = False
    table: str = "float32"
    int8: bool = False
    measures: bool = True

    def mistakes(self) -> list[str]:
        """Options that are wrong or do not go together."""
        wrong = []
        if self.ensemble and self.seed is not None:
            wrong.append(
                f"seed {self.seed} beside ensemble, which takes all seeds; give one of them"
            )
        if self.table not in TABLES:
            wrong.append(f"table {self.table} is not one of {', '.join(TABLES)}")
        return wrong


@dataclass(frozen=True)
class Exported:
    """The folder that was written, its facts, and lines for the user.

    ``replaced`` is true if an earlier export was there.
    """

    folder: Path
    facts: Mapping[str, Any]
    notes: tuple[str, ...] = field(default=())
    replaced: bool = False


def export_run(
    run: str | Path,
    out: str | Path | None = None,
    options: Options = Options(),
    moved: Mapping[str, str] = MappingProxyType({}),
) -> Exported:
    """Write a student of the finished run in folder ``run`` to the folder ``out``.

    An exported student that is there already is replaced, unless its folder has files that no
    export wrote or an edited model card; another folder is refused. The folder appears when it is
    complete. Needs neither the teacher's cache nor the data folder.

    Args:
        run: the run's folder.
        out: by default ``exported/<dataset>-<method>-<seed>``.
        options: whose student, and in which form.
        moved: where files of the run lie now, as for ``reload_student``.

    Raises:
        ConfigError: for options that do not go together, or a folder that is something else.
        RunError: for a run that cannot be read, or files that answer otherwise than the run did.
    """
    if mistakes := options.mistakes():
        raise ConfigError(mistakes)
    if options.ensemble:
        student = ensemble_of_run(run, moved)
    else:
        student = student_of_run(run, options.seed, moved)
    target = Path(out).expanduser() if out else Path("exported") / _name(student)
    earlier = (target / files.CONFIG).is_file()
    with replaced_when_complete(target) as folder:
        _write_files(student, folder, options.table)
        facts = dict(student.facts.raw)
        _write_config(folder, facts)  # answering needs it
        facts |= _checked(student, folder, options.table)
        facts["chosen"] = _chosen_by(student) if options.seed is None else "by hand"
        reduced = None
        if options.int8:
            quantize(folder)
            _write_config(folder, facts)  # which lists the new model
            reduced = try_int8(student, folder)
        facts["int8"] = reduced.facts if reduced else None
        facts["latency"] = serve_cost(student, folder) if options.measures else None
        write_card(facts, folder / files.CARD)
        _write_config(folder, facts)
    notes = tuple(_notes(student, facts, options, reduced))
    return Exported(target, facts, notes, earlier)


def _name(student: RunStudent) -> str:
    config = student.seeds[0].config
    which = "ensemble" if len(student.seeds) > 1 else str(student.seeds[0].result.seed)
    split = f"-split{student.task.number}" if student.task.number else ""
    return f"{config.dataset.name}-{config.method.name}-{which}{split}"


def _write_files(student: RunStudent, folder: Path, table: str) -> None:
    """All files but the facts and the card."""
    facts = student.facts
    metadata = {"model_type": files.MODEL_TYPE, "dataset": facts.dataset}
    onnx.save(onnx_model(student.models, facts.classes, metadata), folder / files.MODEL)
    tensors = {
        f"{'' if len(facts.seeds) == 1 else f'seed-{seed}.'}{part}.{number}": value
        for seed, layers in zip(facts.seeds, student.models, strict=True)
        for number, layer in enumerate(layers)
        for part, value in zip(("weights", "biases"), layer, strict=True)
    }
    write_file(folder / files.WEIGHTS, save(tensors, {"format": "pt"}))
    save_npz(student.graph, folder / files.GRAPH)
    if facts.propagated:
        np.save(folder / files.TABLE, student.table.astype(table))
        if student.observed is not None:
            np.save(folder / files.OBSERVED, student.observed)
    if facts.row_normalize or facts.recipe:
        shutil.copyfile(new_nodes.__file__, folder / files.PREPROCESSING)


def _checked(student: RunStudent, folder: Path, table: str) -> dict[str, Any]:
    """The accuracy of the files' own answers. Raises ``RunError`` if it is not the run's."""
    exported = ExportedStudent(folder)
    expected = _run_answers(student)
    now = student.scores(expected)
    one_by_one = exported.predict_known(exported.graph.ids).probabilities
    known = student.scores(one_by_one)
    exact = table == "float32" or not student.facts.propagated
    for found in (one_by_one, exported.predict_all().probabilities):
        if exact and _differ(found, expected):
            raise RunError(
                f"the exported files score {student.scores(found)} and the run's student {now};"
                " nothing was written; please report this"
            )
    cost = None
    if not exact and known is not None and now is not None:
        cost = {"val": known.val - now.val, "test": known.test - now.test}
    recorded = student.facts.raw["scores"]
    return {
        "scores": {**recorded, "exported": asdict(known) if known else None},
        "table": {"dtype": table, "change_of_accuracy": cost} if student.facts.propagated else None,
    }


def _differ(found: FloatArray, expected: FloatArray) -> bool:
    """True if a class differs for a node whose two best probabilities are not as good as equal."""
    second, best = np.sort(expected, axis=1)[:, -2:].T
    differs = found.argmax(1) != expected.argmax(1)
    return bool((differs & (best - second > MARGIN)).any())


def _run_answers(student: RunStudent) -> FloatArray:
    """The run's own answers of one seed, or the NumPy answers of an ensemble, for all nodes.

    They are zero for nodes that the run did not score.
    """
    if len(student.seeds) > 1:
        return student.predict_known(student.graph.ids).probabilities
    (seed,) = student.seeds
    answers = np.zeros((student.task.graph.num_nodes, len(student.facts.classes)), np.float32)
    answers[seed.nodes] = softmax(seed.student.all, axis=1)
    return answers


def _write_config(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write ``config.json``, with the checksums of the files that are there."""
    names = [path.name for path in folder.iterdir() if path.name != files.CONFIG]
    written = sealed({**facts, FILES: listing(folder, names)})
    text = json.dumps(written, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_file(folder / files.CONFIG, text)


def _notes(
    student: RunStudent, facts: Mapping[str, Any], options: Options, reduced: Int8 | None
) -> Iterator[str]:
    """The choices and accuracies that a user should know, one line each."""
    run = student.seeds[0].run
    if options.ensemble:
        yield f"mean answer of the seeds {', '.join(map(str, student.facts.seeds))}"
    elif options.seed is None and len(run.seeds) > 1:
        yield f"seed {student.facts.seeds[0]}, the best of {len(run.seeds)} {_chosen_by(student)}"
    yield _accuracy(student, facts)
    if run.select_by != "accuracy" and not options.ensemble:
        found = summarize([student.seeds[0].result], STAGES["student"], "test", run.select_by)
        if found:
            name = METRICS[run.select_by].title
            yield f"test {name} {100 * found.mean:.2f}%, as the run recorded it"
    cost = (facts["table"] or {}).get("change_of_accuracy")
    if cost:
        yield f"the float16 table changes test accuracy by {100 * cost['test']:+.2f} points"
    if reduced:
        yield reduced.sentence


def _chosen_by(student: RunStudent) -> str:
    return f"by validation {METRICS[student.seeds[0].run.select_by].title}"


def _accuracy(student: RunStudent, facts: Mapping[str, Any]) -> str:
    if facts["scores"]["exported"] is None:
        return "the seeds have splits of their own, so that the ensemble has no test nodes"
    test = facts["scores"]["exported"]["test"]
    if len(student.seeds) > 1:
        return f"test accuracy {100 * test:.2f}%, recomputed from the files"
    recorded: Scores = student.seeds[0].result.student.scores
    if test == recorded.test:
        return f"test accuracy {100 * test:.2f}%, recomputed from the files, as the run recorded it"
    device = facts["provenance"]["device"]["type"]
    return (
        f"test accuracy {100 * test:.2f}%, recomputed from the files; the run recorded"
        f" {100 * recorded.test:.2f}% on its device ({device})"
    )
