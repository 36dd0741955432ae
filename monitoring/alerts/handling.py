"""What people do about alerts: acknowledge, hand on. Each is conditional on what the person saw, and an event."""

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from agents.types import Json
from approvals import deciders, permissions
from monitoring.alerts import raising, visibility
from monitoring.alerts.actors import actor_of
from monitoring.alerts.errors import (
    AcknowledgedAlready,
    AlertNotFound,
    AlertOver,
    AssigneeRefused,
    HandlingNotPermitted,
)
from monitoring.models import Alert


def may_handle(user: User) -> bool:
    """Whether this person may acknowledge, assign and silence, and carry out runbooks."""
    return permissions.can(user, "handle_alerts")


def authorise(user: User) -> None:
    """Raise HandlingNotPermitted unless this person may handle alerts."""
    if not may_handle(user):
        raise HandlingNotPermitted(verb=_("handle alerts"))


def get(pk: int, user: User) -> Alert:
    """An alert that this person may see. Raises AlertNotFound."""
    found = visibility.visible(user).filter(pk=pk).first()
    if found is None:
        raise AlertNotFound(alert=pk)
    return found


@transaction.atomic
def acknowledge(pk: int, *, by: User, note: str = "") -> Alert:
    """Say that somebody looks after it. If what it tells of is over, it is closed with that.

    Raises AlertNotFound, HandlingNotPermitted, AlertOver, and AcknowledgedAlready for the second of two people.
    """
    alert = _locked(pk, by)
    if alert.acknowledged_at is not None:
        raise AcknowledgedAlready(alert=pk, who=_name(alert.acknowledged_by))
    now = timezone.now()
    alert.acknowledged_at, alert.acknowledged_by, alert.note = now, by, note.strip()[:1000]
    alert.escalates_at = None
    alert.closed_at = now if alert.cleared_at is not None else None
    alert.save(update_fields=["acknowledged_at", "acknowledged_by", "note", "escalates_at", "closed_at"])
    facts: dict[str, Json] = {"note": alert.note, "after_s": round((now - alert.raised_at).total_seconds(), 1)}
    raising.record("alert.acknowledged", alert, actor=actor_of(by), closed=alert.closed_at is not None, **facts)
    return alert


@transaction.atomic
def assign(pk: int, *, by: User, to: str) -> Alert:
    """Hand it to somebody who may see and handle it; to nobody in particular with an empty name."""
    alert = _locked(pk, by)
    person = _assignee(alert, to) if to else None
    alert.assigned_to = person
    alert.save(update_fields=["assigned_to"])
    told: list[Json] = [person.pk] if person is not None and person != by else []
    raising.record("alert.assigned", alert, actor=actor_of(by), name=to, to=told)
    return alert


@transaction.atomic
def close_drill(alert: Alert) -> None:
    """End a drill's alert: nothing was wrong."""
    now = timezone.now()
    Alert.objects.filter(pk=alert.pk, closed_at=None).update(cleared_at=now, closed_at=now, escalates_at=None)
    raising.record("alert.resolved", alert, actor="engine", closed=True)


def handlers(alert: Alert) -> list[User]:
    """Who it can be handed to."""
    return [person for person in deciders.holders("handle_alerts") if visibility.may_see(person, alert)]


def _locked(pk: int, by: User) -> Alert:
    get(pk, by)
    authorise(by)
    alert = Alert.objects.select_for_update(of=("self",)).select_related("rule", "acknowledged_by").get(pk=pk)
    if alert.closed_at is not None:
        raise AlertOver(alert=pk)
    return alert


def _assignee(alert: Alert, name: str) -> User:
    person = User.objects.filter(username=name, is_active=True).first()
    if person is None:
        raise AssigneeRefused(name=name, problem=_("there is nobody of that name"))
    if not (may_handle(person) and visibility.may_see(person, alert)):
        raise AssigneeRefused(name=name, problem=_("they may not handle it"))
    return person


def _name(user: User | None) -> str:
    return (user.get_full_name() or user.get_username()) if user is not None else _("somebody")
