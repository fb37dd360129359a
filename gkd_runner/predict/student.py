"""A trained student that answers: for known nodes, for new nodes, and for the whole graph."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from gkd_runner.data.graph import FloatArray, GraphData, Ids, IntArray
from gkd_runner.predict.answers import Answers
from gkd_runner.predict.folder import Facts, PredictError
from gkd_runner.predict.ids import NodeIndex, check_new_ids
from gkd_runner.predict.layers import Layer, answer_rows, later_layers, mean_answer, single_rows
from gkd_runner.predict.new_nodes import Links, cheap_features, exact_features, row_normalized
from gkd_runner.predict.whole_graph import WholeGraph

BATCH = 4096
"""Nodes that pass through the model at once, which bounds the memory of large requests."""

FEW = 4
"""Up to this many nodes are answered row by row, if most of their features are zero.

A dense product reads all weights of the first layer, which takes most of a single answer's time.
"""

SMALL = 4_000_000
"""Values, at most, of the first layer's products that are kept in memory: 16 MB."""

Features = Any
"""Raw features ``[k, d]``: a float32 array, or a CSR array of SciPy."""

logger = logging.getLogger("gkd_runner")


class Student(ABC):
    """Answers of one student, or the mean answer of several seeds' students.

    Where its parts come from is up to the subclass; they are asked for when first needed.
    """

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self._said: set[str] = set()

    @property
    @abstractmethod
    def graph(self) -> GraphData:
        """The graph as the model reads it: cut and normalised, with the split of the run."""

    @property
    @abstractmethod
    def table(self) -> npt.NDArray[Any]:
        """Propagated features of the known nodes ``[n, d]``, float32 or float16."""

    @property
    @abstractmethod
    def models(self) -> Sequence[Sequence[Layer]]:
        """The layers of each seed's student."""

    @property
    @abstractmethod
    def observed(self) -> npt.NDArray[np.bool_] | None:
        """``[n]``, for propagated features: the nodes that read only the observed graph.

        They are those that an inductive run observed; ``None`` if all read the whole graph.
        """

    @property
    def _has_graph(self) -> bool:
        """False where the graph was left out of an exported folder."""
        return True

    @abstractmethod
    def probabilities(self, x: FloatArray) -> FloatArray:
        """Probabilities ``[k, C]`` for the model's input ``[k, d]``, ``k`` at most ``BATCH``."""

    def predict_known(self, ids: Iterable[Any] | Ids) -> Answers:
        """Answers for nodes of the graph, by their original ids; a single text is one id."""
        nodes = self.index.positions(ids)
        return Answers(self.graph.ids[nodes], self._known(nodes), self.facts.classes)

    def predict_all(self) -> Answers:
        """Answers for all nodes of the graph, in its order.

        Propagated features are not read from the table where propagating the product of the first
        layer is faster. The two ways differ by the rounding of float32, or of a float16 table.
        """
        whole = self._whole_graph
        if whole is None or not whole.is_cheaper:
            return Answers(self.graph.ids, self._batched(self._source), self.facts.classes)
        products = self._products or (whole.first(layers[0][0]) for layers in self.models)
        pairs = zip(self.models, products, strict=True)
        mean = mean_answer(later_layers(layers, product) for layers, product in pairs)
        return Answers(self.graph.ids, mean, self.facts.classes)

    def predict_new(
        self,
        x: Features,
        neighbours: Sequence[Iterable[Any]] | None = None,
        *,
        ids: Ids | None = None,
        exact: bool = True,
    ) -> Answers:
        """Answers for ``k`` new nodes that are not part of the graph.

        Args:
            x: raw features ``[k, d]``; their rows are normalised as the training graph's were.
            neighbours: for each new node the ids of its neighbours: known nodes, or other new ones.
                By default there are none, and features are not propagated.
            ids: ids of the new nodes; by default ``new-0`` and so on.
            exact: propagate over the graph with the new nodes added. ``False``: take the stored
                features of the direct neighbours, which reads less (see ``new_nodes.py``). Of no
                effect for students on raw features, which need no neighbours.
        """
        inputs = self._new_inputs(x)
        new = _new_ids(ids, inputs.shape[0])
        if ids is not None or neighbours is not None:  # else no id means a node of the graph
            self._refuse_known(new)
        if neighbours is None:
            if self.facts.propagated:
                self._say_once("new nodes without neighbours: their features are not propagated")
        elif len(neighbours) != len(new):
            raise PredictError(f"{len(neighbours)} lists of neighbours for {len(new)} new nodes")
        elif self.facts.propagated:
            inputs = self._propagated(inputs, self._links(new, neighbours), exact=exact)
        else:
            self._say_once("the student reads raw features: neighbours do not change its answers")
        return Answers(new, self._batched(inputs), self.facts.classes)

    def known_inputs(self, nodes: IntArray) -> FloatArray:
        """The model's inputs ``[k, d]`` for the nodes at these places in the graph."""
        return dense(self._source[nodes])

    @cached_property
    def _products(self) -> list[FloatArray] | None:
        """The first layers' products for all known nodes, which answer single ones fastest.

        ``None`` for raw features, whose single rows are as fast, for a float16 table, from which
        they would differ, and for large graphs.
        """
        whole, width = self._whole_graph, self.models[0][0][0].shape[1]
        if whole is None or not self.facts.propagated or not whole.is_cheaper:
            return None
        if len(self.models) * self.graph.num_nodes * width > SMALL or self.table.dtype != "float32":
            return None
        return [whole.first(layers[0][0]) for layers in self.models]

    @property
    def _source(self) -> Any:
        return self.table if self.facts.propagated else self.graph.features

    def _known(self, nodes: IntArray) -> FloatArray:
        if 0 < len(nodes) <= FEW:
            if (products := self._products) is not None:
                return mean_answer(
                    later_layers(layers, product[nodes])
                    for layers, product in zip(self.models, products, strict=True)
                )
            rows = single_rows(self._source, nodes)
            if 2 * sum(len(columns) for columns, _ in rows) < len(rows) * self.facts.num_features:
                return answer_rows(self.models, rows)
        return self._batched(self._source, nodes)

    @cached_property
    def index(self) -> NodeIndex:
        """The known nodes by their ids."""
        return NodeIndex(self.graph.ids, self.facts.dataset)

    @cached_property
    def _whole_graph(self) -> WholeGraph | None:
        """The factored form of the inputs; ``None`` where only the table is known."""
        recipe = self.facts.recipe
        if self.facts.propagated and (recipe is None or recipe.pooling != "mean"):
            return None
        return WholeGraph(self.graph, recipe, self.observed)

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
        own = {str(node): place for place, node in enumerate(new.tolist())}
        n, k = self.graph.num_nodes, len(new)
        listed = [[*those] for those in neighbours]
        starts = n + np.repeat(np.arange(k), [len(those) for those in listed])
        ends = [own.get(str(node), -1) + n for those in listed for node in those]
        others = [node for those in listed for node in those if str(node) not in own]
        filled = np.array(ends, dtype=np.int64)
        filled[filled < n] = self.index.positions(others)
        return Links.of(np.stack([starts, filled], axis=1), n, k)

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

    def _batched(self, rows: Any, nodes: IntArray | None = None) -> FloatArray:
        """Probabilities for the rows ``nodes`` of a matrix, or for all of them without a copy."""
        count = rows.shape[0] if nodes is None else len(nodes)
        parts = []
        for start in range(0, count, BATCH):
            part = slice(start, start + BATCH)
            parts.append(self.probabilities(dense(rows[part if nodes is None else nodes[part]])))
        if len(parts) == 1:
            return parts[0]
        empty = np.empty((0, len(self.facts.classes)), dtype=np.float32)
        return np.concatenate([empty, *parts])

    def _refuse_known(self, new: Ids) -> None:
        known = self.index.known_among(new) if self._has_graph else new[:0]
        if len(known):
            raise PredictError(
                f"the new node {known[0].item()!r} is in the graph {self.facts.dataset} already;"
                " ask for it as a known node, or give the new one another id"
            )

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            logger.warning("%s", text)


def _new_ids(ids: Ids | None, count: int) -> Ids:
    """The ids of ``count`` new nodes. Raises ``PredictError`` if they are not unique."""
    new = np.array([f"new-{number}" for number in range(count)]) if ids is None else ids
    check_new_ids(new, count)
    return new


def dense(x: Features) -> FloatArray:
    """``x`` as the float32 array that a model reads."""
    return np.asarray(x.toarray() if sp.issparse(x) else x, dtype=np.float32)
