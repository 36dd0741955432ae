"""The SQL functions of waiting tasks, one typed Python function each. Called as `db` is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import connection

SIGNAL_LOCK = 7303  # (SIGNAL_LOCK, hash of a signal's name): held while one is published


@dataclass(frozen=True, slots=True)
class Opening:
    """A running task that begins to wait: its fence, and for what (see `open_waits_v1`)."""

    task: int
    attempt: int
    wait: dict[str, Any]


def open_waits(shift: int, openings: Sequence[Opening]) -> int:
    """Let running tasks begin to wait for a time or a signal; return how many still were this shift's."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT open_waits_v1(%s, %s::bigint[], %s::smallint[], %s::jsonb[])",
            (
                shift,
                [opening.task for opening in openings],
                [opening.attempt for opening in openings],
                [orjson.dumps(opening.wait).decode() for opening in openings],
            ),
        )
        return int(cursor.fetchone()[0])


@dataclass(frozen=True, slots=True)
class Finish:
    """A waiting task whose wait is over: its output as JSON text, facts for its event, the timer that woke it."""

    task: int
    output: str
    facts: dict[str, Any]
    timer: int | None = None


def finish_waits(wait_for: str, finishes: Sequence[Finish], *, actor: str) -> list[int]:
    """Let tasks succeed that still wait for this; return those that did. Locks their runs in id order."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT finish_waits_v1(%s, %s::bigint[], %s::bigint[], %s::jsonb[], %s::jsonb[], %s)",
            (
                wait_for,
                [finish.task for finish in finishes],
                [finish.timer for finish in finishes],
                [finish.output for finish in finishes],
                [orjson.dumps(finish.facts).decode() for finish in finishes],
                actor,
            ),
        )
        done: list[int] = cursor.fetchone()[0]
        return done


def wake_timekeeper() -> None:
    """Tell the timekeeper, when the transaction commits, that something is due now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify('wk_timers', '')")


def lock_signal(name: str) -> None:
    """Let nobody else publish signals of this name until the transaction ends: ids then commit in their order."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (SIGNAL_LOCK, name))
