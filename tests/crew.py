"""A CrewAI worker as a process in an environment of its own, which uv installs from its lock and keeps."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config import bootstrap

ROOT = Path(__file__).resolve().parents[1]
WORKER = ROOT / "tests" / "integration" / "adapters" / "crewai_worker.py"
INSTALL_SECONDS = 300
# Python imports this by itself: the process may reach this machine only, and says what else it tried.
GUARD = """
import os, sys


def only_loopback(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        if arguments[1][0] not in ("127.0.0.1", "::1"):
            refuse(arguments[1][0])
    elif event == "socket.getaddrinfo" and arguments[0] not in ("127.0.0.1", "localhost", None):
        refuse(arguments[0])


def refuse(host):
    with open(os.environ["TRIED"], "a") as tried:
        tried.write(f"{host}\\n")
    raise PermissionError(f"{host} is not this machine")


sys.addaudithook(only_loopback)
"""


def install() -> None:
    """Make its environment what the lock says; at once when it is."""
    command = [*bootstrap.find_uv(), "sync", "--frozen", "--script", str(WORKER), "--python", sys.executable]
    subprocess.run(command, check=True, timeout=INSTALL_SECONDS, capture_output=True)


@contextmanager
def crew(folder: Path, *, address: str, token: str, model: str) -> Iterator[Path]:
    """Run it until the end of the block; yields the file with the hosts that it tried in vain."""
    tried = folder / "tried.txt"
    tried.touch()
    shutil.copytree(ROOT / "agents" / "client", folder / "watchkeeper_client")
    (folder / "sitecustomize.py").write_text(GUARD)
    env = {name: value for name, value in os.environ.items() if name not in {"DJANGO_SETTINGS_MODULE", "VIRTUAL_ENV"}}
    env |= {"PYTHONPATH": str(folder), "MODEL_URL": model, "TRIED": str(tried), "HOME": str(folder)}
    finding = [*bootstrap.find_uv(), "python", "find", "--script", str(WORKER)]
    python = subprocess.run(finding, check=True, capture_output=True, text=True).stdout.strip()
    command = [python, str(WORKER), address, token]
    with (
        (folder / "worker.log").open("wb") as log,
        subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log) as process,
    ):
        try:
            yield tried
        finally:
            process.kill()
