from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from jaxtyping import install_import_hook

# Every array annotation of the package is checked while the tests run.
install_import_hook("gkd_runner", "shape_checks.check")

import torch  # noqa: E402

torch.set_num_threads(1)  # tiny tensors: more threads only wait for each other


@pytest.fixture(autouse=True)
def package_log_as_it_was() -> Iterator[None]:
    """The command line sends the package's log to the console; later tests read it again."""
    logger = logging.getLogger("gkd_runner")
    handlers, propagate, level = list(logger.handlers), logger.propagate, logger.level
    yield
    logger.handlers, logger.propagate = handlers, propagate
    logger.setLevel(level)
