"""Game days: an alert is raised as if its rule had fired, people handle it as they would, and how it went is kept.

What is injected are the numbers of an alert, not the numbers of history: a rehearsal leaves no trace in what is usual.
"""

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from agents.models import Agent
from monitoring.alerts import handling, raising, runbooks, shipped, subjects
from monitoring.alerts.errors import StepNotPossible
from monitoring.alerts.findings import Finding
from monitoring.models import AlertRule, GameDay
from orchestrator import events
from orchestrator.models import Run


@transaction.atomic
def start(name: str, *, by: str, subject: str = "") -> GameDay:
    """Raise a drill's alert; who is on call is told as if it were real. Raises StepNotPossible."""
    book = runbooks.find(name)
    if book is None:
        raise StepNotPossible(problem=_("there is no runbook %(name)s") % {"name": name})
    if GameDay.objects.filter(runbook=name, ended_at=None).exists():
        raise StepNotPossible(problem=_("a game day of this runbook is under way; finish it first"))
    shipped.seed()
    rule = AlertRule.objects.get(name=book.drill["rule"])
    subject = subject or _any_subject(rule.scope)
    values: dict[str, Any] = dict(book.drill["values"])
    run_id = int(subject) if rule.scope == "run" and subject.isdecimal() else None
    finding = Finding(rule, subject, values, dict(book.drill.get("usual", {})), run_id=run_id)
    about = subjects.about(rule.scope, {subject})[subject]
    alert = raising.raise_one(finding, about, timezone.now(), drill=True)
    day = GameDay.objects.create(runbook=name, digest=book.digest, alert=alert, started_by=by)
    _record(day, by, what="started")
    return day


@transaction.atomic
def finish(pk: int, *, by: str, passed: bool, result: str) -> GameDay:
    """Keep how it went, with what was measured: how soon somebody answered, which steps were done."""
    day = GameDay.objects.select_for_update(of=("self",)).select_related("alert__rule").filter(pk=pk).first()
    if day is None or day.ended_at is not None:
        raise StepNotPossible(problem=_("there is no game day %(pk)s under way") % {"pk": pk})
    alert = day.alert
    answered = alert.acknowledged_at
    day.answered_s = (answered - alert.raised_at).total_seconds() if answered is not None else None
    day.ended_at, day.passed, day.result = timezone.now(), passed, result.strip()[:2000]
    day.save(update_fields=["answered_s", "ended_at", "passed", "result"])
    if alert.closed_at is None:
        handling.close_drill(alert)
    _record(day, by, what="finished", passed=passed, answered_s=day.answered_s, steps=alert.steps.count())
    return day


def _any_subject(scope: str) -> str:
    """Something real to rehearse on, where acts find a target: the first agent, the newest run."""
    if scope == "run":
        return str(Run.objects.order_by("-pk").values_list("pk", flat=True).first() or 0)
    if scope == "agent":
        return Agent.objects.order_by("name").values_list("name", flat=True).first() or "no-agent"
    return "game-day"


def _record(day: GameDay, by: str, **facts: Any) -> None:
    told: dict[str, Any] = {
        "game_day": day.pk,
        "runbook": day.runbook,
        "digest": day.digest,
        "alert": day.alert_id,
        "by": by,
    }
    events.append("alert.drilled", actor="operator", data={**told, **facts})
