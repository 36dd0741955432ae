"""Figures of one's own reviewing, for oneself; and of everybody's in aggregate, where there are enough to hide one.

A share of checks found is given with its 95 % interval (Wilson 1927, doi:10.1080/01621459.1927.10502953). People are
not ranked: below about 100 checks each, screeners' rates say little (SCENARIOS, "TIP").
"""

from dataclasses import dataclass
from datetime import timedelta
from math import sqrt
from statistics import median
from typing import Any, Final

from django.contrib.auth.models import User
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Now

from approvals import permissions
from approvals.able import disguise, measures
from approvals.models import Check, FirstVerdict, Gate, Handling, Queue, SecondLook

RECENT: Final = timedelta(days=90)
FEWEST_PEOPLE: Final = 3
FEWEST_ITEMS: Final = 20
SHOWN: Final = 20
MOST: Final = 5_000
_Z: Final = 1.96


@dataclass(frozen=True, slots=True)
class Rate:
    """So many of so many, with what chance leaves open (0 to 1)."""

    part: int
    n: int

    @property
    def share(self) -> float:
        """The share; 0 of nothing."""
        return self.part / self.n if self.n else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval."""
        if not self.n:
            return 0.0, 1.0
        middle = (self.share + _Z**2 / (2 * self.n)) / (1 + _Z**2 / self.n)
        half = _Z * sqrt(self.share * (1 - self.share) / self.n + _Z**2 / (4 * self.n**2)) / (1 + _Z**2 / self.n)
        return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, slots=True)
class Own:
    """What one person may know of their own reviewing, of the last 90 days. Nobody else is shown it."""

    decided: int
    usual_s: float | None
    evidence: Rate  # opened, of cards that had some
    faults: Rate  # found, of checks with a fault
    sound: Rate  # let pass, of checks without one
    minds: Rate  # changed after seeing what the machine thinks
    agreed: Rate  # of second looks, with the other person
    hasty: list[Handling]
    checks: list[Check]
    suggests_break: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One queue, or all, in aggregate. `is_said`: whether there are enough people and items to show figures."""

    title: str
    people: int
    decided: int
    usual_s: float | None
    evidence: Rate
    faults: Rate
    sound: Rate
    void: int
    minds: Rate

    @property
    def is_said(self) -> bool:
        """Whether nobody can be made out in it."""
        return self.people >= FEWEST_PEOPLE and self.decided >= FEWEST_ITEMS

    @property
    def says_checks(self) -> bool:
        """The same of its checks, which are fewer."""
        return self.people >= FEWEST_PEOPLE and self.faults.n + self.sound.n >= FEWEST_ITEMS


def own(user: User) -> Own:
    """One's own figures."""
    handled = _handled(Handling.objects.filter(reviewer=user))
    checks = Check.objects.filter(reviewer=user).exclude(verdict="").filter(ended_at__gt=Now() - RECENT)
    looks = SecondLook.objects.exclude(second="").filter(given_at__gt=Now() - RECENT)
    mine = looks.filter(Q(reviewer=user) | Q(gate__decisions__decided_by=user)).values_list("first", "second")
    pairs = list(mine[:MOST])
    usual = measures.usual_s(user)
    hasty = [one for one in handled.order_by("-decided_at")[:200] if measures.was_hasty(one, usual)]
    return Own(
        decided=handled.count(),
        usual_s=usual,
        evidence=_evidence(handled),
        faults=_found(checks, "refuse"),
        sound=_found(checks, "accept"),
        minds=_minds(FirstVerdict.objects.filter(reviewer=user)),
        agreed=Rate(sum(first == second for first, second in pairs), len(pairs)),
        hasty=hasty[:SHOWN],
        checks=list(checks.select_related(*disguise.WITH).order_by("-ended_at")[:SHOWN]),
        suggests_break=measures.suggests_break(user),
    )


def everybody(user: User) -> list[Row]:
    """All queues together, then each that has something to say; for whoever may see how people decide."""
    if not permissions.can(user, "see_oversight"):
        return []
    rows = [_row("", None), *(_row(queue.title, queue) for queue in Queue.objects.order_by("title"))]
    return [row for row in rows if row.decided or not row.title]


def _row(title: str, queue: Queue | None) -> Row:
    only: dict[str, Any] = {"queue": queue} if queue else {}
    handled = _handled(Handling.objects.filter(**only))
    checks = Check.objects.filter(**only, ended_at__gt=Now() - RECENT)
    answered = checks.exclude(verdict="")
    taken = list(handled.filter(active_s__gt=0).order_by("-decided_at").values_list("active_s", flat=True)[:MOST])
    return Row(
        title=title,
        people=handled.values("reviewer").distinct().count(),
        decided=handled.count(),
        usual_s=float(median(taken)) if taken else None,
        evidence=_evidence(handled),
        faults=_found(answered, "refuse"),
        sound=_found(answered, "accept"),
        void=checks.filter(is_void=True).count(),
        minds=_minds(FirstVerdict.objects.filter(**only)),
    )


def _handled(found: QuerySet[Handling]) -> QuerySet[Handling]:
    return found.filter(decided_at__gt=Now() - RECENT, is_check=False)


def _evidence(handled: QuerySet[Handling]) -> Rate:
    had = handled.filter(has_evidence=True).aggregate(n=Count("pk"), saw=Count("pk", filter=Q(saw_evidence=True)))
    return Rate(had["saw"], had["n"])


def _found(checks: QuerySet[Check], truth: str) -> Rate:
    counted = checks.filter(case__truth=truth, is_void=False).order_by()
    found = counted.aggregate(n=Count("pk"), right=Count("pk", filter=Q(is_right=True)))
    return Rate(found["right"], found["n"])


def _minds(firsts: QuerySet[FirstVerdict]) -> Rate:
    done = firsts.filter(final_at__gt=Now() - RECENT)
    found = done.aggregate(n=Count("pk"), changed=Count("pk", filter=Q(changed=True)))
    return Rate(found["changed"], found["n"])


def titles(handled: list[Handling]) -> dict[int, str]:
    """What the cards behind these measures were about."""
    return dict(Gate.objects.filter(pk__in=[one.item for one in handled]).values_list("pk", "title"))
