"""REST v1: what calls cost, a month's statement, tiers of teams, what automation is worth."""

from typing import Annotated

from django.contrib.auth.models import Group, User
from django.http import Http404, HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from approvals import permissions
from monitoring.costs import overview, savings, statements, tiers, worth
from monitoring.costs.savings import Saved
from monitoring.costs.tiers import Standing
from monitoring.metrics.errors import TierRefused
from orchestrator import teams
from orchestrator.api_errors import ERRORS, Forbidden, Id, Line, Text, caller

cost_routes = Router(tags=["Costs"])


class CostOutcomeOut(Schema):
    """Runs that ended one way, and what they have cost."""

    status: str
    runs: int
    usd: float


class DriverOut(Schema):
    """Why a workflow's money differs from the days before: by how many runs, by what one costs."""

    workflow: str
    before: float
    now: float
    by_volume: float
    by_price: float


class CostMonthOut(Schema):
    """The month so far, what it comes to (95 % interval), and what was foreseen; null: too few to say."""

    month: str
    spent: float
    calls: int
    tokens: int
    expected: float | None
    low: float | None
    high: float | None
    foreseen: float | None
    outcomes: list[CostOutcomeOut]
    drivers: list[DriverOut]
    energy_wh: float = Field(description="An estimate: see its source.")
    energy_source: str


class StatementPartOut(Schema):
    """What one workflow has cost one team."""

    workflow: str
    runs: int
    calls: int
    tokens: int
    cents: int


class StatementLineOut(Schema):
    """What one team pays; null: no team."""

    team: int | None
    name: str
    calls: int
    tokens: int
    cents: int
    parts: list[StatementPartOut]


class StatementOut(Schema):
    """A month's statement. The lines' cents add up to the total's."""

    month: str
    whole: bool = Field(description="false: only of the workflows that you may see.")
    running: bool
    lines: list[StatementLineOut]
    cents: int


class SavedOut(Schema):
    """What one team's runs have saved; null: no team, or all of them together. Hours of people, dollars."""

    team: int | None
    name: str
    runs: int = Field(description="That ended.")
    with_result: int
    counted: int = Field(description="Of those with a result: their workflow's time by hand is stated.")
    hours_by_hand: float
    hours_of_people: float | None = Field(
        description="That people actively looked at their gates; null: too few to say, and not taken off."
    )
    hours_saved: float
    saved: float
    spent: float
    gain: float
    roi: float | None


class SavingsOut(Schema):
    """A month's savings by team. `unstated`: workflows whose runs count for nothing, as nobody has said how long."""

    month: str
    whole: bool = Field(description="false: only of the workflows that you may see.")
    wage: float
    teams: list[SavedOut]
    together: SavedOut
    unstated: list[str]


class TierOut(Schema):
    """A team's tier and its month so far, in dollars; null: no limit."""

    team: int
    name: str
    level: str
    sponsor: str | None
    sponsored: bool
    spent: float
    usable: float | None
    reserve: float | None


class TierIn(Schema):
    """Which tier, and why. Gold names its sponsor."""

    level: Line
    reason: Text
    reserve: float = Field(0.1, description="0.1 to 0.2 of the month's money, held back.")
    sponsor: Line = Field("", description="User name of the executive who stands for gold.")


class WorthIn(Schema):
    """What goes in, of one month."""

    runs: float = Field(ge=0, le=1e9)
    by_hand: float = Field(ge=0, le=1e9, description="Minutes.")
    with_people: float = Field(0, ge=0, le=1e9, description="Minutes that people still spend on a run.")
    wage: float = Field(ge=0, le=1e9, description="Dollars an hour.")
    per_run: float = Field(ge=0, le=1e9, description="Dollars.")
    platform: float = Field(0, ge=0, le=1e9, description="Dollars.")


class BarOut(Schema):
    """An input a fifth lower and higher: what the gain comes to."""

    name: str
    down: float
    up: float


class WorthOut(Schema):
    """What comes out, with the formulas."""

    saved: float
    spent: float
    gain: float
    roi: float | None
    pays_from: float | None
    sensitivity: list[BarOut]
    formulas: list[str]


@cost_routes.get("", response={200: CostMonthOut, **ERRORS}, summary="Read this month's costs")
def month(request: HttpRequest) -> CostMonthOut:
    """Over the workflows that you may see."""
    found = overview.month(_viewer(request))
    return CostMonthOut(
        month=found.name, spent=found.spent, calls=found.calls, tokens=found.tokens, expected=found.expected.total,
        low=found.expected.low, high=found.expected.high, foreseen=found.foreseen,
        outcomes=[CostOutcomeOut(status=one.status, runs=one.n, usd=one.cost) for one in found.outcomes],
        drivers=[
            DriverOut(
                workflow=one.workflow, before=one.before, now=one.now, by_volume=one.by_volume, by_price=one.by_price
            )
            for one in found.drivers
        ],
        energy_wh=found.energy_wh, energy_source=worth.ENERGY_SOURCE,
    )  # fmt: skip


@cost_routes.get("/statements/{month}", response={200: StatementOut, **ERRORS}, summary="Read a month's statement")
def statement(request: HttpRequest, month: str) -> StatementOut:
    """Who pays what, to the cent."""
    found = statements.statement(_viewer(request), month)
    lines = [
        StatementLineOut(
            team=line.team or None, name=line.name, calls=line.calls, tokens=line.tokens, cents=line.cents,
            parts=[
                StatementPartOut(
                    workflow=part.workflow, runs=part.runs, calls=part.calls, tokens=part.tokens, cents=part.cents
                )
                for part in line.parts
            ],
        )
        for line in found.lines
    ]  # fmt: skip
    return StatementOut(
        month=found.month, whole=found.is_whole, running=found.is_running, lines=lines, cents=found.cents
    )


@cost_routes.get("/savings/{month}", response={200: SavingsOut, **ERRORS}, summary="Read a month's savings by team")
def read_savings(request: HttpRequest, month: str, wage: Annotated[float, Query(ge=0, le=1e9)] = 60.0) -> SavingsOut:
    """Against the same work by hand, as far as its time is stated; `wage`: what an hour is worth, in dollars."""
    found = savings.savings(_viewer(request), month, wage=wage)
    return SavingsOut(
        month=found.month, whole=found.is_whole, wage=found.wage, teams=[_saved(one) for one in found.teams],
        together=_saved(found.together), unstated=list(found.unstated),
    )  # fmt: skip


@cost_routes.get("/tiers", response={200: list[TierOut], **ERRORS}, summary="List teams' tiers")
def list_tiers(request: HttpRequest) -> list[TierOut]:
    """Of the teams that you may see."""
    return [_tier(row) for row in tiers.standing(_viewer(request))]


@cost_routes.put("/tiers/{team}", response={200: TierOut, **ERRORS}, summary="Put a team on a tier")
def set_tier(request: HttpRequest, team: Id, body: TierIn) -> TierOut:
    """Needs the right to publish everywhere, like a team's budgets."""
    user = _viewer(request)
    if not permissions.can(user, "publish_version"):
        raise Forbidden(verb="change what a team may spend")
    found = Group.objects.filter(pk=team).first()
    if found is None:
        raise Http404
    sponsor = User.objects.filter(username=body.sponsor, is_active=True).first() if body.sponsor else None
    tiers.set_tier(team=found, level=body.level, by=user, reason=body.reason, reserve=body.reserve, sponsor=sponsor)
    return _of(user, team)


@cost_routes.post("/tiers/{team}/sponsor", response={200: TierOut, **ERRORS}, summary="Stand for a gold tier")
def stand_for(request: HttpRequest, team: Id) -> TierOut:
    """For whoever is named as its sponsor."""
    user = _viewer(request)
    found = Group.objects.filter(pk=team).first()
    if found is None or not teams.is_visible(user, found):
        raise Http404
    tiers.stand_for(team=found, by=user)
    return _of(user, team)


@cost_routes.post("/worth", response={200: WorthOut, **ERRORS}, summary="Work out what automation is worth")
def value(request: HttpRequest, body: WorthIn) -> WorthOut:
    """A calculator: it keeps nothing."""
    _viewer(request)
    case = worth.Case(**body.dict())
    return WorthOut(
        saved=case.saved, spent=case.spent, gain=case.gain, roi=case.roi, pays_from=case.pays_from,
        sensitivity=[BarOut(name=bar.name, down=bar.down, up=bar.up) for bar in worth.tornado(case)],
        formulas=list(worth.FORMULAS),
    )  # fmt: skip


def _saved(one: Saved) -> SavedOut:
    return SavedOut(
        team=one.team or None, name=one.name, runs=one.ended, with_result=one.well, counted=one.counted,
        hours_by_hand=one.by_hand_h, hours_of_people=one.people_h, hours_saved=one.hours, saved=one.money,
        spent=one.spent, gain=one.gain, roi=one.roi,
    )  # fmt: skip


def _viewer(request: HttpRequest) -> User:
    user = caller(request)
    if not permissions.can_somewhere(user, "see_runs"):
        raise Forbidden(verb="see costs")
    return user


def _of(user: User, team: int) -> TierOut:
    found = next((row for row in tiers.standing(user) if row.tier.team_id == team), None)
    if found is None:
        raise TierRefused(why="the team has none")
    return _tier(found)


def _tier(row: Standing) -> TierOut:
    return TierOut(
        team=row.tier.team_id, name=row.tier.team.name, level=row.tier.level,
        sponsor=row.tier.sponsor.username if row.tier.sponsor else None, sponsored=row.tier.sponsored_at is not None,
        spent=row.spent, usable=row.usable, reserve=row.reserve,
    )  # fmt: skip
