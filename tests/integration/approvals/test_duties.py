"""Who had a hand in what a gate is about has no say in it, and is told why in half a sentence."""

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from agents.models import Agent, ModelCall, Prompt, PromptVersion
from approvals import duties, permissions, queries, services
from approvals.errors import SeparationOfDuties
from approvals.models import Decision
from orchestrator import events
from orchestrator.models import Run, WorkflowVersion, task_id
from tests import people

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["reviewer", "superuser"])
def somebody(request: pytest.FixtureRequest) -> User:
    if request.param == "superuser":
        return people.person("root", is_superuser=True)
    return people.person("ana", "Human Oversight Coordinator", decides=people.queue())


def refused(run: Run, by: User, **facts: object) -> str:
    gate = people.gate(of=run, **facts)
    with pytest.raises(SeparationOfDuties) as refusal:
        services.decide(gate_id=gate.pk, by=by, verdict="approve", gate_version=1)
    assert not Decision.objects.filter(gate=gate).exists()
    assert queries.inbox(by) == []
    assert queries.card(gate, by).refusal.endswith(": someone else decides.")
    assert not permissions.can(by, "decide_gate", gate)
    return str(refusal.value)


def test_publisher_of_the_version_is_refused(somebody):
    run = people.run()
    WorkflowVersion.objects.filter(pk=run.version_id).update(published_by=somebody)

    assert refused(run, somebody).startswith("You published the version of the workflow")


def test_owner_of_the_agent_is_refused(somebody):
    run = people.run()
    Agent.objects.filter(name="assessor").update(owner=somebody.username)

    assert refused(run, somebody).startswith("You own the agent")


def test_co_author_of_the_prompt_is_refused(somebody):
    run = people.run()
    prompt = Prompt.objects.create(name="assess", title="Assess")
    PromptVersion.objects.create(
        prompt=prompt, number=2, template="t", digest="d", author=people.person("dev"), editors=[somebody.pk],
        changed_at=timezone.now(),
    )  # fmt: skip
    ModelCall.objects.create(
        key="k", correlation_id=run.correlation_id, attempt=1, agent="assessor", model="m", prompt="assess@2"
    )

    assert refused(run, somebody).startswith("You wrote a prompt")


def test_who_changed_the_tasks_input_is_refused(somebody):
    run = people.run()
    events.append(
        "task.edited", actor=f"user:{somebody.username}", run_id=run.pk, task_id=task_id(run.pk, 0), data={"attempt": 1}
    )

    assert refused(run, somebody).startswith("You changed what is under review")


def test_who_edited_the_output_does_not_approve_it_in_the_next_step():
    ana, sam = (people.person(name, decides=people.queue()) for name in ("ana", "sam"))
    run = people.run()
    first = people.gate(of=run)
    services.decide(
        gate_id=first.pk, by=ana, verdict="edit", gate_version=1, edited={"summary": "Isolate after backup"}
    )
    second = people.gate(of=run, step=1, proposal={"summary": "Isolate after backup"})

    with pytest.raises(SeparationOfDuties, match="You changed what is under review"):
        services.decide(gate_id=second.pk, by=ana, verdict="approve", gate_version=1)
    assert services.decide(gate_id=second.pk, by=sam, verdict="approve", gate_version=1).decided_by == sam


def test_hands_are_written_down_when_the_gate_opens():
    ana, dev = people.person("ana"), people.person("dev")
    Agent.objects.update(owner="dev")
    run = people.run(by=ana)
    Agent.objects.filter(name="assessor").update(owner="dev")

    gate = people.gate(of=run)

    assert gate.barred == sorted([ana.pk, dev.pk])
    assert duties.why_barred(dev, gate) == "You own the agent whose output this is"
