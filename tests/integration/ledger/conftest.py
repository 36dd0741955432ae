"""Connections to the test database, a ledger without a leader, and anchors in a folder that is thrown away."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from orchestrator import db
from orchestrator.sequencer import Sequencer
from tests.event_log import Connect


@pytest.fixture(autouse=True)
def data_dir(settings: Any, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


@pytest.fixture
def connect(transactional_db: None) -> Iterator[Connect]:
    opened: list[psycopg.Connection[Any]] = []

    def open_one() -> psycopg.Connection[Any]:
        opened.append(psycopg.connect(**db.connection_parameters()))
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.close()


@pytest.fixture
def writer(connect: Connect) -> psycopg.Connection[Any]:
    return connect()


@pytest.fixture
def sequencer(connect: Connect) -> Sequencer:
    made = Sequencer(connect())
    made.open()
    return made
