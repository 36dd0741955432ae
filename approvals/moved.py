"""A card that went on to other people while somebody had it open: what happened to it, and what they had typed.

Only those are told who had it open and still see a queue that it came from: for everybody else it does not exist.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.contrib.auth.models import User
from django.db.models.functions import Now

from agents.types import Json
from approvals import answers, forms, permissions
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
    fields: tuple[forms.Field, ...] = ()  # those that they had changed, as typed


_NOTHING: Final[Mapping[str, str]] = {}


def away(pk: int, user: User, *, typed: str = "", posted: Mapping[str, str] = _NOTHING) -> Moved | None:
    """What became of a card that this person may not see any more; None where they never had it, or are not to know.

    `typed` is kept for them, should it come back, and so is what they had changed in its fields (`posted`): they saw
    the output when they typed, so nothing of it is told that they do not know.
    """
    gate = Gate.objects.select_related("queue", "task").filter(pk=pk).first()
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
    draft, fields = _kept(gate, user, typed, posted)
    facts = event.data or {}
    return Moved(
        pk, gate.title, gate.queue.title, event.at, _person(event.actor), str(facts.get("reason", "")),
        gate.status == GateStatus.OPEN, draft.text, fields,
    )  # fmt: skip


def _kept(gate: Gate, user: User, typed: str, posted: Mapping[str, str]) -> tuple[Draft, tuple[forms.Field, ...]]:
    """What they had typed, kept as their draft; with the fields in it that differ from what is stored."""
    draft = Draft.objects.filter(gate=gate, author=user).first() or Draft(gate=gate, author=user)
    stored = forms.fields_of(answers.schema_of(gate), gate.subject["proposal"])
    shown = forms.fields_of(answers.schema_of(gate), draft.answer) if isinstance(draft.answer, dict) else stored
    said: dict[str, Json] = {"text": typed} if typed else {}
    if forms.is_filled(posted):
        reading = forms.read(stored, gate.subject["proposal"], posted)
        shown = reading.fields
        if reading.is_readable and reading.document != gate.subject["proposal"]:
            said["answer"] = reading.document
    if said:
        draft, _made = Draft.objects.update_or_create(gate=gate, author=user, defaults={**said, "saved_at": Now()})
    before = {field.name: field.text for field in stored}
    return draft, tuple(field for field in shown if field.text != before.get(field.name, ""))


def _person(actor: str) -> str:
    name = actor.removeprefix("user:")
    return name_of(User.objects.filter(username=name).first()) if name != actor else ""
