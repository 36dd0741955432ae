"""What makes runs go on, as pages tell it: workers, the broker that wakes them, who keeps time and seals."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db.models import Max
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from orchestrator.models import Doorbell, Event, LedgerEntry, Shift, Task, Timer
from orchestrator.states import TaskStatus

REMEMBERED: Final = timedelta(seconds=30)  # a doorbell that did not ring is told this long; it is tried every second
BEHIND: Final = timedelta(seconds=10)  # an event is sealed, and a timer fired, in far less than a second
LEASES: Final = 2  # without any sign of a worker for so long, none is at work


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is away: what, since when, what it means, and what to do."""

    what: str | Promise
    since: datetime | None
    seen: str | Promise  # what happened then
    means: str | Promise
    remedy: str | Promise


def troubles() -> list[Trouble]:
    """What is away now; one is enough, for without workers it does not matter what else there is."""
    return _no_worker() or _no_doorbell() or _no_control()


def _no_worker() -> list[Trouble]:
    now = timezone.now()
    patience = timedelta(seconds=LEASES * settings.LEASE_SECONDS)
    if Shift.objects.filter(ended_at=None, lease_until__gt=now).exists():
        return []
    # By id, so that a long history of shifts is not read: the last to begin is among the last to be seen.
    latest = Shift.objects.filter(pk__in=Shift.objects.order_by("-pk").values("pk")[: settings.SHIFTS])
    seen = latest.aggregate(seen=Max("renewed_at"))["seen"]
    if seen is None:
        waits = Task.objects.filter(status=TaskStatus.READY, ready_at__lt=now - patience).exists()
    else:
        waits = seen < now - patience
    if not waits:
        return []
    return [
        Trouble(
            _("No worker is at work"),
            seen,
            _("last seen"),
            _("Nothing that is ready starts. Decisions are kept, and take effect when workers are back."),
            _("Tell whoever runs this: the worker's log says why it is gone, and starting it again is enough."),
        )
    ]


def _no_doorbell() -> list[Trouble]:
    failed = Doorbell.objects.filter(failed_at__gt=timezone.now() - REMEMBERED).values_list("failed_at", flat=True)
    if (at := failed.first()) is None:
        return []
    return [
        Trouble(
            _("The broker is away"),
            at,
            _("last tried"),
            _("Workers that are at work go on, and nothing is lost; new workers are not woken until it is back."),
            _("Tell whoever runs this to look at the broker that BROKER_URL names."),
        )
    ]


def _no_control() -> list[Trouble]:
    """The control worker, or beat that rings it: seen by what is left undone, whichever of its parts stands still."""
    before = timezone.now() - BEHIND
    sealed = LedgerEntry.objects.order_by("-pos").values_list("event_id", flat=True).first() or 0
    unsealed = Event.objects.filter(pk__gt=sealed, at__lt=before).order_by("pk").values_list("at", flat=True).first()
    due = Timer.objects.filter(fired_at=None, due_at__lt=before).order_by("due_at").values_list("due_at", flat=True)
    since = min(filter(None, (unsealed, due.first())), default=None)
    if since is None:
        return []
    return [
        Trouble(
            _("The control worker is away or behind"),
            since,
            _("nothing done since"),
            _("Pages show what was before then; timers and deadlines wait. Decisions are kept; nothing is lost."),
            _("Tell whoever runs this: look at the logs of the control worker and of beat, and start them again."),
        )
    ]
