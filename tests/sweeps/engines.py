"""Ray and Slurm with two nodes each on this machine, in a temporary folder; their nodes can die."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

DAEMONS = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])
"""Where Debian keeps the daemons, also for users whose PATH does not say so."""
PATIENCE_S = 300
"""Longest wait for a cluster or a sweep; a test that would wait longer fails."""


def until(happened: Callable[[], object], what: str) -> None:
    """Wait until ``happened`` returns something true."""
    end = time.monotonic() + PATIENCE_S
    while not happened():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.1)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Cluster(ABC):
    """Nodes ``a``, which runs, and ``b``, which can be started, with one core each.

    ``options`` sends a sweep there. With ``no_retry`` the cells of a node that dies are lost.
    """

    options: tuple[str, ...]
    no_retry: tuple[str, ...]
    environment: dict[str, str]

    @abstractmethod
    def start_node(self, name: str) -> None:
        """Start a node that is not running and wait until it takes cells."""

    @abstractmethod
    def kill_node(self, name: str) -> None:
        """End the node's daemon and all its cells by SIGKILL, as a power cut does."""


class RayCluster(Cluster):
    """Ray's head is node ``a``."""

    no_retry = ("+hydra.launcher.ray.remote.max_retries=0",)

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._address = f"127.0.0.1:{free_port()}"
        self._nodes: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = {"RAY_USAGE_STATS_ENABLED": "0"}
        self.options = (
            "hydra/launcher=ray",
            f"hydra.launcher.ray.init.address={self._address}",
            "+hydra.launcher.ray.init.object_store_memory=null",
            "+hydra.launcher.ray.remote.num_cpus=1",
        )
        self.start_node("a")

    def start_node(self, name: str) -> None:
        port = self._address.rpartition(":")[2]
        client = f"--ray-client-server-port={free_port()}"
        head = ("--head", f"--port={port}", client, f"--temp-dir={self._folder}",
                "--include-dashboard=false")  # fmt: skip
        role = head if name == "a" else (f"--address={self._address}",)
        log = self._folder / f"{name}.log"
        with log.open("wb") as output:
            self._nodes[name] = node = subprocess.Popen(
                [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *role,
                 "--node-ip-address=127.0.0.1", "--num-cpus=1", "--num-gpus=0",
                 f"--dashboard-agent-listen-port={free_port()}", "--object-store-memory=80000000"],
                cwd=self._folder, env=os.environ | self.environment, stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        self._stack.callback(_stopped, node)
        until(lambda: "Ray runtime started" in log.read_text(), f"node {name} of Ray: {log}")

    def kill_node(self, name: str) -> None:
        (raylet,) = (pid for pid in children(self._nodes[name].pid) if comm(pid) == "raylet")
        os.kill(raylet, signal.SIGKILL)  # its cells end with it
        self._nodes[name].wait(PATIENCE_S)


class SlurmCluster(Cluster):
    """Slurm without accounting, as two ``slurmd`` of one host."""

    options = ("hydra/launcher=submitit_slurm", "hydra.launcher.timeout_min=10")
    no_retry = ("+hydra.launcher.additional_parameters.no-requeue=true",)

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._nodes: dict[str, subprocess.Popen[bytes]] = {}
        self._config = folder / "slurm.conf"
        self._config.write_text(self._settings())
        self.environment = {"SLURM_CONF": str(self._config), "PATH": DAEMONS}
        (folder / "state").mkdir()
        self._start_munge()
        self._start("slurmctld", "-D")
        self.start_node("a")

    def _settings(self) -> str:
        nodes = "".join(
            f"NodeName={name} NodeHostname=localhost NodeAddr=127.0.0.1 Port={free_port()} CPUs=1\n"
            for name in ("a", "b")
        )
        # Slurm starts the job of a dead node again once its credential (cred_expire) has expired
        return (
            "ClusterName=test\nSlurmctldHost=localhost\nSelectType=select/cons_tres\n"
            f"SlurmUser={getpass.getuser()}\nSlurmdUser={getpass.getuser()}\n"
            f"AuthInfo=socket={self._folder}/munge/socket,cred_expire=5\n"
            f"SlurmctldPort={free_port()}\nSlurmctldPidFile={self._folder}/slurmctld.pid\n"
            f"SlurmctldLogFile={self._folder}/slurmctld.log\nStateSaveLocation={self._folder}/state\n"
            f"SlurmdPidFile={self._folder}/%n.pid\nSlurmdLogFile={self._folder}/%n.log\n"
            f"SlurmdSpoolDir={self._folder}/spool-%n\n"
            "ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nReturnToService=2\n"
            f"{nodes}PartitionName=all Nodes=a,b Default=YES State=UP\n"
        )

    def _start_munge(self) -> None:
        folder = self._folder / "munge"
        folder.mkdir(mode=0o700)
        (folder / "key").touch(mode=0o600)
        (folder / "key").write_bytes(os.urandom(1024))
        names = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log",
                 "seed-file": "seed"}  # fmt: skip
        places = [f"--{option}={folder / name}" for option, name in names.items()]
        self._start("munged", "--foreground", "--force", *places)
        until((folder / "socket").exists, f"munged: {folder / 'log'}")

    def _start(self, daemon: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self._folder / f"{daemon}.out").open("ab") as output:
            process = subprocess.Popen(
                [shutil.which(daemon, path=DAEMONS) or daemon, *arguments],
                env=os.environ | self.environment, stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        self._stack.callback(_stopped, process)
        return process

    def tell(self, *command: str) -> str:
        """The output of one of Slurm's commands."""
        done = subprocess.run(
            command, env=os.environ | self.environment, capture_output=True, text=True, check=False
        )
        return done.stdout

    def start_node(self, name: str) -> None:
        (self._folder / f"spool-{name}").mkdir(exist_ok=True)
        self._nodes[name] = self._start("slurmd", "-D", "-N", name)
        idle = ("sinfo", "--noheader", "--format=%t", f"--nodes={name}")
        until(lambda: self.tell(*idle).strip() == "idle", f"node {name}: {self._folder}")

    def kill_node(self, name: str) -> None:
        self._nodes[name].kill()
        self._nodes[name].wait()
        for pid in self._cells(name):
            step = [parent(pid)] if comm(parent(pid)) == "slurmstepd" else []
            for each in (*step, pid):
                with suppress(ProcessLookupError):  # ended with the one before
                    os.kill(each, signal.SIGKILL)
        # Slurm notices by itself after SlurmdTimeout, 300 s
        self.tell("scontrol", "update", f"nodename={name}", "state=down", "reason=killed")

    def _cells(self, name: str) -> list[int]:
        """Processes that the node's daemon has started for jobs."""
        marks = {f"SLURMD_NODENAME={name}", f"SLURM_CONF={self._config}"}
        return [pid for pid in processes() if marks <= set(_read(pid, "environ").split("\0"))]


CLUSTERS = {"ray": RayCluster, "slurm": SlurmCluster}


@contextmanager
def cluster(engine: str) -> Iterator[Cluster]:
    """A cluster that is stopped, and its folder removed, afterwards."""
    # paths of sockets may have 107 characters at most, so pytest's folder is too deep
    temporary = tempfile.TemporaryDirectory(prefix="gkd-", ignore_cleanup_errors=True)
    with temporary as folder, ExitStack() as stack:
        yield CLUSTERS[engine](Path(folder), stack)


def _stopped(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def processes() -> list[int]:
    """All processes of this machine."""
    return [int(path.name) for path in Path("/proc").glob("[0-9]*")]


def children(pid: int) -> list[int]:
    """The processes that ``pid`` has started and that run."""
    return [each for each in processes() if parent(each) == pid]


def parent(pid: int) -> int:
    """The process that started ``pid``; 0 if it has ended."""
    after_name = _read(pid, "stat").rpartition(")")[2].split()
    return int(after_name[1]) if after_name else 0


def comm(pid: int) -> str:
    """The name of a process, at most 15 characters."""
    return _read(pid, "comm").strip()


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except OSError:  # ended, or another user's
        return ""
