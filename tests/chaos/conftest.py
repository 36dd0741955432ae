"""Real processes in folders of their own; whatever a test leaves running is ended here."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from config.leash import leashed
from tests import prepared

ROOT = Path(__file__).resolve().parents[2]


def until(claim: Callable[[], object], *, seconds: float, what: str) -> None:
    """Wait for a claim to become true."""
    deadline = time.monotonic() + seconds
    while not claim():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.05)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def processes_of(folder: Path) -> dict[int, str]:
    """Every live process that has the folder in its environment or its arguments, with its command line."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
            told = command + (entry / "environ").read_bytes()
            state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        if str(folder).encode() in told and state != "Z":
            found[int(entry.name)] = command.replace(b"\0", b" ").decode(errors="replace")
    return found


@dataclass
class Stack:
    """One `make up`, after the bootstrap."""

    folder: Path
    port: int
    output: Path
    process: subprocess.Popen[bytes]

    def said(self) -> str:
        """Its console so far."""
        return self.output.read_text()

    def await_open(self) -> None:
        """Until it has said where it is: with nothing there yet, a slow machine takes a minute."""
        until(
            lambda: "Open http" in self.said() or self.process.poll() is not None,
            seconds=180,
            what="the stack is up",
        )
        assert "Open http" in self.said(), self.said()

    def child(self, part: str) -> int:
        """The process id of its direct child whose command line contains `part`, or 0."""
        mine = (
            pid
            for pid, command in processes_of(self.folder).items()
            if part in command and _parent(pid) == self.process.pid
        )
        return next(mine, 0)


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data directory of the test's own."""
    with data_folder() as made:
        yield made


@pytest.fixture
def after_first_start(folder: Path) -> None:
    """What this is about comes after the first start: let the folder be as that leaves it."""
    prepared.copy_into(folder)


@contextmanager
def data_folder() -> Iterator[Path]:
    """A data directory that the database's own user can reach; whatever still runs on it in the end is killed."""
    made = Path(tempfile.mkdtemp(prefix="watchkeeper-chaos-"))
    made.chmod(0o711)
    try:
        yield made
    finally:
        for pid in processes_of(made):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until(lambda: not processes_of(made), seconds=10, what="everything ended")
        shutil.rmtree(made, ignore_errors=True)
        for output in made.parent.glob(f"{made.name}*.out"):
            output.unlink()


@pytest.fixture
def up(folder: Path) -> Iterator[Callable[..., Stack]]:
    """Start the supervisor on the test's folder, without demo, with the given environment."""
    started: list[subprocess.Popen[bytes]] = []

    def start(**environment: str) -> Stack:
        output = folder.with_suffix(f".{len(started)}.out")
        env = {
            name: value for name, value in os.environ.items() if not name.startswith(("DATABASE_URL", "DJANGO", "COV"))
        }
        port = environment.setdefault("PORT", str(free_port()))
        env |= {"WATCHKEEPER_DATA": str(folder), "DEMO": "0", "SHIFTS": "1"} | environment
        with output.open("wb") as file:
            command = [sys.executable, "-m", "config.supervisor"]
            # Leashed: a run of the tests that is itself killed leaves no stack behind.
            start = leashed(command, signal.SIGKILL)
            process = subprocess.Popen(**start, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        started.append(process)
        return Stack(folder, int(port) if port.isdigit() else 0, output, process)

    yield start
    for process in started:
        process.kill()
        process.wait()
