"""Teams as their pages show them: who belongs to one, which runs draw on its budgets, and how these have changed.

A team is a group of people; a role is one too. A run draws on the budgets of the teams of whoever started it, or else
of its workflow's owner. Reads only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import orjson
from django.contrib.auth.models import AnonymousUser, Group, User
from django.db.models import Count, Q
from django.http import Http404
from django.utils.translation import gettext_lazy

from orchestrator import budget_rows, ports
from orchestrator.budget_rows import Row
from orchestrator.models import Event, Run, Workflow
from orchestrator.states import RUN_LIVE

MOST_TEAMS: Final = 1000
MOST_NAMED: Final = 100
MOST_RUNS: Final = 1000
CHANGES: Final = 50
_PEOPLE: Final = {
    "role.granted": gettext_lazy("%(name)s added"),
    "team.person_added": gettext_lazy("%(name)s added"),
    "role.revoked": gettext_lazy("%(name)s removed"),
    "team.person_removed": gettext_lazy("%(name)s removed"),
}
LOOKED_AT: Final = 20_000  # newest events of no run, among which changes are looked for


@dataclass(frozen=True, slots=True)
class Team:
    """One line of the list."""

    pk: int
    name: str
    people: int
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Belongs:
    """What belongs to a team, as far as the user may see it."""

    people: list[Any]  # users, each with the `query` that fills in the form of an act about them
    workflows: list[Workflow]
    runs: int  # live ones that draw on its budgets
    has_more_runs: bool


@dataclass(frozen=True, slots=True)
class Change:
    """A limit that was set, taken away or moved, or a person who came or went."""

    at: Any
    by: str
    words: str
    reason: str
    was: float | None
    limit: float | None
    amount: float | None  # moved
    is_limit: bool = True


def is_visible(user: User | AnonymousUser, team: Group) -> bool:
    """Whether the user may see a team: whoever sees all runs, and its own people."""
    return ports.rights().can(user, "see_runs") or user.groups.filter(pk=team.pk).exists()


def get_visible_team_or_404(user: User, pk: int) -> Group:
    """The team. Raises Http404, also for one that is not the user's to see."""
    found = Group.objects.filter(pk=pk).first()
    if found is None or not is_visible(user, found):
        raise Http404
    return found


def every(user: User) -> list[Team]:
    """All teams, those with budgets first; for whoever does not see all runs their own that have budgets."""
    rows: dict[int, list[Row]] = {}
    for row in budget_rows.of_teams():
        rows.setdefault(row.ref, []).append(row)
    groups = Group.objects.annotate(people=Count("user", filter=Q(user__is_active=True))).order_by("name")
    found = [Team(group.pk, group.name, group.people, rows.get(group.pk, [])) for group in groups[:MOST_TEAMS]]
    if not ports.rights().can(user, "see_runs"):
        own = set(user.groups.values_list("pk", flat=True))
        found = [team for team in found if team.pk in own and team.rows]
    return sorted(found, key=lambda team: not team.rows)


def belongs(team: Group, user: User | AnonymousUser) -> Belongs:
    """People, the workflows that they own, and the live runs that draw on the team's budgets."""
    people = User.objects.filter(groups=team, is_active=True).order_by("username")
    visible = ports.rights().visible_workflows(user)
    members = people.values("pk")
    starts = Q(started_by__in=members) | Q(started_by=None, workflow__owner__in=members)
    live = Run.objects.filter(starts, status__in=RUN_LIVE, workflow__in=visible)
    runs = live.order_by()[: MOST_RUNS + 1].count()
    return Belongs(
        people=[_with_query(person) for person in people[:MOST_NAMED]],
        workflows=list(visible.filter(owner__in=members).order_by("title")[:MOST_NAMED]),
        runs=min(runs, MOST_RUNS),
        has_more_runs=runs > MOST_RUNS,
    )


def _with_query(person: Any) -> Any:
    person.query = urlencode({"answers": orjson.dumps({"person": person.username}).decode()})
    return person


def changes(team: Group) -> list[Change]:
    """The newest changes of the team's limits, moves from and to it among them, and of its people."""
    newest = Event.objects.filter(run=None).order_by("-id").values("pk")[:LOOKED_AT]
    ours = Q(data__ref=team.pk) | Q(data__to=team.pk)
    limits, people = Q(kind="budget.changed", data__scope="team"), Q(kind__in=_PEOPLE)
    found = Event.objects.filter(ours, limits | people, pk__in=newest, run=None)
    return [_change(event) for event in found.order_by("-id")[:CHANGES]]


def _change(event: Event) -> Change:
    facts: Mapping[str, Any] = event.data or {}
    if event.kind in _PEOPLE:
        facts = {**facts, "words": str(_PEOPLE[event.kind]) % {"name": facts.get("user", "")}}
    return Change(
        at=event.at,
        by=event.actor.removeprefix("user:"),
        words=str(facts.get("words", "")),
        reason=str(facts.get("reason", "")),
        was=facts.get("was"),
        limit=facts.get("limit"),
        amount=facts.get("amount"),
        is_limit=event.kind not in _PEOPLE,
    )
