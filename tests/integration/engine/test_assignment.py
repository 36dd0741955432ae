"""Steps that name no agent, results used again, authority and priority, under a real shift."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.test import Client

from agents.models import Agent
from agents.registry import agent
from agents.types import Json
from approvals.models import Gate
from orchestrator import db, services
from orchestrator.engine import budgeting, caching, sweep
from orchestrator.invariants import violations
from orchestrator.models import CachedResult, CacheUse, Event, Run, Task
from orchestrator.states import RunStatus
from tests import engine, people
from tests.engine import OPEN, eventually, finished, publish, shift, start, task
from tests.hands import Hand

pytestmark = pytest.mark.django_db(transaction=True)

for _name in ("test-reader-1", "test-reader-2", "test-reader-3"):

    @agent(name=_name, version=1, input=OPEN, output=OPEN, capabilities=["read"], tags=["law"])
    async def reader(input: dict[str, Any], ctx: Any) -> dict[str, Json]:
        """Read."""
        return {"read": True}


@agent(name="test-clerk", version=1, input=OPEN, output=OPEN, capabilities=["file"], authority=["filing"])
async def clerk(input: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """File."""
    engine.calls.append(("clerk", ctx.attempt))
    return {"filed": True}


@pytest.fixture(autouse=True)
def _fresh_view() -> None:
    budgeting.view.forget()


READ = """
- key: each
  type: map
  over: input.items
  body: {type: automated, select: {capability: read, tags: [law]}, inputs: {n: "${item}"}}
"""


def ran(**given: object) -> Run:
    run = start(**given)
    with shift():
        eventually(lambda: finished(run))
    return run


def assigned(run: Run) -> list[dict[str, Any]]:
    return list(Event.objects.filter(run_id=run.pk, kind="task.assigned").order_by("id").values_list("data", flat=True))


def test_300_tasks_land_evenly_on_three_equal_agents_and_say_why():
    publish(READ)
    run = ran(items=list(range(300)))

    assert run.status == RunStatus.SUCCEEDED
    counts = Counter(Task.objects.of_run(run.pk).filter(agent__isnull=False).values_list("agent__name", flat=True))
    assert set(counts) == {"test-reader-1", "test-reader-2", "test-reader-3"}
    assert all(95 <= count <= 105 for count in counts.values()), counts
    said = assigned(run)
    assert len(said) == 300
    assert "1 of 1 tags" in said[0]["reason"]
    assert "cannot read" in said[0]["candidates"].values()
    assert not list(violations())


def test_stopped_agents_get_nothing_and_all_stopped_makes_the_task_wait():
    publish("- {key: a, type: automated, select: {agents: [test-reader-1, test-reader-2]}}")
    first = Agent.objects.get(name="test-reader-1")
    second = Agent.objects.get(name="test-reader-2")
    services.stop(scope="agent", ref=first.pk, by=None, reason="no")

    run = ran()
    assert task(run, "a").agent_id == second.pk

    stopped = services.stop(scope="agent", ref=second.pk, by=None, reason="no")
    waiting = start()
    with shift():
        eventually(lambda: task(waiting, "a").wait_for == "agent")
        services.lift_stop(stop_id=stopped.pk, by=None, reason="yes")
        sweep.tend()
        eventually(lambda: finished(waiting))
    assert waiting.status == RunStatus.SUCCEEDED
    assert not list(violations())


def test_agents_with_limits_never_run_more_at_once_than_they_may():
    publish(READ.replace("{capability: read, tags: [law]}", "{agents: [test-patient]}"))
    Agent.objects.filter(name="test-patient").update(max_concurrency=2)
    run = start(items=list(range(6)))
    with shift():
        eventually(lambda: Task.objects.of_run(run.pk).filter(status="ready", limited=True).count() == 4)
        assert Task.objects.of_run(run.pk).filter(status="running", agent__name="test-patient").count() == 2
        engine.gates_open.set()
        eventually(lambda: finished(run))

    assert run.status == RunStatus.SUCCEEDED
    assert not list(violations())


def test_task_moves_to_another_agent_once_after_its_worker_died():
    publish("- {key: a, type: automated, select: {agents: [test-reader-1, test-reader-2]}}")
    run = start()
    pk = task(run, "a").pk
    chosen = Agent.objects.get(name="test-reader-1")
    hand = Hand()
    hand.claim()
    spec = {"step": {"agent": chosen.name}, "chosen": {"agent": chosen.name, "moved": False}}
    Task.objects.filter(pk=pk).update(agent_id=chosen.pk, spec=spec)
    hand.die()
    sweep.sweep()
    assert task(run, "a").agent_id is None

    with shift():
        eventually(lambda: finished(run))

    assert task(run, "a").agent.name == "test-reader-2"
    assert task(run, "a").spec["chosen"]["moved"] is True
    assert assigned(run)[0]["reason"].endswith("in place of test-reader-1")
    assert not list(violations())


def test_task_that_moved_once_stays_when_its_second_worker_dies_too():
    publish("- {key: a, type: automated, select: {agents: [test-reader-1, test-reader-2]}}")
    run = start()
    pk = task(run, "a").pk
    second = Agent.objects.get(name="test-reader-2")
    hand = Hand()
    hand.claim()
    spec = {"step": {"agent": second.name}, "chosen": {"agent": second.name, "moved": True}}
    Task.objects.filter(pk=pk).update(agent_id=second.pk, spec=spec)
    hand.die()
    sweep.sweep()

    with shift():
        eventually(lambda: finished(run))

    assert task(run, "a").agent == second
    assert task(run, "a").attempt == 2
    assert not list(violations())


def test_cached_result_is_used_again_for_the_same_input_and_says_so():
    publish('- {key: a, type: automated, agent: test-echo, cache: 1d, inputs: {what: "${input.what}"}}')

    first, again, other = ran(what="x"), ran(what="x"), ran(what="y")

    assert [what for what, _ in engine.calls] == ["x", "y"]
    assert task(again, "a").output == task(first, "a").output
    facts = Event.objects.get(run_id=again.pk, kind="task.succeeded").data
    assert facts["cached"] == task(first, "a").pk
    assert "cached" not in Event.objects.get(run_id=other.pk, kind="task.succeeded").data
    assert CachedResult.objects.get(task=task(first, "a").pk).hits == 1


def test_how_often_results_are_used_again_is_counted_and_shown() -> None:
    publish('- {key: a, type: automated, agent: test-echo, cache: 1d, inputs: {what: "${input.what}"}}')
    for what in ("one", "two", "one", "one"):
        ran(what=what)

    assert caching.use_of("test-echo") == (4, 2)
    CachedResult.objects.all().delete()  # what was counted stays when the results are gone
    client = Client()
    client.force_login(people.person("dev", "Agent Development Specialist"))
    page = client.get("/agents/test-echo/uses/").content.decode()
    assert "Results looked for, 30 days" in page
    assert "50" in page.split("Hit rate")[1].split("</dd>")[0]
    CacheUse.objects.update(day=db.clock().date() - timedelta(days=30))
    assert caching.use_of("test-echo") == (0, 0)


def test_cached_results_end_with_their_time_and_are_purged():
    publish('- {key: a, type: automated, agent: test-echo, cache: 1d, inputs: {what: "x"}}')
    ran()
    CachedResult.objects.update(expires_at=Now())

    ran()

    assert len(engine.calls) == 2
    CachedResult.objects.update(expires_at=Now())
    assert caching.purge() == 1


def test_results_of_agents_with_side_effects_are_not_kept():
    publish("- {key: a, type: automated, agent: test-payer, cache: 1d}")
    run = ran()

    assert run.status == RunStatus.SUCCEEDED
    assert not CachedResult.objects.exists()


def test_results_of_agents_that_look_at_their_runs_state_are_not_kept_for_other_runs():
    publish("- {key: a, type: automated, agent: test-keeper, cache: 1d, inputs: {do: [[add, x]]}}")
    first, second = ran(), ran()

    assert {run.status for run in (first, second)} == {RunStatus.SUCCEEDED}
    assert not CachedResult.objects.exists()


def test_agent_without_authority_is_refused_and_a_person_is_asked():
    publish("- {key: a, type: automated, agent: test-clerk, category: filing}")
    run = start()
    Task.objects.filter(pk=task(run, "a").pk).update(spec={"step": {"category": "payments"}})
    with shift():
        eventually(lambda: task(run, "a").wait_for == "gate")

    assert not engine.calls
    refused = Event.objects.get(run_id=run.pk, kind="policy.refused").data
    assert (refused["agent"], refused["category"]) == ("test-clerk", "payments")
    assert Gate.objects.get(run_id=run.pk).rule == "test-clerk has no authority for payments: stop and ask"


def test_priority_9_starts_before_queued_priority_1():
    publish("- {key: a, type: automated, agent: test-echo}")
    low = [services.start_run(workflow="flow", input={}, by=None, priority=1) for _ in range(3)]
    high = services.start_run(workflow="flow", input={}, by=None, priority=9)

    claimed = [found.run_id for _ in range(4) for found in Hand().claim(room=1)]

    assert claimed[0] == high.pk
    assert sorted(claimed[1:]) == [run.pk for run in low]
