"""The benchmark's plain reference trains as this package does, if nothing is random."""

import pytest
import torch
from bench.plain.train import plain_student_training, plain_teacher_training
from support import CPU, config, small_graph, small_tasks, students, teachers

from gkd_runner.models.gnn import build_teacher
from gkd_runner.models.layers import Initializer
from gkd_runner.models.mlp import build_student

EPOCHS = 6
NOTHING_RANDOM = (
    "teacher.dropout=0",
    "student.dropout=0",
    f"training.max_epochs={EPOCHS}",
    f"training.patience={EPOCHS}",
    "teacher.num_layers=3",
    "student.num_layers=3",
)


def start_alike(model, ours):
    """Give the plain model the weights of the only replica of ours."""
    state = {name: value[0].detach().clone() for name, value in ours.state_dict().items()}
    model.load_state_dict(state)


def losses(training, epochs=EPOCHS):
    return [loss for _, loss in zip(range(epochs), training.epochs(), strict=False)]


@pytest.mark.parametrize("name", ["gcn", "sage", "gat"])
def test_a_teacher_has_the_losses_of_ours_and_ends_with_its_weights(name):
    attention = ("teacher.attention_dropout=0",) if name == "gat" else ()
    settings = config(f"teacher={name}", *NOTHING_RANDOM, *attention)
    (task,) = small_tasks(settings, [3])
    graph = small_graph()
    training = plain_teacher_training(task, settings, CPU)
    init = Initializer([3], "teacher initialisation")
    start_alike(
        training.model,
        build_teacher(settings.teacher, graph.num_features, graph.num_classes, init),
    )
    (ours,) = teachers(settings, [task])
    assert losses(training) == pytest.approx([epoch.loss for epoch in ours.history], rel=1e-4)
    for name, value in training.best.items():
        torch.testing.assert_close(value, ours.state[name], rtol=1e-3, atol=1e-5)


def distilled(method, *options):
    """The reference's and our student of the same teacher, both untrained."""
    settings = config(f"method={method}", *NOTHING_RANDOM, *options)
    (task,) = small_tasks(settings, [3])
    taught = teachers(settings, [task])
    graph = small_graph()
    logits = torch.from_numpy(taught[0].observed_logits)
    training = plain_student_training(task, settings, logits, CPU)
    init = Initializer([3], "student initialisation")
    start_alike(
        training.model,
        build_student(settings.student, graph.num_features, graph.num_classes, init),
    )
    return training, students(settings, [task], taught)[0]


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("mlp", ()),
        ("glnn", ("method.lam=0.3", "method.tau=1.4")),
        ("infgrand", ("method.lam=0.3", "method.tau=1.4", "method.gamma_2=0.7")),
        ("infgrand", ("method.lam=0.2", "method.propagation_hops=0")),
        ("krd", ("method.lam=0.3", "method.first_draw=100")),
    ],
)
def test_a_student_has_the_losses_of_ours_and_ends_with_its_weights(method, options):
    training, ours = distilled(method, *options)
    assert losses(training) == pytest.approx([epoch.loss for epoch in ours.history], rel=1e-4)
    for name, value in training.best.items():
        torch.testing.assert_close(value, ours.state[name], rtol=1e-3, atol=1e-5)


def test_hgmd_weight_has_our_loss_while_all_edges_are_kept():
    training, ours = distilled("hgmd-weight", "method.lam=0.2", "method.tau=1.3")
    assert losses(training, 1)[0] == pytest.approx(ours.history[0].loss, rel=1e-5)
