"""What is released is what was seen: anything that moved in between stops the release."""

import pytest
from django.db import DatabaseError, connection, transaction

from approvals import services
from approvals.errors import GateChanged, SealBroken
from approvals.models import Decision, Gate
from orchestrator.models import Event, Task, task_id
from tests import people

pytestmark = pytest.mark.django_db


def approve(gate: Gate) -> Decision:
    ana = people.person("ana", decides=gate.queue)
    return services.decide(gate_id=gate.pk, by=ana, verdict="approve", gate_version=1)


@pytest.mark.parametrize(
    "field", ["proposal", "action", "input", "evidence", "rule", "consequence", "confidence", "form"]
)
def test_decide_after_the_stored_subject_was_altered_releases_nothing(field):
    gate = people.gate()
    Gate.objects.filter(pk=gate.pk).update(subject={**gate.subject, field: {"isolate": "everything"}})

    with pytest.raises(SealBroken):
        approve(gate)

    assert Task.objects.get(pk=gate.task_id).status == "waiting"
    assert Event.objects.get(kind="gate.refused", task_id=gate.task_id).data["code"] == "seal_broken"


def test_decide_after_the_tasks_input_was_altered_releases_nothing():
    gate = people.gate()
    Task.objects.filter(pk=gate.task_id).update(input={"host": "another"})

    with pytest.raises(SealBroken, match="input"):
        approve(gate)


def test_decide_after_the_reviewed_steps_output_was_altered_releases_nothing():
    run = people.run()
    approve(people.gate(of=run))
    gate = people.gate(of=run, step=1, agent="")
    Task.objects.filter(pk=task_id(run.pk, 0)).update(output={"summary": "Isolate everything"})

    with pytest.raises(SealBroken, match="under review"):
        services.decide(gate_id=gate.pk, by=people.person("sam", decides=gate.queue), verdict="approve", gate_version=1)


def test_decide_on_a_tab_that_is_older_than_an_escalation_is_refused():
    lead = people.queue("lead")
    gate = people.gate(queue=people.queue("first", escalates_to=lead).name)
    people.deadline(gate)

    with pytest.raises(GateChanged):
        services.decide(gate_id=gate.pk, by=people.person("lena", decides=lead), verdict="approve", gate_version=1)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE approvals_decision SET verdict = 'reject'",
        "DELETE FROM approvals_decision",
        "TRUNCATE approvals_decision CASCADE",
    ],
    ids=["update", "delete", "truncate"],
)
def test_decisions_cannot_be_changed_even_by_the_tables_owner(statement):
    decision = approve(people.gate())
    connection.check_constraints()  # settles the deferred foreign keys, which would refuse TRUNCATE first

    with pytest.raises(DatabaseError, match="only ever added"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)

    assert Decision.objects.get(pk=decision.pk).verdict == "approve"
