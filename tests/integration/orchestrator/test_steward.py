"""Each workflow has one record of its orchestrator, whose decisions are events of its runs (A017)."""

import pytest
from django.test import Client

from orchestrator import steward
from orchestrator.models import Event, Workflow
from tests import people
from tests.engine import eventually, finished, publish, shift, start

pytestmark = pytest.mark.django_db(transaction=True)
STEPS = """
  - {key: a, type: automated, agent: test-flaky, fallback: test-echo, inputs: {times: 1}, checkpoint: first}
  - {key: b, type: automated, agent: test-echo, when: "has(input.more)"}
  - {key: c, type: automated, agent: test-echo, gate: {when: "true", queue: operations, title: Look}}
"""


def test_record_says_what_is_managed_and_what_was_decided_and_its_decisions_stand_in_the_runs_story():
    publish(STEPS, rest="dependencies: {c: [a]}")
    run = start()
    with shift():
        eventually(lambda: Event.objects.filter(run_id=run.pk, kind="gate.opened").exists())
        eventually(lambda: Event.objects.filter(run_id=run.pk, kind="task.skipped").exists() and not finished(run))
    flow = Workflow.objects.get()
    version = flow.current_version
    assert version is not None

    record = steward.record_of(flow, version)

    assert (record.name, record.runs) == ("orchestrator:flow", 1)
    assert {str(words): count for words, count in record.manages} == {
        "steps that another agent can do": 1, "save points": 1, "questions to people": 1,
    }  # fmt: skip
    decided = {str(words): count for words, count in record.decisions}
    assert decided == {"put before people": 1, "let a step be tried again": 1, "left a step out": 1}
    assert {one.run for one in record.latest} == {run.pk}
    mia = people.person("mia", "Workflow Orchestration Manager")
    client = Client()
    client.force_login(mia)
    page = client.get("/workflows/flow/?tab=design").content.decode()
    assert "orchestrator:flow" in page
    # One of them is no plural: "1 questions to people".
    assert 'questions to people&nbsp;×&nbsp;<span class="num">1</span>' in page
    assert 'put before people&nbsp;×&nbsp;<span class="num">1</span>' in page
    story = client.get(f"/runs/{run.pk}/?tab=narrative").content.decode()
    said = {one.text for one in record.latest}
    assert {text for text in said if text not in page} == set()
    # The run's page calls a queue by its title, and says which question.
    assert {text for text in said if text.split(" (")[0].lower() not in story.lower()} == set()


def test_workflow_that_never_ran_has_its_record_too():
    publish("  - {key: a, type: automated, agent: test-echo}")
    flow = Workflow.objects.get()
    assert flow.current_version is not None
    record = steward.record_of(flow, flow.current_version)
    assert (record.runs, record.decisions, record.latest) == (0, (), ())


def test_phases_of_one_agent_or_several_are_named_in_the_readers_language():
    publish("  - {key: a, type: automated, agent: test-echo}")
    client = Client()
    client.force_login(people.person("mia", "Workflow Orchestration Manager"))
    page = client.get("/workflows/flow/?tab=design", headers={"accept-language": "de"}).content.decode()
    assert "Ein volles Team" in page
    assert "A full team" not in page
