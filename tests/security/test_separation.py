"""Whoever asks does not decide: not with any right, not through any door, and the attempt is on record."""

import pytest
from django.db import DatabaseError, transaction

from approvals import permissions, queries, services, tokens
from approvals.errors import SeparationOfDuties
from approvals.models import Decision, Gate
from orchestrator.models import Event, Run, Task
from tests import people

pytestmark = pytest.mark.django_db


def requester(kind: str) -> "people.User":
    queue = people.queue()
    if kind == "superuser":
        return people.person("root", is_superuser=True)
    roles = () if kind == "reviewer" else ("Human Oversight Coordinator", "Administrator")
    return people.person("ana", *roles, decides=queue)


@pytest.mark.parametrize("kind", ["reviewer", "coordinator", "superuser"])
@pytest.mark.parametrize("verdict", people.ALL)
@pytest.mark.parametrize("via", ["browser", "api"])
def test_requester_deciding_their_own_request_is_refused_and_audited(kind, verdict, via):
    by = requester(kind)
    gate = people.gate(started_by=by)

    with pytest.raises(SeparationOfDuties):
        services.decide(gate_id=gate.pk, by=by, verdict=verdict, gate_version=1, note="mine", via=via)

    gate.refresh_from_db()
    assert gate.status == "open"
    assert Task.objects.get(pk=gate.task_id).status == "waiting"
    event = Event.objects.get(kind="gate.refused", task_id=gate.task_id)
    assert event.actor == f"user:{by.username}"
    assert (event.data["code"], event.data["verdict"], event.data["via"]) == ("separation_of_duties", verdict, via)


def test_requester_through_their_own_token_is_refused():
    by = people.person("ana", "Human Oversight Coordinator")
    _, secret = tokens.create(user=by, name="script", scopes=["read", "decide"], may_decide=True)
    gate = people.gate(started_by=by)

    with pytest.raises(SeparationOfDuties):
        services.decide(gate_id=gate.pk, by=tokens.verify(secret).user, verdict="approve", gate_version=1, via="api")


def test_starter_of_the_run_is_refused_even_if_the_gate_names_somebody_else():
    starter, other = people.person("ana", decides=people.queue()), people.person("mia")
    gate = people.gate(started_by=starter, requested_by=other.pk)

    with pytest.raises(SeparationOfDuties):
        services.decide(gate_id=gate.pk, by=starter, verdict="approve", gate_version=1)


def test_requester_may_neither_claim_nor_be_counted():
    by = people.person("ana", decides=people.queue())
    gate = people.gate(started_by=by)

    assert not permissions.can(by, "decide_gate", gate)
    assert queries.inbox(by) == []
    assert [row.may_decide for row in queries.inbox(by, everything=True)] == [False]
    assert queries.counts(by).waiting == 0
    assert queries.card(gate, by).choices == ()
    with pytest.raises(SeparationOfDuties):
        services.claim_gate(gate_id=gate.pk, by=by)


def test_database_itself_refuses_a_decision_by_whoever_asked():
    by = people.person("ana")
    gate = people.gate(started_by=by)

    with pytest.raises(DatabaseError, match="may not decide"), transaction.atomic():
        Decision.objects.create(gate=gate, verdict="approve", decided_by=by, via="sql", gate_version=1, seal=gate.seal)


def test_somebody_else_may_decide_it():
    gate = people.gate(started_by=people.person("ana", decides=people.queue()))

    services.decide(gate_id=gate.pk, by=people.person("sam", decides=gate.queue), verdict="approve", gate_version=1)

    assert Gate.objects.get(pk=gate.pk).status == "approved"
    assert Run.objects.get(pk=gate.run_id).status == "running"
