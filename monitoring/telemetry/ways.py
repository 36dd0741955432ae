"""The outlets there are, and what goes out by each."""

import json
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.utils import timezone

from agents.tracing import span_id_of, trace_id_of
from monitoring.models import Outlet, OwnSpan
from monitoring.telemetry import db, own_spans, siem, spans, taxonomy
from monitoring.telemetry.pump import Way
from monitoring.telemetry.sending import Refused
from monitoring.telemetry.spans import Fact, Span
from orchestrator.models import Shift

MOST_OWN: Final = 500
RECENT_SHIFTS: Final = 1_000  # by number: one ends half a minute after it began, so older ones have all ended
MOST_AT_ONCE: Final = 2_000  # spans in one request

log = structlog.get_logger("watchkeeper.events")


def _traces(after: int, until: int) -> tuple[int, int]:
    return _send(spans.of_stretch(after, until))


def _send(found: list[Span]) -> tuple[int, int]:
    from monitoring.telemetry import otlp  # noqa: PLC0415 - the SDK is for who sends, and only then

    wanted = otlp.chosen(found)
    lost = sum(otlp.send(wanted[start : start + MOST_AT_ONCE]) for start in range(0, len(wanted), MOST_AT_ONCE))
    return len(wanted) - lost, lost


def _beside(outlet: Outlet) -> tuple[int, int]:
    """Requests, messages and shifts."""
    forgotten = own_spans.trim()
    rows = list(OwnSpan.objects.order_by("pk")[:MOST_OWN])
    now = timezone.now() - timedelta(seconds=1)
    shifts = _shifts(outlet, now)
    found = [*spans.of_own(rows), *shifts]
    try:
        taken, lost = _send(found) if found else (0, 0)
    except Refused:
        taken, lost = 0, len(found)
    OwnSpan.objects.filter(pk__in=[row.pk for row in rows]).delete()
    Outlet.objects.filter(pk=outlet.pk).update(seen_at=now)
    return taken, lost + forgotten


def _shifts(outlet: Outlet, until: datetime) -> list[Span]:
    newest = Shift.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    rows = Shift.objects.filter(
        pk__gt=newest - RECENT_SHIFTS, ended_at__gt=outlet.seen_at or outlet.since, ended_at__lte=until
    )
    return [_shift(row) for row in rows]


def _shift(row: Shift) -> Span:
    facts: dict[str, Fact] = {
        "watchkeeper.layer": "coordinator", "messaging.system": "celery", "messaging.operation.name": "work_shift",
        "watchkeeper.shift": row.pk, "watchkeeper.pool": row.pool, "watchkeeper.end": row.end_reason or "over",
    }  # fmt: skip
    ended = row.ended_at or row.started_at
    return Span(
        trace_id_of(f"shift {row.pk}"), span_id_of("shift", row.pk), "", "run work_shift", row.started_at, ended, facts,
        kind="consumer", failed=row.end_reason == "lost",
    )  # fmt: skip


def _siem(after: int, until: int) -> tuple[int, int]:
    entries = [taxonomy.entry_of(one) for one in db.told(after, until)]
    siem.send(entries)
    return len(entries), 0


def _log(after: int, until: int) -> tuple[int, int]:
    entries = [taxonomy.entry_of(one) for one in db.told(after, until)]
    for entry in entries:
        facts = json.loads(entry.model_dump_json(exclude_defaults=True))
        log.info(facts.pop("event"), event_type=facts.pop("type"), **facts)
    return len(entries), 0


WAYS: Final = {
    "traces": Way("traces", _traces, skips=True, beside=_beside),
    "siem": Way("siem", _siem, skips=False),
    "log": Way("log", _log, skips=True),
}


def place(name: str) -> str:
    """Where an outlet's things go, as people may read it; empty where it is switched off."""
    if name not in settings.OUTLETS:
        return ""
    if name == "traces":
        parts = urlsplit(settings.TRACES["endpoint"])
        return f"{parts.scheme}://{parts.netloc}"
    return siem.place() if name == "siem" else "stderr"
