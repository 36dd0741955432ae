"""A run that another one starts: its definition's author must be allowed to, at publishing and at each start."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from approvals import access
from orchestrator import services
from orchestrator.definitions.errors import DefinitionError
from orchestrator.engine.authorising import SubworkflowNotPermitted
from orchestrator.models import Run, Workflow, WorkflowVersion
from tests import engine, people
from tests.api import as_user
from tests.engine import eventually, finished, shift, task
from tests.hands import violations

pytestmark = pytest.mark.django_db(transaction=True)
SUB = "  - {key: check, type: subworkflow, workflow: credit, inputs: {n: 1}}"
MAP = """
  - key: each
    type: map
    over: "[1, 2]"
    body: {type: subworkflow, workflow: credit, inputs: {n: "${item}"}}
"""


@pytest.fixture
def credit() -> Workflow:
    engine.publish("  - {key: a, type: automated, agent: test-echo}", name="credit")
    return Workflow.objects.get(name="credit")


@pytest.fixture
def pia(credit: Workflow) -> User:
    """Somebody who may publish, and start nothing."""
    return people.person("pia")


def source(steps: str = SUB, name: str = "order") -> str:
    return f"metadata: {{name: {name}, title: Order}}\nsteps:\n{steps}\n"


def publish(by: User | None, steps: str = SUB) -> WorkflowVersion:
    return services.publish(source=source(steps), file="order.yaml", by=by)


def allow(user: User, credit: Workflow) -> User:
    access.grant(to=user, permission="start_run", on=credit, by=None)
    return User.objects.get(pk=user.pk)


def ended(by: User | None = None) -> Run:
    run = services.start_run(workflow="order", input={}, by=by)
    with shift():
        eventually(lambda: finished(run) or task(run, "check").wait_for == "gate")
    return run


@pytest.mark.parametrize(("steps", "key"), [(SUB, "check"), (MAP, "each")])
def test_author_who_may_not_start_what_it_starts_is_refused_with_step_and_remedy(
    pia: User, steps: str, key: str
) -> None:
    with pytest.raises(SubworkflowNotPermitted) as refused:
        publish(pia, steps)

    (problem,) = refused.value.problems
    assert (problem.step, problem.field, problem.message) == (key, "workflow", "pia may not start runs of credit")
    assert "ask for the right" in problem.remedy
    assert not Workflow.objects.filter(name="order").exists()


def test_author_with_the_right_publishes_and_it_runs(pia: User, credit: Workflow) -> None:
    publish(allow(pia, credit))

    assert ended().status == "succeeded"
    assert violations() == []


def test_right_that_was_taken_from_the_author_opens_nothing_any_more(pia: User, credit: Workflow) -> None:
    publish(allow(pia, credit))
    access.revoke(of=pia, permission="start_run", on=credit, by=None)

    run = ended(by=people.person("sam"))

    found = task(run, "check")
    assert found.error["code"] == "subworkflow_not_permitted"
    assert "give pia (published it) or sam (started it) the right" in found.error["message"]
    assert not Run.objects.filter(workflow=credit).exists()
    assert violations() == []


def test_starter_with_the_right_makes_up_for_an_author_who_lost_it(pia: User, credit: Workflow) -> None:
    publish(allow(pia, credit))
    access.revoke(of=pia, permission="start_run", on=credit, by=None)

    assert ended(by=allow(people.person("sam"), credit)).status == "succeeded"


def test_author_who_has_left_opens_nothing_any_more(pia: User, credit: Workflow) -> None:
    publish(allow(pia, credit))
    User.objects.filter(pk=pia.pk).update(is_active=False)

    assert task(ended(), "check").error["code"] == "subworkflow_not_permitted"


def test_what_an_operator_published_at_the_machine_starts_what_it_names(credit: Workflow) -> None:
    publish(None)

    assert ended(by=people.person("sam")).status == "succeeded"


def test_workflow_that_names_itself_needs_no_right_of_its_author(pia: User) -> None:
    steps = """
  - {key: again, type: subworkflow, workflow: order, when: "has(input.more)"}
  - {key: a, type: automated, agent: test-echo}
"""
    assert publish(pia, steps).number == 1


def test_api_refuses_and_validation_says_the_same(credit: Workflow) -> None:
    mia = people.person("mia", "Workflow Orchestration Manager")
    only_publishes = as_user(mia, "read", "publish")
    body: dict[str, Any] = {"source": source(), "file": "order.yaml"}

    checked = only_publishes.post("/workflows/validate", body).json()
    refused = only_publishes.post("/workflows", body)
    accepted = as_user(mia).post("/workflows", body)

    assert checked["valid"] is False
    assert checked["problems"][0]["step"] == "check"
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "subworkflow_not_permitted")
    assert refused.json()["error"]["facts"]["problems"] == checked["problems"]
    assert accepted.status_code == 201


def test_refusal_is_a_definitions_own_so_that_every_caller_knows_it() -> None:
    assert issubclass(SubworkflowNotPermitted, DefinitionError)
