"""A card that went on to other people while somebody had it open: what happened to it, and what they had typed.

Only those are told who had it open and still see a queue that it came from: for everybody else it does not exist.
"""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db.models.functions import Now

from approvals import permissions
from approvals.models import Draft, Gate, GateStatus, Presence, Queue
from approvals.settling import name_of
from orchestrator.models import Event


@dataclass(frozen=True, slots=True)
class Moved:
    """Where it went, when, and by whom: nobody where its deadline did it."""

    gate: int
    title: str
    queue: str
    at: datetime
    by: str
    why: str
    is_open: bool
    typed: str


def away(pk: int, user: User, *, typed: str = "") -> Moved | None:
    """What became of a card that this person may not see any more; None where they never had it, or are not to know.

    `typed` is kept for them, should it come back.
    """
    gate = Gate.objects.select_related("queue").defer("subject").filter(pk=pk).first()
    looked = Presence.objects.filter(gate_id=pk, user=user).first()
    if gate is None or looked is None or permissions.can(user, "see_gate", gate):
        return None
    came_from = Queue.objects.filter(pk__in=gate.trail)
    if not any(permissions.can(user, "see_gate", queue) for queue in came_from):
        return None
    told = Event.objects.filter(run_id=gate.run_id, kind="gate.escalated", data__gate=pk, at__gt=looked.first_at)
    event = told.order_by("-id").first()
    if event is None:
        return None
    if typed:
        Draft.objects.update_or_create(gate=gate, author=user, defaults={"text": typed, "saved_at": Now()})
    kept = typed or Draft.objects.filter(gate=gate, author=user).values_list("text", flat=True).first() or ""
    facts = event.data or {}
    return Moved(
        pk, gate.title, gate.queue.title, event.at, _person(event.actor), str(facts.get("reason", "")),
        gate.status == GateStatus.OPEN, kept,
    )  # fmt: skip


def _person(actor: str) -> str:
    name = actor.removeprefix("user:")
    return name_of(User.objects.filter(username=name).first()) if name != actor else ""
