"""Start simple: the advisor's verdict is kept, and one switch gives new runs to one agent."""

import pytest

from orchestrator import acts
from orchestrator.acts.advising import newest
from orchestrator.acts.refusals import ActImpossible
from orchestrator.models import Event, Run, Task, Workflow
from orchestrator.patterns import advising
from tests import engine

pytestmark = pytest.mark.django_db
STEPS = """
  - {key: a, type: automated, agent: test-echo, fallback: test-asker}
  - {key: b, type: automated, agent: test-flaky}
"""
YES = dict.fromkeys(advising.QUESTIONS, "yes")


@pytest.fixture
def flow() -> Workflow:
    return engine.publish(STEPS, rest="dependencies: {b: [a]}").workflow


def act(name: str, flow: Workflow, **answers: str) -> acts.Done:
    found = acts.find("workflow", name)
    return acts.perform(found, acts.locate("workflow", flow.name), by=None, reason="so", answers=answers)


def agents(run: Run) -> dict[str, str]:
    return {task.key: task.agent.name for task in Task.objects.of_run(run.pk).select_related("agent") if task.agent}


def test_verdict_is_kept_with_its_answers_and_signs(flow: Workflow) -> None:
    act("keep-advice", flow, **{**YES, "at_once": "no"})

    kept = newest(flow)
    assert kept is not None
    assert kept.phase == "full"
    assert kept.answers["at_once"] == "no"
    assert any("at the same time" in sign for sign in kept.signs)
    event = Event.objects.get(kind="workflow.advice_kept")
    assert (event.data["phase"], event.data["workflow"]) == ("full", "flow")


def test_switch_gives_the_steps_of_new_runs_to_one_agent_and_back(flow: Workflow) -> None:
    before = engine.start()

    done = act("single-agent", flow, agent="test-asker")

    assert agents(before) == {"a": "test-echo", "b": "test-flaky"}
    run = engine.start()
    assert agents(run) == {"a": "test-asker", "b": "test-asker"}
    event = Event.objects.get(kind="run.single_agent", run_id=run.pk)
    assert event.data == {"agent": "test-asker", "steps": ["a", "b"]}
    assert done.undo is not None
    act("several-agents", flow)
    assert agents(engine.start()) == {"a": "test-echo", "b": "test-flaky"}
    assert [event.data["single_agent"] for event in Event.objects.filter(kind="workflow.staffed").order_by("id")] == [
        "test-asker", "",
    ]  # fmt: skip


def test_agent_that_fits_nowhere_is_refused(flow: Workflow) -> None:
    with pytest.raises(ActImpossible):
        act("several-agents", flow)
    engine.publish("  - {key: a, type: automated, agent: test-echo}", name="alone")

    with pytest.raises(ActImpossible, match="no step"):
        act("single-agent", Workflow.objects.get(name="alone"), agent="test-echo")
