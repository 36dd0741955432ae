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
    port = os.environ.get("PORT", "")
    home = DataDir.of(_ROOT, int(port) if port.isdigit() else DEFAULT_PORT)
    if os.environ.get("DATABASE_URL"):
        return
    try:
        values: dict[str, str] = json.loads((home.path / _FILE).read_text())
    except OSError:
        return
    for name, value in values.items():
        os.environ.setdefault(name, value)
