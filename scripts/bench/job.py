"""One whole job, which tells at its end how much of its CPU time was training.

``python -m bench.job FACTS.json OPTION ...`` runs ``gkd-train`` with the options.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gkd_runner.cli.train import main
from gkd_runner.runs.job import Job


class Share:
    """CPU seconds within both stages, without those of the callback that records an epoch."""

    def __init__(self) -> None:
        self.training = 0.0

    @contextmanager
    def stage(self, job: Job, name: str, original: Any) -> Iterator[Any]:
        """The stage of ``job``, timed."""

        def on_epochs(*arguments: Any) -> None:
            begun = time.process_time()
            record(*arguments)
            self.training -= time.process_time() - begun

        started = time.process_time()
        with original(job, name) as record:
            yield on_epochs
        self.training += time.process_time() - started


def run(facts: Path) -> None:
    """Run ``gkd-train`` with ``sys.argv``; write the facts when it ends."""
    share, original = Share(), Job.stage
    Job.stage = lambda job, name: share.stage(job, name, original)  # type: ignore[method-assign]
    try:
        main()
    finally:
        facts.write_text(json.dumps({"training_cpu_seconds": share.training}), encoding="utf-8")


if __name__ == "__main__":
    path = Path(sys.argv.pop(1))
    run(path)
