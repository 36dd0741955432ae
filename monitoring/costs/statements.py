"""A month's statement: what each team's runs have cost, by workflow, and all of it together, to the cent.

Every call is in exactly one line: that of the team which paid when its try was first measured (`Effort.team`), or
nobody's. The lines' cents add up to the total's (`money.split`), and the total is the sum of all calls.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from django.contrib.auth.models import Group, User
from django.utils import timezone

from approvals import permissions
from monitoring.costs.money import split, to_cents
from monitoring.metrics import db
from monitoring.metrics.errors import NoSuchMonth
from monitoring.metrics.reading import RUN_ENDS
from orchestrator.models import Workflow

type Counted = dict[str, tuple[int, Decimal]]  # name: how many, and their sum

NAMES: Final = ("cost", "tokens", "run_started", *RUN_ENDS)


@dataclass(frozen=True, slots=True)
class Part:
    """What one workflow has cost one team."""

    workflow: str
    title: str
    runs: int
    calls: int
    tokens: int
    cents: int

    @property
    def money(self) -> Decimal:
        """In dollars."""
        return Decimal(self.cents) / 100


@dataclass(frozen=True, slots=True)
class Line:
    """What one team pays; id 0 and no name for what no team pays."""

    team: int
    name: str
    runs: int
    calls: int
    tokens: int
    amount: Decimal
    cents: int
    parts: tuple[Part, ...]

    @property
    def money(self) -> Decimal:
        """In dollars."""
        return Decimal(self.cents) / 100


@dataclass(frozen=True, slots=True)
class Statement:
    """All lines of a month. `is_whole`: whether every workflow is in it, or only those that the reader may see."""

    month: str
    since: datetime
    until: datetime
    lines: tuple[Line, ...]
    total: Decimal
    is_whole: bool

    @property
    def cents(self) -> int:
        """The total in cents: what the lines add up to."""
        return to_cents(self.total)

    @property
    def money(self) -> Decimal:
        """The same in dollars."""
        return Decimal(self.cents) / 100

    @property
    def is_running(self) -> bool:
        """Whether the month is not over."""
        return timezone.now() < self.until

    @property
    def calls(self) -> int:
        """All of them."""
        return sum(line.calls for line in self.lines)

    @property
    def tokens(self) -> int:
        """All of them."""
        return sum(line.tokens for line in self.lines)

    @property
    def runs(self) -> int:
        """Runs that started."""
        return sum(line.runs for line in self.lines)


def month_of(name: str, *, now: datetime | None = None) -> tuple[datetime, datetime]:
    """When a month (`2026-11`, UTC) begins and ends. Raises NoSuchMonth also for one that has not begun."""
    now = now or timezone.now()
    try:
        since = datetime.strptime(name, "%Y-%m").replace(tzinfo=UTC)
    except ValueError:
        raise NoSuchMonth(month=name) from None
    if len(name) != 7 or since > now or since.year < 2000:
        raise NoSuchMonth(month=name)
    return since, (since + timedelta(days=32)).replace(day=1)


def this_month(*, now: datetime | None = None) -> str:
    """The month that it is."""
    return f"{(now or timezone.now()).astimezone(UTC):%Y-%m}"


def statement(user: User, month: str) -> Statement:
    """The month's statement of the workflows that the user may see. Raises NoSuchMonth."""
    since, until = month_of(month)
    whole = permissions.can(user, "see_runs")
    workflows = None if whole else list(permissions.visible_workflows(user).values_list("pk", flat=True))
    return _stated(month, since, until, workflows)


def spent_by_team(month: str) -> dict[int, Decimal]:
    """What each team has spent in a month; for tiers."""
    since, until = month_of(month)
    rows = db.sums(("cost",), by=("team",), grain="d", since=since, until=until, workflows=None)
    return {team: total for _name, team, _n, total in rows}


def _stated(month: str, since: datetime, until: datetime, workflows: list[int] | None) -> Statement:
    found: dict[tuple[int, int], Counted] = defaultdict(dict)
    for name, team, workflow, n, total in db.sums(
        NAMES, by=("team", "workflow"), grain="d", since=since, until=until, workflows=workflows
    ):
        found[team, workflow][name] = (n, total)
    teams = dict(Group.objects.filter(pk__in={team for team, _ in found}).values_list("pk", "name"))
    named = Workflow.objects.only("name", "title").in_bulk({workflow for _, workflow in found})
    amounts: dict[int, Decimal] = defaultdict(Decimal)
    for (team, _workflow), one in found.items():
        amounts[team] += _amount(one)
    order = sorted(amounts, key=lambda team: (-amounts[team], teams.get(team, "")))
    cents = split([amounts[team] for team in order])
    of_team: dict[int, dict[int, Counted]] = defaultdict(dict)
    for (team, workflow), one in found.items():
        of_team[team][workflow] = one
    lines = tuple(
        _line(team, teams.get(team, ""), paid, of_team[team], named) for team, paid in zip(order, cents, strict=True)
    )
    return Statement(month, since, until, lines, sum(amounts.values(), Decimal(0)), workflows is None)


def _line(
    team: int, name: str, cents: int, by_workflow: dict[int, Counted],
    named: dict[int, Workflow],
) -> Line:  # fmt: skip
    order = sorted(by_workflow, key=lambda pk: (-_amount(by_workflow[pk]), pk))
    paid = _split_of(cents, [_amount(by_workflow[pk]) for pk in order])
    parts = tuple(
        Part(
            named[pk].name if pk in named else "", named[pk].title if pk in named else "",
            _n(by_workflow[pk], "run_started"), _n(by_workflow[pk], "cost"), _tokens(by_workflow[pk]), share,
        )
        for pk, share in zip(order, paid, strict=True)
    )  # fmt: skip
    return Line(
        team, name, sum(part.runs for part in parts), sum(part.calls for part in parts),
        sum(part.tokens for part in parts), sum(map(_amount, by_workflow.values()), Decimal(0)), cents, parts,
    )  # fmt: skip


def _split_of(cents: int, amounts: list[Decimal]) -> list[int]:
    """The parts of a line add up to the line's cents, which its own rounding may have moved by one."""
    found = split(amounts)
    if found:
        found[0] += cents - sum(found)
    return found


def _amount(one: Counted) -> Decimal:
    return one.get("cost", (0, Decimal(0)))[1]


def _tokens(one: Counted) -> int:
    return int(one.get("tokens", (0, Decimal(0)))[1])


def _n(one: Counted, name: str) -> int:
    return one.get(name, (0, Decimal(0)))[0]
