"""One gate to a named person: somebody entitled asks somebody else who holds the right. Others may still decide it."""

from django.contrib.auth.models import User
from django.db import transaction

from agents.types import Json
from approvals import delegation, permissions, settling
from approvals.errors import GateNotFound, HandingRefused, NotPermitted
from approvals.models import Gate, GateStatus
from orchestrator import events
from orchestrator import services as engine
from orchestrator.events import EventKind


@transaction.atomic
def hand(*, gate_id: int, by: User, to: User, reason: str = "") -> Gate:
    """Put a gate before one person, or before whoever stands in for them; HandingRefused says why that cannot be."""
    gate = settling.lock_gate(gate_id)
    if not permissions.can(by, "see_gate", gate):
        raise GateNotFound(gate_id=gate_id)
    if not permissions.can(by, "decide_gate", gate) and not permissions.can(by, "edit_queues"):
        raise NotPermitted(verb="hand this on")
    if gate.status != GateStatus.OPEN:
        raise HandingRefused(why="it is settled already")
    there = delegation.stands_in(to.pk, delegation.away_now())
    person = User.objects.filter(pk=there or 0, is_active=True).first()
    if person is None:
        raise HandingRefused(why=f"{_name(to)} is away and nobody stands in")
    if not permissions.can(person, "decide_gate", gate):
        raise HandingRefused(why=f"{_name(person)} may not decide it")
    gate.assigned_to, gate.assigned_by = person, by
    gate.save(update_fields=["assigned_to", "assigned_by"])
    facts: dict[str, Json] = {"gate": gate.pk, "to": person.username, "reason": reason[:500]}
    if person.pk != to.pk:
        facts["instead_of"] = to.username
    events.append(
        EventKind.GATE_ASSIGNED, actor=engine.actor_of(by), run_id=gate.run_id, task_id=gate.task_id, data=facts
    )
    return gate


def _name(user: User) -> str:
    return user.get_full_name() or user.username
