"""aimock: a provider that says exactly what a test tells it, tool calls among it, over the providers' own protocols.

A program of its own (npm, MIT), installed from its lock into `tests/fixtures/aimock` and kept; it needs no key.
"""

import fcntl
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

FOLDER: Final = Path(__file__).parent / "fixtures" / "aimock"
PROGRAM: Final = FOLDER / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"
INSTALL_SECONDS: Final = 120


def install() -> None:
    """Make it what the lock says; skip, saying why, where there is no Node."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Node and npm are not installed: aimock's tests are left out")
    with (FOLDER / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the other worker installs it, or finds half of it, in the same moment
        if not PROGRAM.exists():
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            subprocess.run(command, cwd=FOLDER, check=True, timeout=INSTALL_SECONDS, capture_output=True)


class Provider:
    """A running one."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"

    def asked(self) -> list[dict[str, Any]]:
        """The bodies that it was sent, in order."""
        found: list[dict[str, Any]] = httpx.get(f"{self.address}/v1/_requests", trust_env=False).json()
        return [one["body"] for one in found]


def says(content: str, **match: Any) -> dict[str, Any]:
    """It answers this text to what matches."""
    return {"match": match, "response": {"content": content}}


def calls(tool: str, arguments: dict[str, Any], **match: Any) -> dict[str, Any]:
    """It calls this tool for what matches."""
    return {"match": match, "response": {"toolCalls": [{"name": tool, "arguments": json.dumps(arguments)}]}}


@contextmanager
def aimock(folder: Path, fixtures: Sequence[dict[str, Any]]) -> Iterator[Provider]:
    """Serve it until the end of the block. What matches nothing is refused."""
    install()
    told = folder / "fixtures.json"
    told.write_text(json.dumps({"fixtures": list(fixtures)}))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["node", str(PROGRAM), "-p", str(port), "-f", str(told), "--strict", "--log-level", "warn"]
    with (folder / "aimock.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            _wait_for(port, folder / "aimock.log")
            yield Provider(port)
        finally:
            process.kill()


def _wait_for(port: int, log: Path) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.02)
        else:
            return
