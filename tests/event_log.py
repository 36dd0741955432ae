"""What tests of the event log say often: append by a connection of one's own, look at the ledger."""

from collections.abc import Callable
from typing import Any

import psycopg

type Connect = Callable[[], psycopg.Connection[Any]]


def append(connection: psycopg.Connection[Any], kind: str = "task.started", run_id: int = 1) -> int:
    """Write one event and return its id."""
    row = connection.execute("SELECT append_event(%s, 'engine', %s, NULL, NULL)", [kind, run_id]).fetchone()
    assert row is not None
    return int(row[0])


def sealed(connection: psycopg.Connection[Any]) -> list[int]:
    """The ids of sealed events in the ledger's order."""
    return [row[0] for row in connection.execute("SELECT event_id FROM orchestrator_ledger ORDER BY pos").fetchall()]
