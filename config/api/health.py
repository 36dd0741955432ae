"""Probes: `/healthz` says that this process answers, `/readyz` what it stands on. Numbers only, for anybody."""

import time
from typing import Any

import structlog
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.db.models import Min, Sum
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from orchestrator.models import Event, LedgerEntry, Shift

log = structlog.get_logger(__name__)
LAG_SECONDS = 10.0  # the sequencer seals within a tenth of a second; this late, live pages stand still


@login_not_required
@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """This process answers."""
    return JsonResponse({"status": "ok"})


@login_not_required
@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """`ready`; `degraded` if pages are served but work or live updates stand still; `down` (503) without database."""
    started = time.perf_counter()
    try:
        connection.ensure_connection()
        ledger, shifts = _ledger(), _shifts()
    except DatabaseError as problem:
        log.warning("readyz.down", problem=type(problem).__name__)
        return JsonResponse({"status": "down", "database": {"ok": False}}, status=503)
    is_ready = ledger["lag_seconds"] < LAG_SECONDS and shifts["live"] > 0
    database = {"ok": True, "ms": round((time.perf_counter() - started) * 1000, 1)}
    status = "ready" if is_ready else "degraded"
    return JsonResponse({"status": status, "database": database, "ledger": ledger, "shifts": shifts})


def _ledger() -> dict[str, Any]:
    """The last sealed position, and the age of the oldest event after it."""
    last = LedgerEntry.objects.order_by("-pos").values_list("pos", "event_id").first() or (0, 0)
    oldest = Event.objects.filter(pk__gt=last[1]).aggregate(at=Min("at"))["at"]
    lag = (timezone.now() - oldest).total_seconds() if oldest else 0.0
    return {"head": last[0], "lag_seconds": round(max(lag, 0.0), 3)}


def _shifts() -> dict[str, int]:
    live = Shift.objects.filter(ended_at=None, lease_until__gt=timezone.now())
    return {"live": live.count(), "capacity": live.aggregate(sum=Sum("capacity"))["sum"] or 0}
