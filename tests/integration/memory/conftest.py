"""Agents under guard, and a data folder of the test's own for the data keys."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.guardrails import keyring


@pytest.fixture(autouse=True)
def data_folder(settings: Any, tmp_path: Path) -> Iterator[Path]:
    """Keys are made in it when they are first needed."""
    settings.DATA_DIR = tmp_path
    settings.DATA_KEYS = []
    keyring.current.cache_clear()
    yield tmp_path
    keyring.current.cache_clear()
