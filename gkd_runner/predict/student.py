"""An exported student that answers: for known nodes, for new nodes, and for the whole graph."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from gkd_runner.data.graph import FloatArray, GraphData, IntArray
from gkd_runner.data.npz import load_npz
from gkd_runner.predict import folder as files
from gkd_runner.predict.answers import Answers
from gkd_runner.predict.folder import PredictError, read_facts
from gkd_runner.predict.ids import Ids, NodeIndex
from gkd_runner.predict.new_nodes import Links, cheap_features, exact_features, row_normalized
from gkd_runner.predict.whole_graph import WholeGraph, later_layers, layers_of

BATCH = 4096
"""Nodes that pass through the model at once, which bounds the memory of large requests."""

Features = FloatArray | sp.csr_array
"""Raw features ``[k, d]``, dense or CSR."""

logger = logging.getLogger("gkd_runner")


def load_student(folder: Path | str, threads: int | None = None) -> ExportedStudent:
    """The student that ``gkd-export`` wrote to ``folder``.

    ``threads`` is the number of threads of onnxruntime (default: its own choice). Files are read
    when an answer first needs them. Raises ``PredictError`` if ``folder`` is not such a folder.
    """
    return ExportedStudent(Path(folder).expanduser(), threads)


class ExportedStudent:
    """Answers from the files of one folder, without torch, teacher and cache."""

    def __init__(self, folder: Path, threads: int | None = None) -> None:
        self.folder, self._threads = folder, threads
        self.facts = read_facts(folder)
        self._said: set[str] = set()

    def predict_known(self, ids: Iterable[Any] | Ids) -> Answers:
        """Answers for nodes of the graph, by their original ids."""
        nodes = self.index.positions(ids)
        return self._answers(self.graph.ids[nodes], self._known_inputs(nodes))

    def predict_all(self) -> Answers:
        """Answers for all nodes of the graph, in its order.

        Propagated features are not read from the table where propagating the product of the first
        layer is faster; the answers differ in rounding, with a float16 table in its.
        """
        whole = self._whole_graph
        if whole is None or not whole.is_cheaper:
            return self.predict_known(self.graph.ids)
        parts = [later_layers(layers, whole.first(layers[0][0])) for layers in self._models]
        mean = parts[0] if len(parts) == 1 else np.mean(parts, axis=0)
        return Answers(self.graph.ids, mean, self.facts.classes)

    def predict_features(self, x: Features, *, ids: Ids | None = None) -> Answers:
        """Answers for new nodes without edges; ``x`` ``[k, d]`` are raw features.

        The rows of ``x`` are normalised as those of the training graph were.
        """
        inputs = self._new_inputs(x)
        if self.facts.propagated:
            self._say_once("new nodes without neighbours: their features are not propagated")
        return self._answers(_new_ids(ids, inputs.shape[0]), inputs)

    def predict_new(
        self,
        x: Features,
        neighbours: Sequence[Iterable[Any]],
        *,
        ids: Ids | None = None,
        exact: bool = True,
    ) -> Answers:
        """Answers for ``k`` new nodes that are not part of the graph.

        Args:
            x: raw features ``[k, d]``.
            neighbours: for each new node the ids of its neighbours: known nodes, or other new ones.
            ids: ids of the new nodes; by default ``new-0`` and so on.
            exact: propagate over the graph with the new nodes added. ``False``: take the stored
                features of the direct neighbours, which reads less (see ``new_nodes.py``). Of no
                effect for students on raw features, which need no neighbours.
        """
        inputs = self._new_inputs(x)
        new = _new_ids(ids, inputs.shape[0])
        if len(neighbours) != len(new):
            raise PredictError(f"{len(neighbours)} lists of neighbours for {len(new)} new nodes")
        if not self.facts.propagated:
            self._say_once("the student reads raw features: neighbours do not change its answers")
            return self._answers(new, inputs)
        links = self._links(new, neighbours)
        return self._answers(new, self._propagated(inputs, links, exact=exact))

    @cached_property
    def graph(self) -> GraphData:
        """The graph as the model reads it: cut and normalised, with the split of the run."""
        path = self._file(files.GRAPH, "known nodes and neighbours")
        return load_npz(path, self.facts.dataset)

    @cached_property
    def index(self) -> NodeIndex:
        """The known nodes by their ids."""
        return NodeIndex(self.graph.ids, self.facts.dataset)

    @cached_property
    def table(self) -> npt.NDArray[Any]:
        """Propagated features of the known nodes ``[n, d]``, memory-mapped."""
        path = self._file(files.TABLE, "known nodes and --cheap")
        table: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        return table

    @cached_property
    def _session(self) -> Any:
        if importlib.util.find_spec("onnxruntime") is None:
            raise PredictError(
                'answers need onnxruntime, which is not installed: pip install "gkd-runner[predict]"'
            )
        import onnxruntime  # an extra, and not needed to read the facts

        options = onnxruntime.SessionOptions()
        if self._threads is not None:
            options.intra_op_num_threads = self._threads
        path = self._file(files.MODEL, "every answer")
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    @cached_property
    def _models(self) -> list[Any]:
        """The layers of each seed's student."""
        if importlib.util.find_spec("safetensors") is None:
            raise PredictError(
                '--all needs safetensors, which is not installed: pip install "gkd-runner[predict]"'
            )
        from safetensors.numpy import load_file  # an extra

        tensors = load_file(self._file(files.WEIGHTS, "--all"))
        if len(self.facts.seeds) == 1:
            return [layers_of(tensors)]
        return [layers_of(tensors, f"seed-{seed}.") for seed in self.facts.seeds]

    @cached_property
    def _whole_graph(self) -> WholeGraph | None:
        """The factored form of the inputs; ``None`` where only the table is known."""
        recipe = self.facts.recipe
        if self.facts.propagated and (recipe is None or recipe.pooling != "mean"):
            return None
        path = self.folder / files.OBSERVED
        return WholeGraph(self.graph, recipe, np.load(path) if path.is_file() else None)

    def _known_inputs(self, nodes: IntArray) -> Features:
        source = self.table if self.facts.propagated else self.graph.features
        rows: Features = source[nodes]
        return rows

    def _new_inputs(self, x: Features) -> Features:
        raw = sp.csr_array(x, dtype=np.float32) if sp.issparse(x) else np.atleast_2d(x)
        if raw.shape[1] != self.facts.num_features:
            raise PredictError(
                f"{raw.shape[1]} features per node; {self.facts.dataset} has"
                f" {self.facts.num_features}, in the order of its columns"
            )
        if not np.isfinite(raw.data if sp.issparse(raw) else raw).all():
            raise PredictError("some features of new nodes are NaN or infinite; replace them")
        return row_normalized(raw) if self.facts.row_normalize else raw

    def _links(self, new: Ids, neighbours: Sequence[Iterable[Any]]) -> Links:
        lists = [list(those) for those in neighbours]
        flat = self.index.as_ids([node for those in lists for node in those])
        own = {node: place for place, node in enumerate(new.tolist())}
        n = self.graph.num_nodes
        among = np.array([own.get(node, -1) for node in flat.tolist()], dtype=np.int64)
        ends = among + n
        ends[among < 0] = self.index.positions(flat[among < 0])
        starts = n + np.repeat(np.arange(len(new)), [len(those) for those in lists])
        return Links.of(np.stack([starts, ends], axis=1), n, len(new))

    def _propagated(self, inputs: Features, links: Links, *, exact: bool) -> FloatArray:
        recipe = self.facts.recipe
        if recipe is None:
            raise PredictError(
                f"method {self.facts.raw['training']['method']} does not say how it propagates"
                " features (Method.propagation), so that its student answers known nodes only"
            )
        graph = self.graph
        if exact:
            features: FloatArray = exact_features(
                graph.adjacency, graph.features, inputs, links, recipe
            )
            return features
        degrees = np.diff(graph.adjacency.indptr)
        return cheap_features(degrees, self.table, inputs, links, recipe)  # type: ignore[no-any-return]

    def _answers(self, ids: Ids, inputs: Features) -> Answers:
        return Answers(ids, self._probabilities(inputs), self.facts.classes)

    def _probabilities(self, inputs: Features) -> FloatArray:
        run, k = self._session.run, inputs.shape[0]
        if 0 < k <= BATCH:
            answer: FloatArray = run(None, {"features": _dense(inputs)})[0]
            return answer
        parts = [np.empty((0, len(self.facts.classes)), dtype=np.float32)]
        for start in range(0, k, BATCH):
            parts += run(None, {"features": _dense(inputs[start : start + BATCH])})
        return np.concatenate(parts)

    def _file(self, name: str, needed_by: str) -> Path:
        path = self.folder / name
        if not path.is_file():
            raise PredictError(
                f"{self.folder} lacks {name}, which {needed_by} need; export the run again"
            )
        return path

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            logger.warning("%s", text)


def _new_ids(ids: Ids | None, count: int) -> Ids:
    if ids is None:
        return np.array([f"new-{number}" for number in range(count)])
    if len(ids) != count:
        raise PredictError(f"{len(ids)} ids for {count} rows of features")
    if len(np.unique(ids)) < count:
        raise PredictError("the ids of new nodes are not unique")
    return ids


def _dense(x: Features) -> FloatArray:
    return np.asarray(x.toarray() if sp.issparse(x) else x, dtype=np.float32)
