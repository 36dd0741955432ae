"""Seals visible events into the ledger, in order and without a gap. One leader, in the control worker.

Ids are handed out in order but become visible in the order of commit, so a reader that remembers the last id it saw
loses whatever commits late. The sequencer remembers the ids it has *not* seen:

1. It seals what lies above the highest id it knows, and notes each id in between that was not there as missing.
2. Missing ids are looked for again in every turn, in the same snapshot, and sealed when they appear.
3. A missing id is given up only when it cannot appear any more: the transaction that holds it has ended. For that the
   sequencer reads the sequence's last value, *then* takes a transaction id as a mark; once every transaction up to the
   mark has ended, and only then, it reads again; what is missing up to that value was rolled back.
"""

import threading
import time
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import psycopg
import structlog

from orchestrator import anchors, db

LOCK: Final = 0x57_4B_5E_A1  # advisory lock of the one leader
BATCH: Final = 2_000
PAUSE: Final = 0.02  # a person notices no 20 ms; sealing every 5 ms took a tenth of a chain's speed
WIDEST_GAP: Final = 1_000_000
_GUARDS: Final = (
    "-c statement_timeout=30s -c lock_timeout=5s -c idle_in_transaction_session_timeout=5s"
    # A leader that hangs or whose machine is gone gives up the lock with its session.
    " -c idle_session_timeout=3s -c tcp_keepalives_idle=2 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=2"
)

log = structlog.get_logger()


class Stopper(Protocol):
    """What threads and processes call an Event."""

    def is_set(self) -> bool:
        """Whether to stop."""
        ...

    def wait(self, timeout: float | None = None) -> bool:
        """Pause, and be woken by the wish to stop."""
        ...


class ImpossibleEventId(Exception):
    """An event has an id that its sequence never gave out: someone wrote past the identity column as its owner."""


@dataclass(slots=True)
class Sequencer:
    """The sealing of one leader over one autocommit connection. `turn()` until there is nothing left, then pause."""

    connection: psycopg.Connection[Any]
    head: int = 0
    missing: set[int] = field(default_factory=set)
    stored_low: int = 0
    _mark: tuple[int, str] | None = None

    def open(self) -> None:
        """Take up where the last leader stopped."""
        row = self.connection.execute("SELECT low, head, missing FROM open_ledger()").fetchone()
        assert row is not None
        self.stored_low, self.head, self.missing = row[0], row[1], set(row[2])

    @property
    def low(self) -> int:
        """No event up to this id can appear any more."""
        return min(self.missing) - 1 if self.missing else self.head

    def turn(self) -> tuple[int, int | None]:
        """Seal one batch; return how many events, and the ledger's last position if there were any."""
        is_past, pos, sealed = self._seal()
        self._note_missing(sealed)
        if is_past and len(sealed) < BATCH:
            self._give_up_to_mark()
        if self.missing and self._mark is None:
            self._set_mark()
        return len(sealed), pos

    def store_low(self) -> None:
        """Write down how far a successor need not look."""
        if self.low > self.stored_low:
            self.connection.execute("SELECT raise_low_water_mark(%s)", [self.low])
            self.stored_low = self.low

    def _seal(self) -> tuple[bool, int | None, list[int]]:
        mark = self._mark[1] if self._mark else None
        row = self.connection.execute(
            "SELECT is_past, last_pos, event_ids FROM seal_events(%s, %s::bigint[], %s, %s::xid8)",
            [self.head, sorted(self.missing), BATCH, mark],
        ).fetchone()
        assert row is not None
        return row[0], row[1], row[2] or []

    def _note_missing(self, sealed: list[int]) -> None:
        self.missing.difference_update(sealed)
        if not sealed or sealed[-1] <= self.head:
            return
        above = {event_id for event_id in sealed if event_id > self.head}
        if sealed[-1] - self.head - len(above) > WIDEST_GAP:
            raise ImpossibleEventId(sealed[-1])
        if sealed[-1] - self.head > len(above):
            self.missing.update(event_id for event_id in range(self.head + 1, sealed[-1]) if event_id not in above)
        self.head = sealed[-1]

    def _give_up_to_mark(self) -> None:
        assert self._mark is not None
        self.missing = {event_id for event_id in self.missing if event_id > self._mark[0]}
        self._mark = None

    def _set_mark(self) -> None:
        row = self.connection.execute("SELECT high, mark::text FROM open_low_water_mark()").fetchone()
        assert row is not None
        self._mark = (row[0], row[1])


def run_sequencer(seconds: float, stop_event: Stopper | None = None) -> bool:
    """Lead for about `seconds`, or return False at once when another process leads.

    Sealed events are announced on `wk_ledger` with the last position. Everything is in the database: killed at any
    point, a successor goes on with the next position.
    """
    stop = stop_event or threading.Event()
    with connect() as connection:
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone()
        if row is None or not row[0]:
            return False
        _lead(Sequencer(connection), stop, until=time.monotonic() + seconds)
        # The server notices a closed session a moment later; the successor is asking now.
        connection.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
    return True


def seal_all(connection: psycopg.Connection[Any]) -> int:
    """Seal everything visible to `connection` now; return how many events. For commands and tests without a leader."""
    sequencer = Sequencer(connection)
    sequencer.open()
    total = 0
    while count := sequencer.turn()[0]:
        total += count
    sequencer.store_low()
    return total


def connect() -> psycopg.Connection[Any]:
    """An autocommit session of its own: the leader's lock lives and dies with it."""
    parameters = db.connection_parameters() | {"application_name": "watchkeeper sequencer", "options": _GUARDS}
    return psycopg.connect(**parameters)


def _lead(sequencer: Sequencer, stop: Stopper, *, until: float) -> None:
    sequencer.open()
    anchor = anchors.Anchorer(sequencer.connection)
    log.info("sequencer.leads", head=sequencer.head, missing=len(sequencer.missing))
    tidy_at = 0.0
    while time.monotonic() < until and not stop.is_set():
        count, pos = sequencer.turn()
        if pos is not None:
            anchor.sealed(pos)
        if time.monotonic() >= tidy_at:
            sequencer.store_low()
            anchor.write_if_due()
            tidy_at = time.monotonic() + 1
        if count < BATCH:
            stop.wait(PAUSE)
    sequencer.store_low()
