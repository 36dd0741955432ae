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
from agents.registry import autodiscover, names
autodiscover()
assert "work_shift" in "".join(app.tasks) and names()
print(*sys.modules)
"""


def test_workers_load_no_shell_no_pages_and_no_arrays() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", _LOADED], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()

    assert not {"click_repl", "prompt_toolkit", "celery.bin.celery", "config.urls", "config.api", "numpy"} & set(loaded)
    assert {"orchestrator.engine.shift", "agents.library.severity"} <= set(loaded)
