"""Gates that nobody can answer: whoever it was handed to is gone (ghost), or too few people are left (orphan).

Each becomes an item before the administrators, with an event, until somebody is there again.
"""

from collections.abc import Iterator
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from agents.types import Json
from approvals import deciders, delegation, duties
from approvals.models import Gate, GateItem, GateStatus
from orchestrator import events
from orchestrator.events import EventKind

GHOST: Final = "ghost"
ORPHAN: Final = "orphan"
_BATCH: Final = 2_000


def look() -> tuple[int, int]:
    """Open an item for each gate without people, close those that are mended; return how many of each."""
    found = {(gate.pk, kind): (gate, kind, words) for gate, kind, words in _stranded()}
    known = {(item.gate_id, item.kind): item for item in open_items()}
    opened = [found[at] for at in found.keys() - known.keys()]
    closed = [known[at] for at in known.keys() - found.keys()]
    for gate, kind, words in opened:
        _open(gate, kind, words)
    for item in closed:
        _close(item)
    return len(opened), len(closed)


def open_items() -> QuerySet[GateItem]:
    """What waits for an administrator, the oldest first."""
    return GateItem.objects.filter(closed_at=None).select_related("gate", "gate__queue").defer("gate__subject")


def _stranded() -> Iterator[tuple[Gate, str, str]]:
    known, away = deciders.by_queue(), delegation.away_now()
    mains = duties.persons({user for users in known.values() for user in users})
    active = set(User.objects.filter(is_active=True).values_list("pk", flat=True))
    gates = Gate.objects.filter(status=GateStatus.OPEN).select_related("queue", "assigned_to").defer("subject")
    for gate in gates.iterator(chunk_size=_BATCH):
        may = deciders.of(gate, known, mains)
        there = {user for user in may if delegation.stands_in(user, away) in may}
        people = {mains.get(user, user) for user in there}
        voted = {mains.get(user, user) for user in may} if gate.approvals > 1 else people
        if len(people) == 0 or len(voted) < gate.approvals:
            words = _("%(n)d of %(needed)d people who must decide in %(queue)s are left")
            yield gate, ORPHAN, words % {"n": len(voted & people), "needed": gate.approvals, "queue": gate.queue.title}
        elif (holder := gate.assigned_to_id) is not None:
            if holder not in active or holder not in may:
                yield gate, GHOST, _("it was handed to somebody who can no longer decide it")
            elif delegation.stands_in(holder, away) not in may:
                yield gate, GHOST, _("it was handed to somebody who is away, and nobody stands in who may decide it")


@transaction.atomic
def _open(gate: Gate, kind: str, words: str) -> None:
    _item, is_new = GateItem.objects.get_or_create(gate=gate, kind=kind, closed_at=None, defaults={"text": words})
    if is_new:
        facts: dict[str, Json] = {"gate": gate.pk, "kind": kind, "queue": gate.queue.name, "why": words}
        events.append(EventKind.GATE_STRANDED, actor="engine", run_id=gate.run_id, task_id=gate.task_id, data=facts)


@transaction.atomic
def _close(item: GateItem) -> None:
    if GateItem.objects.filter(pk=item.pk, closed_at=None).update(closed_at=Now()):
        gate = item.gate
        facts: dict[str, Json] = {"gate": gate.pk, "kind": item.kind, "queue": gate.queue.name}
        events.append(EventKind.GATE_MENDED, actor="engine", run_id=gate.run_id, task_id=gate.task_id, data=facts)
