"""The quality of agents' outputs: all agents, and one with its reliability diagram. Read only."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from agents.models import AuthorityTable
from agents.quality import queries, store
from agents.quality.oversight import oversight
from agents.queries import get_agent_or_404
from agents.rights import rights


@require_GET
def quality(request: HttpRequest) -> HttpResponse:
    """Every agent whose outputs were assessed, the lowest mean score first."""
    require_see(request)
    context = {
        "rows": queries.agents_with_scores(),
        "oversight": oversight(),
        "weights": store.authority_weights(),
        "tables": AuthorityTable.objects.all()[:10],
        "may_edit": rights().can(request.user, "edit_quality"),
    }
    return render(request, "agents/quality.html" + _part(request), context)


@require_GET
def agent_quality(request: HttpRequest, name: str) -> HttpResponse:
    """One agent: trend, calibration and its assessments, sortable by score."""
    require_see(request)
    sort = request.GET.get("sort", "newest")
    held = request.GET.get("held") == "1"
    context = {
        "agent": get_agent_or_404(name),
        "scores": queries.scores_of(name),
        "reliability": queries.reliability(name),
        "assessments": queries.assessments(name, sort=sort, held=held),
        "sort": sort if sort in queries.SORTS else "newest",
        "held": held,
        "sees_runs": rights().can(request.user, "see_runs"),  # what they say quotes what runs hold
        "may_edit": rights().can(request.user, "edit_quality"),
    }
    return render(request, "agents/quality_agent.html" + _part(request), context)


def require_see(request: HttpRequest) -> None:
    """Refuse whoever may not see agents."""
    if not rights().can(request.user, "see_agents"):
        raise PermissionDenied(_("Your roles do not show you agents. An administrator can change that."))


def _part(request: HttpRequest) -> str:
    return "#rows" if getattr(request, "wants_partial", False) else ""
