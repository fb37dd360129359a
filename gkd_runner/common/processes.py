"""The processes that share one job: torchrun starts them, torch.distributed connects them.

Without torchrun there is one process, and torch.distributed is not imported.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from gkd_runner.common.errors import ConfigError, TrainingError, is_out_of_memory, on_one_line
from gkd_runner.common.lazy import distributed, torch

LONGEST_WAIT = timedelta(days=30)
"""For the first process, which trains the teachers. torchrun ends the others if it dies."""

FIRST_TELLS_S = 20.0
"""Time in which the first process meets a failure that another one has met."""

LOST = (
    "another process of this job has ended or cannot be reached; its own message or torchrun's"
    " report says why"
)
ENDED = (
    "torchrun ends this job, as it was told to or as another process of it has ended; its report"
    " says why"
)


class Window(NamedTuple):
    """Consecutive rows of a batch of ``total`` rows: those of one process, perhaps none."""

    start: int
    stop: int
    total: int

    @property
    def share(self) -> float:
        return (self.stop - self.start) / self.total


@dataclass(frozen=True)
class ProcessGroup:
    """All processes of the job, seen from the one with number ``rank``.

    What a method sends between processes is sent by the same call in all of them.
    """

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """True in the process that trains teachers, writes and prints."""
        return self.rank == 0

    def window(self, rows: int) -> Window | None:
        """This process's rows of a batch of ``rows``; ``None`` for all, in a single process."""
        if self.size == 1:
            return None
        start, stop = (rows * rank // self.size for rank in (self.rank, self.rank + 1))
        return Window(start, stop, rows)

    def add(self, tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """The sum of each tensor over all processes, the same numbers in all of them."""
        if self.size == 1:
            return list(tensors)
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        with _connected():
            distributed.all_reduce(flat)
        parts = torch.split(flat, [tensor.numel() for tensor in tensors])
        return [part.view(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]

    def broadcast(self, tensor: torch.Tensor) -> torch.Tensor:
        """Overwrite a tensor on the host by the first process's, which has the same shape."""
        if self.size > 1:
            with _connected():
                distributed.broadcast(tensor, 0)
        return tensor

    def share(self, message: Any = None) -> Any:
        """The first process's message, of what JSON can express."""
        if self.size == 1:
            return message
        text = bytearray(json.dumps(message).encode())
        length = int(self.broadcast(torch.tensor([len(text)])))
        buffer = text if self.first else bytearray(length)
        self.broadcast(torch.frombuffer(buffer, dtype=torch.uint8))
        return json.loads(buffer)


ALONE = ProcessGroup()
"""A job in a single process."""


def started() -> ProcessGroup:
    """The processes that torchrun has started, not yet connected; ``ALONE`` without torchrun."""
    size = int(os.environ.get("WORLD_SIZE", 1))
    return ProcessGroup(int(os.environ["RANK"]), size) if size > 1 else ALONE


@contextmanager
def connected(device: torch.device) -> Iterator[ProcessGroup]:
    """Connect the processes that torchrun has started, each with a GPU of its own on ``cuda``.

    Raises ``ConfigError`` where a machine has fewer GPUs than processes.
    """
    group = started()
    if group.size == 1:
        yield group
        return
    if device.type == "cuda":
        _take_gpu(int(os.environ["LOCAL_RANK"]), torch.cuda.device_count())
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    with _connected():
        distributed.init_process_group(backend, timeout=LONGEST_WAIT)
    yield group
    distributed.destroy_process_group()


def leave_to_first() -> None:
    """In other processes than the first: wait, as the first meets this failure and tells it.

    torchrun ends a process that waits here; otherwise the failure is this process's own.
    """
    if not started().first:
        time.sleep(FIRST_TELLS_S)


def _take_gpu(number: int, gpus: int) -> None:
    if number >= gpus:
        raise ConfigError(
            [f"process {number + 1} of this machine has no GPU, as torch sees {gpus}; use torchrun"
             f" --nproc-per-node {gpus}, or device=cpu"]
        )  # fmt: skip
    torch.cuda.set_device(number)


@contextmanager
def _connected() -> Iterator[None]:
    """Raise ``TrainingError`` where the connection is lost."""
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise
        if started().first:
            _close_in_peace()
        raise TrainingError(f"{LOST} ({on_one_line(str(error))})") from error


def _close_in_peace() -> None:
    """Ignore torchrun's SIGTERM while the run is closed; SIGKILL follows after half a minute."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
