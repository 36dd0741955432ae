"""The engine by hand: a shift without a process, which claims, settles and dies exactly when a test says so."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import psycopg
from django.contrib.auth.models import Group, User
from django.db import connection, connections, transaction
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from agents.types import Failed, Json
from approvals import invariants as of_people
from approvals.roles import ROLES
from orchestrator import db, invariants, sequencer
from orchestrator.db import Claimed
from orchestrator.engine import endings
from orchestrator.engine.assignment import Assignment
from orchestrator.engine.plans import plan_of
from orchestrator.models import TASK_BITS
from orchestrator.models import Shift as ShiftRow
from orchestrator.settled import Settled

INDEX = (1 << TASK_BITS) - 1


def reviewer(name: str = "ana") -> User:
    """Somebody who may decide every gate."""
    group, _ = Group.objects.get_or_create(name="Human Oversight Coordinator")
    assert group.name in ROLES
    user, _ = User.objects.get_or_create(username=name)
    user.groups.add(group)
    return user


def violations(*, sealing: bool = True) -> list[str]:
    """What `manage.py check_invariants` would say, after sealing what there is."""
    if sealing:
        seal()
    return [*(str(violation) for violation in invariants.violations()), *of_people.violations()]


def seal() -> None:
    """Let a leader seal until nothing is left."""
    with psycopg.connect(**db.connection_parameters()) as conn:
        leader = sequencer.Sequencer(conn)
        leader.open()
        while leader.turn()[0]:
            pass


def forget_everything() -> None:
    """Empty what runs leave behind, evidence included, so that one example of many starts afresh."""
    kept = ("approvals_decision", "approvals_vote", "orchestrator_event", "orchestrator_ledger")
    rows = (
        "approvals_decision",
        "approvals_vote",
        "approvals_draft",
        "approvals_gate",
        "orchestrator_event",
        "orchestrator_ledger",
    )
    rows += tuple(f"orchestrator_{name}" for name in ("timer", "stop", "attempt", "shift", "task", "run"))
    with transaction.atomic(), connection.cursor() as cursor:
        for table in kept:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for table in rows:
            cursor.execute(f"DELETE FROM {table}")
        last = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM orchestrator_event_id_seq"
        cursor.execute(f"UPDATE orchestrator_ledger_mark SET low = ({last})")
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in kept:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


class Hand:
    """One shift, driven by a test. Use it in one thread at a time."""

    made: ClassVar[list["Hand"]] = []

    def __init__(self, *, lease: float = 60) -> None:
        self.made.append(self)
        self._runner = asyncio.Runner()
        self.conn = self._connect()
        self.id = self.do(db.open_shift, process="hand", capacity=1000, lease=lease)
        self.claimed: list[Claimed] = []

    def _connect(self) -> AsyncConnection[TupleRow]:
        return self._runner.run(AsyncConnection.connect(**db.connection_parameters()))

    def do(self, function: Callable[..., Any], **arguments: Any) -> Any:
        """Call a function of `orchestrator.db` on this shift's connection."""
        return self._runner.run(function(self.conn, **arguments))

    def turn(self, settled: Settled | None = None, *, room: int = 0, lane: str = "default") -> list[Claimed]:
        """One `turn_v3`."""
        claimed: list[Claimed] = self.do(
            db.turn, shift=self.id, settled=settled or Settled(), room={lane: room} if room else {}
        )
        self.claimed += claimed
        return claimed

    def claim(self, room: int = 100, lane: str = "default") -> list[Claimed]:
        """Claim up to `room` tasks."""
        return self.turn(room=room, lane=lane)

    def settle(self, jobs: Iterable[Claimed], *, output: str = "{}") -> None:
        """Settle as succeeded."""
        jobs = list(jobs)
        self.turn(succeeded(jobs, output=output))
        self.forget(jobs)

    def turn_as(self, shift: int, jobs: Sequence[Claimed], *, room: int = 0) -> None:
        """Settle what another shift holds, in its name but on this connection; claim for this one."""
        self.do(db.turn, shift=shift, settled=succeeded(jobs), room={})
        if room:
            self.claim(room)

    def forget(self, jobs: Iterable[Claimed]) -> None:
        """No longer hold these."""
        gone = {(job.id, job.attempt) for job in jobs}
        self.claimed = [job for job in self.claimed if (job.id, job.attempt) not in gone]

    def fail(self, job: Claimed, kind: Any = "permanent", *, retry_after: float | None = None) -> None:
        """End an attempt as an agent's failure."""
        endings.end_failed(
            assignment(job), self.id, {}, Failed(kind, "told_to", "told to fail", retry_after=retry_after)
        )
        self.forget([job])

    def ask(self, job: Claimed) -> None:
        """End an attempt by asking people about trouble."""
        error: dict[str, Json] = {"kind": "permanent", "code": "told_to", "message": "told to ask"}
        endings.open_trouble_gate(assignment(job), self.id, error, "told to ask")
        self.forget([job])

    def die(self) -> None:
        """The process is gone: its session and with it its lock; two sweeps have found that out."""
        self._runner.run(self.conn.close())
        end_lease(self.id)

    def reconnect(self) -> None:
        """A new connection, as after a break."""
        self._runner.run(self.conn.close())
        self.conn = self._connect()

    def close(self) -> None:
        """Leave without a word."""
        self.made.remove(self)
        self._runner.run(self.conn.close())
        self._runner.close()

    @classmethod
    def close_all(cls) -> None:
        """Close what a test has left open."""
        while cls.made:
            cls.made[-1].close()


def end_lease(shift: int) -> None:
    """Let a shift's lease have run out."""
    with transaction.atomic():
        now = db.clock()
        ShiftRow.objects.filter(pk=shift, ended_at=None).update(lease_until=now.replace(year=now.year - 1))


def succeeded(jobs: Sequence[Claimed], *, output: str = "{}") -> Settled:
    """A batch of attempts that went well."""
    batch = Settled()
    for job in jobs:
        for column, value in zip(
            batch.columns(),
            (job.id, job.attempt, "succeeded", "{}", output, None, "agent:test", '{"version": 1}', None),
            strict=True,
        ):
            column.append(value)
    return batch


def assignment(job: Claimed) -> Assignment:
    """What a worker would know of a claimed task."""
    plan = plan_of(job.version_id)
    return Assignment(job, plan, plan.steps[job.id & INDEX], {"input": {}, "steps": {}}, "")


def at_once(*functions: Callable[[], object], patience: float = 30) -> list[BaseException]:
    """Run functions in threads that start together; return what they raised."""
    together = threading.Barrier(len(functions))
    raised: list[BaseException] = []

    def run(function: Callable[[], object]) -> None:
        try:
            together.wait(patience)
            function()
        except BaseException as problem:  # noqa: BLE001 - told to the test
            raised.append(problem)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=[function]) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(patience)
    assert not any(thread.is_alive() for thread in threads), "somebody waits for ever"
    return raised


def deadlocks() -> int:
    """How many the server has counted in this database."""
    with psycopg.connect(**db.connection_parameters()) as conn:
        row = conn.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").fetchone()
    assert row is not None
    return int(row[0])
