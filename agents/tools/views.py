"""Pages of tools: all of them, and one. Acts are the acts' own dialogs."""

import json

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from agents.policies import queries as policy_queries
from agents.queries import contract_fields
from agents.rights import require_see, rights
from agents.tools import queries


@require_GET
def tools(request: HttpRequest) -> HttpResponse:
    """Every tool with what was decided about its calls."""
    require_see(request.user)
    search = request.GET.get("q", "").strip()[:100]
    template = "agents/tools.html" + ("#rows" if getattr(request, "wants_partial", False) else "")
    return render(request, template, {"rows": queries.tools(search=search), "search": search})


@require_GET
def tool(request: HttpRequest, name: str) -> HttpResponse:
    """One tool: contract, risk, limits, breaker, who may call it, and what was decided."""
    require_see(request.user)
    found = queries.get_tool_or_404(name)
    versions = list(found.versions.order_by("-number")[:50])
    wanted = request.GET.get("version", "")
    shown = next((version for version in versions if str(version.number) == wanted), versions[0] if versions else None)
    context = {
        "tool": found,
        "answers": json.dumps({"tool": found.name}),
        "versions": versions,
        "shown": shown,
        "counts": queries.counts_of(found),
        "hours": queries.by_hour(found),
        "uses": queries.recent(found),
        "cells": [cell for cell in policy_queries.matrix() if cell.entitlement.tool == found.name],
        "inputs": contract_fields(shown.input_schema) if shown else [],
        "outputs": contract_fields(shown.output_schema) if shown else [],
        "input_json": json.dumps(shown.input_schema, indent=2, ensure_ascii=False) if shown else "",
        "output_json": json.dumps(shown.output_schema, indent=2, ensure_ascii=False) if shown else "",
        "may_edit": rights().can(request.user, "edit_policies"),
    }
    return render(request, "agents/tool.html", context)
