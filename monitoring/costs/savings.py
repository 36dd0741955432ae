"""What each team's runs have saved in a month, against the same work by hand. Read only.

Only what somebody has stated or something has measured: a run counts if it ended with a result and its workflow's time
by hand is stated; from that goes the time that people actively looked at its gates. Where so few looked that it would
tell of one of them, it is neither said nor taken off. What an hour is worth is the reader's to say. A team's money is
all that its runs have cost, also those that saved nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.contrib.auth.models import Group, User
from django.db.models import OuterRef, Subquery

from approvals import permissions
from approvals.able.figures import FEWEST_PEOPLE, Rate
from approvals.models import Gate, Handling
from monitoring.costs.statements import month_of
from monitoring.costs.worth import quotient
from monitoring.metrics import db
from monitoring.metrics.reading import RUN_ENDS
from monitoring.metrics.spreads import FEWEST
from monitoring.models import Baseline, Effort
from orchestrator.models import Workflow

MOST_TITLES: Final = 20
_TASKS: Final = 1 << 20  # task ids of one run
_CHUNK: Final = 2_000

type _Place = tuple[int, int]  # team, workflow
type _Looks = dict[int, float]  # by person: hours


@dataclass(frozen=True, slots=True)
class Saved:
    """One team's month; id 0 and no name for runs that no team pays."""

    team: int
    name: str
    ended: int
    well: int
    counted: int  # of those that ended well: their workflow's time by hand is stated
    by_hand_h: float
    people_h: float | None  # None: too few people looked to say it
    spent: float
    wage: float

    @property
    def success(self) -> Rate:
        """Of runs that ended: with a result."""
        return Rate(self.well, self.ended)

    @property
    def says_success(self) -> bool:
        """Whether enough speak for it."""
        return self.ended >= FEWEST

    @property
    def hours(self) -> float:
        """Of people, that were not needed. Below 0: looking took longer than doing it by hand."""
        return self.by_hand_h - (self.people_h or 0.0)

    @property
    def money(self) -> float:
        """What these hours are worth, in dollars."""
        return self.hours * self.wage

    @property
    def gain(self) -> float:
        """Less what the runs have cost."""
        return self.money - self.spent

    @property
    def roi(self) -> float | None:
        """Gain for each dollar spent; None where nothing was."""
        return quotient(self.gain, self.spent)


@dataclass(frozen=True, slots=True)
class Savings:
    """A month's teams, what they come to together, and the workflows of which nobody has said how long they take."""

    month: str
    wage: float
    teams: tuple[Saved, ...]
    unstated: tuple[str, ...]
    is_whole: bool

    @property
    def together(self) -> Saved:
        """All of them."""
        every = self.teams
        return Saved(
            0, "",
            ended=sum(one.ended for one in every), well=sum(one.well for one in every),
            counted=sum(one.counted for one in every), by_hand_h=sum(one.by_hand_h for one in every),
            people_h=sum(one.people_h or 0.0 for one in every), spent=sum(one.spent for one in every), wage=self.wage,
        )  # fmt: skip


def savings(user: User, month: str, *, wage: float) -> Savings:
    """Of the workflows that the user may see. Raises NoSuchMonth."""
    since, until = month_of(month)
    whole = permissions.can(user, "see_runs")
    workflows = None if whole else list(permissions.visible_workflows(user).values_list("pk", flat=True))
    counts = _counts(since, until, workflows)
    minutes = dict(
        Baseline.objects.order_by("workflow_id", "-id").distinct("workflow_id").values_list("workflow_id", "minutes")
    )
    looked = _looked(since, until, {workflow for _team, workflow in counts} & minutes.keys())
    by_team: dict[int, list[_Place]] = defaultdict(list)
    for place in counts:
        by_team[place[0]].append(place)
    named = dict(Group.objects.filter(pk__in=list(by_team)).values_list("pk", "name"))
    rows = [
        _saved(team, named.get(team, ""), places, counts, minutes, looked, wage) for team, places in by_team.items()
    ]
    rows.sort(key=lambda one: (-one.money, -one.spent, one.name))
    return Savings(month, wage, tuple(rows), _unstated(counts, minutes), whole)


def _counts(
    since: datetime, until: datetime, workflows: list[int] | None
) -> dict[_Place, dict[str, tuple[int, float]]]:
    found: dict[_Place, dict[str, tuple[int, float]]] = defaultdict(dict)
    rows = db.sums(
        ("cost", *RUN_ENDS), by=("team", "workflow"), grain="d", since=since, until=until, workflows=workflows
    )
    for name, team, workflow, n, total in rows:
        found[team, workflow][name] = (n, float(total))
    return dict(found)


def _looked(since: datetime, until: datetime, workflows: Iterable[int]) -> dict[_Place, _Looks]:
    """How long people actively looked at gates of these workflows which they decided in the month, by who pays."""
    handled = Handling.objects.filter(is_check=False, active_s__gt=0, decided_at__gte=since, decided_at__lt=until)
    looks: dict[int, list[tuple[int, float]]] = defaultdict(list)
    for item, person, active in handled.values_list("item", "reviewer", "active_s"):
        looks[item].append((person, active / 3600))
    found: dict[_Place, _Looks] = defaultdict(lambda: defaultdict(float))
    for gate, team, workflow in _payers(sorted(looks), list(workflows)):
        for person, hours in looks[gate]:
            found[team or 0, workflow][person] += hours
    return found


def _payers(gates: list[int], workflows: list[int]) -> Iterator[tuple[int, int | None, int]]:
    """Gate, team and workflow of those of these gates that belong to one of the workflows."""
    of_run = Effort.objects.filter(task__gte=OuterRef("run_id") * _TASKS, task__lt=(OuterRef("run_id") + 1) * _TASKS)
    payer = Subquery(of_run.order_by("task", "number").values("team")[:1])
    for start in range(0, len(gates), _CHUNK):
        rows = Gate.objects.filter(pk__in=gates[start : start + _CHUNK], workflow__in=workflows).order_by()
        yield from rows.annotate(payer=payer).values_list("pk", "payer", "workflow")


def _saved(  # noqa: PLR0913 - each is a part of the same sum
    team: int, name: str, places: list[_Place], counts: Mapping[_Place, Mapping[str, tuple[int, float]]],
    minutes: Mapping[int, float], looked: Mapping[_Place, _Looks], wage: float,
) -> Saved:  # fmt: skip
    stated = [place for place in places if place[1] in minutes]
    return Saved(
        team, name,
        ended=sum(_n(counts[place], *RUN_ENDS) for place in places),
        well=sum(_well(counts[place]) for place in places),
        counted=sum(_well(counts[place]) for place in stated),
        by_hand_h=sum(_well(counts[place]) * minutes[place[1]] for place in stated) / 60,
        people_h=_together(looked[place] for place in stated if place in looked),
        spent=sum(counts[place].get("cost", (0, 0.0))[1] for place in places),
        wage=wage,
    )  # fmt: skip


def _together(looks: Iterable[_Looks]) -> float | None:
    """Hours of all who looked; None where they are too few to be spoken of."""
    hours: dict[int, float] = defaultdict(float)
    for one in looks:
        for person, spent in one.items():
            hours[person] += spent
    return sum(hours.values()) if not hours or len(hours) >= FEWEST_PEOPLE else None


def _n(one: Mapping[str, tuple[int, float]], *names: str) -> int:
    return sum(one.get(name, (0, 0.0))[0] for name in names)


def _well(one: Mapping[str, tuple[int, float]]) -> int:
    return _n(one, "run_succeeded", "run_partial")


def _unstated(
    counts: Mapping[_Place, Mapping[str, tuple[int, float]]], minutes: Mapping[int, float]
) -> tuple[str, ...]:
    """Titles of the workflows whose runs ended well and count for nothing."""
    missing = {workflow for (_team, workflow), one in counts.items() if workflow not in minutes and _well(one)}
    return tuple(
        Workflow.objects.filter(pk__in=missing).order_by("title").values_list("title", flat=True)[:MOST_TITLES]
    )
