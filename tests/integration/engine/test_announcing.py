"""Steps that publish a signal: with their own end, once, in the owner's name, and never in a circle for ever."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.test import Client

from agents.types import Json
from approvals import access
from approvals.models import Gate
from approvals.services import decide
from orchestrator import groups, services
from orchestrator.definitions.errors import DefinitionError
from orchestrator.definitions.plan import PlanStep
from orchestrator.engine import announcing, consumers
from orchestrator.invariants import violations
from orchestrator.models import Event, Run, Signal, Task, Workflow
from tests import people
from tests.engine import eventually, finished, publish, shift, statuses, task
from tests.hands import reviewer

pytestmark = pytest.mark.django_db(transaction=True)

SENDS = (
    "- {key: send, type: automated, agent: test-echo, inputs: {what: '${input.order}'}, "
    "publishes: {signal: order.sent, key: '${input.order}', data: {what: '${output.what}', n: 1}}}"
)


@pytest.fixture
def mia() -> User:
    return people.person("mia", "Workflow Orchestration Manager")


def starter(name: str, *of: str) -> User:
    """Somebody who may start runs of these workflows, and nothing else."""
    made = people.person(name, "Reviewer")
    for workflow in of:
        access.grant(to=made, permission="start_run", on=Workflow.objects.get(name=workflow), by=None)
    return User.objects.get(pk=made.pk)


def ended(workflow: str, given: dict[str, Any], by: User | None = None) -> Run:
    run = services.start_run(workflow=workflow, input=given, by=by, actor="" if by else "feed")
    with shift():
        eventually(lambda: finished(run))
    run.refresh_from_db()
    return run


def test_step_publishes_once_with_its_end_and_the_runs_story_says_so(mia: User, client: Client) -> None:
    publish(SENDS, name="ship")

    run = ended("ship", {"order": "A-1"}, mia)

    signal = Signal.objects.get()
    assert (signal.name, signal.key, signal.data) == ("order.sent", "A-1", {"what": "A-1", "n": 1})
    assert (signal.sent_by, signal.depth) == ("user:mia", 1)
    told = Event.objects.get(kind="signal.published")
    assert (told.run_id, told.task_id) == (run.pk, task(run, "send").pk)
    client.force_login(mia)
    assert "published the signal order.sent “A-1”" in client.get(f"/runs/{run.pk}/").content.decode()
    assert not list(violations())


def test_signal_of_a_step_whose_end_does_not_commit_is_not_published(monkeypatch: pytest.MonkeyPatch) -> None:
    publish(SENDS, name="ship")
    after = announcing.publish
    broken: list[int] = []

    def publish_and_break(job_task: Task, step: PlanStep, output: dict[str, Json]) -> None:
        after(job_task, step, output)
        if not broken:
            broken.append(job_task.pk)
            raise OperationalError("the connection is lost before the commit")

    monkeypatch.setattr(announcing, "publish", publish_and_break)

    ended("ship", {"order": "A-1"})

    assert broken
    assert Signal.objects.count() == 1
    assert not list(violations())


def test_step_without_data_publishes_its_output() -> None:
    publish("- {key: a, type: automated, agent: test-echo, inputs: {x: 1}, publishes: {signal: done}}", name="flow")

    ended("flow", {})

    assert Signal.objects.get().data["x"] == 1


def test_tries_that_fail_publish_nothing_and_the_last_one_once() -> None:
    publish(
        "- {key: a, type: automated, agent: test-flaky, inputs: {times: 2}, publishes: {signal: done}}", name="flow"
    )

    ended("flow", {})

    assert [signal.data for signal in Signal.objects.all()] == [{"attempt": 3}]


def test_failed_and_skipped_steps_publish_nothing() -> None:
    publish(
        "- {key: a, type: automated, agent: test-flaky, inputs: {permanent: true}, on_error: skip, "
        "publishes: {signal: done}}\n"
        "- {key: b, type: automated, agent: test-echo, when: 'false == true', publishes: {signal: done}}",
        name="flow",
    )

    ended("flow", {})

    assert not Signal.objects.exists()


def test_what_people_decide_about_is_published_when_they_agree_and_not_before() -> None:
    publish(
        "- {key: a, type: automated, agent: test-echo, inputs: {x: 1}, publishes: {signal: done, data: {x: "
        "'${output.x}'}}, gate: {when: 'true', queue: ops, title: Look}}",
        name="flow",
    )
    run = services.start_run(workflow="flow", input={}, by=None, actor="feed")
    with shift():
        eventually(lambda: Gate.objects.filter(run=run).exists())
        assert not Signal.objects.exists()
        gate = Gate.objects.get(run=run)
        decide(gate_id=gate.pk, gate_version=gate.version, verdict="approve", by=reviewer())
        eventually(lambda: finished(run))

    assert Signal.objects.get().data == {"x": 1}


def test_signal_of_a_run_moves_only_what_its_owner_may_start(mia: User) -> None:
    publish(SENDS, name="ship")
    publish("- {key: a, type: automated, agent: test-echo}", name="bill")
    group = groups.create(name="bills", workflow=Workflow.objects.get(name="bill"), signal="order.sent", by=mia).pk
    sam = starter("sam", "ship")

    ended("ship", {"order": "A-1"}, sam)
    consumers.hand_on(group)

    assert not Run.objects.filter(workflow__name="bill").exists()
    assert "sam sent it and may not start runs of bill" in Event.objects.get(kind="group.refused").data["problem"]

    access.grant(to=sam, permission="start_run", on=Workflow.objects.get(name="bill"), by=None)
    ended("ship", {"order": "A-2"}, User.objects.get(pk=sam.pk))
    consumers.hand_on(group)

    assert Run.objects.get(workflow__name="bill").started_by == sam  # about which sam decides nothing


def test_run_that_nobody_started_publishes_in_the_name_of_its_workflows_publisher(mia: User) -> None:
    source = f"metadata: {{name: ship, title: Ship}}\nsteps:\n  {SENDS}\n"
    services.publish(source=source, file="ship.yaml", by=mia)

    ended("ship", {"order": "A-1"})

    assert Signal.objects.get().sent_by == "user:mia"


def test_no_sender_can_take_the_place_of_a_steps_signal(mia: User) -> None:
    publish(SENDS, name="ship")

    run = ended("ship", {"order": "A-1"}, mia)
    signal = Signal.objects.get()

    assert signal.dedup == f"task {task(run, 'send').pk} attempt 1"
    assert " " in signal.dedup  # what REST takes as an id has none


def test_circle_of_signals_ends_with_a_typed_error(mia: User) -> None:
    publish("- {key: a, type: automated, agent: test-echo, publishes: {signal: ping}}", name="circle")
    groups.create(name="again", workflow=Workflow.objects.get(name="circle"), signal="ping", by=mia)
    services.start_run(workflow="circle", input={}, by=mia)

    with shift():
        eventually(lambda: Run.objects.filter(status="failed").exists())

    runs = list(Run.objects.order_by("pk"))
    assert [announcing.depth_of(run) for run in runs] == list(range(announcing.DEEPEST + 1))
    assert [run.status for run in runs] == ["succeeded"] * announcing.DEEPEST + ["failed"]
    assert runs[-1].error["code"] == "signal_too_deep"
    assert "break the circle" in runs[-1].error["message"]
    assert Signal.objects.count() == announcing.DEEPEST


def test_circle_that_goes_through_a_subworkflow_ends_too(mia: User) -> None:
    publish("- {key: a, type: automated, agent: test-echo, publishes: {signal: ping}}", name="inner")
    publish("- {key: a, type: subworkflow, workflow: inner}", name="outer")
    groups.create(name="again", workflow=Workflow.objects.get(name="outer"), signal="ping", by=mia)
    services.start_run(workflow="outer", input={}, by=mia)

    with shift():
        eventually(lambda: Run.objects.filter(status="failed", workflow__name="outer").exists())

    assert Run.objects.filter(workflow__name="outer").count() == announcing.DEEPEST + 1
    assert Run.objects.get(workflow__name="inner", status="failed").error["code"] == "signal_too_deep"


def test_payload_that_cannot_be_stored_fails_the_step() -> None:
    publish(
        "- {key: a, type: automated, agent: test-echo, inputs: {x: '${input.x}'}, publishes: {signal: big}}", name="f"
    )

    run = ended("f", {"x": "y" * 60_000})

    assert (run.status, run.error["code"]) == ("failed", "signal_refused")
    assert not Signal.objects.exists()


def test_payload_that_cannot_be_worked_out_asks_people() -> None:
    publish(
        "- {key: a, type: automated, agent: test-echo, publishes: {signal: s, data: {x: '${input.missing}'}}}", name="f"
    )
    run = services.start_run(workflow="f", input={}, by=None, actor="feed")

    with shift():
        eventually(lambda: statuses(run)["a"] == "waiting")

    assert Gate.objects.get(run=run).kind == "exception"
    assert not Signal.objects.exists()


@pytest.mark.parametrize(
    ("publishes", "field"),
    [
        ("{key: x}", "publishes.signal"),
        ("{signal: Not A Name}", "publishes.signal"),
        ("{signal: s, data: {x: '${steps.nowhere.x}'}}", "publishes.data.x"),
        ("{signal: s, data: {x: '${attempt}'}}", "publishes.data.x"),
        ("{signal: s, extra: 1}", "publishes.extra"),
    ],
)
def test_what_could_not_be_published_is_a_publishing_error(publishes: str, field: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        publish(f"- {{key: a, type: automated, agent: test-echo, publishes: {publishes}}}", name="f")

    assert [problem.field for problem in refused.value.problems] == [field]
