"""Reads the sealed order of events: a page after a position, the proof that nothing was changed, an export.

`pos` is gap-free and in order, so it is every reader's cursor. Anyone above may call this module.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
import structlog
from django.db import connection

from agents.types import Json
from orchestrator import anchors
from orchestrator.replay import Fact

log = structlog.get_logger(__name__)

START: Final = bytes(32)
CHUNK: Final = 5_000

AFTER: Final = """
    SELECT l.pos, e.id, e.run_id, e.task_id, e.kind, e.at, e.actor, e.data
    FROM orchestrator_ledger l JOIN orchestrator_event e ON e.id = l.event_id
    WHERE l.pos > %s ORDER BY l.pos LIMIT %s
"""
_OF_KINDS: Final = """
    SELECT l.pos, e.id, e.run_id, e.task_id, e.kind, e.at, e.actor, e.data
    FROM orchestrator_ledger l JOIN orchestrator_event e ON e.id = l.event_id
    WHERE l.pos > %s AND l.pos <= %s AND e.kind = ANY(%s) ORDER BY l.pos
"""
_BY_PEOPLE: Final = _OF_KINDS.replace("ORDER BY", "AND e.actor LIKE 'user:%%' ORDER BY")
# Above what is sealed, and older than sealing ever takes: nobody seals. In the columns of AFTER, without a place.
UNSEALED: Final = """
    SELECT 0, e.id, e.run_id, e.task_id, e.kind, e.at, e.actor, e.data FROM orchestrator_event e
    WHERE e.id > greatest(%s, (SELECT event_id FROM orchestrator_ledger ORDER BY pos DESC LIMIT 1), 0)
      AND e.at < clock_timestamp() - interval '2 s' ORDER BY e.id LIMIT %s
"""
HEAD: Final = "SELECT coalesce(max(pos), 0) FROM orchestrator_ledger"

# What a settled attempt's event says of itself (usage, versions) is no part of a run's state and need not be read.
_FACTS: Final = """
    SELECT e.id, e.kind, e.task_id, CASE WHEN e.kind <> 'task.succeeded' THEN e.data::text END
    FROM orchestrator_event e {ledger} WHERE e.run_id = %s AND {until} <= %s ORDER BY e.id LIMIT %s
"""
_FACTS_TO_POS: Final = _FACTS.format(ledger="JOIN orchestrator_ledger l ON l.event_id = e.id", until="l.pos")
_FACTS_TO_EVENT: Final = _FACTS.format(ledger="", until="e.id")

_CHAIN: Final = """
    SELECT l.pos, l.event_id, l.prev_hash, l.hash, e.id,
           event_bytes(e.id, e.run_id, e.task_id, e.kind, e.at, e.actor, e.data)
    FROM orchestrator_ledger l LEFT JOIN orchestrator_event e ON e.id = l.event_id
    WHERE l.pos > %s ORDER BY l.pos LIMIT %s
"""
_EXPORT: Final = """
    SELECT l.pos, e.id, e.run_id, e.task_id, e.kind, (extract(epoch FROM e.at) * 1000000)::bigint, e.actor,
           e.data::text, encode(l.prev_hash, 'hex'), encode(l.hash, 'hex')
    FROM orchestrator_ledger l JOIN orchestrator_event e ON e.id = l.event_id
    WHERE l.pos > %s AND l.pos <= %s ORDER BY l.pos LIMIT %s
"""
_EXPORT_OF: Final = """
    SELECT l.pos, e.id, e.run_id, e.task_id, e.kind, (extract(epoch FROM e.at) * 1000000)::bigint, e.actor,
           e.data::text, encode(l.prev_hash, 'hex'), encode(l.hash, 'hex')
    FROM orchestrator_event e JOIN orchestrator_ledger l ON l.event_id = e.id
    WHERE e.run_id = ANY(%s) ORDER BY l.pos
"""
_EXPORT_FIELDS: Final = ("pos", "id", "run_id", "task_id", "kind", "at_us", "actor", "data", "prev_hash", "hash")


@dataclass(frozen=True, slots=True)
class SealedEvent:
    """One event at its place in the ledger."""

    pos: int
    id: int
    run_id: int | None
    task_id: int | None
    kind: str
    at: datetime
    actor: str
    data: dict[str, Json] | None


@dataclass(frozen=True, slots=True)
class Fault:
    """The first position that is not as it was sealed, and what is wrong there."""

    pos: int
    problem: str

    def __str__(self) -> str:
        return f"Position {self.pos} {self.problem}."


@dataclass(frozen=True, slots=True)
class Verification:
    """What `verify()` found. `fault` is None when everything is as it was sealed."""

    checked: int
    anchors: int
    head: int
    unsealed: int
    fault: Fault | None


def head() -> int:
    """The last sealed position; 0 for an empty ledger."""
    with connection.cursor() as cursor:
        cursor.execute(HEAD)
        pos: int = cursor.fetchone()[0]
    return pos


def after(pos: int, *, limit: int = 500) -> list[SealedEvent]:
    """Up to `limit` events after a position, in order."""
    return [_sealed(row) for row in _rows(AFTER, [pos, limit])]


def of_kinds(kinds: Sequence[str], *, after: int, until: int) -> list[SealedEvent]:
    """The events of these kinds after one position and up to another, in order."""
    return [_sealed(row) for row in _rows(_OF_KINDS, [after, until, list(kinds)])]


def by_people(kinds: Sequence[str], *, after: int, until: int) -> list[SealedEvent]:
    """The same, only where a person acted."""
    return [_sealed(row) for row in _rows(_BY_PEOPLE, [after, until, list(kinds)])]


def facts_up_to(run_id: int, pos: int, *, limit: int) -> list[tuple[int, Fact]]:
    """A run's facts at or before a place, with the ids of their events, in order."""
    return [_fact(row) for row in _rows(_FACTS_TO_POS, [run_id, pos, limit])]


def facts_up_to_event(run_id: int, event: int, *, limit: int) -> list[tuple[int, Fact]]:
    """The same up to one of the run's events, sealed or not."""
    return [_fact(row) for row in _rows(_FACTS_TO_EVENT, [run_id, event, limit])]


def _fact(row: tuple[Any, ...]) -> tuple[int, Fact]:
    return row[0], Fact(row[1], row[2], orjson.loads(row[3]) if row[3] else {})


def tend() -> int:
    """Upkeep: make this and the next three months' partitions; return how many old events were never sealed.

    There should be none, ever. Any are logged as an error and found by `verify()` and `check_invariants` too.
    """
    _rows("SELECT make_event_partitions(3)", [])
    unsealed = len(_rows("SELECT event_id FROM find_unsealed()", []))
    if unsealed:
        log.error("ledger.unsealed_events", count=unsealed)
    return unsealed


def verify() -> Verification:
    """Recompute the whole chain and hold it against the signed anchors; stop at the first fault.

    Names the first bad position for an edited, deleted or reordered row, and for a cut end or a rewritten ledger as far
    as anchors reach back.
    """
    known = _genuine_anchors()
    if isinstance(known, Fault):
        return Verification(0, 0, head(), 0, known)
    checked, fault = _verify_chain(known)
    last_anchor = max(known, default=0)
    if fault is None and last_anchor > checked:
        fault = Fault(checked + 1, f"is missing: a signed anchor shows that the ledger reached position {last_anchor}")
    unsealed = len(_rows("SELECT event_id FROM find_unsealed()", []))
    if fault is None and unsealed:
        fault = Fault(checked + 1, f"was never given to {unsealed} old event(s), which find_unsealed() lists")
    return Verification(checked, len(known), head(), unsealed, fault)


def export(*, first: int = 1, last: int | None = None) -> Iterator[bytes]:
    """One JSON line per event from `first` to `last`, to be checked offline with docs/verify_export.py."""
    end = head() if last is None else last
    pos = first - 1
    while rows := _rows(_EXPORT, [pos, end, CHUNK]):
        yield from map(_exported, rows)
        pos = rows[-1][0]


def export_of(runs: Sequence[int]) -> Iterator[bytes]:
    """The same lines of these runs' events alone; all in memory, so ask how many there are before."""
    yield from map(_exported, _rows(_EXPORT_OF, [list(runs)]))


def database() -> str:
    """What PostgreSQL calls this server and database: its anchors' folder is named by it."""
    name: str = _rows(anchors.WHICH_DATABASE, [])[0][0]
    return name


def end() -> tuple[int, str]:
    """The last position and its hash."""
    rows = _rows("SELECT pos, encode(hash, 'hex') FROM orchestrator_ledger ORDER BY pos DESC LIMIT 1", [])
    return (rows[0][0], rows[0][1]) if rows else (0, START.hex())


def _exported(row: tuple[Any, ...]) -> bytes:
    return orjson.dumps(dict(zip(_EXPORT_FIELDS, row, strict=True))) + b"\n"


def _verify_chain(known: dict[int, str]) -> tuple[int, Fault | None]:
    """How many positions hold, and the first that does not."""
    pos, prev, anchored = 0, START, 0
    while rows := _rows(_CHAIN, [pos, CHUNK]):
        for row in rows:
            problem = _problem(row, pos + 1, prev)
            if problem:
                return pos, Fault(pos + 1, problem)
            pos, prev = row[0], bytes(row[3])
            if pos in known:
                if known[pos] != prev.hex():
                    problem = f"to position {pos}: history was rewritten, the signed anchor at {pos} has another hash"
                    return anchored, Fault(anchored + 1, problem)
                anchored = pos
    return pos, None


def _problem(row: tuple[Any, ...], expected: int, prev: bytes) -> str | None:
    pos, event_id, prev_hash, hash_, found, body = row
    if pos != expected:
        return "is missing: its row was deleted or moved" if pos > expected else f"has event {event_id} a second time"
    if found is None:
        return f"has lost its event {event_id}: it was deleted"
    if bytes(prev_hash) != prev:
        return f"does not follow position {pos - 1}: rows were reordered or replaced"
    if hashlib.sha256(prev + bytes(body)).digest() != bytes(hash_):
        return f"does not match its event {event_id}: the event or its order was changed"
    return None


def _genuine_anchors() -> dict[int, str] | Fault:
    known: dict[int, str] = {}
    for anchor in anchors.read(database()):
        if not anchor.is_genuine:
            return Fault(anchor.pos, "has an anchor with a false signature: the anchor file or its key was changed")
        if known.setdefault(anchor.pos, anchor.hash) != anchor.hash:
            return Fault(anchor.pos, "has two anchors with different hashes: the ledger was rewritten in between")
    return known


def _rows(query: str, parameters: Sequence[int | list[str] | list[int]]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _sealed(row: tuple[Any, ...]) -> SealedEvent:
    pos, event_id, run_id, task_id, kind, at, actor, data = row
    return SealedEvent(pos, event_id, run_id, task_id, kind, at, actor, _parsed(data))


def _parsed(data: object) -> dict[str, Json] | None:
    """Django's raw cursors hand jsonb over as text, others as values."""
    value = orjson.loads(data) if isinstance(data, str | bytes) else data
    return value if isinstance(value, dict) else None
