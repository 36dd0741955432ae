"""Silences: until then nobody is told. The alerts are raised, listed and counted all the same."""

from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from approvals import permissions
from monitoring.alerts.actors import actor_of
from monitoring.alerts.errors import HandlingNotPermitted, SilenceNotFound, SilenceRefused
from monitoring.models import Alert, AlertRule, Silence
from orchestrator import events

LONGEST: Final = timedelta(days=7)
SHORTEST: Final = timedelta(minutes=1)


def in_force(now: datetime | None = None) -> QuerySet[Silence]:
    """Those that are not over."""
    return Silence.objects.filter(ended_at=None, until__gt=now or timezone.now()).select_related("rule", "made_by")


def until(alert: Alert, now: datetime) -> datetime | None:
    """Until when nobody is told of this alert; None if somebody is."""
    mine = in_force(now).filter(Q(rule=None) | Q(rule_id=alert.rule_id), Q(subject="") | Q(subject=alert.subject))
    last: datetime | None = mine.aggregate(last=Max("until"))["last"]
    return last


@transaction.atomic
def make(*, by: User, rule: AlertRule | None, subject: str, end: datetime, reason: str) -> Silence:
    """Silence a rule, one thing of it, or one thing whatever the rule. Raises SilenceRefused, HandlingNotPermitted."""
    if not permissions.can(by, "handle_alerts"):
        raise HandlingNotPermitted(verb=_("silence alerts"))
    now, subject = timezone.now(), subject.strip()[:100]
    if rule is None and not subject:
        raise SilenceRefused(problem=_("say which rule, or what it is about: nobody can silence everything"))
    if not now + SHORTEST <= end <= now + LONGEST:
        raise SilenceRefused(problem=_("it ends within seven days, and not before a minute is over"))
    if not reason.strip():
        raise SilenceRefused(problem=_("say why"))
    made = Silence.objects.create(rule=rule, subject=subject, until=end, reason=reason.strip()[:1000], made_by=by)
    _apply(made, end)
    _record("alert.silenced", made, by, reason=made.reason)
    return made


@transaction.atomic
def end(pk: int, *, by: User) -> Silence:
    """Let people be told again from now on. Raises SilenceNotFound, HandlingNotPermitted."""
    if not permissions.can(by, "handle_alerts"):
        raise HandlingNotPermitted(verb=_("end silences"))
    now = timezone.now()
    found = in_force(now).select_for_update(of=("self",)).filter(pk=pk).first()
    if found is None:
        raise SilenceNotFound(silence=pk)
    found.ended_at, found.ended_by = now, by
    found.save(update_fields=["ended_at", "ended_by"])
    for alert in _of(found):
        alert.silenced_until = until(alert, now)
        alert.save(update_fields=["silenced_until"])
    _record("alert.unsilenced", found, by)
    return found


def _apply(made: Silence, end: datetime) -> None:
    for alert in _of(made):
        if alert.silenced_until is None or alert.silenced_until < end:
            alert.silenced_until = end
            alert.save(update_fields=["silenced_until"])


def _of(silence: Silence) -> list[Alert]:
    alerts = Alert.objects.filter(closed_at=None).select_for_update().order_by("pk")
    if silence.rule_id is not None:
        alerts = alerts.filter(rule=silence.rule_id)
    return list(alerts.filter(subject=silence.subject) if silence.subject else alerts)


def _record(kind: str, silence: Silence, by: User, **facts: str) -> None:
    events.append(
        kind,
        actor=actor_of(by),
        data={
            "silence": silence.pk, "rule": silence.rule.name if silence.rule else "", "subject": silence.subject,
            "until": silence.until.isoformat(), **facts,
        },
    )  # fmt: skip
