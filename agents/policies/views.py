"""Pages of policies: all of them, one with its versions, and the capability matrix. Acts are the acts' own dialogs."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from agents.policies import queries, store
from agents.rights import require_see, rights


@require_GET
def policies(request: HttpRequest) -> HttpResponse:
    """Every policy, and a form for another one."""
    require_see(request.user)
    context = {"policies": queries.policies(), "may_edit": rights().can(request.user, "edit_policies")}
    return render(request, "agents/policies.html", context)


@require_GET
def policy(request: HttpRequest, name: str) -> HttpResponse:
    """One policy: a version's entitlements, text, tests and what it changes."""
    require_see(request.user)
    found = queries.get_policy_or_404(name)
    versions = queries.versions_of(found)
    wanted = request.GET.get("version", "")
    shown = next((version for version in versions if str(version.number) == wanted), found.current or versions[0])
    before = next((version for version in versions if version.number < shown.number and version.decided_at), None)
    against = found.current if shown.state == "proposed" else before
    context = {
        "policy": found,
        "versions": versions,
        "shown": shown,
        "document": queries.document_of(shown),
        "against": against,
        "diff": store.diff_of(against.source if against else "", shown.source),
        "cells": [cell for cell in queries.matrix() if cell.policy == found.name],
        "may_edit": rights().can(request.user, "edit_policies"),
    }
    return render(request, "agents/policy.html", context)


@require_GET
def matrix(request: HttpRequest) -> HttpResponse:
    """Agent x tool x data scope, and what nobody has used for 90 days."""
    require_see(request.user)
    cells = queries.matrix()
    search = request.GET.get("q", "").strip().lower()[:100]
    shown = [cell for cell in cells if search in f"{cell.entitlement.agent} {cell.entitlement.tool}"]
    context = {
        "cells": shown,
        "unused": [cell for cell in cells if cell.is_unused],
        "search": search,
        "days": queries.UNUSED_DAYS,
        "may_edit": rights().can(request.user, "edit_policies"),
    }
    return render(request, "agents/matrix.html", context)
