"""Backpressure: over a limit runs are queued in order, or refused; and timeouts of agents that will not stop."""

import asyncio
from pathlib import Path

import pytest
from pytest_django import Settings

from agents.registry import agent
from agents.types import Json
from orchestrator import acts, services
from orchestrator.engine import admission, overdue
from orchestrator.invariants import violations
from orchestrator.models import Attempt, Event, Run
from tests import engine
from tests.engine import OPEN, eventually, finished, publish, shift, start, task
from tests.integration.agents import samples

pytestmark = pytest.mark.django_db(transaction=True)


@agent(name="test-stubborn", version=1, title="Stubborn", input=OPEN, output=OPEN, capabilities=[])
async def stubborn(input: dict[str, Json], ctx: object) -> dict[str, Json]:
    """Ignore every request to stop, until the test lets it go."""
    while not engine.gates_open.is_set():
        try:
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            continue
    return {"late": True}


@pytest.fixture(autouse=True)
def _counted_anew() -> None:
    admission.forget()


def statuses_of(runs: list[Run]) -> list[str]:
    return list(Run.objects.filter(pk__in=[run.pk for run in runs]).order_by("pk").values_list("status", flat=True))


def test_runs_over_the_limit_are_queued_and_begin_in_order_when_there_is_room(settings: Settings) -> None:
    settings.MOST_RUNS_PER_WORKFLOW = 2
    publish("  - {key: a, type: automated, agent: test-echo}")
    runs = [start() for _ in range(4)]
    assert statuses_of(runs) == ["running", "running", "pending", "pending"]
    assert (
        Event.objects.get(run_id=runs[2].pk, kind="run.queued").data["reason"] == "This workflow is at its limit of 2."
    )
    assert not list(violations())

    with shift():
        eventually(lambda: all(finished(run) for run in runs[:2]), timers=False)
        assert statuses_of(runs[2:]) == ["pending", "pending"]
        admission.forget()
        assert admission.admit() == 2
        eventually(lambda: all(finished(run) for run in runs))

    assert {run.status for run in runs} == {"succeeded"}
    assert not list(violations())


def test_long_queue_of_one_workflow_keeps_none_of_anothers_waiting(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MOST_RUNS_PER_WORKFLOW = 1
    monkeypatch.setattr(admission, "BATCH", 2)
    for name in ("busy", "idle"):
        publish("  - {key: a, type: automated, agent: test-echo}", name=name)
    for _ in range(5):
        start("busy")
    first, second = start("idle"), start("idle")
    acts.perform(acts.find("run", "cancel"), acts.of("run", first.pk), by=None, reason="make room")
    admission.forget()

    assert admission.admit() == 1
    assert statuses_of([second]) == ["running"]


def test_queued_run_starts_nothing_and_can_be_cancelled(settings: Settings) -> None:
    settings.MOST_RUNS_PER_WORKFLOW = 1
    publish("  - {key: a, type: automated, agent: test-echo}")
    start()
    queued = start()

    acts.perform(acts.find("run", "cancel"), acts.of("run", queued.pk), by=None, reason="never mind")

    assert statuses_of([queued]) == ["cancelled"]
    assert task(queued, "a").attempt == 0


def test_caller_may_ask_to_be_refused_instead(settings: Settings) -> None:
    settings.MOST_RUNS_PER_WORKFLOW = 1
    publish("  - {key: a, type: automated, agent: test-echo}")
    start()

    with pytest.raises(admission.Busy) as refused:
        services.start_run(workflow="flow", input={}, by=None, actor="feed", over_limit="refuse")

    assert (refused.value.status, refused.value.facts["seconds"]) == (429, 5)
    assert Run.objects.count() == 1


def test_full_lane_queues_runs_of_every_workflow(settings: Settings) -> None:
    settings.MOST_READY_PER_LANE = 1
    publish("  - {key: a, type: automated, agent: test-echo}")
    start()
    admission.forget()

    assert statuses_of([start()]) == ["pending"]


def test_full_lane_of_a_pool_queues_the_runs_that_use_it_and_no_others(settings: Settings) -> None:
    settings.MOST_READY_PER_LANE = 1
    publish("  - {key: a, type: automated, agent: test-echo, lane: eu}", name="there")
    publish("  - {key: a, type: automated, agent: test-echo}", name="here")
    publish(
        "  - {key: a, type: map, over: input.items, body: {type: automated, agent: test-sleeper, lane: eu}}",
        name="both",
    )
    start("there")
    admission.forget()

    assert statuses_of([start("there"), start("here"), start("both")]) == ["pending", "running", "pending"]
    assert Event.objects.filter(kind="run.queued").first().data["reason"] == (
        "The lane eu of ready tasks is at its limit of 1."
    )


def test_agent_that_does_not_stop_is_given_up_on_while_it_still_runs() -> None:
    publish("  - {key: a, type: automated, agent: test-stubborn, timeout: 1s, on_error: fail, retry: {attempts: 1}}")
    engine.gates_open.clear()
    run = start()
    with shift():
        eventually(lambda: finished(run))  # it returns only once it is let go, which comes after this
        engine.gates_open.set()
    engine.gates_open.clear()

    assert (run.status, run.error["code"]) == ("failed", "timeout")
    assert overdue.GRACE_SECONDS <= 2  # of the five seconds that are promised; bench measures the rest
    assert Attempt.objects.get(task_id=task(run, "a").pk).status in ("failed", "late")
    assert not list(violations())


def test_process_agent_over_its_time_is_killed(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    publish(
        "  - {key: a, type: automated, agent: sample-hang, timeout: 4s, on_error: fail, retry: {attempts: 1},"
        f" inputs: {{mark: {mark}}}}}"
    )
    assert samples.hang is not None
    run = start()
    with shift():
        eventually(lambda: finished(run))  # it would hang for ever

    assert (run.status, run.error["code"]) == ("failed", "timeout")
