"""The typed schema of everything in ``conf/``: each option's type, meaning and limits.

Values live in ``conf/*.yaml``; this file defines which values are allowed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from omegaconf import MISSING

from gkd_runner.common.errors import ConfigError
from gkd_runner.options.metrics import METRICS

FAMILIES = ("planetoid", "amazon", "coauthor", "ogbn", "custom", "synthetic")
DEVICES = ("auto", "cpu", "cuda")
CACHE_MODES = ("use", "refresh", "off")
CALIBRATIONS = ("temperature", "none")


class Range(NamedTuple):
    """The values of an option that a search tries; whole bounds are for integers."""

    low: float
    high: float
    log: bool = False


def option(
    help: str,  # noqa: A002
    *,
    default: Any = MISSING,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
    choices: tuple[str, ...] | None = None,
    distinct: bool = False,
    search: Range | None = None,
) -> Any:
    """One option: its meaning and the values that it may take (each item of a list).

    Its default stands in the YAML file; one that is given here is for files of other packages,
    which need not name it. A ``distinct`` list
    has at least one item and none twice. ``gkd-search`` varies the options of method and student
    that have a range to ``search``.
    """
    limits = {"at_least": at_least, "above": above, "at_most": at_most, "below": below}
    rules = {name: limit for name, limit in limits.items() if limit is not None}
    return field(
        default=default,
        metadata={
            "help": help,
            "rules": rules,
            "choices": choices,
            "distinct": distinct,
            "search": search,
        },
    )


@dataclass
class DatasetConfig:
    """A graph: its file and the treatment of its features."""

    name: str = option("Name in tables and folders; also the file looked for, <name>.npz.")
    family: str = option("Dataset family; selects the protocol's rules.", choices=FAMILIES)
    path: str | None = option("Graph file to use instead of searching for one.")
    row_normalize: bool = option("Divide each feature row by its sum (as DGL does for Planetoid).")
    repair: bool = option("Add missing reverse edges, merge duplicates, drop self-loops.")


@dataclass
class SyntheticConfig(DatasetConfig):
    """A degree-corrected stochastic block model with class-dependent features."""

    nodes: int = option("Number of nodes.", at_least=20)
    classes: int = option("Number of classes.", at_least=2)
    features: int = option("Number of feature columns.", at_least=2)
    mean_degree: float = option("Mean number of neighbours.", above=0)
    homophily: float = option("Share of edges inside a class.", at_least=0, at_most=1)
    seed: int = option("Seed of the graph (not of a run).", at_least=0)


@dataclass
class ProtocolConfig:
    """Rules for cutting and splitting a graph and for hiding nodes; a table never mixes two."""

    name: str = option("Name in tables and folders.")
    covers: list[str] = option(
        "Dataset families that the protocol is defined for.", choices=FAMILIES
    )
    own_split: list[str] = option("Families whose stored split is used.", choices=FAMILIES)
    largest_component: list[str] = option(
        "Families cut to their largest connected component.", choices=FAMILIES
    )
    train_per_class: int = option("Training nodes per class of a drawn split.", at_least=1)
    val_per_class: int | None = option(
        "Validation nodes per class; null: use val_size.", at_least=1
    )
    val_size: int | None = option("Validation nodes in all; null: use val_per_class.", at_least=1)
    test_size: int | None = option("Test nodes in all; null: all that remain.", at_least=1)
    hidden_fraction: float = option(
        "Inductive: share of the test nodes that is hidden.", above=0, at_most=1
    )
    hidden_fraction_planetoid: float = option("The same on Planetoid graphs.", above=0, at_most=1)
    observe_unsplit: bool = option("Inductive: nodes in no split stay in the observed graph.")
    label_fraction: float = option(
        "Share of each class's training labels that is kept, at least one; the other training"
        " nodes stay in the graph without a label.",
        above=0,
        at_most=1,
    )


@dataclass
class SettingConfig:
    """The part of the graph that training may see."""

    name: str = option("Name of the setting.", choices=("transductive", "inductive"))


@dataclass
class SourceConfig:
    """The source of the soft labels: a teacher that is trained, or a file of one's logits."""

    name: str = option("Name in tables and folders.")


@dataclass
class PrecomputedConfig(SourceConfig):
    """The logits of a teacher that was trained elsewhere."""

    name: str = option("Source.", choices=("precomputed",))
    logits: str = option(
        "File with the logits of all nodes: .npz with the array logits or probabilities, or .npy."
    )


@dataclass
class TeacherConfig(SourceConfig):
    """A graph neural network, and how it is trained."""

    name: str = option("Architecture.", choices=("gcn", "sage", "gat"))
    num_layers: int = option("Number of graph convolutions.", at_least=1)
    hidden_dim: int = option("Width of each hidden layer.", at_least=1)
    dropout: float = option("Dropout after each hidden layer.", at_least=0, below=1)
    learning_rate: float = option("Adam's learning rate.", above=0)
    weight_decay: float = option("Adam's L2 penalty.", at_least=0)


@dataclass
class GatConfig(TeacherConfig):
    """GAT's own options."""

    heads: int = option("Attention heads of each hidden layer.", at_least=1)
    output_heads: int = option(
        "Heads of the output layer, averaged; 1 as in the released codes.", at_least=1
    )
    attention_dropout: float = option("Dropout on attention weights.", at_least=0, below=1)
    negative_slope: float = option("Slope of the attention's leaky ReLU.", at_least=0)


@dataclass
class StudentConfig:
    """An MLP, and how it is trained."""

    name: str = option("Architecture.", choices=("mlp",))
    num_layers: int = option("Number of linear layers.", at_least=1)
    hidden_dim: int = option("Width of each hidden layer.", at_least=1)
    dropout: float = option(
        "Dropout after each hidden layer.", at_least=0, below=1, search=Range(0.0, 0.8)
    )
    input_dropout: float = option("Dropout on the features.", at_least=0, below=1)
    learning_rate: float = option(
        "Adam's learning rate.", above=0, search=Range(0.001, 0.03, log=True)
    )
    weight_decay: float = option("Adam's L2 penalty.", at_least=0)
    sampled_nodes: int | None = option(
        "Each epoch is one step on at most so many training nodes and, with a teacher, so many"
        " others, drawn at random, in place of training.batch_size; null: an epoch has all nodes.",
        at_least=1,
    )


@dataclass
class TrainingConfig:
    """The length of training, the rule for choosing the epoch, and mini-batches."""

    max_epochs: int = option("Epochs at most.", at_least=1)
    patience: int = option(
        "Epochs without a better or equal validation score (select_by) before stopping.",
        at_least=1,
    )
    select_by: str = option(
        "Metric on the validation nodes that chooses the epoch, of teacher and student; roc_auc"
        " needs a graph of two classes.",
        choices=tuple(METRICS),
    )
    batch_size: int | None = option(
        "Nodes of each step, of teacher and student; null: all at once.", at_least=1
    )
    fan_outs: list[int] | None = option(
        "Neighbours that a mini-batch draws for each node, one number per layer of the teacher, the"
        " last for the layer nearest to the labels; null: all neighbours.",
        at_least=1,
    )


@dataclass
class MethodConfig:
    """Options of every method: the weights of the common objective."""

    name: str = option("Method.")
    lam: float = option(
        "lambda: weight of the labels' loss; 1 - lambda is the soft labels'.",
        at_least=0,
        at_most=1,
        search=Range(0.0, 0.6),
    )
    tau: float = option(
        "Temperature of soft labels and student in the distillation loss.",
        above=0,
        search=Range(0.5, 3.0),
    )
    propagation_hops: int = option(
        "P: the student reads features pooled over hops 0 to P.", default=0, at_least=0
    )
    self_loops: float = option(
        "s in A + sI, by which features are propagated.", default=2.0, above=0
    )

    @property
    def uses_teacher(self) -> bool:
        """True if soft labels count, so that the student learns from its teacher."""
        return self.lam < 1


@dataclass
class PresetConfig:
    """The source of hyperparameters that the command line does not give."""

    name: str = option("Source of hyperparameters.", choices=("paper", "common", "none"))
    table: str | None = option(
        "Published table that methods without one of their own read (preset=paper), or all methods"
        " for architecture and optimisers (preset=common)."
    )


@dataclass
class TrackerConfig:
    """The experiment tracker that mirrors the run's record."""

    name: str = option("Tracker.", choices=("wandb", "trackio", "none"))
    project: str = option("Project that runs are filed under.")
    entity: str | None = option("W&B: user or team that owns the runs; null: W&B's default.")
    mode: str | None = option(
        "W&B: null uses W&B's own settings, and offline without a key.",
        choices=("online", "offline", "disabled"),
    )
    tags: list[str] = option("Extra tags on each tracked run.")


@dataclass
class Config:
    """One job: one configuration, several seeds."""

    dataset: DatasetConfig = option("The graph.")
    protocol: ProtocolConfig = option("Split rules.")
    setting: SettingConfig = option("What training may see.")
    teacher: SourceConfig = option("The graph neural network, or a file of its logits.")
    student: StudentConfig = option("The MLP.")
    method: MethodConfig = option("How the teacher teaches.")
    preset: PresetConfig = option("Source of hyperparameters.")
    training: TrainingConfig = option("Epochs, patience and mini-batches.")
    tracker: TrackerConfig = option("Experiment tracker.")
    seeds: list[int] = option(
        "One replica per seed: 0-4, 0..4, 0,1,2 or 5; in a sweep, those of every cell.",
        at_least=0,
        distinct=True,
    )
    splits: list[int] | None = option(
        "Numbers of the graph's own splits, each run with every seed; null: all of them.",
        at_least=0,
        distinct=True,
    )
    device: str = option("Where both stages run.", choices=DEVICES)
    replicas: int | None = option(
        "Seeds trained at once; null: 1 on the CPU, all on a GPU.", at_least=1
    )
    calibration: str = option(
        "Temperature-scale the teacher on the validation nodes before"
        " distilling, or take its logits as they are (the papers).",
        choices=CALIBRATIONS,
    )
    cache: str = option(
        "Soft labels: use what is there, train anew, or leave the disk alone.", choices=CACHE_MODES
    )
    deterministic: bool = option(
        "Use operations alone that give the same bits each time, and decide by no measured time.",
        default=False,
    )
    rerun: bool = option("Train again what an earlier run has finished.")
    on_error: str = option(
        "Sweeps: after a cell that failed, continue with the next or stop.",
        choices=("continue", "stop"),
    )
    cache_dir: str = option("Folder of cached soft labels.")
    data_dir: str = option("Folder searched for <dataset>.npz, and where downloads go.")
    output_dir: str = option("Folder under which runs are written.")

    @property
    def gnn(self) -> TeacherConfig:
        """The teacher that is trained. Raises ``ConfigError`` where a file stands for it."""
        if isinstance(self.teacher, TeacherConfig):
            return self.teacher
        raise ConfigError(
            [f"teacher={self.teacher.name} is a file of logits, and a graph neural network is"
             " needed here; use teacher=gcn, sage or gat"]
        )  # fmt: skip


GROUPS: dict[str, type] = {
    "dataset": DatasetConfig,
    "protocol": ProtocolConfig,
    "setting": SettingConfig,
    "teacher": TeacherConfig,
    "student": StudentConfig,
    "method": MethodConfig,
    "preset": PresetConfig,
    "training": TrainingConfig,
    "tracker": TrackerConfig,
}
