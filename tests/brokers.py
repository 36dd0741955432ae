"""Real brokers on free loopback ports, that a test may kill and start again with what they had on disk."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Broker:
    """One broker process. `kind` is also the scheme of its address."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address, for a bridge."""
        return f"{self.kind}://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, or start again; return when it takes connections."""
        command = _COMMANDS[self.kind](self)
        with (self.folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        until = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert time.monotonic() < until, (self.folder / "broker.log").read_text()
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        """SIGKILL: nothing is said goodbye to."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None


def _mosquitto(broker: Broker) -> list[str]:
    config = broker.folder / "mosquitto.conf"
    lines = [
        f"listener {broker.port} 127.0.0.1",
        "allow_anonymous true",
        "persistence true",
        f"persistence_location {broker.folder}/",
        "autosave_interval 1",  # seconds: what it acknowledged in the last second a kill takes with it
        "user root",
    ]
    config.write_text("\n".join(lines) + "\n")
    return [program("mqtt") or "", "-c", str(config)]


def _redis(broker: Broker) -> list[str]:
    folder, port = str(broker.folder), str(broker.port)
    told = ["--port", port, "--bind", "127.0.0.1", "--dir", folder, "--appendonly", "yes", "--appendfsync", "always"]
    return [program("redis") or "", *told, "--save", ""]


def _nats(broker: Broker) -> list[str]:
    config = broker.folder / "nats.conf"
    config.write_text(
        f'listen: "127.0.0.1:{broker.port}"\njetstream {{ store_dir: "{broker.folder}", sync_interval: always }}\n'
    )
    return [program("nats") or "", "-c", str(config)]


def _kafka(broker: Broker) -> list[str]:
    return [sys.executable, str(Path(__file__).with_name("kafka_endpoint.py")), str(broker.port)]


_COMMANDS: Final[dict[str, Callable[[Broker], list[str]]]] = {
    "mqtt": _mosquitto,
    "redis": _redis,
    "nats": _nats,
    "kafka": _kafka,
}
_PROGRAMS: Final = {"mqtt": "mosquitto", "redis": "redis-server", "nats": "nats-server"}


def program(kind: str) -> str | None:
    """Where the broker's program is: in the environment, on the path, or where Debian puts servers."""
    path = f"{Path(sys.executable).parent}:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
    return shutil.which(_PROGRAMS[kind], path=path)


def needed(kind: str) -> None:
    """Skip, saying why, where the broker cannot be started."""
    if kind in _PROGRAMS and program(kind) is None:
        pytest.skip(f"{_PROGRAMS[kind]} is not installed (make test installs it on Debian)")
