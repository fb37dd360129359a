"""The record of a run on disk: its epochs (JSONL), its result (JSON), its students, its graph.

``result.json`` has the checksums of all files of the folder, and its own.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from omegaconf import OmegaConf
from torch import Tensor

from gkd_runner.common.checksums import FILES, listing, sealed
from gkd_runner.common.errors import DataError
from gkd_runner.common.files import HALF, naming, replacing, write_file
from gkd_runner.common.tensor_files import Tensors, write_tensors
from gkd_runner.data.graph import GraphData
from gkd_runner.data.npz import read_npz, save_npz
from gkd_runner.options.schema import Config
from gkd_runner.results.stored import (
    CONFIG_FILE,
    GRAPH_FILE,
    METRICS_FILE,
    RESULT_FILE,
    cell_folder,
    stamp,
    student_file,
    student_key,
)
from gkd_runner.training.fit import Epoch

logger = logging.getLogger("gkd_runner")

NUMBERS = re.compile(r"\[\n[\s\d,]+\]")
"""A list of whole numbers over several lines, in JSON: written on one, as a confusion matrix is."""


class Record:
    """One run's folder. ``result.json`` is written last: a run that has it is finished."""

    def __init__(self, config: Config, key: str) -> None:
        self.key = key
        self.started = datetime.now().astimezone()
        self.path = _new_folder(config, self.key, self.started)
        write_file(self.path / CONFIG_FILE, OmegaConf.to_yaml(config))
        self._graphs = Path(config.output_dir).expanduser() / "cache" / "graphs"
        self._metrics: TextIO = (self.path / METRICS_FILE).open(
            "w",
            buffering=1,  # by line, so that a killed run keeps what it had
            encoding="utf-8",
        )

    def epoch(self, stage: str, seed: int, epoch: Epoch) -> None:
        """Append one epoch of one seed's stage."""
        known = epoch._asdict()
        logged = dict(known.pop("logged"))
        line = {"stage": stage, "seed": seed, **logged, **known}
        with naming(self.path / METRICS_FILE):
            self._metrics.write(json.dumps(line) + "\n")

    def weights(self, seed: int, state: Mapping[str, Tensor]) -> None:
        """Save one seed's student."""
        arrays = {name: value.numpy() for name, value in state.items()}
        facts = {"seed": seed}
        file = self.path / student_file(seed)
        write_tensors(file, Tensors(arrays, facts), student_key(self.key, seed))

    def graph(self, graph: GraphData) -> None:
        """Save the graph as the models read it, so that the folder can be used anywhere.

        The runs of one output folder share one file by hard links, where the disk has them.
        """
        # graphs that differ in names alone have one fingerprint, but need files of their own
        stored = self._graphs / f"{graph.fingerprint}-{graph.names_fingerprint[:12]}.npz"
        if not _holds(stored, graph):
            stored.parent.mkdir(parents=True, exist_ok=True)
            save_npz(graph, stored)
        target = self.path / GRAPH_FILE
        try:
            target.hardlink_to(stored)
        except OSError:
            with replacing(target) as part:
                shutil.copyfile(stored, part)

    def result(self, result: Mapping[str, Any]) -> None:
        """Write ``result.json``, with the checksums of the files that are there."""
        names = [path.name for path in self.path.iterdir() if path.name != RESULT_FILE]
        written = sealed({**result, FILES: listing(self.path, names)})
        text = json.dumps(written, indent=2, allow_nan=False) + "\n"
        text = NUMBERS.sub(lambda found: " ".join(found[0].split()), text)
        write_file(self.path / RESULT_FILE, text)

    def close(self) -> None:
        """Close the metrics, after success and after failure."""
        with naming(self.path / METRICS_FILE):
            self._metrics.close()


def _holds(stored: Path, graph: GraphData) -> bool:
    """True if the file of an earlier run is whole and has this graph."""
    if not stored.is_file():
        return False
    problem = "it has another graph"
    try:
        found = read_npz(stored, graph.name)
        names = found.names_fingerprint == graph.names_fingerprint
        if names and found.fingerprint == graph.fingerprint:  # as its name says
            return True
    except DataError as error:
        problem = str(error)
    logger.warning("%s is damaged (%s); writing it again", stored, problem)
    return False


def _new_folder(config: Config, key: str, started: datetime) -> Path:
    parent = cell_folder(config)
    parent.mkdir(parents=True, exist_ok=True)
    for half in parent.glob(f"*-{key[:8]}*/*{HALF}"):  # who holds the lock of this key writes alone
        half.unlink(missing_ok=True)
    folder = parent / f"{stamp(started)}-{key[:8]}"
    while True:
        try:
            folder.mkdir()
            return folder
        except FileExistsError:  # the same configuration started twice in this second
            folder = parent / f"{stamp(started)}-{key[:8]}-{os.urandom(2).hex()}"
