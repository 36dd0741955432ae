"""Claims under pressure: doubled messages, pauses and stops while work is ready, one small run behind a huge one."""

import threading
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.db import connections

from orchestrator import db, dispatch, services, tasks
from orchestrator.models import Event, Run, Task
from orchestrator.models import Shift as ShiftRow
from tests.engine import finished, publish, start
from tests.hands import Hand, at_once, reviewer, violations

pytestmark = pytest.mark.django_db(transaction=True)

FIFTY = "\n".join(f"  - {{key: s{i}, type: automated, agent: test-echo}}" for i in range(50))


@pytest.fixture
def mia() -> User:
    return User.objects.create_user("mia")


def test_doubled_messages_open_no_more_shifts_than_allowed_and_run_each_task_once(
    settings: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SHIFTS, settings.SHIFT_SECONDS = 2, 1
    rung: list[int] = []
    monkeypatch.setattr(dispatch, "ring", lambda task, times=1: rung.append(times) or True)
    publish(FIFTY)
    run = start()

    raised = at_once(*[tasks.work_shift] * 5, patience=60)

    assert raised == []
    assert finished(run)
    assert ShiftRow.objects.count() == 2
    assert Event.objects.filter(run_id=run.pk, kind="task.started").count() == 50
    assert len(rung) == 2
    assert violations() == []


def claiming_while(act: Callable[[], object]) -> None:
    """Four shifts claim one task after the other while `act` happens; they end when nothing is left for them."""
    acted = threading.Event()

    def claim() -> None:
        hand = Hand()
        while hand.claim(1) or not acted.is_set():
            pass
        hand.close()

    threads = [threading.Thread(target=claim) for _ in range(4)]
    for thread in threads:
        thread.start()
    act()
    acted.set()
    for thread in threads:
        thread.join(20)


def started_after(moment: object) -> int:
    return Event.objects.filter(kind="task.started", at__gt=moment).count()


def test_nothing_of_a_paused_run_is_claimed_after_the_pause_has_committed(mia: User) -> None:
    publish(FIFTY)
    run = start()
    moment = []

    def pause() -> None:
        services.pause_run(run_id=run.pk, by=mia, reason="look")
        moment.append(db.clock())

    claiming_while(pause)

    assert started_after(moment[0]) == 0
    assert not Task.objects.of_run(run.pk).filter(status="ready", held=False).exists()
    services.resume_run(run_id=run.pk, by=mia, reason="go on")
    assert Task.objects.of_run(run.pk).filter(status="ready", held=False).count() + Event.objects.filter(
        kind="task.started"
    ).count() == 50  # fmt: skip
    assert violations() == []


def test_task_given_back_while_its_run_is_paused_is_held(mia: User) -> None:
    publish(FIFTY)
    run = start()
    hand = Hand()
    held = hand.claim()
    services.pause_run(run_id=run.pk, by=mia, reason="look")

    hand.do(db.release, shift=hand.id, tasks=[(job.id, job.attempt) for job in held], reason="drained")

    assert hand.claim() == []
    assert set(Task.objects.of_run(run.pk).values_list("status", "held")) == {("ready", True)}
    assert violations() == []


def test_earlier_attempt_of_the_same_shift_does_not_settle_the_later_one() -> None:
    publish("  - {key: a, type: automated, agent: test-echo}")
    run = start()
    hand = Hand()
    (first,) = hand.claim()
    hand.do(db.release, shift=hand.id, tasks=[(first.id, first.attempt)], reason="stopped")
    (second,) = hand.claim()

    hand.settle([first], output='{"by": "first"}')

    assert Task.objects.of_run(run.pk).get().status == "running"
    hand.settle([second], output='{"by": "second"}')
    assert Task.objects.of_run(run.pk).get().output == {"by": "second"}
    assert violations() == []


def test_nothing_is_claimed_after_a_stop_has_committed(mia: User) -> None:
    publish(FIFTY)
    start()
    moment = []

    def stop() -> None:
        services.stop(scope="everything", ref=None, by=mia, reason="halt")
        moment.append(db.clock())

    claiming_while(stop)

    assert started_after(moment[0]) == 0
    assert violations() == []


def test_one_task_behind_ten_thousand_is_among_the_next_claims() -> None:
    wide = "\n".join(f"  - {{key: s{i}, type: automated, agent: test-echo}}" for i in range(10_000))
    publish(wide, name="wide")
    publish("  - {key: only, type: automated, agent: test-echo}", name="small")
    start("wide")
    hand = Hand()
    hand.settle(hand.claim(50))

    small = start("small")
    claimed = hand.claim(10)

    assert small.pk in {job.run_id for job in claimed}
    hand.close()


def test_tasks_of_an_agent_that_gets_a_limit_while_it_runs_obey_it_when_they_come_back(mia: User) -> None:
    publish("\n".join(f"  - {{key: s{i}, type: automated, agent: test-echo}}" for i in range(4)))
    start()
    first, second = Hand(), Hand()
    held = first.claim(4)

    services.set_agent_limits(agent="test-echo", max_concurrency=1, rate_per_minute=None, by=mia)
    first.do(db.release, shift=first.id, tasks=[(job.id, job.attempt) for job in held], reason="drained")

    assert len(second.claim(4)) == 1
    first.close()
    second.close()
    assert violations() == []


def test_suspects_obey_their_agents_limit(mia: User) -> None:
    publish("\n".join(f"  - {{key: s{i}, type: automated, agent: test-echo}}" for i in range(2)))
    run = start()
    services.set_agent_limits(agent="test-echo", max_concurrency=1, rate_per_minute=None, by=mia)
    Task.objects.of_run(run.pk).filter(key="s0").update(suspect=True)
    hands = [Hand(), Hand(), Hand()]

    claimed = [len(hand.claim(2)) for hand in hands]

    assert sum(claimed) == 1
    for hand in hands:
        hand.close()


def test_two_starts_with_one_idempotency_key_at_once_make_one_run() -> None:
    publish("  - {key: a, type: automated, agent: test-echo}")
    found: list[int] = []

    def begin() -> None:
        run = services.start_run(workflow="flow", input={}, by=None, idempotency_key="k", actor="feed")
        found.append(run.pk)
        connections.close_all()

    raised = at_once(*[begin] * 5)

    assert raised == []
    assert len(set(found)) == 1
    assert Run.objects.count() == 1
    reviewer()
    assert violations() == []
