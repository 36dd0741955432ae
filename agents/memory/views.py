"""What agents remember, for the people who answer for them: read, correct, delete, release, erase a person."""

from typing import Any, Final

from django.contrib import messages
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from agents.errors import AgentsError
from agents.guardrails.views import require
from agents.memory import acts, store
from agents.models import MemoryItem

SHOWN: Final = 100
RIGHT: Final = "edit_agents"


@require_GET
def memory(request: HttpRequest) -> HttpResponse:
    """The newest of one agent or of all; tagged data is masked here for everybody."""
    require(request, RIGHT)
    return render(request, "agents/memory.html", _shown(request.GET.get("agent", "")[:100]))


@require_POST
def change(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Correct, delete or release one item."""
    user = require(request, RIGHT)
    by, reason = user.get_username(), request.POST.get("reason", "")[:1000]
    match verb:
        case "correct":
            return _done(request, lambda: acts.correct(pk, request.POST.get("text", ""), by=by, reason=reason))
        case "delete":
            return _done(request, lambda: acts.delete(pk, by=by, reason=reason))
        case "release":
            return _done(request, lambda: acts.release(pk, by=by, reason=reason))
    raise Http404


@require_POST
def erase(request: HttpRequest) -> HttpResponse:
    """Forget everything about a person."""
    user = require(request, RIGHT)
    subject, reason = request.POST.get("subject", "")[:300], request.POST.get("reason", "")[:1000]
    return _done(request, lambda: acts.erase(subject, by=user.get_username(), reason=reason))


def _done(request: HttpRequest, act: Any) -> HttpResponse:
    agent = request.POST.get("agent", "")[:100]
    try:
        count = act()
    except AgentsError as refused:
        return render(request, "agents/memory.html", {**_shown(agent), "problem": str(refused)}, status=422)
    messages.success(request, _("Done.") if count is None else _("%(count)d items are erased.") % {"count": count})
    return redirect(f"{reverse('agents:memory')}?agent={agent}" if agent else "agents:memory")


def _shown(agent: str) -> dict[str, Any]:
    rows = store.alive().select_related("agent").order_by("-pk")
    agents = store.alive().order_by().values_list("agent__name").annotate(count=Count("pk")).order_by("agent__name")
    rows = rows.filter(agent__name=agent) if agent else rows
    items = [{"row": row, "text": store.text_of(row, frozenset())} for row in rows[:SHOWN]]
    quarantined = MemoryItem.objects.exclude(quarantine="").count()
    return {"items": items, "agents": list(agents), "agent": agent, "quarantined": quarantined}
