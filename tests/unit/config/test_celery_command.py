"""Workers load what their work needs, and nothing that only other processes do."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

_LOADED = """
import sys
from config.celery_command import main
from config.celery import app
app.loader.import_default_modules()
from agents.registry import load_apps
load_apps()
assert "work_shift" in "".join(app.tasks)
print(*sys.modules)
"""


def test_workers_load_no_shell_no_pages_no_arrays_and_no_agents_that_nobody_asked_for() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", _LOADED], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()

    others = {"click_repl", "prompt_toolkit", "celery.bin.celery", "config.urls", "config.api", "numpy", "rich"}
    others |= {"greenlet", "cffi"}  # 8 MB of each process with the parser that Celery would use it for
    others |= {
        "httpx",
        "requests",
        "nupunkt",
        "orchestrator.rendering",
        "agents.library.severity",
        "agents.library.legal",
    }
    assert not others & set(loaded)
    assert "orchestrator.engine.shift" in loaded
