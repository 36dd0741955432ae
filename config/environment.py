"""What the running stack's processes share through their environment, also for commands typed beside it."""

import json
import os
from pathlib import Path

from config.datadir import DEFAULT_PORT, DataDir, write_private

_ROOT = Path(__file__).resolve().parent.parent
_FILE = "environment.json"


def share(home: DataDir, values: dict[str, str]) -> None:
    """Keep what `adopt` will read."""
    write_private(home.path / _FILE, json.dumps(values, indent=1))


def adopt() -> None:
    """Let `manage.py` talk to the database of the stack on this PORT, unless DATABASE_URL says otherwise."""
    home = DataDir.of(_ROOT, _port())
    if os.environ.get("DATABASE_URL"):
        return
    try:
        values: dict[str, str] = json.loads((home.path / _FILE).read_text())
    except OSError:
        return
    for name, value in values.items():
        os.environ.setdefault(name, value)


def where_to_look(problem: Exception) -> str:
    """What to tell somebody whose command found no database: what happened, and what to do."""
    reason = str(problem).strip().splitlines()[0]
    return (
        f"The database of the stack on port {_port()} does not answer ({reason}); start it with make up, name the port "
        "of the one that runs (PORT=8001 make manage ...), or correct DATABASE_URL."
    )


def _port() -> int:
    port = os.environ.get("PORT", "")
    return int(port) if port.isdigit() else DEFAULT_PORT
