"""What an accepted proposal came to: the same figures before and after it, and what the old rule would have asked."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Final

from django.utils import timezone

from approvals.feedback.backtest import Backtest, Rule, backtest
from approvals.feedback.models import Lesson, Proposal
from approvals.models import Gate, GateKind
from approvals.permissions import Person
from orchestrator.models import Task
from orchestrator.states import TaskStatus

LONGEST: Final = timedelta(days=30)
SHORTEST: Final = timedelta(hours=1)  # a window shorter than this says nothing yet
MOST: Final = 5_000


@dataclass(frozen=True, slots=True)
class Window:
    """One stretch of time at one gate. Shares 0-1, None where there is nothing to count."""

    starts: datetime
    ends: datetime
    outputs: int  # of the step, that ended well
    asked: int  # gates opened
    judged: int
    stood: int
    wait_s: float | None  # median, of those that are settled

    @property
    def asked_share(self) -> float | None:
        """How many of the outputs people were asked about."""
        total = max(self.outputs, self.asked)
        return self.asked / total if total else None

    @property
    def stood_share(self) -> float | None:
        """How many of the judged outputs stood as they were."""
        return self.stood / self.judged if self.judged else None


@dataclass(frozen=True, slots=True)
class Measured:
    """Before and after, of the same length; and the old rule tried on what has happened since."""

    before: Window
    after: Window
    otherwise: Backtest | None

    @property
    def is_early(self) -> bool:
        """Whether too little time has passed for the figures to say much."""
        return self.after.ends - self.after.starts < timedelta(days=1) or self.after.outputs < 20


def measured(proposal: Proposal, user: Person) -> Measured | None:
    """The figures of an accepted proposal; None for any other."""
    if proposal.status != Proposal.Status.ACCEPTED or proposal.decided_at is None:
        return None
    at = proposal.decided_at
    length = min(max(timezone.now() - at, SHORTEST), LONGEST)
    return Measured(
        before=_window(proposal, at - length, at),
        after=_window(proposal, at, at + length),
        otherwise=_otherwise(proposal, user),
    )


def _otherwise(proposal: Proposal, user: Person) -> Backtest | None:
    """The old rule on everything since, what passed included: what would have been asked without the change."""
    if "when" not in proposal.before:
        return None
    sample = proposal.before.get("sample", 0.0)
    rule = Rule(str(proposal.before["when"]), float(sample))
    return backtest(proposal.workflow, proposal.step, rule, user=user, since=proposal.decided_at)


def _window(proposal: Proposal, starts: datetime, ends: datetime) -> Window:
    tasks = Task.objects.filter(
        workflow=proposal.workflow, key=proposal.step, status=TaskStatus.SUCCEEDED, ended_at__range=(starts, ends)
    )
    gates = Gate.objects.filter(
        workflow=proposal.workflow, step=proposal.step, kind=GateKind.APPROVAL, opened_at__range=(starts, ends)
    )
    lessons = Lesson.objects.filter(
        workflow=proposal.workflow, step=proposal.step, at__range=(starts, ends), stood__isnull=False
    )
    settled = gates.filter(settled_at__isnull=False).values_list("opened_at", "settled_at")[:MOST]
    waits = [(done - opened).total_seconds() for opened, done in settled if done is not None]
    return Window(
        starts=starts,
        ends=ends,
        outputs=tasks.count(),
        asked=gates.count(),
        judged=lessons.count(),
        stood=lessons.filter(stood=True).count(),
        wait_s=median(waits) if waits else None,
    )
