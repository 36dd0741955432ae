"""How people judge outputs, counted: by agent, prompt version, step, reason, root cause, and week.

People are counted as a group only. Each person sees their own figures; nobody sees another's by name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from statistics import median
from typing import Any, Final

from django.contrib.auth.models import User
from django.db.models import Avg, Count, F, Func, Q, QuerySet
from django.db.models.functions import TruncWeek
from django.utils import timezone
from django.utils.http import urlencode

from agents.evaluation.statistics import Interval, wilson
from approvals.feedback import examples
from approvals.feedback.models import Appraisal, Lesson
from approvals.feedback.words import word
from approvals.models import Verdict

DAYS: Final = 30
WINDOWS: Final = (7, 30, 90, 365)
ROWS: Final = 20
WEEKS: Final = 26
PEOPLE_LEAST: Final = 3  # fewer people are not shown as a group: a figure of two tells each about the other
PERSON_LEAST: Final = 10  # judged outputs of one person before they count in the group
FILTERS: Final = ("agent", "prompt", "workflow", "step", "cause", "reason", "verdict", "week", "mine")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lessons: the address of the page, shareable."""

    days: int = DAYS
    chosen: Mapping[str, str] | None = None

    @staticmethod
    def of(given: Mapping[str, str]) -> "Wanted":
        """Read it from an address."""
        days = given.get("days", "")
        known = int(days) if days.isdecimal() and len(days) < 4 and int(days) in WINDOWS else DAYS
        return Wanted(known, {name: given[name][:150] for name in FILTERS if given.get(name)})

    def link(self, **more: object) -> str:
        """The same with more filters, as the query of an address; an empty one is taken away."""
        told = {"days": self.days, **(self.chosen or {}), **more}
        return "?" + urlencode({name: str(value) for name, value in told.items() if value not in ("", None)})


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: how many outputs were judged, and how many of them stood."""

    key: str
    name: str
    n: int
    stood: int
    interval: Interval
    query: str  # leads to what is counted
    wrong_query: str

    @property
    def wrong(self) -> int:
        """How many were changed or refused."""
        return self.n - self.stood

    @property
    def share(self) -> float:
        """Of those judged, what stood."""
        return self.stood / self.n if self.n else 0.0

    @property
    def parts(self) -> list[tuple[str, int]]:
        """For the bar."""
        return [("good", self.stood), ("failed", self.wrong)]


@dataclass(frozen=True, slots=True)
class Counted:
    """A reason, a root cause or a verdict, and how often it was given."""

    key: str
    name: str
    count: int
    query: str


@dataclass(frozen=True, slots=True)
class Week:
    """One week's judged outputs."""

    starts: date
    n: int
    stood: int
    query: str


@dataclass(frozen=True, slots=True)
class People:
    """Everybody who judged, as a group; `mine` are the reader's own figures."""

    count: int
    shown: bool
    low: float | None
    middle: float | None
    high: float | None
    mine: Row | None


@dataclass(frozen=True, slots=True)
class Patterns:
    """Everything that the page shows."""

    wanted: Wanted
    total: Row
    agents: list[Row]
    prompts: list[Row]
    steps: list[Row]
    causes: list[Counted]
    reasons: list[Counted]
    verdicts: list[Counted]
    weeks: list[Week]
    people: People
    rating: float | None
    rated: int
    demanded: int  # decisions at gates that demand it
    given: int  # of these, with an appraisal


def lessons(user: User, wanted: Wanted) -> QuerySet[Lesson]:
    """The judged outputs that are asked for, as far as the user may see them."""
    since = timezone.now() - timedelta(days=wanted.days)
    found = examples.visible(user).filter(stood__isnull=False, at__gt=since)
    for name, value in (wanted.chosen or {}).items():
        found = found.filter(_condition(name, value, user))
    return found


def patterns(user: User, wanted: Wanted, *, aggregates: bool) -> Patterns:
    """Counted in the database. `aggregates`: whether the user may see the group of people."""
    found = lessons(user, wanted)
    about = found.aggregate(n=Count("id"), stood=Count("id", filter=Q(stood=True)))
    appraised = Appraisal.objects.filter(gate__in=found.filter(gate__isnull=False).values("gate"))
    rated = appraised.aggregate(mean=Avg("rating"), n=Count("rating"))
    demanded = found.filter(gate__subject__terms__feedback__in=("on_change", "always"))
    structured = Q(gate__appraisals__isnull=False) | Q(stood=True, gate__subject__terms__feedback="on_change")
    return Patterns(
        wanted=wanted,
        total=_row("", "", about["n"], about["stood"], wanted, {}),
        agents=_rows(found, wanted, ("agent",)),
        prompts=_rows(found.exclude(prompt=""), wanted, ("prompt",)),
        steps=_rows(found, wanted, ("workflow__name", "step")),
        causes=_words(found, wanted, "causes", "cause"),
        reasons=_words(found, wanted, "reasons", "reason"),
        verdicts=_verdicts(found, wanted),
        weeks=_weeks(found, wanted),
        people=_people(user, found, wanted, aggregates=aggregates),
        rating=rated["mean"],
        rated=rated["n"],
        demanded=demanded.count(),
        given=demanded.filter(structured).distinct().count(),
    )


def _condition(name: str, value: str, user: User) -> Q:
    match name:
        case "cause":
            return Q(causes__contains=[value])
        case "reason":
            return Q(reasons__contains=[value])
        case "workflow":
            return Q(workflow__name=value)
        case "mine":
            return Q(by=user)
        case "verdict":
            return Q(stood=False) if value == "changed" else Q(verdict=value)
        case "week":
            try:
                starts = timezone.make_aware(datetime.combine(date.fromisoformat(value), time()))
            except ValueError:
                return Q(pk__in=())
            return Q(at__gte=starts, at__lt=starts + timedelta(days=7))
    return Q(**{name: value})


def _rows(found: QuerySet[Lesson], wanted: Wanted, columns: Sequence[str]) -> list[Row]:
    groups = (
        found.order_by()
        .values(*columns)
        .annotate(n=Count("id"), ok=Count("id", filter=Q(stood=True)))
        .order_by("-n", *columns)[:ROWS]
    )
    return [_of_group(group, columns, wanted) for group in groups]


def _of_group(group: Mapping[str, Any], columns: Sequence[str], wanted: Wanted) -> Row:
    names = {column.partition("__")[0]: str(group[column]) for column in columns}
    return _row("|".join(names.values()), " / ".join(names.values()), group["n"], group["ok"], wanted, names)


def _row(key: str, name: str, n: int, stood: int, wanted: Wanted, chosen: Mapping[str, str]) -> Row:
    query, wrong = wanted.link(**chosen), wanted.link(**chosen, verdict="changed")
    return Row(key, name, n, stood, wilson(stood, n), query, wrong)


def _words(found: QuerySet[Lesson], wanted: Wanted, column: str, filtered: str) -> list[Counted]:
    each = found.order_by().annotate(one=Func(F(column), function="unnest")).values("one")
    counted = each.annotate(n=Count("id")).order_by("-n", "one")[:ROWS]
    return [Counted(row["one"], word(row["one"]), row["n"], wanted.link(**{filtered: row["one"]})) for row in counted]


def _verdicts(found: QuerySet[Lesson], wanted: Wanted) -> list[Counted]:
    counted = found.order_by().values("verdict").annotate(n=Count("id")).order_by("-n", "verdict")
    return [
        Counted(row["verdict"], _verdict(row["verdict"]), row["n"], wanted.link(verdict=row["verdict"]))
        for row in counted
    ]


def _verdict(key: str) -> str:
    return str(Verdict(key).label) if key in Verdict.values else word(key).capitalize()


def _weeks(found: QuerySet[Lesson], wanted: Wanted) -> list[Week]:
    by_week = found.order_by().annotate(week=TruncWeek("at")).values("week")
    counted = by_week.annotate(n=Count("id"), ok=Count("id", filter=Q(stood=True))).order_by("-week")[:WEEKS]
    return [
        Week(row["week"].date(), row["n"], row["ok"], wanted.link(week=row["week"].date().isoformat()))
        for row in reversed(list(counted))
    ]


def _people(user: User, found: QuerySet[Lesson], wanted: Wanted, *, aggregates: bool) -> People:
    grouped = found.order_by().filter(by__isnull=False).values("by")
    counted = list(grouped.annotate(n=Count("id"), ok=Count("id", filter=Q(stood=True))))
    own = next((row for row in counted if row["by"] == user.pk), None)
    mine = _row("mine", "", own["n"], own["ok"], wanted, {"mine": "1"}) if own else None
    shares = sorted(row["ok"] / row["n"] for row in counted if row["n"] >= PERSON_LEAST)
    if not aggregates or len(shares) < PEOPLE_LEAST:
        return People(len(counted) if aggregates else 0, False, None, None, None, mine)
    return People(len(counted), True, shares[0], median(shares), shares[-1], mine)
