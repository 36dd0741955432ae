"""Publishing checks the queues of people that a definition names, and makes them only for those who may."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from agents.registry import sync
from approvals.models import Queue
from orchestrator import services
from orchestrator.definitions.errors import DefinitionError
from orchestrator.models import Event, Workflow
from tests import engine, people
from tests.api import as_user

pytestmark = pytest.mark.django_db

SOURCE = """
metadata: {name: letters, title: Letters}
configuration: {queue: leads}
error_handling: {business_queue: ownerz}
steps:
  - key: write
    type: automated
    agent: test-echo
    gate: {when: "true", queue: editorz, escalate_to: xyz, title: Send it?}
  - {key: check, type: manual, queue: leads, form: {type: object, properties: {ok: {type: boolean}}}}
  - key: each
    type: map
    over: input.items
    body: {type: automated, agent: test-echo, gate: {when: "true", queue: editors, title: Go on?}}
  - key: join
    type: automated
    agent: test-echo
    conflicts: {fields: [x], queue: edditors}
dependencies: {join: [write, each]}
"""


@pytest.fixture(autouse=True)
def _queues() -> None:
    assert engine.OPEN  # the agents of tests/engine.py are registered
    sync()
    for name in ("leads", "editors", "owners"):
        people.queue(name)


def test_every_unknown_queue_is_named_with_step_field_line_and_the_nearest_there_is():
    with pytest.raises(DefinitionError) as refusal:
        services.publish(source=SOURCE, file="letters.yaml", by=None)

    found = {(one.step, one.field): one.remedy for one in refusal.value.problems}
    assert found == {
        ("", "error_handling.business_queue"): 'did you mean "owners"? Or let publishing make it (make_queues)',
        ("write", "gate.queue"): 'did you mean "editors"? Or let publishing make it (make_queues)',
        ("write", "gate.escalate_to"):
            "use one of editors, leads, operations, owners. Or let publishing make it (make_queues)",
        ("join", "conflicts.queue"): 'did you mean "editors"? Or let publishing make it (make_queues)',
    }  # fmt: skip
    assert 'letters.yaml:6: step "write", gate.queue: "editorz" is not a queue of people' in str(refusal.value)
    assert not Workflow.objects.exists()
    assert Queue.objects.count() == 3


def test_operations_is_always_known():
    step = '{key: a, type: automated, agent: test-echo, gate: {when: "true", queue: operations, title: Go?}}'
    source = f"metadata: {{name: a, title: A}}\nsteps: [{step}]"

    assert services.publish(source=source, file="a.yaml", by=None).number == 1


def test_missing_queues_are_made_on_request_pass_on_to_operations_and_stand_in_the_event():
    services.publish(source=SOURCE, file="letters.yaml", by=None, make_queues=True)

    made = Queue.objects.filter(name__in=("editorz", "xyz", "edditors", "ownerz"))
    assert {queue.escalates_to.name for queue in made} == {"operations"}
    assert made.count() == 4
    assert Event.objects.get(kind="workflow.published").data["queues"] == ["edditors", "editorz", "ownerz", "xyz"]


def test_queue_whose_name_is_too_long_is_refused_though_it_may_be_made():
    with pytest.raises(DefinitionError, match="at most 50"):
        services.publish(source=SOURCE.replace("xyz", "n" * 51), file="a.yaml", by=None, make_queues=True)


def test_api_says_the_same_and_makes_queues_only_for_who_may_edit_them():
    mia = as_user(people.person("mia", "Workflow Orchestration Manager"))
    both = as_user(people.person("bo", "Workflow Orchestration Manager", "Human Oversight Coordinator"))
    made = {"source": SOURCE, "make_queues": True}

    checked = mia.post("/workflows/validate", {"source": SOURCE}).json()
    refused = [mia.post("/workflows", {"source": SOURCE}).status_code, mia.post("/workflows", made).status_code]

    assert (checked["valid"], len(checked["problems"])) == (False, 4)
    assert refused == [422, 403]
    assert Queue.objects.count() == 3
    assert both.post("/workflows/validate", made).json()["valid"]
    assert Queue.objects.count() == 3
    assert both.post("/workflows", made).status_code == 201
    assert Queue.objects.filter(name="editorz").exists()


def test_command_makes_queues_when_told_to(tmp_path: Path):
    file = tmp_path / "letters.yaml"
    file.write_text(SOURCE)

    with pytest.raises(CommandError, match="editorz"):
        call_command("publish", str(file))
    call_command("publish", "--make-queues", str(file))

    assert Queue.objects.filter(name="editorz").exists()
