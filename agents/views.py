"""The registry of agents and one agent's page. Read only."""

import json

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from agents import models_used, queries
from agents.models import ModelTier
from agents.rights import require_see


@require_GET
def agents(request: HttpRequest) -> HttpResponse:
    """Every registered agent with its health."""
    require_see(request.user)
    search = request.GET.get("q", "").strip()[:100]
    template = "agents/agents.html" + ("#rows" if getattr(request, "wants_partial", False) else "")
    return render(request, template, {"rows": queries.registry(search=search), "search": search})


@require_GET
def agent(request: HttpRequest, name: str) -> HttpResponse:
    """One agent: its contract, versions, limits and health."""
    require_see(request.user)
    found = queries.get_agent_or_404(name)
    context = {
        "agent": found,
        "health": queries.health_of(found),
        "minutes": queries.calls_by_minute(found),
        **queries.standing_of(found),
    }
    context |= {"models": models_used.spent(agent=name), "tiers": ModelTier.objects.filter(agent=name)}
    versions = queries.versions_of(found)
    # A newer one that nobody has promoted does little of the work, or none.
    release = context["release"]
    wanted = request.GET.get("version", "") or str(release.current if release else "")
    shown = next((version for version in versions if str(version.number) == wanted), versions[0] if versions else None)
    if shown is not None:
        context |= {
            "inputs": queries.contract_fields(shown.input_schema),
            "outputs": queries.contract_fields(shown.output_schema),
            "input_json": json.dumps(shown.input_schema, indent=2, ensure_ascii=False),
            "output_json": json.dumps(shown.output_schema, indent=2, ensure_ascii=False),
        }
    partial = "#page" if getattr(request, "wants_partial", False) else ""
    return render(request, "agents/agent.html" + partial, {**context, "versions": versions, "shown": shown})
