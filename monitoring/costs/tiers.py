"""What teams may spend in a month: bronze, silver, or gold that an executive stands for; and how it is enforced.

A tier is enforced by the team's budget in dollars, which holds what calls may use before they are made: on setting, on
sponsoring, and at the beginning of each month it is set to what was spent so far and what the month still allows, less
the reserve. That is the act `set-budget` of the orchestrator: this app writes nothing of others'. Releasing the reserve
is a person's act on the team's page, with a reason, like any change of a budget.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.contrib.auth.models import Group, User
from django.db import transaction
from django.utils import timezone

from agents.types import Json
from approvals import permissions
from monitoring.costs import statements
from monitoring.metrics.errors import MeasureNotPermitted, TierRefused
from monitoring.models import Tier
from orchestrator import acts, events
from orchestrator.models import Budget

LIMITS: Final[dict[str, int | None]] = {"bronze": 2_000, "silver": 10_000, "gold": None}  # dollars a month
LEAST_RESERVE: Final = 0.1
MOST_RESERVE: Final = 0.2
WARN_AT: Final = 0.8


@dataclass(frozen=True, slots=True)
class Standing:
    """A team's tier and its month so far."""

    tier: Tier
    spent: float

    @property
    def limit(self) -> int | None:
        """Dollars a month; None for no limit."""
        return LIMITS[self.tier.level] if not self.waits else LIMITS["silver"]

    @property
    def waits(self) -> bool:
        """Gold that its sponsor has not confirmed counts as silver."""
        return self.tier.level == Tier.Level.GOLD and self.tier.sponsored_at is None

    @property
    def reserve(self) -> float | None:
        """Dollars held back."""
        return None if self.limit is None else self.limit * self.tier.reserve

    @property
    def usable(self) -> float | None:
        """Dollars that calls may use without anybody's word."""
        return None if self.limit is None else self.limit * (1 - self.tier.reserve)

    @property
    def share(self) -> float | None:
        """The part of it that is spent."""
        return self.spent / self.usable if self.usable else None

    @property
    def tone(self) -> str:
        """How it is doing."""
        if self.share is None:
            return "good"
        return "failed" if self.share >= 1 else "waiting" if self.share > WARN_AT else "good"

    @property
    def parts(self) -> list[tuple[str, float]]:
        """As a bar: spent, left, held back."""
        if self.usable is None or self.limit is None:
            return [(self.tone, self.spent)]
        over = min(self.spent, float(self.limit))
        return [(self.tone, over), ("idle", max(0.0, self.usable - over)), ("stopped", self.reserve or 0.0)]


def standing(user: User) -> list[Standing]:
    """The teams with a tier that the user may see: all, or their own."""
    found = newest()
    if not permissions.can(user, "see_runs"):
        own = set(user.groups.values_list("pk", flat=True))
        found = {pk: tier for pk, tier in found.items() if pk in own}
    spent = statements.spent_by_team(statements.this_month())
    rows = [Standing(tier, float(spent.get(pk, Decimal(0)))) for pk, tier in found.items()]
    return sorted(rows, key=lambda row: row.tier.team.name)


def newest() -> dict[int, Tier]:
    """Each team's tier in force."""
    rows = Tier.objects.order_by("team_id", "-id").distinct("team_id").select_related("team", "sponsor", "set_by")
    return {tier.team_id: tier for tier in rows}


@transaction.atomic
def set_tier(
    *, team: Group, level: str, by: User, reason: str, reserve: float = LEAST_RESERVE, sponsor: User | None = None
) -> Tier:
    """Put a team on a tier. Gold names who stands for it; until they confirm it counts as silver.

    Raises MeasureNotPermitted, TierRefused.
    """
    if not permissions.can(by, "publish_version"):
        raise MeasureNotPermitted(verb="change what a team may spend")
    _check(level, reserve, reason, by, sponsor)
    made = Tier.objects.create(
        team=team, level=level, reserve=reserve, sponsor=sponsor if level == Tier.Level.GOLD else None,
        reason=reason.strip()[:2000], set_by=by,
    )  # fmt: skip
    _enforce(made)
    facts: dict[str, Json] = {
        "team": team.name, "level": level, "reserve": reserve, "reason": made.reason[:500],
        "sponsor": sponsor.username if made.sponsor and sponsor else None,
    }  # fmt: skip
    events.append("tier.set", actor=f"user:{by.get_username()}", data=facts)
    return made


@transaction.atomic
def stand_for(*, team: Group, by: User) -> Tier:
    """The named sponsor confirms a team's gold tier. Raises TierRefused."""
    tier = Tier.objects.select_for_update().filter(team=team).order_by("-id").first()
    if tier is None or tier.sponsor_id != by.pk:
        raise TierRefused(why="only who is named as its sponsor can stand for it")
    if tier.sponsored_at is None:
        tier.sponsored_at = timezone.now()
        tier.save(update_fields=["sponsored_at"])
        _enforce(tier)
        events.append("tier.sponsored", actor=f"user:{by.get_username()}", data={"team": team.name})
    return tier


def begin_month() -> int:
    """Set every team's budget to what the new month allows; return how many were set."""
    found = list(newest().values())
    for tier in found:
        with transaction.atomic():
            _enforce(tier)
    return len(found)


def _check(level: str, reserve: float, reason: str, by: User, sponsor: User | None) -> None:
    if level not in LIMITS:
        raise TierRefused(why=f"a tier is one of {', '.join(LIMITS)}")
    if not LEAST_RESERVE <= reserve <= MOST_RESERVE:
        raise TierRefused(why="the reserve is 10 to 20 %")
    if not reason.strip():
        raise TierRefused(why="say why")
    if level == Tier.Level.GOLD and (sponsor is None or not sponsor.is_active or sponsor.pk == by.pk):
        raise TierRefused(why="gold needs a sponsor other than you: an executive who stands for what is spent")


def _enforce(tier: Tier, *, now: datetime | None = None) -> None:
    month = statements.this_month(now=now)
    row = Standing(tier, float(statements.spent_by_team(month).get(tier.team_id, Decimal(0))))
    budget = Budget.objects.filter(scope=Budget.Scope.TEAM, ref=tier.team_id, resource=Budget.Resource.COST).first()
    if row.usable is None and budget is None:
        return
    answers: dict[str, Json] = {"resource": "cost"}
    if row.usable is not None:
        so_far = budget.spent if budget else 0.0
        answers["limit"] = round(so_far + max(0.0, row.usable - row.spent), 2)
    target = acts.locate("team", str(tier.team_id))
    acts.perform(
        acts.find("team", "set-budget"), target, by=None, reason=f"tier {tier.level}, {month}", answers=answers
    )
