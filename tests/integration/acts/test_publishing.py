"""Publishing as an act: what it says beforehand, what it refuses, how it is undone; versions that are deprecated."""

import pytest
from django.contrib.auth.models import User

from approvals import access
from orchestrator import acts
from orchestrator.acts import ActImpossible, AnswerInvalid, PlanChanged
from orchestrator.acts.publishing import DefinitionRefused
from orchestrator.errors import InvalidInput, OrchestratorError
from orchestrator.models import Event, Workflow, WorkflowVersion
from tests import engine, people

pytestmark = pytest.mark.django_db
ONE = "  - {key: a, type: automated, agent: test-echo, on_error: fail}\n"
ASKS = "  - {key: b, type: approval, subject: a, queue: oncall, title: Sure?}\ndependencies: {b: [a]}\n"


def text(steps: str, name: str = "flow") -> str:
    return f"metadata: {{name: {name}, title: Flow}}\nsteps:\n{steps}"


@pytest.fixture
def mia() -> User:
    return people.person("mia", "Workflow Orchestration Manager")


@pytest.fixture
def flow() -> Workflow:
    people.queue()
    return engine.publish(ONE + ASKS).workflow


def here() -> acts.Target:
    return acts.locate("workflow", "flow")


def publish(source: str, by: User, at: acts.Target | None = None, **answers: bool) -> acts.Done:
    return acts.perform(
        acts.find("workflow", "publish"), at or here(), by=by, reason="why", answers={"source": source, **answers}
    )


def test_preview_says_who_stays_what_changes_and_whom_it_asks(flow: Workflow) -> None:
    engine.start()

    plan = acts.preview(acts.find("workflow", "publish"), here(), {"source": text(ONE.replace("fail", "ask"))}).plan

    assert "Version 2 of Flow becomes the current one." in plan.lines
    assert "Runs that are under way stay where they are: 1 on version 1." in plan.lines
    assert "No longer done: b." in plan.lines
    assert "Said differently: a." in plan.lines
    assert "It calls these agents: test-echo." in plan.lines
    assert "People are not asked any more about: b." in plan.warnings


def test_published_version_is_taken_back_to_the_one_before(flow: Workflow, mia: User) -> None:
    done = publish(text(ONE), mia)

    assert Workflow.objects.get(name="flow").current_version.number == 2
    event = Event.objects.filter(kind="workflow.published").order_by("id").last()
    assert (event.actor, event.data["reason"], event.data["number"]) == ("user:mia", "why", 2)
    assert done.undo is not None
    acts.perform(acts.find("workflow", done.undo.name), here(), by=mia, reason="no", answers=done.undo.answers)
    assert Workflow.objects.get(name="flow").current_version.number == 1
    assert WorkflowVersion.objects.filter(workflow=flow).count() == 2


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("metadata: {name: flow}\nsteps: [", "workflow.yaml"),
        (text(ONE.replace("test-echo", "test-ecco")), 'did you mean "test-echo"'),
        (text(ONE, name="else"), "this is flow"),
        (text(ONE + ASKS), "word for word"),
        (text(ONE + ASKS.replace("oncall", "oncal")), "oncal"),
    ],
    ids=["broken", "unknown agent", "another name", "the same", "unknown queue"],
)
def test_what_cannot_be_published_changes_nothing(source: str, said: str, flow: Workflow, mia: User) -> None:
    stored = flow.current_version
    source = stored.source if said == "word for word" and stored else source

    with pytest.raises(OrchestratorError, match=said):
        publish(source, mia)

    assert WorkflowVersion.objects.filter(workflow=flow).count() == 1


def test_strict_on_wish_refuses_what_is_otherwise_warned_of(flow: Workflow, mia: User) -> None:
    silent = text("  - {key: a, type: automated, agent: test-echo}\n")

    with pytest.raises(DefinitionRefused, match="on_error"):
        publish(silent, mia, strict=True)

    assert publish(silent, mia).data["version"] == 2


def test_queues_are_made_only_by_whoever_may(flow: Workflow, mia: User) -> None:
    wanted = text(ONE + ASKS.replace("oncall", "nightly"))

    with pytest.raises(acts.ActNotAllowed):
        publish(wanted, mia, make_queues=True)
    assert WorkflowVersion.objects.filter(workflow=flow).count() == 1

    access.set_role(user_id=mia.pk, role="Administrator", by=None)
    assert publish(wanted, User.objects.get(pk=mia.pk), make_queues=True).data["version"] == 2


def test_subworkflow_that_its_author_may_not_start_is_refused(flow: Workflow) -> None:
    engine.publish(ONE, name="secret")
    tim = people.person("tim")
    access.grant(to=tim, permission="publish_version", on=flow, by=None)

    with pytest.raises(DefinitionRefused, match="may not start runs of secret"):
        publish(text("  - {key: a, type: subworkflow, workflow: secret}\n"), User.objects.get(pk=tim.pk))

    assert WorkflowVersion.objects.filter(workflow=flow).count() == 1


def test_version_published_meanwhile_is_seen_before_it_is_replaced(flow: Workflow, mia: User) -> None:
    act, source = acts.find("workflow", "publish"), text(ONE)
    digest = acts.preview(act, here(), {"source": source}).digest
    engine.publish(ONE.replace("fail", "ask"))

    with pytest.raises(PlanChanged):
        acts.perform(act, here(), by=mia, reason="why", answers={"source": source}, digest=digest)


def test_new_workflow_belongs_to_its_publisher_and_takes_no_name_that_is_there(flow: Workflow, mia: User) -> None:
    made = publish(text(ONE, name="letters"), mia, acts.Target("everything"))

    assert made.data["workflow"] == "letters"
    assert Workflow.objects.get(name="letters").owner == mia
    with pytest.raises(ActImpossible, match="already"):
        publish(text(ONE), mia, acts.Target("everything"))


def test_no_run_comes_to_a_deprecated_version_until_that_is_taken_back(flow: Workflow, mia: User) -> None:
    publish(text(ONE), mia)
    publish(text(ONE.replace("fail", "ask")), mia)
    run = engine.start()
    done = acts.perform(acts.find("workflow", "deprecate"), here(), by=mia, reason="old", answers={"version": "2"})

    for scope, name, at in (("workflow", "bring-back", here()), ("run", "migrate", acts.of("run", run.pk))):
        with pytest.raises(AnswerInvalid):
            acts.preview(acts.find(scope, name), at, {"version": "2"})
    with pytest.raises(InvalidInput, match="deprecated"):
        acts.preview(acts.find("run", "fork"), acts.of("run", run.pk), {"event": 1, "version": 2})

    assert done.undo is not None
    acts.perform(acts.find("workflow", done.undo.name), here(), by=mia, reason="no", answers=done.undo.answers)
    assert acts.preview(acts.find("run", "migrate"), acts.of("run", run.pk), {"version": "2"}).plan.lines
    assert Event.objects.filter(kind="workflow.version_restored").count() == 1


def test_current_version_is_not_deprecated(flow: Workflow, mia: User) -> None:
    with pytest.raises(ActImpossible):
        acts.preview(acts.find("workflow", "deprecate"), here(), {"version": "1"})
