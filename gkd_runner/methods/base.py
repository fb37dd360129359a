"""The base of all methods: three decisions about the one objective.

Which features the student reads, how much each label counts, and how teacher probabilities
aggregate into soft targets (once, or anew each epoch from the detached student).
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

from jaxtyping import Float

from gkd_runner.common.errors import TrainingError
from gkd_runner.common.lazy import sp, torch
from gkd_runner.common.probabilities import softmax
from gkd_runner.data.graph import FloatArray, GraphData
from gkd_runner.data.task import Task
from gkd_runner.graph.batch import GraphBatch, batch_graphs
from gkd_runner.graph.chunks import EdgeChunk, edge_chunks, per_edge
from gkd_runner.graph.features import Features
from gkd_runner.graph.propagation import Propagation
from gkd_runner.methods.aggregate import Aggregator
from gkd_runner.methods.objective import SoftTarget
from gkd_runner.models.streams import Streams, uniform_numbers
from gkd_runner.options.schema import MethodConfig, StudentConfig

ConfigT = TypeVar("ConfigT", bound=MethodConfig)


class PresetTable(NamedTuple):
    """Published hyperparameters, in ``conf/method/<file>.csv``, one row per cell of the paper.

    A row is looked up by its columns ``dataset``, ``teacher``, ``setting`` and, where it has one,
    ``method``. Columns called as the method's own options are these; the others are those of
    teacher, student and training. A row whose column ``unsupported`` has a text cannot be run.
    """

    title: str
    file: str


@dataclass(frozen=True, eq=False)
class Classroom:
    """The inputs of a method: the tasks of all replicas and their teachers.

    ``teacher_logits`` are calibrated. ``answer`` gives a replica's teacher's logits ``[n, C]`` on
    its training graph with other features.
    """

    tasks: Sequence[Task]
    teacher_logits: Float[torch.Tensor, "R n C"]
    max_epochs: int
    answer: Callable[[int, GraphData], torch.Tensor]
    _streams: dict[str, Streams] = field(default_factory=dict)

    @property
    def device(self) -> torch.device:
        return self.teacher_logits.device

    @cached_property
    def graph(self) -> GraphBatch:
        """The training graphs, side by side; built when first used, as not all methods need it."""
        adjacencies = [task.training_graph.adjacency for task in self.tasks]
        return batch_graphs(adjacencies, self.device)

    def stream(self, name: str) -> Streams:
        """The random stream called ``name`` of every replica; it goes on where it was left."""
        if name not in self._streams:
            seeds = [task.seed for task in self.tasks]
            self._streams[name] = Streams(seeds, name, self.device)
        return self._streams[name]

    def ask(self, features: Iterable[FloatArray | sp.csr_array]) -> Float[torch.Tensor, "R n C"]:
        """The teachers' calibrated logits, without dropout, for one ``[n, d]`` per replica.

        A generator keeps the features of only one replica in memory. Raises ``TrainingError`` for
        answers that are not finite.
        """
        answers = []
        for replica, (task, other) in enumerate(zip(self.tasks, features, strict=True)):
            answers.append(self.answer(replica, replace(task.training_graph, features=other)))
            if not bool(answers[-1].isfinite().all()):
                raise TrainingError(
                    f"the teacher of seed {task.seed} answers changed features with logits that"
                    " are NaN or infinite; lower teacher.learning_rate, or bring the features to"
                    " a scale of about 1"
                )
        return torch.stack(answers)

    def probabilities(self, temperature: float = 1.0) -> Float[torch.Tensor, "R n C"]:
        """The teachers' softmax at ``temperature``."""
        return softmax(self.teacher_logits / temperature)

    @cached_property
    def chunks(self) -> list[EdgeChunk]:
        """The edges in chunks for one value per edge."""
        return edge_chunks(self.graph)

    def per_edge(
        self, compute: Callable[[EdgeChunk], Float[torch.Tensor, " e"]]
    ) -> Float[torch.Tensor, " E"]:
        """The values of all edges, computed chunk by chunk."""
        return per_edge(self.chunks, compute)

    def draw_uniform(self, name: str) -> Callable[[EdgeChunk], Float[torch.Tensor, " e"]]:
        """Draw a number in (0, 1) for each edge from stream ``name``; a chunk takes its own.

        Until then an edge takes 4 bytes.
        """
        words = self.stream(name).words([2 * count for count in self.graph.edge_counts])
        return lambda chunk: uniform_numbers(words[2 * chunk.edges.start : 2 * chunk.edges.stop])

    @cached_property
    def edges_of_replicas(self) -> Float[torch.Tensor, " R"]:
        """How many edges each replica has (self-loops included)."""
        return torch.tensor(self.graph.edge_counts, device=self.device).float()

    def aggregator(self, probabilities: Float[torch.Tensor, "R n C"]) -> Aggregator:
        """Computes soft targets from weights of edges, by which these probabilities are summed."""
        return Aggregator(self.graph, probabilities)

    def sum_edges(self, values: Float[torch.Tensor, " E"]) -> Float[torch.Tensor, " R"]:
        """Sum edge values to their replicas."""
        replicas = torch.split(values, list(self.graph.edge_counts))
        return torch.stack([replica.sum() for replica in replicas])


class Method(ABC, Generic[ConfigT]):
    """Base of all methods; its defaults train on labels and raw features alone.

    A subclass with a ``name`` in a module of this package is a method (see ``methods/__init__``).
    """

    name: ClassVar[str]
    """As in ``method=name``; also the name of its YAML file in ``conf/method/``."""

    position: ClassVar[int] = 100
    """Place among the methods in tables and help: lower ones come first, then by name."""

    colour: ClassVar[str]
    """The method's colour in every figure, as ``#rrggbb``."""

    options: ClassVar[type[MethodConfig]] = MethodConfig
    """The dataclass of its options: their meaning, limits, and the ranges that a search tries."""

    presets: ClassVar[PresetTable | None] = None
    """Its published hyperparameters."""

    student_options: ClassVar[Mapping[str, Any]] = {}
    """Defaults of the student's options that belong to the method."""

    distils: ClassVar[bool] = True
    """True if the student learns from a teacher."""

    is_reference: ClassVar[bool] = False
    """True if tables show how far other methods are ahead of this one."""

    watches_student = False
    """True if ``soft_target`` needs the student's logits of the previous epoch."""

    asks_teacher = False
    """True if ``prepare`` calls ``classroom.ask``, which needs a teacher that is trained here."""

    def __init__(self, config: ConfigT) -> None:
        self.config = config

    def mistakes(self) -> list[str]:
        """Options that do not go together, one message each; limits of one alone are its own."""
        lam, name = self.config.lam, self.config.name
        if not self.distils and lam != 1:
            return [f"method.lam={lam} with method={name}, which has no teacher: it must be 1"]
        if self.distils and lam == 1:
            return [f"method.lam={lam} with method={name} leaves the teacher out; use method=mlp"]
        return []

    @property
    def variants(self) -> Sequence[Method[ConfigT]]:
        """The methods of which a student each is trained; validation decides which is kept."""
        return (self,)

    @property
    def is_fallback(self) -> bool:
        """True if, among variants, its student must be clearly better on validation to be kept."""
        return False

    def student(self, student: StudentConfig) -> StudentConfig:
        """The options of the student that is trained, which a variant may change."""
        return student

    def chosen(self, facts: Mapping[str, Any]) -> Method[ConfigT]:
        """The one of ``variants`` whose student was kept, by its recorded ``facts``."""
        return self

    @property
    def propagation(self) -> Propagation | None:
        """How the student's input is propagated; ``None`` for raw features.

        An exported student computes the features of new nodes by it.
        """
        hops = self.config.propagation_hops
        return Propagation(hops, self.config.self_loops, self._pooling) if hops else None

    @property
    def _pooling(self) -> str:
        """How the hops are pooled."""
        return "mean"

    def features(self, graph: GraphData) -> Features:
        """The student's input on any graph (the observed one, or all for hidden nodes)."""
        if self.propagation is None:
            return Features(graph.features)
        return self.propagation.features(graph.adjacency, graph.features)

    def prepare(self, classroom: Classroom) -> None:
        """Compute once what the other decisions need."""
        self.classroom = classroom

    def label_weights(self, rows: torch.Tensor) -> Float[torch.Tensor, "R k"]:
        """Weights ``a`` of the labels of nodes ``rows`` ``[R, k]``; by default 1 / k (a mean)."""
        return torch.full(rows.shape, 1.0 / rows.shape[1], device=rows.device)

    def soft_target(
        self, epoch: int, student_logits: Float[torch.Tensor, "R n C"] | None
    ) -> SoftTarget | None:
        """Soft targets at ``epoch`` (from 1); the same object while they do not change."""
        return None

    def logged(self) -> Mapping[str, Float[torch.Tensor, " R"]]:
        """Values of each replica to record with this epoch, by name."""
        return {}

    def facts(self, replica: int) -> Mapping[str, Any]:
        """JSON values that ``prepare`` found out, for ``method_facts`` in ``result.json``."""
        return {}
