"""One typed Python function per SQL function of the engine. No other module calls them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection
from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow

from orchestrator import arrays, failpoints
from orchestrator.settled import Settled

STOP_LOCK = (7301, 1)  # shared by every claim, exclusive for setting a stop
OPEN_LOCK = (7301, 3)  # held while a shift is opened, so that no two count the open ones at once
SHIFT_LOCK = 7302  # (SHIFT_LOCK, shift id): held by the shift's session while its process lives


def connection_parameters() -> dict[str, Any]:
    """Where Django's default database is, as keyword arguments of `psycopg.connect`."""
    settings = connection.settings_dict
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    return {
        "autocommit": True,
        "application_name": "watchkeeper",
        "options": "-c lock_timeout=5s -c statement_timeout=30s -c timezone=UTC",
        "connect_timeout": 5,
        # A peer that vanished without a word is noticed in seconds, not after the kernel's two hours.
        "tcp_user_timeout": 10_000,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        **{to: settings[name] for name, to in names.items() if settings[name]},
    }


class Claimed(NamedTuple):
    """One leased task, as `turn_v3` returns it."""

    id: int
    run_id: int
    version_id: int
    attempt: int
    failures: int
    revision: int
    note: str
    spec: dict[str, Any] | None


_TURN = (
    "SELECT * FROM turn_v3(%s, %s::bigint[], %s::smallint[], %s::text[], %s::jsonb[], %s::jsonb[], %s::float8[],"
    " %s::text[], %s::jsonb[], %s::jsonb[], %s::text[], %s::int[])"
)


async def turn(conn: AsyncConnection[TupleRow], *, shift: int, settled: Settled, room: dict[str, int]) -> list[Claimed]:
    """Settle a batch and claim up to `room[lane]` tasks of each lane, in one transaction."""
    failpoints.hit("turn.before")
    lanes = (arrays.texts(list(room)), arrays.numbers(list(room.values())))
    cursor = await conn.execute(_TURN, (shift, *settled.arrays(), *lanes), prepare=True)
    rows = await cursor.fetchall()
    failpoints.hit("turn.after")
    return [Claimed._make(row) for row in rows]


def share_stops() -> None:
    """Let no stop be set before this transaction ends: what it is about to hand out, a stop would have to see."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s, %s)", STOP_LOCK)


async def held_tasks(conn: AsyncConnection[TupleRow], *, shift: int) -> list[Claimed]:
    """What the database says this shift runs: the truth after a turn whose answer was lost."""
    cursor = await conn.execute(
        "SELECT id, run_id, version_id, attempt, failures, revision, note, spec FROM orchestrator_task"
        " WHERE status = 'running' AND shift = %s",
        (shift,),
    )
    return [Claimed._make(row) for row in await cursor.fetchall()]


async def open_shift(
    conn: AsyncConnection[TupleRow],
    *,
    process: str,
    capacity: int,
    lease: float,
    most: int | None = None,
    pool: str = "default",
) -> int | None:
    """Register a shift and take its session lock on this connection; None if `most` of its pool are open already."""
    cursor = await conn.execute("SELECT nextval(pg_get_serial_sequence('orchestrator_shift', 'id'))")
    row = await cursor.fetchone()
    assert row is not None
    shift: int = row[0]
    await conn.execute("SELECT pg_advisory_lock(%s, %s)", (SHIFT_LOCK, shift))
    async with conn.transaction():
        # Doubled messages arrive together: without this each would count the shifts before the others are there.
        await conn.execute("SELECT pg_advisory_xact_lock(%s, %s)", OPEN_LOCK)
        cursor = await conn.execute(
            "INSERT INTO orchestrator_shift"
            " (id, process, capacity, pool, idle, started_at, renewed_at, lease_until, end_reason)"
            " SELECT %s, %s, %s, %s, false, clock_timestamp(), clock_timestamp(),"
            " clock_timestamp() + make_interval(secs => %s), ''"
            " WHERE %s::int IS NULL"
            " OR %s > (SELECT count(*) FROM orchestrator_shift WHERE ended_at IS NULL AND pool = %s)",
            (shift, process, capacity, pool, lease, most, most, pool),
        )
    return shift if cursor.rowcount else None


async def heartbeat(conn: AsyncConnection[TupleRow], *, shift: int, lease: float) -> bool:
    """Renew the lease of a shift and so of all its tasks; False when the sweep has ended it."""
    cursor = await conn.execute(
        "UPDATE orchestrator_shift SET renewed_at = clock_timestamp(),"
        " lease_until = clock_timestamp() + make_interval(secs => %s) WHERE id = %s AND ended_at IS NULL",
        (lease, shift),
        prepare=True,
    )
    return cursor.rowcount == 1


async def relock_shift(conn: AsyncConnection[TupleRow], *, shift: int) -> bool:
    """Take the session lock again on a new connection; False when somebody (the sweep) holds it."""
    cursor = await conn.execute("SELECT pg_try_advisory_lock(%s, %s)", (SHIFT_LOCK, shift))
    row = await cursor.fetchone()
    return bool(row and row[0])


async def mark_idle(conn: AsyncConnection[TupleRow], *, shift: int) -> None:
    """Say that a shift sleeps, so that whoever makes work ready knows to ring; its next claim takes that back."""
    await conn.execute(
        "UPDATE orchestrator_shift SET idle = true"
        " WHERE id = %s AND set_config('synchronous_commit', 'off', true) IS NOT NULL",
        (shift,),
        prepare=True,
    )


async def close_shift(conn: AsyncConnection[TupleRow], *, shift: int) -> None:
    """End a shift in order."""
    await conn.execute(
        "UPDATE orchestrator_shift SET ended_at = clock_timestamp(), end_reason = 'done', idle = false"
        " WHERE id = %s AND ended_at IS NULL",
        (shift,),
    )


async def release(conn: AsyncConnection[TupleRow], *, shift: int, tasks: Sequence[tuple[int, int]], reason: str) -> int:
    """Give running tasks, as (id, attempt), back unjudged; return how many were still ours."""
    cursor = await conn.execute(
        "SELECT release_tasks_v1(%s, %s::bigint[], %s::smallint[], %s)",
        (shift, [task for task, _ in tasks], [attempt for _, attempt in tasks], reason),
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def active_stops(conn: AsyncConnection[TupleRow]) -> list[tuple[int, str, int | None]]:
    """Stops in force as (id, scope, ref); a pause cancels nothing and is not among them."""
    cursor = await conn.execute(
        "SELECT id, scope, ref FROM orchestrator_stop WHERE lifted_at IS NULL AND NOT lets_finish"
    )
    return [(row[0], row[1], row[2]) for row in await cursor.fetchall()]


async def covered_by(
    conn: AsyncConnection[TupleRow], *, tasks: Sequence[int], scope: str, ref: int | None
) -> list[int]:
    """Which of these tasks a stop's scope covers."""
    if scope == "everything":
        return list(tasks)
    column = {"workflow": "workflow_id", "agent": "agent_id", "run": "run_id", "task": "id"}[scope]
    cursor = await conn.execute(
        sql.SQL("SELECT id FROM orchestrator_task WHERE id = ANY(%s) AND {} = %s").format(sql.Identifier(column)),
        (list(tasks), ref),
    )
    return [row[0] for row in await cursor.fetchall()]


async def measure_stop(conn: AsyncConnection[TupleRow], *, stop: int, shift: int, tasks: Sequence[int]) -> None:
    """Add what one shift returned to a stop's measured effect, in milliseconds since the stop was set."""
    await conn.execute("SELECT measure_stop_v1(%s, %s, %s::bigint[])", (stop, shift, list(tasks)))


async def cancelled_among(conn: AsyncConnection[TupleRow], *, shift: int, tasks: Sequence[int]) -> list[int]:
    """Which of these tasks are no longer this shift's to run."""
    cursor = await conn.execute(
        "SELECT x FROM unnest(%s::bigint[]) AS x WHERE NOT EXISTS ("
        "SELECT 1 FROM orchestrator_task t WHERE t.id = x AND t.status = 'running' AND t.shift = %s)",
        (list(tasks), shift),
    )
    return [row[0] for row in await cursor.fetchall()]


async def contexts(conn: AsyncConnection[TupleRow], *, wanted: dict[int, tuple[int, ...]]) -> dict[int, dict[str, Any]]:
    """Outputs of earlier tasks by key, for each task id of `wanted` and the step indexes it needs."""
    pairs = [(task, (task >> 20 << 20) | index) for task, needs in wanted.items() for index in needs]
    cursor = await conn.execute(
        "SELECT w.task, t.key, t.output FROM unnest(%s::bigint[], %s::bigint[]) AS w (task, needed)"
        " JOIN orchestrator_task t ON t.id = w.needed WHERE t.status = 'succeeded'",
        ([task for task, _ in pairs], [needed for _, needed in pairs]),
    )
    found: dict[int, dict[str, Any]] = {task: {} for task in wanted}
    for task, key, output in await cursor.fetchall():
        found[task][key] = output
    return found


async def run_facts(conn: AsyncConnection[TupleRow], *, runs: Sequence[int]) -> dict[int, tuple[dict[str, Any], str]]:
    """Input and correlation id of runs."""
    cursor = await conn.execute(
        "SELECT id, input, correlation_id FROM orchestrator_run WHERE id = ANY(%s)", (list(runs),)
    )
    return {row[0]: (row[1], row[2]) for row in await cursor.fetchall()}


@dataclass(frozen=True, slots=True)
class RunOrder:
    """What `start_run_v1` takes, in the order of its parameters."""

    workflow: int
    version: int
    title: str
    input_json: str
    user: int | None
    key: str | None
    correlation: str
    priority: int
    weight: int
    actor: str


def start_run(order: RunOrder) -> int:
    """Insert one run and its tasks; return the run's id."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT start_run_v1(%s, %s, %s, %s::jsonb, %s, %s, %s, %s::smallint, %s::smallint, %s)",
            tuple(getattr(order, column) for column in RunOrder.__slots__),
        )
        return int(cursor.fetchone()[0])


class Written(NamedTuple):
    """What came of a write: `written`, `again` (this task had written it already) or `stale`; the newest version."""

    outcome: str
    version: int
    writer: str


@dataclass(frozen=True, slots=True)
class StateWrite:
    """What `write_state_v1` takes, in the order of its parameters. `expected` None: whichever version there is."""

    run: int
    key: str
    expected: int | None
    value_json: str
    deleted: bool
    writer: str
    task: int | None
    reason: str


def write_state(write: StateWrite) -> Written:
    """One more version of a key of a run's state. The caller holds the run's lock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT * FROM write_state_v1(%s, %s, %s, %s::jsonb, %s, %s, %s, %s)",
            tuple(getattr(write, column) for column in StateWrite.__slots__),
        )
        return Written._make(cursor.fetchone())


def copy_tasks(run: int, tasks: Sequence[int], places: Sequence[int], statuses: Sequence[str]) -> int:
    """Give a run that was just started the results of another's tasks; the caller advances it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT copy_tasks_v1(%s, %s::bigint[], %s::int[], %s::text[])",
            (run, list(tasks), list(places), list(statuses)),
        )
        return int(cursor.fetchone()[0])


def advance_runs(tasks: Sequence[int], feeds: Sequence[bool]) -> int:
    """What follows from tasks that just ended; the caller holds their runs' locks."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT advance_runs_v1(%s::bigint[], %s::boolean[])", (list(tasks), list(feeds)))
        ready = int(cursor.fetchone()[0])
        if ready:
            cursor.execute("SELECT wake_idle_v1()")
        return ready


def close_breakers(tasks: Sequence[int], agents: Sequence[int | None]) -> None:
    """Say that the agents of these tasks have just worked; the caller holds their runs' locks."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT close_breakers_v1(%s::bigint[], %s::bigint[])", (list(tasks), list(agents)))


def wake_idle() -> None:
    """Ring idle shifts when the transaction commits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT wake_idle_v1()")


def sweep_shifts() -> list[int]:
    """End dead shifts, return their tasks to the lane; the ids returned need a person (third loss)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM sweep_shifts_v2()")
        return [row[0] for row in cursor.fetchall()]


def fire_retries(limit: int = 1000) -> int:
    """Make tasks ready whose retry is due; return how many."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT fire_retries_v1(%s)", (limit,))
        return int(cursor.fetchone()[0])


def lock_claims_out() -> None:
    """Wait for claims in flight and keep new ones out until this transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", STOP_LOCK)


LIMITS_LOCK = (7301, 4)  # shared by whoever makes tasks of an agent, exclusive for changing its limits
EVALUATION_LOCK = 0x57_4B_5E_E7


def lock_limits() -> None:
    """Wait for starts in flight and keep new ones out until this transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", LIMITS_LOCK)


def share_limits() -> None:
    """Read agents' limits only after whoever changes them has committed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s, %s)", LIMITS_LOCK)


def may_evaluate() -> bool:
    """Whether this session is the only one that evaluates by schedule, until it ends: whatever beat has rung."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [EVALUATION_LOCK])
        return bool(cursor.fetchone()[0])


def notify_shifts(payload: str) -> None:
    """Tell shifts to cancel what a stop or a cancelled run covers: `stop:<id>` or `cancel:<run id>`."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify('wk_control', %s)", (payload,))


def clock() -> datetime:
    """The database's clock, which alone decides leases, timers and deadlines."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
        return now
