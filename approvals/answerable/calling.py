"""Once a minute: calls the next person of a rota for a gate that nobody has taken up, and says when a turn is over.

Who is on call is told first, and nobody else (`first_told`). Who answers, takes the gate: claiming or deciding it, or
having it handed over, ends the calls.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from agents.types import Json
from approvals import deciders
from approvals.answerable import rotas
from approvals.answerable.models import Call, Rota
from approvals.models import Gate, GateStatus, Queue
from orchestrator import events
from orchestrator.events import EventKind

ENGINE: Final = "engine"
MOST: Final = 2_000  # gates of one queue that are looked at, the oldest first


def first_told(gate: Gate, rota: Rota, moment: datetime) -> int | None:
    """Who is told of a gate that comes to a queue with a rota; None: whoever else is asked there.

    A gate that needs several people needs more than whoever is on call.
    """
    return rotas.on_call(rota, moment, [*deciders.of(gate)]) if gate.approvals == 1 else None


def look() -> int:
    """Do what is due; return how many calls were made."""
    return sum(_look_at(rota) for rota in list(Rota.objects.select_related("queue")))


@transaction.atomic
def _look_at(rota: Rota) -> int:
    """One queue. Its rota's row is locked, so that two who look at once call nobody twice."""
    rota = Rota.objects.select_for_update(of=("self",)).select_related("queue").get(pk=rota.pk)
    now = _now(rota)
    able = deciders.by_queue().get(rota.queue_id, set())
    waiting = _waiting(rota.queue)
    Call.objects.filter(queue=rota.queue).exclude(gate__status=GateStatus.OPEN).delete()
    _hand_over(rota, now, able, len(waiting))
    calls = Call.objects.in_bulk([gate.pk for gate in waiting], field_name="gate_id")
    made = 0
    for gate in waiting:
        call = calls.get(gate.pk)
        if call is None or call.queue_id != gate.queue_id:  # it opened, or came here from another queue
            _begin(gate, rota, call, now)
        elif call.next_at is not None and call.next_at <= now:
            _call_next(gate, rota, call, now, able)
            made += 1
    return made


def _waiting(queue: Queue) -> list[Gate]:
    """Open gates that one person may settle, and that nobody is at."""
    free = Q(claimed_until=None) | Q(claimed_until__lte=Now())
    found = Gate.objects.filter(
        free, queue=queue, status=GateStatus.OPEN, releases_at=None, assigned_to=None, approvals=1
    )
    return list(found.defer("subject").order_by("id")[:MOST])


def _begin(gate: Gate, rota: Rota, call: Call | None, now: datetime) -> None:
    since = gate.opened_at if call is None and not gate.trail else now
    due = since + timedelta(minutes=rota.minutes)
    Call.objects.update_or_create(gate=gate, defaults={"queue_id": gate.queue_id, "level": 0, "next_at": due})


def _call_next(gate: Gate, rota: Rota, call: Call, now: datetime, able: Collection[int]) -> None:
    may = deciders.of(gate, {gate.queue_id: {*able}})
    call.level += 1
    person = rotas.on_call(rota, now, [*may], level=call.level)
    call.next_at = now + timedelta(minutes=rota.minutes) if person is not None else None
    call.save(update_fields=["level", "next_at"])
    called: list[Json] = [person] if person is not None else [*sorted(may)]
    facts: dict[str, Json] = {"gate": gate.pk, "queue": rota.queue.name, "level": call.level, "to": called}
    events.append(EventKind.GATE_CALLED, actor=ENGINE, run_id=gate.run_id, task_id=gate.task_id, data=facts)


def _hand_over(rota: Rota, now: datetime, able: Collection[int], waiting: int) -> None:
    """Whoever's turn begins is told what waits; nobody is, when a rota has just been written."""
    current = rotas.on_call(rota, now, [*able])
    if current == rota.handed_to:
        return
    was, rota.handed_to = rota.handed_to, current
    rota.save(update_fields=["handed_to"])
    if was is not None and current is not None:
        facts: dict[str, Json] = {"queue": rota.queue.name, "from": was, "to": [current], "waiting": waiting}
        events.append(EventKind.QUEUE_HANDED_OVER, actor=ENGINE, data=facts)


def _now(rota: Rota) -> datetime:
    found: datetime = Rota.objects.filter(pk=rota.pk).annotate(now=Now()).values_list("now", flat=True).get()
    return found
