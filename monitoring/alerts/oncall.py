"""Whose turn it is to be told first, and who is told when nobody answers. The turns are pure arithmetic.

A critical alert that nobody acknowledges goes to the next person of the rotation, then to the one after, and when all
have been asked, to everybody who may handle alerts. Without a rotation everybody is told at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import available_timezones

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from approvals import deciders, permissions
from approvals.answerable import raci
from approvals.answerable.models import Part
from approvals.answerable.turns import first_there, turn_at
from monitoring.alerts import visibility
from monitoring.alerts.actors import actor_of
from monitoring.alerts.errors import HandlingNotPermitted, RotationRefused
from monitoring.models import Alert, Rotation, Severity
from orchestrator import events

MOST: Final = 50
LONGEST_TURN: Final = 28


@dataclass(frozen=True, slots=True)
class Turn:
    """One person's turn."""

    person: User
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Terms:
    """A rotation as somebody writes it."""

    people: tuple[str, ...]  # usernames in the order of their turns
    days: int
    hour: int
    zone: str
    starts_on: date
    minutes: int


def current(moment: datetime) -> Turn | None:
    """Whose turn it is; None without a rotation of people who are still here."""
    return next(iter(turns(moment, count=1)), None)


def turns(moment: datetime, *, count: int) -> list[Turn]:
    """The turn at a moment and those after it; who is gone is passed over."""
    rotation = get()
    if rotation is None or not rotation.people:
        return []
    active = User.objects.filter(is_active=True).in_bulk(rotation.people)
    found: list[Turn] = []
    for _number in range(count):
        place, starts, ends = turn_at(rotation, moment)
        person = _from(rotation.people, place, active)
        if person is None:
            return []
        found.append(Turn(person, starts, ends))
        moment = ends
    return found


def _from(people: Sequence[int], place: int, active: dict[int, User]) -> User | None:
    found = first_there(people, place, active)
    return active[found] if found is not None else None


def get() -> Rotation | None:
    """The rotation, if there is one."""
    return Rotation.objects.filter(pk=1).first()


def told(alert: Alert, moment: datetime) -> list[User]:
    """Who is told of an alert at its level: of these, those who may see what it is about."""
    return [person for person in _asked(alert, moment) if visibility.may_see(person, alert)]


def _asked(alert: Alert, moment: datetime) -> list[User]:
    if alert.assigned_to is not None and alert.assigned_to.is_active:
        return [alert.assigned_to]
    rotation, everybody = get(), raci.asked_about(Part.Matter.INCIDENTS, deciders.holders("handle_alerts"))
    if rotation is None or not rotation.people or alert.level >= len(rotation.people):
        return everybody
    active = User.objects.filter(is_active=True).in_bulk(rotation.people)
    place, _starts, _ends = turn_at(rotation, moment)
    person = _from(rotation.people, (place + alert.level) % len(rotation.people), active)
    return [person] if person is not None else everybody


def next_at(alert: Alert, moment: datetime) -> datetime | None:
    """When the alert goes on to the next person; None if it is told to everybody already, or is not that grave."""
    rotation = get()
    if alert.severity != Severity.CRITICAL or rotation is None or alert.level >= len(rotation.people):
        return None
    return moment + timedelta(minutes=rotation.minutes)


def pass_on(now: datetime) -> int:
    """Tell the next ones of critical alerts that nobody has answered in time; how many alerts that were."""
    due = Alert.objects.filter(closed_at=None, acknowledged_at=None, escalates_at__lte=now)
    alerts = list(due.select_related("assigned_to", "rule").select_for_update(of=("self",)).order_by("pk")[:MOST])
    for alert in alerts:
        if alert.silenced_until is not None and alert.silenced_until > now:
            alert.escalates_at = alert.silenced_until
            alert.save(update_fields=["escalates_at"])
            continue
        alert.level += 1
        alert.assigned_to = None  # whoever it was handed to has not answered either
        alert.escalates_at = next_at(alert, now)
        alert.save(update_fields=["level", "escalates_at", "assigned_to"])
        people = told(alert, now)
        events.append(
            "alert.escalated",
            actor="engine",
            data={
                "alert": alert.pk, "rule": alert.rule.name, "severity": alert.severity, "message": alert.message,
                "level": alert.level, "to": [person.pk for person in people],
                "names": ", ".join(person.username for person in people)[:300],
            },
        )  # fmt: skip
    return len(alerts)


@transaction.atomic
def set_rotation(terms: Terms, *, by: User, reason: str) -> Rotation:
    """Set who is told by turns. Raises RotationRefused, HandlingNotPermitted."""
    if not permissions.can(by, "edit_alerts"):
        raise HandlingNotPermitted(verb=_("change the rotation"))
    people = _people(terms)
    rotation = get() or Rotation(pk=1)
    rotation.people = [person.pk for person in people]
    rotation.days, rotation.hour, rotation.zone = terms.days, terms.hour, terms.zone
    rotation.starts_on, rotation.minutes = terms.starts_on, terms.minutes
    rotation.changed_by, rotation.changed_at = by, Now()  # the database's clock
    rotation.save()
    rotation.refresh_from_db()
    events.append(
        "alert.rotation_changed",
        actor=actor_of(by),
        data={
            "people": [person.username for person in people], "days": terms.days, "hour": terms.hour,
            "zone": terms.zone, "starts_on": terms.starts_on.isoformat(), "minutes": terms.minutes,
            "reason": reason.strip()[:1000],
        },
    )  # fmt: skip
    return rotation


def _people(terms: Terms) -> list[User]:
    if terms.zone not in available_timezones():
        raise RotationRefused(problem=_("%(zone)s is no time zone") % {"zone": terms.zone})
    if not (1 <= terms.days <= LONGEST_TURN and 0 <= terms.hour <= 23 and 1 <= terms.minutes <= 240):
        raise RotationRefused(
            problem=_("a turn is 1 to 28 days, a hand-over at a full hour, an answer due in 1 to 240 minutes")
        )
    if len(terms.people) > MOST or len(set(terms.people)) != len(terms.people):
        raise RotationRefused(problem=_("name each person once, and at most %(most)d") % {"most": MOST})
    known = {user.username: user for user in User.objects.filter(username__in=terms.people, is_active=True)}
    for name in terms.people:
        if name not in known:
            raise RotationRefused(problem=_("there is nobody called %(name)s") % {"name": name})
        if not permissions.can(known[name], "handle_alerts"):
            raise RotationRefused(problem=_("%(name)s may not handle alerts") % {"name": name})
    return [known[name] for name in terms.people]
