"""The page that lists which systems fit, with formats, ways to sign in and retries."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from agents.rights import require_see
from agents.systems.declared import SYSTEMS


@require_GET
def systems(request: HttpRequest) -> HttpResponse:
    """Every kind of system, by group, and how it stands here."""
    require_see(request.user)
    search = request.GET.get("q", "").strip().lower()[:100]
    rows = [(system, system.here()) for system in SYSTEMS]
    if search:
        rows = [(one, here) for one, here in rows if search in f"{one.title} {one.formats} {one.sign_in}".lower()]
    groups = {str(system.group): [row for row in rows if row[0].group == system.group] for system, _here in rows}
    return render(request, "agents/systems.html", {"groups": groups, "search": search})
