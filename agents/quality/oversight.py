"""What people and policies had to stop, agent by agent, in the last seven days: the three ratios of oversight."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count, Sum
from django.utils import timezone

from agents.models import ToolUse, Violation
from agents.quality.outcomes import Weighed, decisions

WINDOW: Final = timedelta(days=7)
SHOWN: Final = 100


@dataclass(frozen=True, slots=True)
class Row:
    """One agent. `attempts`: rules it broke, and calls of tools that no policy allowed."""

    weighed: Weighed
    attempts: int


@dataclass(frozen=True, slots=True)
class Oversight:
    """The rows, and over how many days they count."""

    rows: list[Row]
    days: int = WINDOW.days


def oversight() -> Oversight:
    """Every agent that was decided on or that broke a rule, the most overridden first."""
    since = timezone.now() - WINDOW
    weighed = {one.agent: one for one in decisions().weighed(since)}
    attempts = _attempts(since)
    found = [Row(weighed.get(name, Weighed(name)), attempts[name]) for name in weighed.keys() | attempts.keys()]
    found.sort(key=lambda row: (-(row.weighed.override_ratio or 0), -row.attempts, row.weighed.agent))
    return Oversight(found[:SHOWN])


def _attempts(since: datetime) -> Counter[str]:
    broken = Violation.objects.filter(at__gte=since).order_by().values_list("agent__name").annotate(n=Count("pk"))
    denied = ToolUse.objects.filter(hour__gte=since, decision="denied").order_by().values_list("agent")
    return Counter(dict(broken)) + Counter(dict(denied.annotate(n=Sum("calls"))))
