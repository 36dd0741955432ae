"""What a queue promises those who wait for it, and how fast it uses up what may go wrong.

A target ("9 of 10 within 15 minutes") leaves an error budget, a tenth here. The burn rate says how many times faster
than allowed it is used up; both a short and a long window have to burn before it is said (Google, The Site
Reliability Workbook, chapter 5, "Multiwindow, Multi-Burn-Rate Alerts"). Nothing here decides anything: a promise that
is broken is shown, never kept by approving.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Count, F, Q
from django.utils import timezone

from agents.types import Json
from approvals import permissions
from approvals.errors import NotPermitted, PromiseRefused
from approvals.models import Care, Gate, GateStatus, Queue
from orchestrator import events
from orchestrator import services as engine

WINDOWS: Final = (("1 h", timedelta(hours=1)), ("6 h", timedelta(hours=6)), ("3 d", timedelta(days=3)))
BUDGET: Final = timedelta(days=30)
# Both windows of a pair over their rate: the budget of a month is gone in two days, in five, in thirty.
BURNS: Final = (("1 h", "6 h", 14.4), ("6 h", "3 d", 6.0), ("3 d", "3 d", 1.0))
LEAST_S: Final = 10
MOST_S: Final = 30 * 86_400


@dataclass(frozen=True, slots=True)
class Window:
    """One stretch of time up to now."""

    name: str
    asked: int
    late: int
    burn: float  # 1: exactly as fast as allowed


@dataclass(frozen=True, slots=True)
class Promise:
    """A queue's target and how it is kept."""

    queue: Queue
    within_s: int
    share: float
    windows: tuple[Window, ...]
    asked: int  # in 30 days
    late: int

    @property
    def allowed(self) -> float:
        """How many of a month's may be late."""
        return self.asked * (1 - self.share)

    @property
    def left(self) -> float:
        """What is left of the error budget, 1 to below 0."""
        return 1 - self.late / self.allowed if self.allowed else 1.0

    @property
    def burning(self) -> str:
        """The pair of windows that burns too fast; empty if none does."""
        rate = {window.name: window.burn for window in self.windows}
        return next((f"{short}, {long}" for short, long, most in BURNS if rate[short] > most and rate[long] > most), "")


@transaction.atomic
def promise(
    *, queue: Queue, by: User, within_s: int | None, share: float = 0.9, check_share: float | None = None
) -> Care:
    """Set what a queue promises and how much it is checked. Raises NotPermitted, PromiseRefused."""
    if not permissions.can(by, "edit_queues"):
        raise NotPermitted(verb="change what a queue promises")
    if within_s is not None and not LEAST_S <= within_s <= MOST_S:
        raise PromiseRefused(why="the time is between ten seconds and thirty days")
    if not 0.5 <= share < 1:
        raise PromiseRefused(why="the share is at least 0.5 and below 1: some may always be late")
    if check_share is not None and check_share != 0 and not 0.02 <= check_share <= 0.05:
        raise PromiseRefused(why="checks are 0, or 0.02 to 0.05 of what people see")
    new = {"decide_within_s": within_s, "decide_share": share, "check_share": check_share}
    made, _ = Care.objects.update_or_create(queue=queue, defaults=new)
    facts: dict[str, Json] = {"queue": queue.name, **new}
    events.append("oversight.promised", actor=engine.actor_of(by), data=facts)
    return made


def of(queue: Queue, *, now: datetime | None = None) -> Promise | None:
    """How a queue keeps what it promises; None where it promises nothing."""
    care = Care.objects.filter(queue=queue, decide_within_s__isnull=False).first()
    if care is None or care.decide_within_s is None:
        return None
    now = now or timezone.now()
    windows = tuple(_window(queue, care, name, now - length, now) for name, length in WINDOWS)
    month = _window(queue, care, "30 d", now - BUDGET, now)
    return Promise(queue, care.decide_within_s, care.decide_share, windows, month.asked, month.late)


def kept(user: User) -> list[Promise]:
    """The promises of the queues whose gates this person may see, or of all where they may see how people decide."""
    seen = Queue.objects.all() if permissions.can(user, "see_oversight") else permissions.visible_queues(user)
    found = (of(queue) for queue in seen.filter(care__decide_within_s__isnull=False).order_by("title"))
    return [one for one in found if one is not None]


def _window(queue: Queue, care: Care, name: str, since: datetime, now: datetime) -> Window:
    within = timedelta(seconds=care.decide_within_s or 0)
    gates = Gate.objects.filter(queue=queue).exclude(status=GateStatus.WITHDRAWN).order_by()
    settled = gates.filter(settled_at__gt=since, settled_at__lte=now).aggregate(
        asked=Count("pk"), late=Count("pk", filter=Q(settled_at__gt=F("opened_at") + within))
    )
    overdue = gates.filter(status=GateStatus.OPEN, opened_at__lte=now - within).count()
    asked, late = settled["asked"] + overdue, settled["late"] + overdue
    burn = late / asked / (1 - care.decide_share) if asked else 0.0
    return Window(name, asked, late, round(burn, 2))
