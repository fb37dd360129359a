"""Half files that killed processes leave."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from gkd_runner.common.files import write_file


def half(path: Path, process: int) -> Path:
    """The half file that a process has left of ``path``."""
    made = path.with_name(f"{path.name}.{socket.gethostname()}.{process}.part")
    made.write_bytes(b"ha")
    return made


def ended() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_what_a_killed_process_left_of_a_file_goes_as_the_file_is_written(tmp_path: Path) -> None:
    path, other = tmp_path / "a[1].json", tmp_path / "b.json"
    left, of_another, running = half(path, ended()), half(other, ended()), half(path, os.getppid())

    write_file(path, "whole")

    assert path.read_text() == "whole"
    assert sorted(tmp_path.iterdir()) == sorted([path, of_another, running])
    assert not left.exists()
