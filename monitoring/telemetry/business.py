"""What came of the work outside, as its systems report it: `tickets_closed`, `revenue_recovered`. Each report once."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import Count, Sum
from django.utils import timezone

from monitoring.models import BusinessFigure, Tally
from monitoring.telemetry import tallies
from orchestrator.errors import OrchestratorError
from orchestrator.models import Run, Workflow

TALLY: Final = "business"
MOST_NAMES: Final = 50
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{1,39}")
_TAKEN: Final = frozenset(
    {
        "prompt_latency_seconds", "tool_call_error_rate", "memory_read_count", "token_budget_remaining",
        "policy_violation_attempts",
    }
)  # fmt: skip
OLDEST: Final = timedelta(days=400)


class FigureRefused(OrchestratorError):
    """The figure {name!r} was not taken: {problem}."""

    code = "figure_refused"
    status = 422


@dataclass(frozen=True, slots=True)
class Report:
    """What is reported. `key` is the reporter's own id of it."""

    name: str
    value: float
    key: str
    at: datetime | None = None


@transaction.atomic
def report(told: Report, *, by: str, workflow: Workflow | None = None, run: Run | None = None) -> bool:
    """Keep one report; False when it was told before. Raises FigureRefused."""
    _check(told)
    figure = BusinessFigure(
        name=told.name, value=told.value, workflow=workflow.pk if workflow else None, run=run.pk if run else None,
        at=told.at or timezone.now(), key=told.key, reported_by=by,
    )  # fmt: skip
    try:
        with transaction.atomic():
            figure.save(force_insert=True)
    except IntegrityError:  # told before, or at this very moment by somebody else
        known = BusinessFigure.objects.get(key=told.key)
    else:
        tallies.add(TALLY, told.name, workflow.name[:40] if workflow else "", n=1, total=told.value)
        return True
    if (known.name, known.value) != (told.name, told.value):
        raise FigureRefused(name=told.name, problem=f"{told.key!r} was reported as {known.name} {known.value:g} before")
    return False


def sums(*, since: datetime, workflow: int | None = None) -> list[tuple[str, int, float]]:
    """(name, reports, sum) of what happened since."""
    found = BusinessFigure.objects.filter(at__gte=since)
    if workflow is not None:
        found = found.filter(workflow=workflow)
    rows = found.order_by("name").values_list("name").annotate(Count("pk"), Sum("value"))
    return [(name, count, total or 0.0) for name, count, total in rows]


def _check(told: Report) -> None:
    if (
        not _NAME.fullmatch(told.name)
        or told.name in _TAKEN
        or told.name.startswith(("watchkeeper_", "go_", "process_"))
    ):
        raise FigureRefused(name=told.name, problem="write it like tickets_closed, and not as one of ours")
    if told.at is not None and not timezone.now() - OLDEST < told.at < timezone.now() + timedelta(minutes=5):
        raise FigureRefused(name=told.name, problem="it must have happened within the last 400 days")
    names = set(Tally.objects.filter(name=TALLY).values_list("label", flat=True))
    if told.name not in names and len(names) >= MOST_NAMES:
        raise FigureRefused(name=told.name, problem=f"there are {MOST_NAMES} names already; use one of them")
