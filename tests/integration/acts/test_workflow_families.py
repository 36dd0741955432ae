"""Holding a workflow reaches the runs of other workflows that its runs have started; resuming mirrors it."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User

from orchestrator import acts
from orchestrator.acts.core import Done
from orchestrator.invariants import violations
from orchestrator.models import Event, Run, Stop, Workflow
from tests import engine
from tests.engine import eventually, finished, publish, shift, start, statuses

pytestmark = pytest.mark.django_db(transaction=True)

INNER = """
  - {key: a, type: automated, agent: test-patient}
  - {key: b, type: automated, agent: test-echo}
dependencies: {b: [a]}
"""


@pytest.fixture
def mia() -> User:
    return User.objects.create_user("mia")


@pytest.fixture(autouse=True)
def _invariants() -> Iterator[None]:
    engine.gates_open.clear()
    yield
    engine.gates_open.set()
    assert [str(found) for found in violations()] == []


def outer() -> Workflow:
    return Workflow.objects.get(name="outer")


def preview(name: str) -> acts.Preview:
    return acts.preview(acts.find("workflow", name), acts.of("workflow", outer().pk), {})


def do(name: str, mia: User) -> Done:
    target, act = acts.of("workflow", outer().pk), acts.find("workflow", name)
    return acts.perform(act, target, by=mia, reason="because", answers={}, digest=preview(name).digest)


def said(name: str) -> str:
    return " ".join(map(str, preview(name).plan.lines))


def family() -> tuple[Run, Run, Run]:
    """A run of outer that waits for one of middle that waits for one of inner, whose first step runs."""
    publish(INNER, name="inner")
    publish("  - {key: s, type: subworkflow, workflow: inner}", name="middle")
    publish("  - {key: s, type: subworkflow, workflow: middle}", name="outer")
    start("outer")
    eventually(lambda: Run.objects.filter(workflow__name="inner").exists())
    runs = {run.workflow.name: run for run in Run.objects.select_related("workflow")}
    eventually(lambda: statuses(runs["inner"])["a"] == "running")
    return runs["outer"], runs["middle"], runs["inner"]


def states(*runs: Run) -> list[str]:
    return [Run.objects.get(pk=run.pk).status for run in runs]


@pytest.mark.parametrize("act", ["pause", "stop"])
def test_held_workflow_pauses_what_its_runs_have_started_and_lets_it_go_on_again(mia: User, act: str) -> None:
    with shift():
        top, middle, inner = family()
        assert "2 runs of other workflows that its runs have started are paused too" in said(act)

        do(act, mia)
        assert states(top, middle, inner) == ["running", "paused", "paused"]
        engine.gates_open.set()
        eventually(lambda: statuses(inner)["a"] == "succeeded")
        assert statuses(inner)["b"] != "succeeded"
        assert "2 runs of other workflows that were paused with it go on" in said("resume")

        do("resume", mia)
        eventually(lambda: finished(top))

    assert states(top, middle, inner) == ["succeeded"] * 3
    stop = Stop.objects.get()
    told = Event.objects.filter(kind="run.paused")
    assert {(event.run_id, event.data["stop"]) for event in told} == {(middle.pk, stop.pk), (inner.pk, stop.pk)}


def test_run_that_somebody_paused_on_its_own_stays_paused(mia: User) -> None:
    with shift():
        _, middle, inner = family()
        target, act = acts.of("run", inner.pk), acts.find("run", "pause")
        acts.perform(act, target, by=mia, reason="r", answers={}, digest=acts.preview(act, target, {}).digest)
        assert "1 run of another workflow" in said("pause")

        do("pause", mia)
        do("resume", mia)

        assert states(middle, inner) == ["running", "paused"]
        engine.gates_open.set()


def test_pause_that_becomes_a_stop_keeps_hold_of_what_it_paused(mia: User) -> None:
    with shift():
        top, middle, inner = family()
        do("pause", mia)
        do("stop", mia)
        assert states(middle, inner) == ["paused", "paused"]

        do("resume", mia)
        engine.gates_open.set()
        eventually(lambda: finished(top))


def test_runs_of_others_that_nobody_of_it_started_are_left_alone(mia: User) -> None:
    with shift():
        family()
        alone = start("inner")
        do("pause", mia)

        assert states(alone) == ["running"]
        do("resume", mia)
        engine.gates_open.set()
