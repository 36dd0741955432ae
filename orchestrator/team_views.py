"""Teams: the list with their budgets, and one team with what belongs to it. Read only; acts change budgets."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from orchestrator import acts, budget_rows
from orchestrator import teams as queries
from orchestrator.ports import rights
from orchestrator.views import user_of


@require_GET
def teams(request: HttpRequest) -> HttpResponse:
    """The teams that the user may see, those with budgets first."""
    user = user_of(request)
    if not rights().can(user, "see_agents"):
        raise PermissionDenied(_("Your roles do not show you teams. An administrator can change that."))
    return render(
        request,
        "orchestrator/teams.html" + _part(request, "rows"),
        {"teams": queries.every(user), "may_make": rights().can(user, "manage_access")},
    )


@require_GET
def team(request: HttpRequest, pk: int) -> HttpResponse:
    """One team: its budgets, who and what belongs to it, and every change of a limit."""
    user = user_of(request)
    found = queries.get_visible_team_or_404(user, pk)
    offered = acts.possible(user, acts.Target("team", found))
    context = {
        "team": found,
        "rows": budget_rows.standing("team", found.pk),
        "belongs": queries.belongs(found, user),
        "changes": queries.changes(found),
        "acts": offered,
        "may_change": rights().can(user, "manage_access"),
    }
    return render(request, "orchestrator/team.html" + _part(request, "body"), context)


def _part(request: HttpRequest, name: str) -> str:
    return f"#{name}" if getattr(request, "wants_partial", False) else ""
