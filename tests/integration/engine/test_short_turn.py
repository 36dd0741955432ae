"""The short way of a turn that settles one task leaves exactly what the long way leaves, and passes nobody over."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from agents.models import Agent
from orchestrator import db, services
from orchestrator.models import Attempt, Breaker, Event, Lane, Run, Task
from tests.engine import publish, start
from tests.hands import Hand, forget_everything, succeeded, violations

pytestmark = pytest.mark.django_db(transaction=True)

STEPS = """
  - {{key: a, type: automated, agent: test-echo}}
  - {{key: b, type: automated, agent: {agent}}}
  - {{key: c, type: automated, agent: test-echo, join: {join}}}
"""
CHAIN, FORK, JOIN = "dependencies: {b: [a], c: [b]}", "dependencies: {b: [a], c: [a]}", "dependencies: {c: [a, b]}"


def leave_alone(run: Run) -> None:
    pass


def pause(run: Run) -> None:
    services.pause_run(run_id=run.pk, by=User.objects.create_user(f"mia{run.pk}"), reason="look")


def stop_another(run: Run) -> None:
    other = Agent.objects.get(name="test-patient")
    services.stop(scope="agent", ref=other.pk, by=User.objects.create_user(f"mia{run.pk}"), reason="look")


def stop_the_next(run: Run) -> None:
    agent = Task.objects.get(run=run, key="b").agent_id
    services.stop(scope="agent", ref=agent, by=User.objects.create_user(f"mia{run.pk}"), reason="look")


def limit_another(run: Run) -> None:
    Task.objects.filter(run=start(), key="a").update(limited=True)


def limit_the_next(run: Run) -> None:
    Task.objects.filter(run=run, key="b").update(limited=True)


def start_another(run: Run) -> None:
    start()


def fail_once(run: Run) -> None:
    Breaker.objects.filter(agent__name="test-echo").update(failures=1)


def end_all_but_one(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(remaining=1)
    Task.objects.filter(run=run).exclude(key="a").update(status="skipped")


@pytest.mark.parametrize(
    ("dependencies", "join", "meanwhile"),
    [
        pytest.param(CHAIN, "all", leave_alone, id="a step of a chain"),
        pytest.param(CHAIN, "all", pause, id="of a paused run"),
        pytest.param(CHAIN, "all", stop_another, id="while another agent is stopped"),
        pytest.param(CHAIN, "all", stop_the_next, id="whose next is stopped"),
        pytest.param(CHAIN, "all", limit_another, id="while a limited one is ready"),
        pytest.param(CHAIN, "all", limit_the_next, id="whose next is limited"),
        pytest.param(CHAIN, "all", start_another, id="while others are ready"),
        pytest.param(CHAIN, "all", fail_once, id="of an agent that has failed"),
        pytest.param(CHAIN, "all", end_all_but_one, id="the last one"),
        pytest.param(JOIN, "all", leave_alone, id="that is not the last its next waits for"),
        pytest.param(JOIN, "any", leave_alone, id="that is enough for its next"),
        pytest.param(JOIN, "2", leave_alone, id="whose next needs two"),
        pytest.param(FORK, "all", leave_alone, id="that feeds two"),
    ],
)
@pytest.mark.parametrize("agent", ["test-echo", "test-sleeper"])
def test_one_task_settles_as_in_a_batch(
    dependencies: str, join: str, meanwhile: Callable[[Run], None], agent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(STEPS.format(agent=agent, join=join), rest=dependencies)
    left = []
    for turn in ("turn_v1", "turn_v2", "turn_v3"):
        monkeypatch.setattr(db, "_TURN", f"SELECT * FROM {turn}({db._TURN.partition('(')[2]}")
        forget_everything()
        Lane.objects.update(clock=0)
        left.append(_left_by_a_turn(meanwhile))

    assert left[1:] == [left[0], left[0]]


def _left_by_a_turn(meanwhile: Callable[[Run], None]) -> dict[str, Any]:
    """Everything that a turn has written which settles a run's first task and has room for one more."""
    run = start()
    hand = Hand()
    first = hand.claim(1)
    meanwhile(run)
    since = Event.objects.order_by("-id").values_list("id", flat=True)[0]
    claimed = hand.turn(succeeded(first), room=1)
    wrong = violations()
    hand.close()
    steps = Task.objects.order_by("id").values(
        "key", "status", "pending", "fed", "held", "lane", "virtual_start", "attempt", "losses", "output", "ended_at"
    )
    tasks = list(Task.objects.order_by("id"))
    return {
        "claimed": [(job.id & 0xFFFFF, job.run_id - run.pk, job[3:]) for job in claimed],
        "steps": [{**step, "ended_at": step["ended_at"] is not None} for step in steps],
        "times": [(one.ready_at is None, one.started_at is None, one.shift is None) for one in tasks],
        "run": Run.objects.values("status", "remaining", "virtual_finish", "failed", "outcome").get(pk=run.pk),
        "is over": Run.objects.get(pk=run.pk).ended_at is not None,
        "attempts": list(Attempt.objects.values("number", "status", "agent_version", "tokens_in", "cost", "error")),
        "events": [
            (event.kind, event.actor.partition(":")[0], (event.task_id or 0) & 0xFFFFF, event.data)
            for event in Event.objects.filter(id__gt=since).order_by("id")
        ],
        "clocks": dict(Lane.objects.values_list("name", "clock")),
        "breakers": list(Breaker.objects.order_by("agent__name").values_list("agent__name", "failures", "state")),
        "wrong": [str(one).replace(str(run.pk), "it") for one in wrong],
    }
