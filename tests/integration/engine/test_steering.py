"""Pause, resume, cancel, stop, limits: what people do to runs that are alive."""

import threading

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections, transaction

from agents.models import Agent
from approvals.models import Gate
from orchestrator import services
from orchestrator.errors import AlreadyStopped, IllegalTransition, ReasonMissing
from orchestrator.models import Attempt, Event, Run, Stop, Task, Workflow
from tests import engine
from tests.engine import eventually, finished, publish, shift, start, statuses, task

pytestmark = pytest.mark.django_db(transaction=True)

CHAIN = """
  - {key: a, type: automated, agent: test-patient}
  - {key: b, type: automated, agent: test-echo}
"""


@pytest.fixture
def mia() -> User:
    return User.objects.create_user("mia")


def running(run: Run, key: str = "a") -> bool:
    return task(run, key).status == "running"


def test_paused_run_ends_what_runs_and_starts_nothing_until_resumed(mia: User) -> None:
    publish(CHAIN, rest="dependencies: {b: [a]}")
    run = start()
    with shift():
        eventually(lambda: running(run))
        services.pause_run(run_id=run.pk, by=mia, reason="look at it")
        engine.gates_open.set()
        eventually(lambda: task(run, "a").status == "succeeded")
        other = start()
        eventually(lambda: finished(other))
        assert (task(run, "b").status, task(run, "b").held) == ("ready", True)

        services.resume_run(run_id=run.pk, by=mia, reason="fine")
        eventually(lambda: finished(run))

    assert run.status == "succeeded"


def test_cancelled_run_stops_its_agents_at_once_and_schedules_nothing(mia: User) -> None:
    publish(CHAIN, rest="dependencies: {b: [a]}")
    run = start()
    with shift() as host:
        eventually(lambda: running(run))
        services.cancel_run(run_id=run.pk, by=mia, reason="wrong input")
        eventually(lambda: not host.holds(task(run, "a").pk))

    run.refresh_from_db()
    assert (run.status, run.remaining) == ("cancelled", 0)
    assert statuses(run) == {"a": "cancelled", "b": "cancelled"}


def test_steering_needs_a_reason_and_a_legal_state(mia: User) -> None:
    publish(CHAIN)
    run = start()

    with pytest.raises(ReasonMissing):
        services.pause_run(run_id=run.pk, by=mia, reason=" ")
    with pytest.raises(IllegalTransition, match="The run is running now"):
        services.resume_run(run_id=run.pk, by=mia, reason="x")

    run.refresh_from_db()
    assert run.status == "running"


def test_stop_of_everything_returns_what_runs_and_lifting_it_goes_on(mia: User) -> None:
    publish("\n".join(f"  - {{key: s{i}, type: automated, agent: test-patient}}" for i in range(20)))
    run = start()
    with shift():
        eventually(lambda: Task.objects.of_run(run.pk).filter(status="running").count() == 20)
        stop = services.stop(scope="everything", ref=None, by=mia, reason="something is off")
        eventually(lambda: Task.objects.of_run(run.pk).filter(status="ready").count() == 20)
        eventually(lambda: Stop.objects.get(pk=stop.pk).effect)
        effect = Stop.objects.get(pk=stop.pk).effect
        assert effect["returned"] == 20
        assert effect["last_start_ms"] < 0 < effect["all_cancelled_ms"]
        engine.gates_open.set()
        later = start()
        services.lift_stop(stop_id=stop.pk, by=mia, reason="it was nothing")
        eventually(lambda: finished(run) and finished(later))

    assert run.status == "succeeded"
    started_under_stop = Event.objects.filter(
        kind="task.started", at__gt=stop.stopped_at, at__lt=Stop.objects.get(pk=stop.pk).lifted_at
    )
    assert not started_under_stop.exists()


@pytest.mark.parametrize("scope", ["workflow", "agent"])
def test_scoped_stop_covers_only_its_scope(scope: str, mia: User) -> None:
    publish("  - {key: a, type: automated, agent: test-patient}", name="slow")
    publish("  - {key: a, type: automated, agent: test-echo}", name="quick")
    ref = Workflow.objects.get(name="slow").pk if scope == "workflow" else Agent.objects.get(name="test-patient").pk
    held = start("slow")
    with shift():
        eventually(lambda: running(held))
        services.stop(scope=scope, ref=ref, by=mia, reason="only this")
        eventually(lambda: task(held, "a").status == "ready")
        free = start("quick")
        eventually(lambda: finished(free))

    assert task(held, "a").status == "ready"


def test_second_stop_of_the_same_scope_is_refused(mia: User) -> None:
    services.stop(scope="everything", ref=None, by=mia, reason="one")

    with pytest.raises(AlreadyStopped):
        services.stop(scope="everything", ref=None, by=mia, reason="two")


def test_concurrency_limit_is_never_exceeded(mia: User) -> None:
    publish("\n".join(f"  - {{key: s{i}, type: automated, agent: test-patient}}" for i in range(12)))
    services.set_agent_limits(agent="test-patient", max_concurrency=3, rate_per_minute=None, by=mia)
    run = start()
    with shift(), shift():
        eventually(lambda: Task.objects.of_run(run.pk).filter(status="running").count() == 3)
        other = start()  # another round of claims by both shifts
        eventually(lambda: Event.objects.filter(run_id=other.pk, kind="run.started").exists())
        assert Task.objects.filter(status="running").count() == 3
        engine.gates_open.set()
        eventually(lambda: finished(run))

    assert run.status == "succeeded"


def test_rate_limit_spaces_starts(mia: User) -> None:
    publish("\n".join(f"  - {{key: s{i}, type: automated, agent: test-echo}}" for i in range(6)))
    services.set_agent_limits(agent="test-echo", max_concurrency=None, rate_per_minute=4, by=mia)
    run = start()
    with shift():
        eventually(lambda: Task.objects.of_run(run.pk).filter(status="succeeded").count() == 4)

    assert sorted(statuses(run).values()) == ["ready", "ready"] + ["succeeded"] * 4


def test_cancel_withdraws_open_gates(mia: User) -> None:
    publish("  - {key: m, type: manual, queue: default, form: {type: object}, instructions: Look}")
    run = start()
    with shift():
        eventually(lambda: Gate.objects.filter(run=run, status="open").exists())

    services.cancel_run(run_id=run.pk, by=mia, reason="no longer needed")

    assert Gate.objects.get(run=run).status == "withdrawn"


def test_cancel_racing_the_last_settle_ends_in_exactly_one_way(mia: User) -> None:
    publish("  - {key: a, type: automated, agent: test-echo}")
    with shift():
        for _ in range(15):
            run = start()
            together = threading.Barrier(2)

            def cancel(run: Run = run, together: threading.Barrier = together) -> None:
                together.wait()
                try:
                    services.cancel_run(run_id=run.pk, by=mia, reason="race")
                except IllegalTransition:
                    pass
                finally:
                    connections.close_all()

            thread = threading.Thread(target=cancel)
            thread.start()
            together.wait()
            thread.join()
            eventually(lambda run=run: finished(run))
            expected = {"succeeded": "succeeded", "cancelled": "cancelled"}[run.status]
            assert task(run, "a").status == expected
            ends = Event.objects.filter(run_id=run.pk, kind__in=["run.succeeded", "run.cancelled"])
            assert ends.count() == 1


def test_stop_waits_for_claims_in_flight_so_none_commits_after_it(mia: User) -> None:
    """A claim holds the shared lock until it commits: a stop set meanwhile must wait for it."""
    stopped = threading.Event()

    def stop() -> None:
        services.stop(scope="everything", ref=None, by=mia, reason="now")
        stopped.set()
        connections.close_all()

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(7301, 1)")
        thread = threading.Thread(target=stop)
        thread.start()
        assert not stopped.wait(0.2)
    thread.join(5)

    assert stopped.is_set()


def test_timed_out_agent_is_an_ordinary_transient_failure() -> None:
    publish("  - {key: a, type: automated, agent: test-patient, timeout: 1s, on_error: fail, retry: {attempts: 1}}")
    run = start()
    with shift():
        eventually(lambda: finished(run))

    assert run.error["code"] == "timeout"
    assert Attempt.objects.get(task_id=task(run, "a").pk).status == "failed"
