"""`make reset`, as a person types it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from config.datadir import DataDir
from tests.chaos.conftest import ROOT

pytestmark = pytest.mark.chaos


@pytest.fixture
def home(folder: Path) -> DataDir:
    made = DataDir(folder)
    made.create()
    (folder / "postgres").mkdir()
    (folder / "postgres" / "PG_VERSION").write_text("18")
    (folder / "tools").mkdir()
    return made


def _reset(home: DataDir, answer: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"WATCHKEEPER_DATA": str(home.path)}
    command = [sys.executable, "-m", "config.reset"]
    return subprocess.run(command, check=False, cwd=ROOT, env=env, input=answer, capture_output=True, text=True)


@pytest.mark.parametrize("answer", ["", "n\n", "\n", "yesterday\n"], ids=["nothing", "no", "enter", "another word"])
def test_anything_but_yes_deletes_nothing(home: DataDir, answer: str) -> None:
    done = _reset(home, answer)

    assert done.returncode == 1
    assert "Nothing was deleted." in done.stdout
    assert (home.path / "postgres" / "PG_VERSION").exists()


@pytest.mark.parametrize("answer", ["y\n", "yes\n", "Yes\n"])
def test_yes_empties_the_folder_and_keeps_the_tools(home: DataDir, answer: str) -> None:
    done = _reset(home, answer)

    assert done.returncode == 0, done.stdout
    assert [entry.name for entry in home.path.iterdir()] == ["tools"]
    assert "is empty already" in _reset(home, "").stdout


def test_a_running_stack_is_not_emptied(home: DataDir) -> None:
    home.lock()
    try:
        done = _reset(home, "yes\n")
    finally:
        home.unlock()

    assert done.returncode == 1
    assert "already running" in done.stdout + done.stderr
    assert (home.path / "postgres").exists()
