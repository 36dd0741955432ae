"""Commands typed beside a stack that is not there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("command", ["feed --set-rate 3", "token list ana"])
def test_command_without_a_database_says_in_one_sentence_where_to_look(command: str, tmp_path: Path) -> None:
    ours = {"WATCHKEEPER_DATA": str(tmp_path), "PORT": "8123", "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}

    typed = [sys.executable, "manage.py", *command.split()]
    done = subprocess.run(typed, check=False, env=os.environ | ours, cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("The database of the stack on port 8123 does not answer (")
    assert done.stderr.count("\n") == 1
    assert not [*tmp_path.iterdir()]
