"""What the quality pages show, bounded: each agent's scores with control limits, and its assessments one by one."""

from collections import defaultdict
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Any, Final

from django.db.models import Avg, Count, Max, Q, QuerySet

from agents.models import Assessment, Calibration
from agents.quality.diagram import Dot, dots

RECENT: Final = 30
MOST_AGENTS: Final = 200
SHOWN: Final = 100
SORTS: Final = {"newest": "-id", "worst": "score", "best": "-score"}
_SCANNED: Final = 6_000


@dataclass(frozen=True, slots=True)
class Scores:
    """One agent's quality: all its assessments, and the last thirty as a trend with three-sigma limits."""

    agent: str
    count: int
    passed: int
    mean: float
    trend: tuple[float, ...]  # the oldest first
    low: float
    high: float
    calibration: Calibration | None

    @property
    def held(self) -> int:
        """How many were held for people."""
        return self.count - self.passed

    @property
    def share(self) -> float:
        """The share that passed."""
        return self.passed / self.count if self.count else 0.0

    @property
    def is_out_of_control(self) -> bool:
        """Whether the newest score lies outside of the limits that the ones before it set (Shewhart)."""
        return len(self.trend) >= 10 and not self.low <= self.trend[-1] <= self.high


def agents_with_scores() -> list[Scores]:
    """Every agent that was assessed, the lowest mean first."""
    rows = Assessment.objects.order_by().values("agent").annotate(
        n=Count("pk"), good=Count("pk", filter=Q(passed=True)), mean=Avg("score"), last=Max("pk")
    )[:MOST_AGENTS]  # fmt: skip
    trends: dict[str, list[float]] = defaultdict(list)
    for agent, score in Assessment.objects.order_by("-id").values_list("agent", "score")[:_SCANNED]:
        if len(trends[agent]) < RECENT:
            trends[agent].append(score)
    fits = {fit.agent: fit for fit in Calibration.objects.order_by("agent", "-id").distinct("agent")}
    found = [
        _scores(row["agent"], row["n"], row["good"], row["mean"], trends[row["agent"]], fits.get(row["agent"]))
        for row in rows
    ]
    return sorted(found, key=lambda one: (one.mean, one.agent))


def _scores(
    agent: str, count: int, passed: int, mean: float, newest_first: list[float], fit: Calibration | None
) -> Scores:
    trend = tuple(reversed(newest_first))
    before = trend[:-1] or trend or (0.0,)
    middle, spread = fmean(before), pstdev(before)
    low, high = max(0.0, middle - 3 * spread), min(100.0, middle + 3 * spread)
    return Scores(agent, count, passed, round(mean, 1), trend, round(low, 1), round(high, 1), fit)


def scores_of(agent: str) -> Scores | None:
    """One agent's scores; None if it was never assessed."""
    return next((one for one in agents_with_scores() if one.agent == agent), None)


def assessments(agent: str, *, sort: str = "newest", held: bool = False) -> QuerySet[Assessment]:
    """An agent's assessments in one of the orders of SORTS, at most SHOWN."""
    found = Assessment.objects.filter(agent=agent, **({"passed": False} if held else {}))
    return found.order_by(SORTS.get(sort, "-id"))[:SHOWN]


@dataclass(frozen=True, slots=True)
class Reliability:
    """An agent's newest fit with its dots: what was claimed, and what it is worth on unseen folds."""

    fit: Calibration
    before: list[Dot]
    after: list[Dot]


def reliability(agent: str) -> Reliability | None:
    """The newest fit as a picture; None if there is none."""
    fit = Calibration.objects.filter(agent=agent).order_by("-id").first()
    if fit is None:
        return None
    evidence: dict[str, Any] = fit.evidence
    return Reliability(fit, dots(evidence.get("before", ())), dots(evidence.get("after", ())))


def assessment_of(task: int) -> Assessment | None:
    """The newest assessment of a task's output."""
    return Assessment.objects.filter(task=task).order_by("-attempt").first()
