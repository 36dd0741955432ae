"""Opens, keeps and closes alerts by what a look has found. The only writer of them besides `handling`.

One row for one rule and one thing while it lasts. What is over for a minute is closed by itself, but a critical alert,
and one about something that will never be looked at again, stays until somebody has acknowledged it.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from agents.types import Json
from monitoring.alerts import oncall, rules, silences, subjects, wording
from monitoring.alerts.findings import Finding, Findings
from monitoring.alerts.subjects import About
from monitoring.models import Alert, Severity
from orchestrator import events

CALM: Final = timedelta(seconds=60)
FRESH: Final = timedelta(seconds=15)  # an open alert's numbers are not written more often
STORM: Final = 10  # alerts of one rule about one workflow's runs; further runs are counted on one more
RUNS_KEPT: Final = 500
MANY: Final = "many:"
_OPEN: Final = ("rule", "workflow", "assigned_to")

type Open = dict[tuple[int, str], Alert]


def open_alerts() -> Open:
    """Every alert that is not closed, by rule and thing; drills are nobody's business here."""
    rows = Alert.objects.filter(closed_at=None, drill=False).select_related(*_OPEN).order_by("pk")
    return {(alert.rule_id, alert.subject): alert for alert in rows}


def settle(found: Findings, open_ones: Open, now: datetime) -> list[Alert]:
    """Bring the alerts in line with what was found; the new ones. The caller holds the tick's lock."""
    fresh = [one for one in found.true if not _is_kept(one, open_ones, now)]
    raised = _raise_all(fresh, open_ones, now)
    for rule, calm in found.calm.items():
        for subject in calm:
            alert = open_ones.get((rule, subject))
            if alert is not None and alert.cleared_at is None:
                _calm_down(alert, now)
    return raised


def _is_kept(one: Finding, open_ones: Open, now: datetime) -> bool:
    """Whether an open alert tells of it already; its numbers are brought up to date."""
    alert = open_ones.get((one.rule.pk, one.subject))
    if alert is None:
        return False
    again = alert.calm_since is not None or (alert.cleared_at is not None and not one.over)
    if one.over and alert.cleared_at is None:
        _clear(alert, now, waits=True)
        return True
    if again or now - alert.seen_at > FRESH:
        alert.seen_at, alert.calm_since = now, None
        alert.cleared_at = alert.cleared_at if one.over else None
        alert.occurrences += again
        alert.data = {**alert.data, "values": dict(one.values)}
        # Somebody may close it at this very moment: then it stays closed, and what is true again is a new alert.
        Alert.objects.filter(pk=alert.pk, closed_at=None).update(
            seen_at=now, calm_since=None, cleared_at=alert.cleared_at, occurrences=alert.occurrences, data=alert.data
        )
    return True


def _raise_all(fresh: list[Finding], open_ones: Open, now: datetime) -> list[Alert]:
    raised: list[Alert] = []
    for scope in sorted({one.rule.scope for one in fresh}):
        group = [one for one in fresh if one.rule.scope == scope]
        about = subjects.about(scope, {one.subject for one in group})
        for one in group:
            alert = _one_of_many(one, about[one.subject], open_ones, now) if scope == "run" else None
            if alert is None:
                alert = raise_one(one, about[one.subject], now)
                raised.append(alert)
            open_ones[one.rule.pk, alert.subject] = alert
    return raised


def _one_of_many(one: Finding, about: About, open_ones: Open, now: datetime) -> Alert | None:
    """The alert that stands for a storm of runs, if there is one: told of once, counted on."""
    mine = [alert for alert in open_ones.values() if alert.rule_id == one.rule.pk]
    if sum(alert.workflow_id == about.workflow_id for alert in mine) < STORM:
        return None
    subject = f"{MANY}{one.workflow}"[:100]
    alert = open_ones.get((one.rule.pk, subject))
    if alert is None:
        named = subjects.about("workflow", {one.workflow})[one.workflow]
        whole = Finding(one.rule, subject, one.values, workflow=one.workflow, over=one.over)
        alert = raise_one(whole, named, now, more=1, runs=[one.run_id])
        open_ones[one.rule.pk, subject] = alert
        return alert
    _count_in(one, alert, now)
    return alert


def _count_in(one: Finding, alert: Alert, now: datetime) -> None:
    runs: list[Any] = alert.data.get("runs", [])
    is_new = one.run_id not in runs
    if is_new:
        alert.occurrences += 1
        alert.data = {**alert.data, "more": alert.occurrences, "runs": [*runs, one.run_id][-RUNS_KEPT:]}
    if is_new or now - alert.seen_at > FRESH:
        alert.seen_at = now
        alert.save(update_fields=["occurrences", "seen_at", "data"])


def raise_one(one: Finding, about: About, now: datetime, *, drill: bool = False, **more: Json) -> Alert:
    """Open an alert, decide who is told, and say so in the log."""
    data: dict[str, Any] = {
        "values": dict(one.values), "usual": dict(one.usual), "about": about.title, "window": one.rule.window,
        "condition": one.rule.condition, "named": sorted(rules.named_in(one.rule.condition, one.rule.scope)), **more,
    }  # fmt: skip
    alert = Alert(
        rule=one.rule, scope=one.rule.scope, subject=one.subject, severity=one.rule.severity, data=data,
        message=wording.message(one.rule, data), run_id=one.run_id, workflow_id=about.workflow_id,
        queue_id=about.queue_id, raised_at=now, seen_at=now, cleared_at=now if one.over else None, drill=drill,
    )  # fmt: skip
    alert.silenced_until = silences.until(alert, now)
    alert.escalates_at = oncall.next_at(alert, now)
    alert.save()
    people = [] if alert.silenced_until else oncall.told(alert, now)
    record("alert.raised", alert, actor="engine", to=[person.pk for person in people], values=data["values"])
    return alert


def record(kind: str, alert: Alert, *, actor: str, **facts: Json) -> int:
    """Append an event about an alert."""
    told: dict[str, Json] = {
        "alert": alert.pk, "rule": alert.rule.name, "severity": alert.severity, "scope": alert.scope,
        "subject": alert.subject, "message": alert.message, "drill": alert.drill,
    }  # fmt: skip
    return events.append(kind, actor=actor, data={**told, **facts})


def _calm_down(alert: Alert, now: datetime) -> None:
    if alert.calm_since is None:
        alert.calm_since = now
        alert.save(update_fields=["calm_since"])
    elif now - alert.calm_since >= CALM:
        _clear(alert, now, waits=alert.severity == Severity.CRITICAL)


def _clear(alert: Alert, now: datetime, *, waits: bool) -> None:
    """What it tells of is over. One that `waits` is closed once somebody has answered, which may be just now."""
    answered = Alert.objects.select_for_update().values_list("acknowledged_at", flat=True).get(pk=alert.pk)
    closes = not waits or answered is not None
    alert.cleared_at, alert.escalates_at = now, None
    alert.closed_at = now if closes else None
    alert.save(update_fields=["cleared_at", "escalates_at", "closed_at"])
    record("alert.resolved", alert, actor="engine", closed=closes)


def close_left_over(open_ones: Open, known: Iterable[int], now: datetime) -> None:
    """Clear what nobody looks at any more: alerts of rules that were switched off, and storms that have passed."""
    enabled = set(known)
    for alert in open_ones.values():
        if alert.cleared_at is not None:
            continue
        if alert.rule_id not in enabled:
            _clear(alert, now, waits=False)
        elif alert.subject.startswith(MANY) and now - alert.seen_at > CALM:
            _clear(alert, now, waits=alert.severity == Severity.CRITICAL)
