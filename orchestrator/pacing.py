"""A workflow's pace while people cannot keep up: so many of its runs at once, what comes over that is queued.

Whoever knows the people says how many; admission keeps to it. People may say "at full pace" for a while.
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from orchestrator import events
from orchestrator.models import StartPace, Workflow

LEAST = 1


@transaction.atomic
def pace(workflow: Workflow, most: int, *, reason: str) -> bool:
    """Let so many runs of it be under way at once; whether that is news. An event says so."""
    most = max(LEAST, most)
    StartPace.objects.get_or_create(workflow=workflow)
    row = StartPace.objects.select_for_update().get(workflow=workflow)
    is_full = row.full_until is not None and row.full_until > timezone.now()
    if is_full or row.most_running == most:
        return False
    StartPace.objects.filter(pk=row.pk).update(most_running=most, reason=reason[:500], set_at=Now())
    _record("workflow.paced", workflow, most=most, reason=reason[:500])
    return True


@transaction.atomic
def unpace(workflow: Workflow, *, reason: str, actor: str = "engine") -> bool:
    """Let it go at full pace again; whether it was held back."""
    held = StartPace.objects.filter(workflow=workflow, most_running__isnull=False)
    if not held.update(most_running=None, reason="", set_at=Now()):
        return False
    _record("workflow.unpaced", workflow, actor=actor, reason=reason[:500])
    return True


def keep_full(workflow: Workflow, *, hours: int) -> datetime:
    """Until then nothing holds it back. In a transaction of the act's."""
    until = timezone.now() + timedelta(hours=hours)
    now = {"most_running": None, "reason": "", "full_until": until}
    StartPace.objects.update_or_create(workflow=workflow, defaults=now)
    return until


def most_running(workflow_id: int) -> int | None:
    """So many runs of this workflow may be under way; None without such a limit."""
    held = StartPace.objects.filter(Q(full_until=None) | Q(full_until__lte=Now()), workflow_id=workflow_id)
    return held.values_list("most_running", flat=True).first()


def held_back() -> list[StartPace]:
    """The workflows that are held back now, with why."""
    return list(
        StartPace.objects.filter(most_running__isnull=False).select_related("workflow").order_by("workflow__title")
    )


def _record(kind: str, workflow: Workflow, *, actor: str = "engine", **facts: object) -> None:
    events.append(kind, actor=actor, data={"workflow": workflow.name, **facts})  # type: ignore[dict-item]
