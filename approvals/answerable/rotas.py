"""Who is on call for a queue: whose turn it is, whose next, and the rota as people write it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from zoneinfo import available_timezones

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from agents.types import Json
from approvals import deciders
from approvals.accounts.risk import NO_REASON, Why
from approvals.answerable import turns
from approvals.answerable.changing import authorise
from approvals.answerable.models import Call, Rota
from approvals.errors import ChangeRefused
from approvals.models import Queue
from orchestrator import events
from orchestrator.events import EventKind
from orchestrator.services import actor_of

MOST: Final = 50
LONGEST_TURN: Final = 28


@dataclass(frozen=True, slots=True)
class Terms:
    """A rota as somebody writes it; without people there is none."""

    people: tuple[str, ...]  # usernames in the order of their turns
    days: int
    hour: int
    zone: str
    starts_on: date
    minutes: int


@dataclass(frozen=True, slots=True)
class Turn:
    """One person's turn."""

    person: User
    starts_at: datetime
    ends_at: datetime


def on_call(rota: Rota, moment: datetime, able: Sequence[int], *, level: int = 0) -> int | None:
    """Whose turn it is of those who may decide there; at a higher level whoever comes after. None: everybody's."""
    if level >= len(rota.people):
        return None
    place, _starts, _ends = turns.turn_at(rota, moment)
    return turns.first_there(rota.people, (place + level) % len(rota.people), able)


def coming(rota: Rota, moment: datetime, *, count: int = 3) -> list[Turn]:
    """The turn at a moment and those after it, of those who may decide there."""
    able = deciders.by_queue().get(rota.queue_id, set())
    people = User.objects.filter(is_active=True, pk__in=able).in_bulk(rota.people)
    found: list[Turn] = []
    for _number in range(count):
        place, starts, ends = turns.turn_at(rota, moment)
        pk = turns.first_there(rota.people, place, people)
        if pk is None:
            return []
        found.append(Turn(people[pk], starts, ends))
        moment = ends
    return found


@transaction.atomic
def set_rota(*, queue: Queue, terms: Terms, by: User | None, why: Why = NO_REASON) -> None:
    """Keep it, or end it where it names nobody. Raises ChangeRefused, NotPermitted."""
    authorise(by)
    facts: dict[str, Json] = {"queue": queue.name, "what": "rota", "people": [*terms.people], **why.facts()}
    if not terms.people:
        if not Rota.objects.filter(queue=queue).delete()[0]:
            raise ChangeRefused(why=_("that is how it is already"))
        Call.objects.filter(queue=queue).delete()
        events.append(EventKind.QUEUE_CHANGED, actor=actor_of(by), data=facts)
        return
    people = _people(queue, terms)
    values: dict[str, Json] = {
        "days": terms.days, "hour": terms.hour, "zone": terms.zone, "minutes": terms.minutes,
    }  # fmt: skip
    said: dict[str, object] = {**values, "people": people, "starts_on": terms.starts_on, "handed_to": None}
    Rota.objects.update_or_create(queue=queue, defaults=said)
    facts |= {**values, "starts_on": terms.starts_on.isoformat()}
    events.append(EventKind.QUEUE_CHANGED, actor=actor_of(by), data=facts)


def _people(queue: Queue, terms: Terms) -> list[int]:
    if terms.zone not in available_timezones():
        raise ChangeRefused(why=_("%(zone)s is no time zone") % {"zone": terms.zone})
    if not (1 <= terms.days <= LONGEST_TURN and 0 <= terms.hour <= 23 and 1 <= terms.minutes <= 1440):
        raise ChangeRefused(
            why=_("a turn is 1 to 28 days, a hand-over at a full hour, an answer due in 1 to 1440 minutes")
        )
    if len(terms.people) > MOST or len(set(terms.people)) != len(terms.people):
        raise ChangeRefused(why=_("name each person once, and at most %(most)d") % {"most": MOST})
    known = {user.username: user.pk for user in User.objects.filter(username__in=terms.people, is_active=True)}
    able = deciders.by_queue().get(queue.pk, set())
    for name in terms.people:
        if name not in known:
            raise ChangeRefused(why=_("there is nobody called %(name)s") % {"name": name})
        if known[name] not in able:
            raise ChangeRefused(why=_("%(name)s may not decide in %(queue)s") % {"name": name, "queue": queue.title})
    return [known[name] for name in terms.people]
