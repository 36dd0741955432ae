"""An agent's life: terminated with its work put before people or moved, started again, restarted from checkpoints."""

import asyncio
from typing import Any

import pytest
from django.contrib.auth.models import User

from agents.budgets import AMPLE
from agents.registry import agent
from approvals.models import Gate
from orchestrator import acts, services
from orchestrator.acts import ActImpossible
from orchestrator.models import Checkpoint, Event, Run, Stop, Task
from tests import engine, people
from tests.engine import eventually, finished, gates_open, publish, shift, start, statuses, task
from tests.outside import STEP, fetched, registered, worker

pytestmark = pytest.mark.django_db(transaction=True)

PATIENT = "  - {key: a, type: automated, agent: test-patient}"
KEEPER = "  - {key: a, type: automated, agent: test-keeper, inputs: {do: '${input.do}', times: '${input.times}'}}"


for name in ("life-one", "life-two"):

    @agent(name, input=engine.OPEN, output=engine.OPEN, capabilities=["life-test"], budget=AMPLE)
    async def one_of_two(input: dict[str, Any], ctx: Any) -> dict[str, Any]:
        """Wait until told to go on."""
        while not gates_open.is_set():
            await asyncio.sleep(0.005)
        return {}


@pytest.fixture
def mia() -> User:
    return people.person("mia", "Workflow Orchestration Manager")


@pytest.fixture(autouse=True)
def closed() -> None:
    gates_open.clear()
    engine.calls.clear()


def do(name: str, of: str, by: User, **answers: Any) -> acts.Done:
    found, target = acts.find("agent", name), acts.locate("agent", of)
    digest = acts.preview(found, target, answers).digest
    return acts.perform(found, target, by=by, reason="because", answers=answers, digest=digest)


def lines(name: str, of: str, **answers: Any) -> str:
    plan = acts.preview(acts.find("agent", name), acts.locate("agent", of), answers).plan
    return " ".join((*plan.lines, *plan.warnings))


def running(run: Run) -> bool:
    return task(run, "a").status == "running"


def test_terminated_agent_is_given_nothing_and_its_step_is_put_before_people(mia: User) -> None:
    publish(PATIENT)
    run = start()
    with shift():
        eventually(lambda: running(run))
        assert "1 step that it works on is interrupted" in lines(
            "terminate", "test-patient", in_hand="put before people"
        )
        done = do("terminate", "test-patient", mia, in_hand="put before people")
        assert done.data["asked"] == 1
        assert Gate.objects.get(run=run).status == "open"
        assert Checkpoint.objects.filter(run=run).count() == 1
        later = start()
        eventually(lambda: task(later, "a").status == "ready")
        gates_open.set()
        engine.notify("wk_ready")
        with pytest.raises(ActImpossible, match="bring it into service"):
            do("resume", "test-patient", mia)
        assert task(later, "a").status == "ready"
        assert task(run, "a").wait_for == "gate"
        do("start", "test-patient", mia)
        eventually(lambda: finished(later))
    assert Event.objects.filter(kind__in=("agent.terminated", "agent.started"), actor="user:mia").count() == 2
    assert not Stop.objects.filter(lifted_at=None).exists()


def test_its_work_moves_to_an_agent_that_fits(mia: User) -> None:
    publish(PATIENT)
    run = start()
    with shift():
        eventually(lambda: running(run))
        assert "1 step goes to " in lines("terminate", "test-patient", in_hand="moved to other agents")
        done = do("terminate", "test-patient", mia, in_hand="moved to other agents")
        assert done.data == {"asked": 0, "held": 0, "moved": 1}
        assert task(run, "a").agent.name != "test-patient"
        assert Event.objects.filter(kind="task.redirected", run_id=run.pk).exists()


def test_step_that_names_no_agent_gets_another_one(mia: User) -> None:
    publish("  - {key: a, type: automated, select: {capability: life-test}}")
    run = start()
    with shift():
        eventually(lambda: running(run) and task(run, "a").agent is not None)
        first = task(run, "a").agent.name
        assert "For 1 step another agent is chosen." in lines("terminate", first, in_hand="moved to other agents")
        do("terminate", first, mia, in_hand="moved to other agents")
        gates_open.set()
        eventually(lambda: finished(run))
    assert run.status == "succeeded"
    assert task(run, "a").agent.name in {"life-one", "life-two"} - {first}


def test_call_of_an_external_worker_is_taken_from_it(mia: User) -> None:
    _, api = worker()
    registered(api)
    publish(STEP)
    run = start(text="hello")
    with shift():
        eventually(lambda: task(run, "work").wait_for == "answer")
        [call] = fetched(api)
        do("terminate", "outside", mia, in_hand="put before people")
        told = api.post("/workers/heartbeat", {"calls": [{"id": call["id"], "attempt": call["attempt"]}]}).json()
        assert told["calls"][0]["state"] == "over"
        assert task(run, "work").wait_for == "gate"
        later = start(text="again")
        eventually(lambda: task(later, "work").status == "ready")
        assert fetched(api) == []


def test_pause_gives_way_and_nothing_lifts_it_but_start(mia: User) -> None:
    publish(PATIENT)
    do("pause", "test-patient", mia)
    do("terminate", "test-patient", mia, in_hand="put before people")
    held = Stop.objects.get(lifted_at=None)
    assert held.retires
    with pytest.raises(ActImpossible):
        services.lift_stop(stop_id=held.pk, by=mia, reason="no")
    with pytest.raises(ActImpossible, match="already"):
        do("terminate", "test-patient", mia, in_hand="put before people")
    do("start", "test-patient", mia)
    with pytest.raises(ActImpossible, match="in service"):
        do("start", "test-patient", mia)


def test_running_step_starts_again_from_its_last_checkpoint(mia: User) -> None:
    publish(KEEPER)
    run = start(do=[["checkpoint", "half way"], ["wait"]], times=0)
    with shift():
        eventually(lambda: Checkpoint.objects.filter(run=run).exists())
        assert "goes on from checkpoint 1, “half way”" in lines("restart", "test-keeper")
        do("restart", "test-keeper", mia)
        gates_open.set()
        eventually(lambda: finished(run))
    assert task(run, "a").output["resumed"] == "half way"


def test_failed_step_starts_again_and_its_run_lives_again(mia: User) -> None:
    publish("  - {key: a, type: automated, agent: test-flaky, inputs: {permanent: true}, on_error: fail}")
    run = start()
    Task.objects.filter(pk=run.pk << 20).update(status="failed", error={"code": "x"}, attempt=1)
    Run.objects.filter(pk=run.pk).update(
        status="failed", remaining=0, failed=1, error={"step": "a"}, ended_at="2026-01-01T00:00Z"
    )
    assert "1 step that has failed starts again" in lines("restart", "test-flaky")
    done = do("restart", "test-flaky", mia)
    assert done.data == {"restarted": 1}
    run.refresh_from_db()
    assert run.status == "running"
    assert statuses(run) == {"a": "ready"}
    assert Event.objects.filter(kind="agent.restarted", actor="user:mia").count() == 1
    with pytest.raises(ActImpossible, match="nothing to restart"):
        do("restart", "test-flaky", mia)


def test_who_may(mia: User) -> None:
    publish(PATIENT)
    target = acts.locate("agent", "test-patient")
    dora = people.person("dora", "Agent Development Specialist")
    rita = people.person("rita", "Reviewer")
    for name in ("terminate", "start", "restart"):
        assert acts.find("agent", name).permits(mia, target)
        assert not acts.find("agent", name).permits(rita, target)
    assert not acts.find("agent", "terminate").permits(dora, target)
