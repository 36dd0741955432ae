"""The tiles with targets (A101-A108) and those without: a definition, a figure with its n, a way to what is behind.

A figure is said only where enough speak for it (`spreads.FEWEST`); else the tile says how many there are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from django.contrib.auth.models import User
from django.db.models import Count, Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from approvals.able.figures import Rate
from approvals.feedback import survey
from approvals.models import Lesson
from monitoring.metrics import reading
from monitoring.metrics.reading import Scope, Span, Sum
from monitoring.metrics.spreads import FEWEST, Spread
from monitoring.models import Baseline

FEWEST_ANSWERS: Final = 3
FIVEFOLD: Final = 5
BY_SAMPLE: Final = "sample of"  # how a gate's rule begins that no rule asked for (orchestrator.engine.gates)
TRIES: Final = ("try_succeeded", "try_failed", "try_expired")


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure. `value` and `target` are shares (0-1), milliseconds or scores, as `unit` says; None: none."""

    key: str
    title: str | Promise
    definition: str | Promise
    unit: str  # share, ms, score, times, money
    value: float | None
    n: int
    of: str | Promise
    fewest: int = FEWEST
    target: float | None = None
    at_most: bool = False  # whether less is better
    interval: tuple[float, float] | None = None
    note: str | Promise = ""

    @property
    def is_said(self) -> bool:
        """Whether enough speak for it."""
        return self.value is not None and self.n >= self.fewest

    @property
    def is_met(self) -> bool | None:
        """Whether it is where it should be; None where nothing is asked or too few speak."""
        if self.target is None or self.value is None or not self.is_said:
            return None
        return self.value <= self.target if self.at_most else self.value >= self.target

    @property
    def tone(self) -> str:
        """Good or short of it, and idle where nothing can be said."""
        return {True: "good", False: "waiting", None: "idle"}[self.is_met]


class Figures:
    """All that tiles are made of, read once."""

    def __init__(self, user: User, span: Span, scope: Scope) -> None:
        self.user, self.span, self.scope = user, span, scope

    @cached_property
    def counts(self) -> dict[str, Sum]:
        """What is counted."""
        names = (*reading.RUN_ENDS, "run_started", "alone", "handed", "handed_broken", "troubled", "mended")
        return reading.sums((*names, *TRIES, "cost", "tokens", "overridden", "gate_opened"), self.span, self.scope)

    @cached_property
    def times(self) -> dict[str, Spread]:
        """What took time."""
        return reading.spreads(("queue", "work", "human", "completion"), self.span, self.scope)

    @property
    def ended(self) -> int:
        """Runs that ended, however."""
        return sum(self.counts[name].n for name in reading.RUN_ENDS)

    @property
    def well(self) -> int:
        """Runs that ended with a result."""
        return self.counts["run_succeeded"].n + self.counts["run_partial"].n

    @cached_property
    def loads(self) -> dict[int, Spread]:
        """Work and wait per try, by how full the hour was."""
        return hours_by_load(self)

    @cached_property
    def lessons(self) -> QuerySet[Lesson]:
        """People's judgements of outputs within the span."""
        found = Lesson.objects.filter(at__gte=self.span.since, at__lt=self.span.until, stood__isnull=False)
        if self.scope.workflows is not None:
            found = found.filter(workflow__in=self.scope.workflows)
        return found.filter(agent=self.scope.agent) if self.scope.agent else found


def alone(f: Figures) -> Tile:
    """A101."""
    rate = Rate(f.counts["alone"].n, f.ended)
    return Tile(
        "alone", _("Done without a person"),
        _(
            "Runs that succeeded and in which nobody acted before the end, of all runs that ended. Starting a "
            "run, looking at it and speaking about it is no act."
        ),
        "share", rate.share, rate.n, _("runs ended"), target=0.95, interval=rate.interval,
    )  # fmt: skip


def queue(f: Figures) -> Tile:
    """A102."""
    waits = f.times["queue"]
    return Tile(
        "queue", _("Wait for a worker, p95"),
        _(
            "From the moment an agent's step is ready to the moment a worker begins it. Measured on the newest "
            "try of each step, as an upper bound at most 19 % above the true value."
        ),
        "ms", waits.p95, waits.n, _("tries"), target=1000.0, at_most=True,
    )  # fmt: skip


def handing(f: Figures) -> Tile:
    """A103."""
    handed, broken = f.counts["handed"].n, f.counts["handed_broken"].n
    rate = Rate(handed - broken, handed)
    return Tile(
        "handing", _("Work handed over well"),
        _(
            "Tries of agents that were given another step's output and did not end because a contract was "
            "broken, of all such tries."
        ),
        "share", rate.share, rate.n, _("hand-overs"), target=0.99, interval=rate.interval,
    )  # fmt: skip


def accuracy(f: Figures) -> Tile:
    """A104: only what was drawn by chance speaks for all outputs."""
    drawn = f.lessons.filter(gate__rule__startswith=BY_SAMPLE).aggregate(
        n=Count("pk"), stood=Count("pk", filter=Q(stood=True))
    )
    rate = Rate(drawn["stood"], drawn["n"])
    return Tile(
        "accuracy", _("Accuracy by sample"),
        _(
            "Outputs that a person let stand as they were, of those drawn by chance for a person to look at "
            "(`sample` of a gate). What rules put before people is chosen, and would say too little good of all "
            "the others."
        ),
        "share", rate.share, rate.n, _("outputs drawn"), target=0.99, interval=rate.interval,
    )  # fmt: skip


def faster(f: Figures) -> Tile:
    """A105, over the workflows somebody has stated a time by hand for, each weighed by its runs."""
    baselines = _baselines(f.scope)
    by_workflow = reading.spreads_by(("completion",), ("workflow",), f.span, f.scope) if baselines else {}
    hand = machine = 0.0
    n = 0
    for workflow, minutes in baselines.items():
        spread = by_workflow.get(workflow, {}).get("completion", Spread())
        hand += spread.n * minutes * 60_000
        machine += spread.total
        n += spread.n
    return Tile(
        "faster", _("Time saved against work by hand"),
        _(
            "1 − time from start to result ÷ time that the same work takes by hand, over all runs with a result "
            "of the workflows for which somebody has stated that time. Waiting for people is in it."
        ),
        "share", 1 - machine / hand if hand else None, n, _("runs"), target=0.6,
        note="" if baselines else _("Nobody has stated how long a workflow's work takes by hand: do so on its page."),
    )  # fmt: skip


def volume(f: Figures) -> Tile:
    """A106, from the hours as they were."""
    loads = f.loads
    usual, peak = loads.get(1), loads.get(FIVEFOLD)
    both = usual is not None and peak is not None and usual.p95 is not None and peak.p95 is not None
    return Tile(
        "volume", _("Slower at five times the volume"),
        _(
            "95th percentile of work and wait per try in hours with five times the median hour's tries or more, "
            "against hours up to twice the median. 1 is no slower; the target is at most 20 % slower. The same "
            "under a load made for it: docs/benchmarks.md."
        ),
        "times", (peak.p95 or 0) / (usual.p95 or 1) if both and peak and usual else None,
        min(usual.n, peak.n) if both and usual and peak else 0, _("tries in either"), target=1.2, at_most=True,
        note="" if peak else _("No hour of this span had five times the usual volume."),
    )  # fmt: skip


def mended(f: Figures) -> Tile:
    """A107."""
    rate = Rate(f.counts["mended"].n, f.counts["troubled"].n)
    return Tile(
        "mended", _("Failures mended by themselves"),
        _(
            "Tasks with a failed or lost try that gave their output in a later try although nobody was asked "
            "about them, of all tasks with a failed or lost try in runs that ended."
        ),
        "share", rate.share, rate.n, _("tasks in trouble"), target=0.95, interval=rate.interval,
    )  # fmt: skip


def satisfaction(f: Figures) -> Tile:
    """A108: the newest month; everybody's, whatever workflows one sees."""
    newest = next(iter(survey.months()), None)
    half = newest.half if newest else None
    return Tile(
        "satisfaction", _("People's satisfaction"),
        _("Mean of the answers of the newest month with answers, 1 to 10, one answer a person and month (Feedback)."),
        "score", newest.mean if newest else None, newest.n if newest else 0, _("answers"), fewest=FEWEST_ANSWERS,
        target=survey.TARGET,
        interval=(newest.mean - half, newest.mean + half) if newest and half is not None else None,
    )  # fmt: skip


def success(f: Figures) -> Tile:
    """A070."""
    rate = Rate(f.counts["try_succeeded"].n, sum(f.counts[name].n for name in TRIES))
    return Tile(
        "success", _("Tries that succeeded"),
        _(
            "Tries of agents that gave an output within their contract, of all that succeeded, failed or were "
            "lost. Tries that were handed back unjudged do not count."
        ),
        "share", rate.share, rate.n, _("tries"), interval=rate.interval,
    )  # fmt: skip


def completion(f: Figures) -> Tile:
    """A069."""
    spread = f.times["completion"]
    return Tile(
        "completion", _("From start to result, median"),
        _("From the start of a run to its end with a result, waiting for people included."),
        "ms", spread.p50, spread.n, _("runs with a result"), fewest=5,
    )  # fmt: skip


def human(f: Figures) -> Tile:
    """B054, human override latency."""
    spread = f.times["human"]
    return Tile(
        "human", _("Wait for people, p95"),
        _("From the opening of a gate to the decision that settled it, whoever or whatever made it."),
        "ms", spread.p95, spread.n, _("gates settled"),
    )  # fmt: skip


def unit_cost(f: Figures) -> Tile:
    """B058, B070."""
    spent = f.counts["cost"]
    return Tile(
        "cost", _("Money per run with a result"),
        _(
            "All that calls have cost in the span, failed ones and those of failed runs included, divided by "
            "the runs with a result."
        ),
        "money", spent.total / f.well if f.well else None, f.well, _("runs with a result"), fewest=1,
    )  # fmt: skip


TARGETED: Final[tuple[Callable[[Figures], Tile], ...]] = (
    alone, queue, handing, accuracy, faster, volume, mended, satisfaction,
)  # fmt: skip
OTHERS: Final[tuple[Callable[[Figures], Tile], ...]] = (success, completion, human, unit_cost)
BY_KEY: Final[dict[str, Callable[[Figures], Tile]]] = {
    "alone": alone, "queue": queue, "handing": handing, "accuracy": accuracy, "faster": faster, "volume": volume,
    "mended": mended, "satisfaction": satisfaction, "success": success, "completion": completion, "human": human,
    "cost": unit_cost,
}  # fmt: skip


def hours_by_load(f: Figures) -> dict[int, Spread]:
    """Work and wait per try in hours of 1 (up to twice the median), 2 (to five times) and 5 times the usual volume."""
    span = Span(f.span.name, f.span.since, f.span.until, "h")
    found = reading.spreads_by(("work", "queue"), ("at",), span, f.scope)
    sizes = sorted(one["work"].n for one in found.values() if one["work"].n)
    if not sizes:
        return {}
    usual = sizes[len(sizes) // 2]
    loads: dict[int, Spread] = {}
    for one in found.values():
        if size := one["work"].n:
            load = FIVEFOLD if size >= FIVEFOLD * usual else 2 if size >= 2 * usual else 1
            loads[load] = loads.get(load, Spread()) + one["work"] + one["queue"]
    return loads


def _baselines(scope: Scope) -> dict[int, float]:
    """The newest stated time by hand of each workflow, in minutes."""
    found = Baseline.objects.order_by("workflow_id", "-id").distinct("workflow_id")
    if scope.workflows is not None:
        found = found.filter(workflow__in=scope.workflows)
    return dict(found.values_list("workflow_id", "minutes"))
