"""Signals, groups and runs in runs as deputies: nobody starts, sees or decides through them what they may not."""

import pytest
from django.contrib.auth.models import User

from approvals import access
from orchestrator import groups, services, signals
from orchestrator.engine import consumers
from orchestrator.errors import DefinitionError
from orchestrator.models import Event, Run, Signal, Workflow
from tests import engine, people
from tests.api import as_user

pytestmark = pytest.mark.django_db

ECHO = "- {key: a, type: automated, agent: test-echo}"


@pytest.fixture
def mia() -> User:
    return people.person("mia", "Workflow Orchestration Manager")


@pytest.fixture
def billing() -> Workflow:
    engine.publish(ECHO, name="billing")
    return Workflow.objects.get(name="billing")


def starter(name: str, of: Workflow) -> User:
    """Somebody who may start runs of one workflow, and nothing else."""
    made = people.person(name, "Reviewer")
    access.grant(to=made, permission="start_run", on=of, by=None)
    return User.objects.get(pk=made.pk)


def listening(workflow: Workflow, by: User) -> int:
    return groups.create(name="payments", workflow=workflow, signal="order.paid", by=by).pk


def test_a_run_that_a_signal_starts_is_its_senders_request(mia: User, billing: Workflow) -> None:
    group, sam = listening(billing, mia), starter("sam", billing)

    signals.publish(name="order.paid", data={}, by=sam)
    consumers.hand_on(group)

    assert Run.objects.get().started_by == sam  # and so sam decides nothing about it


def test_a_group_whose_maker_may_no_longer_start_the_workflow_starts_nothing(mia: User, billing: Workflow) -> None:
    group = listening(billing, mia)
    access.set_role(user_id=mia.pk, role="Workflow Orchestration Manager", held=False, by=None)

    signals.publish(name="order.paid", data={}, by=None, actor="feed")
    consumers.hand_on(group)

    assert not Run.objects.exists()
    assert "mia" in Event.objects.get(kind="group.refused").data["problem"]


def test_nobody_takes_the_id_of_somebody_elses_signal(mia: User, billing: Workflow) -> None:
    sam = starter("sam", billing)
    first, _ = signals.publish(name="order.paid", data={"n": 0}, sender_id="order-1", by=sam)

    second, is_new = signals.publish(name="order.paid", data={"n": 1}, sender_id="order-1", by=mia)
    same, again = signals.publish(name="order.paid", data={"n": 1}, sender_id="order-1", by=mia)

    assert (is_new, again) == (True, False)
    assert first.pk != second.pk == same.pk


def test_signals_of_others_are_listed_only_to_those_who_see_what_they_move(mia: User, billing: Workflow) -> None:
    engine.publish(ECHO, name="other")
    listening(billing, mia)
    for name in ("order.paid", "salary.changed"):
        signals.publish(name=name, data={"amount": 7}, by=mia)
    eve = starter("eve", Workflow.objects.get(name="other"))
    signals.publish(name="my.own", data={}, by=eve)

    def names(user: User) -> list[str]:
        return [found["name"] for found in as_user(user).get("/signals").json()["items"]]

    assert names(eve) == ["my.own"]
    assert names(starter("sam", billing)) == ["order.paid"]
    assert names(mia) == ["order.paid", "salary.changed", "my.own"]
    assert Signal.objects.count() == 3


def test_publishing_a_run_in_a_run_needs_the_right_to_start_it(billing: Workflow) -> None:
    author = people.person("ada", "Reviewer")
    nested = """
- {key: one, type: subworkflow, workflow: billing}
- {key: many, type: map, over: input.items, body: {type: subworkflow, workflow: billing}}
"""
    source = f"metadata: {{name: outer, title: Outer}}\nsteps:\n{nested}"

    with pytest.raises(DefinitionError) as refused:
        services.publish(source=source, file="outer.yaml", by=author)
    assert [problem.step for problem in refused.value.problems] == ["one", "many"]
    assert "billing" in refused.value.problems[0].message
    assert not Workflow.objects.filter(name="outer").exists()

    access.grant(to=author, permission="start_run", on=billing, by=None)
    assert services.publish(source=source, file="outer.yaml", by=User.objects.get(pk=author.pk)).number == 1


def test_no_caller_takes_the_key_of_a_run_that_a_group_is_to_start(mia: User, billing: Workflow) -> None:
    group, sam = listening(billing, mia), starter("sam", billing)
    signal, _ = signals.publish(name="order.paid", data={"n": 1}, by=mia)
    for key in (f"group:{group}:0:{signal.pk}", f"group {group} 0 {signal.pk}"):
        as_user(sam).post("/runs", {"workflow": "billing", "input": {"n": 0}}, Idempotency_Key=key)

    consumers.hand_on(group)

    assert Run.objects.filter(input={"n": 1}).count() == 1
    assert not Event.objects.filter(kind="group.refused").exists()
