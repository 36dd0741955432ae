"""Versions that passed a rehearsal are certified and gone back to; a frozen workflow takes no other."""

import pytest
from django.contrib.auth.models import User

from orchestrator import acts
from orchestrator.acts import ActImpossible
from orchestrator.acts.certifying import OwnVersion
from orchestrator.errors import WorkflowFrozen
from orchestrator.models import Event, Rehearsal, Workflow
from tests import engine, people

pytestmark = pytest.mark.django_db
ONE = "  - {key: a, type: automated, agent: test-echo, on_error: %s}\n"


@pytest.fixture
def mia() -> User:
    return people.person("mia", "Workflow Orchestration Manager")


@pytest.fixture
def flow() -> Workflow:
    engine.publish(ONE % "fail")
    return engine.publish(ONE % "ask").workflow


def act(name: str, by: User | None, **answers: str) -> acts.Done:
    at = acts.locate("workflow", "flow")
    digest = acts.preview(acts.find("workflow", name), at, answers).digest
    return acts.perform(acts.find("workflow", name), at, by=by, reason="so", answers=answers, digest=digest)


def rehearsed(flow: Workflow, number: int, *, passed: bool) -> None:
    report = {"injected": 40, "recovered": 40 if passed else 3}
    Rehearsal.objects.create(version=flow.versions.get(number=number), passed=passed, report=report)


def current() -> int:
    version = Workflow.objects.get(name="flow").current_version
    assert version is not None
    return int(version.number)


def test_version_is_certified_after_a_rehearsal_that_passed_and_by_somebody_else(flow: Workflow, mia: User) -> None:
    with pytest.raises(ActImpossible, match="has not been rehearsed"):
        act("certify", mia, version="1")
    rehearsed(flow, 1, passed=True)
    rehearsed(flow, 1, passed=False)
    with pytest.raises(ActImpossible, match="did not pass its last rehearsal"):
        act("certify", mia, version="1")
    rehearsed(flow, 1, passed=True)
    flow.versions.update(published_by=mia)
    with pytest.raises(OwnVersion):
        act("certify", mia, version="1")

    done = act("certify", people.person("ned", "Workflow Orchestration Manager"), version="1")

    assert flow.versions.get(number=1).certified_by.username == "ned"
    assert done.undo is not None
    act(done.undo.name, mia, **done.undo.answers)
    assert flow.versions.get(number=1).certified_at is None


def test_frozen_workflow_goes_back_to_its_certified_version_and_to_no_other(flow: Workflow, mia: User) -> None:
    with pytest.raises(ActImpossible, match="no certified version"):
        act("back-to-certified", mia)
    rehearsed(flow, 1, passed=True)
    act("certify", None, version="1")
    act("freeze", mia)

    with pytest.raises(ActImpossible, match="frozen"):
        acts.preview(acts.find("workflow", "publish"), acts.locate("workflow", "flow"), {"source": "x"})
    with pytest.raises(WorkflowFrozen, match="so"):
        engine.publish(ONE % "skip")
    assert flow.versions.count() == 2

    back = act("back-to-certified", mia)
    assert (current(), back.undo) == (1, None)
    with pytest.raises(WorkflowFrozen):
        act("bring-back", mia, version="2")
    assert current() == 1

    act("unfreeze", mia)
    act("bring-back", mia, version="2")
    assert current() == 2
    assert [e.kind for e in Event.objects.filter(kind__startswith="workflow.").order_by("id")][2:] == [
        "workflow.version_certified", "workflow.frozen", "workflow.published", "workflow.unfrozen",
        "workflow.published",
    ]  # fmt: skip
