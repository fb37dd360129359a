"""Which names a message suggests for a name that does not exist."""

from __future__ import annotations

import pytest

from gkd_runner.common.errors import nearest

METHODS = ("mlp", "glnn", "krd", "hgmd-weight", "hgmd-mixup", "infgrand")
GRAPHS = ("citeseer", "coauthor-cs", "coauthor-physics", "cora", "ogbn-arxiv", "My.npz")


@pytest.mark.parametrize(
    ("typed", "allowed", "suggested"),
    [
        ("GLNN", METHODS, "'glnn'"),
        ("inf", METHODS, "'infgrand'"),
        ("hgmd", METHODS, "'hgmd-weight' or 'hgmd-mixup'"),
        ("mixup", METHODS, "'hgmd-mixup'"),
        ("glmn", METHODS, "'glnn'"),
        ("Corra", GRAPHS, "'cora'"),
        ("ARXIV", GRAPHS, "'ogbn-arxiv'"),
        ("my", GRAPHS, "'My.npz'"),
        ("hgmdmixup", METHODS, "'hgmd-mixup'"),
    ],
)
def test_a_name_is_suggested_by_capitals_beginning_spelling_or_part(
    typed: str, allowed: tuple[str, ...], suggested: str
) -> None:
    assert nearest(typed, allowed) == f"; did you mean {suggested}?"


@pytest.mark.parametrize("typed", ["", "c", "pokec", "in"])
def test_nothing_is_suggested_where_nothing_or_too_much_is_alike(typed: str) -> None:
    assert nearest(typed, (*GRAPHS, "custom", "inception", "india", "inside", "inner")) == ""


def test_what_is_shown_may_differ_from_the_name_and_is_told_once() -> None:
    shown = {"tau": "method.tau", "tau_2": "method.tau"}

    assert nearest("tau_", shown, shown) == "; did you mean 'method.tau'?"
    assert nearest("ta", shown, shown) == "; did you mean 'method.tau'?"
