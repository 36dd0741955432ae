"""How much a workflow makes: results in a week, the share that people rejected, and how long one takes."""

from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import Final

from django.utils import timezone

from orchestrator.models import Run, Workflow
from orchestrator.states import RunStatus

DAYS: Final = 7
MOST: Final = 2_000  # of its newest runs that are looked at
_MADE: Final = frozenset({RunStatus.SUCCEEDED, RunStatus.PARTIAL})


@dataclass(frozen=True, slots=True)
class Pace:
    """The last seven days. `at_least` says that there were more runs than were counted."""

    made: int
    rejected: int
    ended: int
    cycle: timedelta | None  # median from start to end of what was made, people's time included
    at_least: bool

    @property
    def rejection(self) -> float | None:
        """The share of what ended that people rejected; None when nothing ended."""
        return self.rejected / self.ended if self.ended else None


def pace_of(workflow: Workflow) -> Pace:
    """How one workflow did in the last seven days."""
    since = timezone.now() - timedelta(days=DAYS)
    newest = Run.objects.filter(workflow=workflow).order_by("-id")
    rows = list(newest.values_list("status", "error__code", "started_at", "ended_at")[:MOST])
    ended = [row for row in rows if row[3] is not None and row[3] >= since and row[0] != RunStatus.CANCELLED]
    made = [
        (finish - begin).total_seconds() for status, _, begin, finish in ended if status in _MADE and finish and begin
    ]
    return Pace(
        made=len(made),
        rejected=sum(status == RunStatus.FAILED and code == "rejected" for status, code, _, _ in ended),
        ended=len(ended),
        cycle=timedelta(seconds=median(made)) if made else None,
        at_least=len(rows) == MOST and all(row[3] is None or row[3] >= since for row in rows),
    )
