"""Decisions by the dozen at one gate, and what was learned of them."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from approvals import services
from approvals.feedback import learning
from approvals.feedback.appraising import Given
from approvals.models import Decision, Gate
from orchestrator.models import Task
from tests import people

RULE = "confidence < 0.8"
EDITED = {"summary": "Isolate the host after backup", "amount": 10}


def seal() -> None:
    """Seal what this test's own transaction has written, as no sequencer can see it."""
    with connection.cursor() as cursor:
        head = "(SELECT coalesce(max(event_id), 0) FROM orchestrator_ledger)"
        cursor.execute(f"SELECT last_pos FROM seal_events({head}, '{{}}', 10000, NULL)")


def learn() -> set[str]:
    """Seal and learn."""
    seal()
    return learning.learn()


@pytest.fixture
def ana(db: None) -> User:
    """A reviewer of the queue."""
    return people.person("ana", "Reviewer", decides=people.queue())


@pytest.fixture
def decided(ana: User) -> Callable[..., Gate]:
    """One gate, opened and decided: `decided("edit", confidence=0.7)`."""

    def one(verdict: str = "approve", *, causes: tuple[str, ...] = (), **facts: Any) -> Gate:
        said = {"edited": EDITED} if verdict == "edit" else {}
        note = "" if verdict == "approve" else "Cite the log."
        gate = people.gate(rule=RULE, **facts)
        made = services.decide(
            gate_id=gate.pk, by=ana, verdict=verdict, gate_version=1, note=note, appraisal=Given(causes=causes), **said
        )
        assert isinstance(made, Decision)
        gate.refresh_from_db()
        return gate

    return one


def confident(gate: Gate, confidence: float) -> None:
    """What the engine writes beside an output that it lets pass."""
    Task.objects.filter(pk=gate.task_id).update(confidence=confidence)
