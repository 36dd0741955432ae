"""Stores synthetic history: copies what describes it, lets a few statements multiply that, and seals the log meanwhile.

Two sessions work at once, one that writes and one that seals. The sealing one is the ledger's leader for as long as it
takes, so that nobody seals beside it.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql

from config.volume import rows, shapes, world
from config.volume.rows import Counted, First
from config.volume.shapes import Sizes
from config.volume.world import World
from orchestrator import anchors, db
from orchestrator.sequencer import LOCK, Sequencer

_HERE: Final = Path(__file__).parent / "sql"
_CHUNK: Final = 1_000  # runs in one transaction
_STATEMENTS: Final = ("runs", "tasks", "attempts", "events", "gates", "decisions", "timers")
_COPIED: Final = ("flow", "person", "subject", "line", "task", "run")
_TABLES: Final = (
    *("orchestrator_run", "orchestrator_task", "orchestrator_attempt", "orchestrator_event", "orchestrator_ledger"),
    *("approvals_gate", "approvals_decision", "orchestrator_timer"),
)
_SESSION: Final = "-c synchronous_commit=off -c work_mem=256MB -c statement_timeout=0 -c lock_timeout=60s"

type Say = Callable[[str], None]


class FillingFailed(Exception):
    """The log could not be sealed while it was written; the cause says why."""


def fill(sizes: Sizes, *, say: Say) -> Counted:
    """Make the workflows and people, then store everything; returns what there is now. Sealed when it returns."""
    made = world.make()
    wanted = rows.count(sizes)
    with _connect() as connection, _leading() as leader:
        say("preparing")
        _make_months(connection, sizes)
        _describe(connection, made, sizes, _draw(connection, wanted))
        sealing = _Sealing(leader)
        sealing.start()
        try:
            _multiply(connection, sizes, wanted, sealing, say)
        finally:
            sealing.finish(say)  # what is committed is sealed, whatever happened after it
        _analyze(connection, say)
        _anchor(leader)
    world.let_readers_begin_here()
    return wanted


def _multiply(
    connection: psycopg.Connection[Any], sizes: Sizes, wanted: Counted, sealing: "_Sealing", say: Say
) -> None:
    began = time.monotonic()
    statements = [_read(name) for name in _STATEMENTS]
    for first in range(0, sizes.runs, _CHUNK):
        span = {"first": first, "end": first + _CHUNK}
        with connection.transaction():
            for statement in statements:
                connection.execute(statement, span)
        sealing.add(*_ids(connection, span))
        done = min(1.0, (first + _CHUNK) / sizes.runs)
        say(f"{done:.0%}: {done * wanted.events:,.0f} events written, {sealing.count:,} sealed, "
            f"{time.monotonic() - began:.0f} s")  # fmt: skip


def _ids(connection: psycopg.Connection[Any], span: dict[str, int]) -> tuple[int, int]:
    """The ids of the events of these runs."""
    row = connection.execute(_read("stretch"), span).fetchone()
    assert row is not None
    return row[0], row[1]


def _describe(connection: psycopg.Connection[Any], made: World, sizes: Sizes, first: First) -> None:
    scripts = shapes.scripts(sizes)
    now = datetime.now(UTC)
    copied: dict[str, Iterable[Sequence[Any]]] = {
        "flow": made.flows,
        "person": made.people,
        "subject": rows.subjects(),
        "line": rows.lines(scripts),
        "task": rows.tasks(scripts),
        "run": rows.runs(sizes, first, now=now, people=len(made.people)),
    }
    connection.execute(_read("tables"))
    for name in _COPIED:
        table = sql.Identifier(f"volume_{name}")
        with connection.cursor() as cursor, cursor.copy(sql.SQL("COPY {} FROM STDIN").format(table)) as copy:
            for row in copied[name]:
                copy.write_row(row)
        connection.execute(sql.SQL("ANALYZE {}").format(table))


def _draw(connection: psycopg.Connection[Any], wanted: Counted) -> First:
    """Take the ids from the tables' own sequences, all at once."""
    names = ("orchestrator_run", "approvals_gate", "approvals_decision", "orchestrator_event")
    counts = (wanted.runs, wanted.gates, wanted.decisions, wanted.events)
    found = []
    for table, number in zip(names, counts, strict=True):
        sequence = _one(connection, sql.SQL("SELECT pg_get_serial_sequence({}, 'id')").format(sql.Literal(table)))
        first = _one(connection, sql.SQL("SELECT nextval({})").format(sql.Literal(sequence)))
        if number:
            _one(connection, sql.SQL("SELECT setval({}, {})").format(sql.Literal(sequence), first + number - 1))
        found.append(first)
    return First(*found)


def _make_months(connection: psycopg.Connection[Any], sizes: Sizes) -> None:
    """One partition for each month that the history reaches into."""
    for days in range(0, 30 * sizes.months + 31, 15):
        connection.execute(sql.SQL("SELECT make_event_month(now() - {} * interval '1 day')").format(sql.Literal(days)))


def _analyze(connection: psycopg.Connection[Any], say: Say) -> None:
    say("statistics")
    for table in _TABLES:
        connection.execute(sql.SQL("VACUUM (ANALYZE, PARALLEL 0) {}").format(sql.Identifier(table)))


def _anchor(leader: Sequencer) -> None:
    """A signed position of what was just sealed."""
    anchorer = anchors.Anchorer(leader.connection)
    anchorer.sealed(int(_one(leader.connection, sql.SQL("SELECT max(pos) FROM orchestrator_ledger"))))
    anchorer.write_now()


class _Sealing:
    """Seals stretches of ids as they are committed, in a thread of its own, in the order in which they are named."""

    def __init__(self, leader: Sequencer) -> None:
        self.count = 0
        self._leader = leader
        self._stretches: queue.SimpleQueue[tuple[int, int] | None] = queue.SimpleQueue()
        self._problem: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="sealing", daemon=True)

    def start(self) -> None:
        """Begin, after what is there already."""
        while self._leader.turn()[0]:
            continue
        self._thread.start()

    def add(self, first: int, end: int) -> None:
        """These ids are committed, all of them; the first is included, the end is not."""
        if self._problem is not None:
            raise FillingFailed from self._problem
        self._stretches.put((first, end))

    def finish(self, say: Say) -> None:
        """Wait until the rest is sealed, and what others have written meanwhile."""
        self._stretches.put(None)
        while self._thread.is_alive():
            self._thread.join(timeout=10)
            say(f"{self.count:,} events sealed")
        if self._problem is not None:
            raise FillingFailed from self._problem
        self._leader.open()
        while self._leader.turn()[0]:
            continue
        self._leader.store_low()

    def _run(self) -> None:
        try:
            while (stretch := self._stretches.get()) is not None:
                # A bounded stretch of ids: the sequencer's own statement sorts all that lies above the last one sealed.
                self.count += self._leader.connection.execute(
                    _read("seal"), {"first": stretch[0], "end": stretch[1]}
                ).rowcount
        except BaseException as problem:  # noqa: BLE001 - handed to the thread that waits for this one
            self._problem = problem


@contextmanager
def _leading() -> Iterator[Sequencer]:
    """The ledger's leader: waits until whoever leads now has ended its turn, half a minute at most."""
    with _connect() as connection:
        connection.execute(sql.SQL("SELECT pg_advisory_lock({})").format(sql.Literal(LOCK)))
        leader = Sequencer(connection)
        leader.open()
        yield leader


def _connect() -> psycopg.Connection[Any]:
    parameters = db.connection_parameters() | {"application_name": "watchkeeper volume", "options": _SESSION}
    return psycopg.connect(**{**parameters, "autocommit": True})


def _one(connection: psycopg.Connection[Any], query: sql.Composed | sql.SQL) -> Any:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def _read(name: str) -> bytes:
    return (_HERE / f"{name}.sql").read_bytes()
