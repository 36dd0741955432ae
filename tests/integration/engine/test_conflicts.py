"""Two steps contradict each other: nothing that joins them goes on before a rule or a person has decided."""

from typing import Any

import pytest
from django.db import transaction

from approvals.models import Gate
from approvals.services import decide
from orchestrator import services
from orchestrator.definitions.errors import DefinitionError
from orchestrator.engine import conflicts
from orchestrator.engine.conflicts import Side
from orchestrator.invariants import violations
from orchestrator.models import Conflict, Event, Run
from orchestrator.states import RunStatus
from tests import factories
from tests.engine import eventually, finished, publish, shift, start, task

pytestmark = pytest.mark.django_db(transaction=True)

JOIN = """
- {key: a, type: automated, agent: test-echo, inputs: {severity: "${input.a}", confidence: 0.4, host: web}}
- {key: b, type: automated, agent: test-echo, inputs: {severity: "${input.b}", confidence: 0.9, host: web}}
- key: join
  type: automated
  agent: test-echo
  inputs: {severity: "${agreed.severity}", host: "${agreed.host}"}
  conflicts: {fields: [severity, host], rule: %s}
"""
ORDER = "dependencies: {join: [a, b]}"


def begun(rule: str, **given: Any) -> Run:
    publish(JOIN % rule, rest=ORDER)
    return start(**given)


@pytest.mark.parametrize(("rule", "severity"), [("first", "low"), ("last", "high"), ("highest_confidence", "high")])
def test_a_rule_decides_and_the_conflict_says_which(rule, severity):
    run = begun(rule, a="low", b="high")
    with shift():
        eventually(lambda: finished(run))

    found = Conflict.objects.get()
    assert task(run, "join").output["severity"] == severity
    assert task(run, "join").output["host"] == "web"
    assert (found.key, found.resolved_by, found.resolution["value"]) == ("severity", f"rule:{rule}", severity)
    assert Event.objects.filter(run=run, kind="conflict.found").count() == 1
    assert not list(violations())


def test_steps_that_agree_are_no_conflict():
    run = begun("ask", a="low", b="low")
    with shift():
        eventually(lambda: finished(run))

    assert task(run, "join").output["severity"] == "low"
    assert not Conflict.objects.exists()


@pytest.mark.parametrize("rule", ["ask", "majority"])
def test_a_person_decides_what_no_rule_does_and_the_join_waits_for_it(rule):
    run, person = begun(rule, a="low", b="high"), factories.user(is_superuser=True)
    with shift():
        eventually(lambda: Gate.objects.filter(status="open").exists())
        gate = Gate.objects.get()
        assert task(run, "join").status == "waiting"
        assert not list(violations())
        decide(
            gate_id=gate.pk, by=person, verdict="complete", gate_version=gate.version, edited={"severity": "a"},
            note="a has seen the logs",
        )  # fmt: skip
        eventually(lambda: finished(run))

    found = Conflict.objects.get()
    assert run.status == RunStatus.SUCCEEDED
    assert task(run, "join").output["severity"] == "low"
    assert (found.resolved_by, found.resolution["writer"]) == (f"user:{person.username}", "a")
    assert not list(violations())


def test_whoever_overrules_both_sides_ends_the_conflict():
    run = begun("ask", a="low", b="high")
    with shift():
        eventually(lambda: Gate.objects.filter(status="open").exists())

    with transaction.atomic():
        services.lock_run(run.pk)
        services.complete_task(task_id=task(run, "join").pk, output={"severity": "middle"}, actor="user:ada")

    assert task(run, "join").output == {"severity": "middle"}
    assert Conflict.objects.get().resolved_at is not None


@pytest.mark.parametrize(
    ("rule", "votes", "right"),
    [
        ("majority", [("x", None), ("y", None), ("x", None)], "x"),
        ("majority", [("x", None), ("y", None)], None),
        ("highest_confidence", [("x", 0.2), ("y", None)], "x"),
        ("highest_confidence", [("x", None), ("y", None)], None),
        ("highest_confidence", [("x", 0.5), ("y", 0.5)], None),
        ("ask", [("x", 0.5), ("y", 0.6)], None),
    ],
)
def test_a_rule_decides_only_what_it_can(rule, votes, right):
    found = conflicts.chosen(rule, [Side(str(at), value, at, sure) for at, (value, sure) in enumerate(votes)])

    assert (found.value if found else None) == right


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("conflicts: {fields: []}", "names nothing"),
        ('conflicts: {fields: ["a b"]}', "not a field"),
        ("conflicts: {fields: [x], rule: guess}", "conflicts.rule"),
        ("conflicts: {fields: [x], rule: first, queue: leads}", "nobody is asked"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_when_published(written, problem):
    steps = JOIN.replace("conflicts: {fields: [severity, host], rule: %s}", written)

    with pytest.raises(DefinitionError, match=problem):
        publish(steps.replace('"${agreed.severity}"', "1").replace('"${agreed.host}"', "1"), rest=ORDER)


def test_agreed_is_known_only_where_conflicts_are_settled():
    with pytest.raises(DefinitionError, match="agreed"):
        publish('- {key: a, type: automated, agent: test-echo, inputs: {x: "${agreed.x}"}}')
