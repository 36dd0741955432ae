"""Shifts that die, hang, lose their connection or only seem dead; tasks that kill whoever runs them."""

import asyncio
import os
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import connection

from agents.errors import EffectUnknown
from approvals import services as people
from approvals.models import Gate
from orchestrator import db, failpoints, presence
from orchestrator.engine import admission, breakers, budgeting, effects, plans, sweep
from orchestrator.engine import shift as shift_module
from orchestrator.engine.draining import SharedFlag
from orchestrator.models import Attempt, Content, Effect, Event, Task, WorkflowVersion
from orchestrator.models import Shift as ShiftRow
from tests import engine
from tests.engine import eventually, finished, publish, shift, start, statuses, task
from tests.hands import Hand, at_once, end_lease, reviewer, violations

pytestmark = pytest.mark.django_db(transaction=True)

ONE = "  - {key: a, type: automated, agent: test-echo}"
PATIENT = "  - {key: a, type: automated, agent: test-patient}"


@pytest.fixture
def ana() -> User:
    return reviewer()


def wide(count: int, agent: str = "test-echo") -> str:
    return "\n".join(f"  - {{key: s{i}, type: automated, agent: {agent}}}" for i in range(count))


def test_two_sweepers_at_once_return_each_task_once() -> None:
    publish(wide(40))
    run = start()
    dead = Hand()
    assert len(dead.claim(40)) == 40
    dead.die()

    raised = at_once(sweep.sweep, sweep.sweep, sweep.sweep)

    assert raised == []
    assert set(statuses(run).values()) == {"ready"}
    assert Event.objects.filter(run_id=run.pk, kind="task.lost").count() == 40
    assert set(Task.objects.of_run(run.pk).values_list("losses", flat=True)) == {1}
    assert violations() == []


def test_third_loss_names_the_culprit_and_spares_its_neighbours(ana: User) -> None:
    publish(wide(4))
    run = start()
    poison = task(run, "s2").pk
    for _ in range(8):  # every shift that holds the poison dies
        hand = Hand()
        held = hand.claim(10)
        if poison in {job.id for job in held}:
            hand.die()
            sweep.sweep_once()
        else:
            hand.settle(held)
            hand.do(db.close_shift, shift=hand.id)

    assert statuses(run) == {"s0": "succeeded", "s1": "succeeded", "s2": "waiting", "s3": "succeeded"}
    assert Attempt.objects.filter(task_id=poison).count() == 3
    assert Gate.objects.get(run=run, status="open").kind == "quarantine"
    assert violations() == []


def test_lease_alone_ends_a_shift_that_hangs_and_its_result_is_kept_as_late() -> None:
    publish(ONE)
    run = start()
    hung, other = Hand(), Hand()
    jobs = hung.claim()
    end_lease(hung.id)
    sweep.sweep_once()
    again = other.claim()
    other.settle(again, output='{"by": "second"}')

    hung.settle(jobs, output='{"by": "first"}')
    hung.settle(jobs, output='{"by": "first"}')

    assert task(run, "a").output == {"by": "second"}
    late = Attempt.objects.get(task_id=task(run, "a").pk, number=1)
    assert (late.status, late.output) == ("late", {"by": "first"})
    assert Event.objects.filter(run_id=run.pk, kind="task.late_result").count() == 1
    assert finished(run)
    assert violations() == []


def test_ended_shift_claims_nothing_and_its_heartbeat_says_so() -> None:
    publish(ONE)
    start()
    hung = Hand()
    end_lease(hung.id)
    sweep.sweep_once()

    assert hung.claim() == []
    assert not hung.do(db.heartbeat, shift=hung.id, lease=10)


def test_shift_that_left_in_order_is_blamed_for_nothing() -> None:
    publish(ONE)
    run = start()
    hand = Hand()
    hand.claim()
    hand.do(db.close_shift, shift=hand.id)

    sweep.sweep_once()

    assert (task(run, "a").status, task(run, "a").losses) == ("ready", 0)
    assert violations() == []


def before_the_server_started(shift_id: int) -> None:
    """Nothing was heard from a shift since then; its lease had an hour to go when the server ended."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE orchestrator_shift SET renewed_at = pg_postmaster_start_time() - interval '1 s',"
            " lease_until = clock_timestamp() + interval '1 hour' WHERE id = %s",
            [shift_id],
        )


def seen_dead_for(shift_id: int, seconds: float) -> None:
    ShiftRow.objects.filter(pk=shift_id).update(suspected_at=db.clock() - timedelta(seconds=seconds))


def test_shift_that_did_not_outlive_a_start_of_the_server_is_gone_two_seconds_after_it_was_missed() -> None:
    publish(wide(2))
    run = start()
    dead, back = Hand(), Hand()
    (lost,), (kept,) = dead.claim(1), back.claim(1)
    for hand in (dead, back):
        hand.do(_unlock, shift=hand.id)
        before_the_server_started(hand.id)
        ShiftRow.objects.filter(pk=hand.id).update(suspected_at="2026-01-01T00:00Z")  # just before the server ended

    sweep.sweep_once()
    seen_dead_for(dead.id, 1.5)
    seen_dead_for(back.id, 1.5)
    sweep.sweep_once()
    assert set(statuses(run).values()) == {"running"}  # a shift has ten tries to come back

    assert back.do(db.heartbeat, shift=back.id, lease=60)  # heard again, its lock not yet its own
    seen_dead_for(dead.id, 2.5)
    sweep.sweep_once()

    assert (Task.objects.get(pk=lost.id).status, Task.objects.get(pk=kept.id).status) == ("ready", "running")
    assert not dead.do(db.heartbeat, shift=dead.id, lease=60)  # had it lived, it would know now
    back.settle([kept])
    assert violations() == []


async def _unlock(conn: psycopg.AsyncConnection, *, shift: int) -> None:
    await conn.execute("SELECT pg_advisory_unlock(%s, %s)", (db.SHIFT_LOCK, shift))


def lock_holder(shift_id: int) -> int | None:
    """The backend that holds a shift's session lock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objid = %s AND granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            [db.SHIFT_LOCK, shift_id],
        )
        row = cursor.fetchone()
    return row[0] if row else None


def terminate(pid: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pid])


def open_shift() -> int:
    eventually(lambda: ShiftRow.objects.filter(ended_at=None).exists())
    return ShiftRow.objects.get(ended_at=None).pk


def test_shift_takes_its_lock_again_although_a_sweep_was_holding_it() -> None:
    publish(PATIENT)
    run = start()
    with shift(lease=15):
        eventually(lambda: task(run, "a").status == "running")
        held = open_shift()
        with somebody_takes_the_lock_of(held):
            renewed = ShiftRow.objects.get(pk=held).renewed_at
            eventually(lambda: ShiftRow.objects.get(pk=held).renewed_at > renewed)  # it is back, without its lock
        eventually(lambda: lock_holder(held) is not None)
        sweep.sweep()

        engine.gates_open.set()
        eventually(lambda: finished(run))

    assert (run.status, task(run, "a").attempt, task(run, "a").losses) == ("succeeded", 1, 0)
    assert violations() == []


@contextmanager
def somebody_takes_the_lock_of(shift_id: int) -> Iterator[None]:
    """Break the shift's connection while somebody already waits for its lock, as a sweep might by chance."""
    got_it, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with psycopg.connect(**db.connection_parameters()) as conn:
            conn.execute("SELECT pg_advisory_lock(%s, %s)", [db.SHIFT_LOCK, shift_id])
            got_it.set()
            let_go.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    eventually(lambda: waiting_for_lock(shift_id))
    terminate(lock_holder(shift_id))
    assert got_it.wait(10)
    yield
    let_go.set()
    thread.join()


def waiting_for_lock(shift_id: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objid = %s AND NOT granted",
            [db.SHIFT_LOCK, shift_id],
        )
        return bool(cursor.fetchone()[0])


def shift_backends() -> list[int]:
    """Both connections of every shift, and those of its threads."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND application_name LIKE 'watchkeeper%'"
        )
        return [row[0] for row in cursor.fetchall()]


def test_terminated_connections_are_replaced_and_nothing_counts_as_a_loss() -> None:
    publish(
        "\n".join(
            f"  - {{key: s{i}, type: automated, agent: test-flaky, inputs: {{times: {i % 2}}}}}" for i in range(30)
        )
        + "\n  - {key: end, type: automated, agent: test-echo}",
        rest="dependencies: {end: [" + ", ".join(f"s{i}" for i in range(30)) + "]}",
    )
    with shift(lease=15):
        open_shift()
        runs = []
        for _ in range(6):
            runs.append(start())
            for pid in shift_backends():
                terminate(pid)
            sweep.sweep_once()
        eventually(lambda: all(finished(run) for run in runs))

    assert {run.status for run in runs} == {"succeeded"}
    assert set(Task.objects.values_list("losses", flat=True)) == {0}
    assert not Event.objects.filter(kind="task.lost").exists()
    assert violations() == []


def test_listening_survives_a_database_that_breaks_again_while_it_reconnects(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish(PATIENT)
    run = start()
    relock, broken = db.relock_shift, []

    async def break_twice(conn: psycopg.AsyncConnection, *, shift: int) -> bool:
        if len(broken) < 2:
            broken.append(conn)
            await conn.close()
        return await relock(conn, shift=shift)

    monkeypatch.setattr(db, "relock_shift", break_twice)
    with shift(lease=15):
        eventually(lambda: task(run, "a").status == "running")
        held = open_shift()
        terminate(lock_holder(held))
        eventually(lambda: len(broken) == 2 and lock_holder(held) is not None)
        renewed = ShiftRow.objects.get(pk=held).renewed_at
        engine.notify("wk_ready")
        eventually(lambda: ShiftRow.objects.get(pk=held).renewed_at >= renewed)
        engine.gates_open.set()
        eventually(lambda: finished(run))

    assert task(run, "a").losses == 0


@contextmanager
def unreadable_plan(version: WorkflowVersion) -> Iterator[None]:
    plan = version.plan
    WorkflowVersion.objects.filter(pk=version.pk).update(plan={"name": "broken"})
    plans.plan_of.cache_clear()
    shift_module._known_plans.clear()
    yield
    WorkflowVersion.objects.filter(pk=version.pk).update(plan=plan)


def test_one_unreadable_plan_stops_nobody_else(ana: User) -> None:
    broken = publish(ONE, name="broken")
    publish(wide(3), name="sound")
    bad, good = start("broken"), start("sound")
    with unreadable_plan(broken), shift():
        eventually(lambda: finished(good))
        eventually(lambda: task(bad, "a").status == "waiting")

    assert good.status == "succeeded"
    assert Gate.objects.get(run=bad).subject["proposal"]["error"]["code"] == "task_unreadable"
    assert ShiftRow.objects.count() == 1
    assert violations() == []


def test_upkeep_that_fails_for_one_reason_fires_everything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Admission fails for good, budgets too: timers, retries and what waits for an agent go on all the same."""
    timer = "  - {key: t, type: timer, duration: 0.1s}\n"
    publish(timer + "  - {key: f, type: automated, agent: test-flaky, inputs: {times: 1}}")

    def fail() -> None:
        raise RuntimeError("nobody expected this")

    def refuse() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")

    monkeypatch.setattr(admission, "admit", fail)
    monkeypatch.setattr(breakers, "attend", refuse)
    monkeypatch.setattr(budgeting, "tend", fail)
    heard: list[str] = []
    monkeypatch.setattr(presence, "tend", lambda: heard.append("presence"))
    run = start()
    with shift():
        eventually(lambda: finished(run))
    sweep.tend()

    assert run.status == "succeeded"
    assert heard == ["presence"]


def test_one_lost_output_stops_nobody_else(ana: User) -> None:
    publish(
        """
  - {key: a, type: automated, agent: test-huge, inputs: {size: 100000}}
  - {key: m, type: manual, queue: default, form: {type: object}, instructions: Wait}
  - {key: b, type: automated, agent: test-echo, inputs: {length: "${size(steps.a.text)}"}}
""",
        rest="dependencies: {m: [a], b: [m]}",
        name="large",
    )
    publish(wide(3), name="sound")
    run = start("large")
    with shift():
        eventually(lambda: Gate.objects.filter(run=run).exists())
        Content.objects.all().delete()
        gate = Gate.objects.get(run=run)
        decide(gate, ana, "complete", edited={})
        good = start("sound")
        eventually(lambda: finished(good))
        eventually(lambda: task(run, "b").status == "waiting")

    assert violations() == []


def decide(gate: Gate, by: User, verdict: str, **more: object) -> None:
    people.decide(gate_id=gate.pk, by=by, verdict=verdict, gate_version=gate.version, note="because", **more)


def test_quarantine_of_an_unreadable_plan_still_asks_and_returns_the_others(ana: User) -> None:
    broken = publish(ONE, name="broken")
    publish(ONE, name="sound")
    bad, good = start("broken"), start("sound")
    with unreadable_plan(broken):
        Task.objects.of_run(bad.pk).update(losses=2, suspect=False)
        hand = Hand()
        assert len(hand.claim(2)) == 2
        hand.die()
        sweep.sweep_once()

    assert Gate.objects.get(run=bad).kind == "quarantine"
    assert task(good, "a").status == "ready"
    assert violations() == []


# Side effects


def once(job: object, call: object) -> object:
    async def in_thread(function: object, *arguments: object) -> object:
        return await asyncio.to_thread(_closing, function, arguments)

    async def run() -> object:
        return await effects.TaskEffects(task_id=job.id, attempt=job.attempt, in_thread=in_thread).once("pay", call)

    return asyncio.run(run())


def _closing(function: object, arguments: tuple[object, ...]) -> object:
    try:
        return function(*arguments)
    finally:
        connection.close()


def test_effect_of_a_worker_that_died_after_sending_is_asked_about_and_not_repeated(ana: User) -> None:
    publish("  - {key: a, type: automated, agent: test-payer, on_error: skip}")
    run = start()
    dead = Hand()
    (job,) = dead.claim()
    seen: list[str] = []

    async def pay_and_die() -> object:
        seen.append("pay")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        once(job, pay_and_die)
    dead.die()
    sweep.sweep_once()
    Effect.objects.update(key="payment")
    with shift():
        eventually(lambda: task(run, "a").status == "waiting")

    gate = Gate.objects.get(run=run)
    assert (gate.kind, gate.subject["proposal"]["error"]["code"]) == ("exception", "effect_unknown")
    assert seen == ["pay"]
    assert [what for what, _ in engine.calls if what == "paid"] == []
    assert Effect.objects.get().status == "unknown"
    assert violations() == []


def test_replaced_attempt_that_wakes_up_does_not_send_what_its_successor_sends() -> None:
    publish(ONE)
    start()
    stalled, other = Hand(), Hand()
    (first,) = stalled.claim()
    effects._prepare(first.id, "pay", first.attempt)
    end_lease(stalled.id)
    sweep.sweep_once()
    (second,) = other.claim()
    sent: list[int] = []

    async def pay() -> object:
        sent.append(2)
        return {"receipt": 2}

    assert once(second, pay) == {"receipt": 2}
    with pytest.raises(EffectUnknown):
        effects._mark_sent(first.id, "pay", first.attempt)

    assert sent == [2]
    assert (Effect.objects.get().status, Effect.objects.get().result) == ("confirmed", {"receipt": 2})


# Draining


def test_flag_is_seen_by_forks_and_blocks_nobody_when_one_dies() -> None:
    flag = SharedFlag()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if not pid:
        while not flag.is_set():
            pass
        os._exit(7)
    flag.set()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        looking = os.fork()
    if not looking:
        while True:
            flag.is_set()
    os.kill(looking, signal.SIGKILL)
    os.waitpid(looking, 0)

    assert flag.wait(1)
    assert not SharedFlag().wait(0.01)


def test_drain_gives_back_what_takes_too_long_and_blames_nobody(settings: Any) -> None:
    settings.DRAIN_SECONDS = 0
    publish("  - {key: a, type: automated, agent: test-sleeper, inputs: {seconds: 3}}")
    run = start()
    with shift() as host:
        eventually(lambda: host.holds(task(run, "a").pk))

    returned = task(run, "a")
    assert (returned.status, returned.failures, returned.losses) == ("ready", 0, 0)
    assert Event.objects.filter(task_id=returned.pk, kind="task.released").get().data["reason"] == "drained"
    assert violations() == []


def test_abrupt_end_that_cannot_be_recorded_leaves_no_task_without_a_runner(
    monkeypatch: pytest.MonkeyPatch, ana: User
) -> None:
    """Both the work and its abrupt end fail: the shift still ends, and the task goes back unjudged."""

    def refuse(*_: object) -> None:
        raise RuntimeError("told to")

    publish(ONE)
    run = start()
    with monkeypatch.context() as patch:
        patch.setattr(shift_module, "work", refuse)
        patch.setattr(shift_module, "fail_abruptly", refuse)
        with shift() as host:
            eventually(lambda: task(run, "a").status == "running" and not host.holds(task(run, "a").pk))
    sweep.sweep_once()

    assert (task(run, "a").status, task(run, "a").losses) == ("ready", 0)
    assert violations() == []


def test_pause_of_the_database_while_ending_attempts_repeats_them_harmlessly() -> None:
    publish("  - {key: a, type: automated, agent: test-flaky, inputs: {times: 3}, retry: {attempts: 6, base: 0.01}}")
    failpoints.configure("ending.after=raise:0.5")
    runs = [start() for _ in range(10)]
    with shift():
        eventually(lambda: all(finished(run) for run in runs))

    assert {run.status for run in runs} == {"succeeded"}
    assert set(Task.objects.values_list("failures", flat=True)) == {3}
    assert violations() == []
