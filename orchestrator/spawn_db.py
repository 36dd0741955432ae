"""What spawning asks of the database: one typed function per SQL function, and the lock that it will not wait for."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import connection


@dataclass(frozen=True, slots=True)
class SpawnRow:
    """One task to spawn. `after` are positions in the same spawn."""

    key: str
    kind: str
    agent: str
    lane: str
    spec: dict[str, Any]
    after: list[int]
    need: int


type SpawnColumns = tuple[list[Any], ...]


def columns(rows: Sequence[SpawnRow]) -> SpawnColumns:
    """Tasks to spawn as `add_spawned` takes them."""
    return (
        [row.key for row in rows],
        [row.kind for row in rows],
        [row.agent for row in rows],
        [row.lane for row in rows],
        [orjson.dumps(row.spec).decode() for row in rows],
        [orjson.dumps(row.after).decode() for row in rows],
        [row.need for row in rows],
    )


def open_lanes(lanes: Collection[str]) -> None:
    """Make lanes that nobody has used yet."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO orchestrator_lane (name, clock) SELECT x, 0 FROM unnest(%s::text[]) AS x"
            " ON CONFLICT DO NOTHING",
            [sorted(set(lanes))],
        )


def add_spawned(*, task: int, rows: SpawnColumns) -> int:
    """Write the rows of tasks that `task` is about to start; return the first one's index."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT add_spawned_v1(%s, %s::text[], %s::text[], %s::text[], %s::text[], %s::jsonb[], %s::jsonb[],"
            " %s::int[])",
            (task, *rows),
        )
        return int(cursor.fetchone()[0])


def await_spawned(
    *, task: int, first: int, after: list[str], need: int, state: dict[str, Any], facts: dict[str, Any]
) -> None:
    """Let `task` wait for the tasks whose rows have been written. The caller has locked run and task."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT await_spawned_v1(%s, %s, %s, %s::jsonb[], %s, %s::jsonb, %s::jsonb)",
            (task, first, len(after), after, need, orjson.dumps(state).decode(), orjson.dumps(facts).decode()),
        )


def wait_for_locks_at_most(milliseconds: int) -> None:
    """Until this transaction ends, fail with `LockNotAvailable` rather than wait longer for any one lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{milliseconds}ms"])
