"""Pages of guardrails: violations, who may see tagged data, consent, and the one place where a value is revealed."""

from typing import Any, Final

import orjson
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from agents.errors import AgentsError
from agents.guardrails import access, consent, sealing, violations, words
from agents.guardrails.access import Rule, Viewer
from agents.guardrails.consent import Statement
from agents.guardrails.declared import TAGS
from agents.models import Agent, DataRule
from agents.rights import rights

HOME: Final = "agents:guardrails"


@require_GET
def guardrails(request: HttpRequest) -> HttpResponse:
    """What broke rules lately, and the rules by which people see tagged data."""
    user = require(request, "see_agents")
    partial = "#violations" if getattr(request, "wants_partial", False) else ""
    return render(request, f"agents/guardrails.html{partial}", _shown(user))


@require_POST
def rule(request: HttpRequest) -> HttpResponse:
    """Make or change a rule about who sees what."""
    user = require(request, "manage_access")
    typed = {name: request.POST.get(name, "").strip() for name in ("name", "condition", "reason")}
    wanted = Rule(
        typed["name"][:100],
        tuple(tag for tag in TAGS if tag in request.POST.getlist("tags")),
        typed["condition"],
        enabled=request.POST.get("enabled") == "on",
    )
    try:
        access.set_rule(wanted, by=user.get_username(), reason=typed["reason"])
    except AgentsError as refused:
        context = {**_shown(user), "typed": typed, "problem": str(refused)}
        return render(request, "agents/guardrails.html", context, status=422)
    messages.success(request, _("The rule %(name)s is in force.") % typed)
    return redirect(HOME)


@require_POST
def consents(request: HttpRequest) -> HttpResponse:
    """Write down what a person has agreed to, or no longer agrees to."""
    user = require(request, "edit_agents")
    typed = {name: request.POST.get(name, "").strip()[:500] for name in ("subject", "purpose", "evidence")}
    if not all(typed.values()):
        context = {**_shown(user), "problem": _("Say whose consent it is, for what purpose, and what proves it.")}
        return render(request, "agents/guardrails.html", context, status=422)
    granted = request.POST.get("granted") == "yes"
    consent.state(Statement(typed["subject"], typed["purpose"][:100], granted, user.get_username(), typed["evidence"]))
    messages.success(request, _("It is written down, and counts from now on."))
    return redirect(HOME)


@require_http_methods(["GET", "POST"])
def reveal(request: HttpRequest) -> HttpResponse:
    """Ask for one sealed value: shown once, to whom a rule lets, with the reason in the audit trail."""
    user = require(request, "see_agents")
    given = request.POST if request.method == "POST" else request.GET
    sealed = given.get("sealed", "")[:20_000]
    context: dict[str, Any] = {"sealed": sealed, "tags": sorted(sealing.tags_of(sealed))}
    context |= {name: given.get(name, "")[:1000] for name in ("purpose", "reason")}
    if request.method == "GET":
        return render(request, "agents/reveal.html", context)
    try:
        opened = access.reveal(sealed, viewer_of(user), purpose=context["purpose"], reason=context["reason"])
    except AgentsError as refused:
        return render(request, "agents/reveal.html", {**context, "problem": str(refused)}, status=422)
    value = opened.value if isinstance(opened.value, str) else orjson.dumps(opened.value).decode()
    return render(request, "agents/reveal.html", {**context, "opened": opened, "value": value})


def viewer_of(user: User) -> Viewer:
    """Who asks, as rules know them."""
    return Viewer(user.get_username(), tuple(user.groups.order_by("name").values_list("name", flat=True)))


def require(request: HttpRequest, verb: str) -> User:
    """The user, who may do this everywhere. Raises PermissionDenied."""
    user = request.user
    if not isinstance(user, User) or not rights().can(user, verb):
        raise PermissionDenied(_("Your roles do not let you do this. An administrator can change that."))
    return user


def _shown(user: User) -> dict[str, Any]:
    found = violations.newest()
    rates = violations.rates()
    agents = Agent.objects.filter(pk__in=rates).order_by("name")
    return {
        "violations": [
            {"row": row, "words": violations.RULES.get(row.rule, row.rule), "did": words.sentence(row.facts)}
            for row in found
        ],
        "rates": [(agent, rates[agent.pk]) for agent in agents],
        "rules": list(DataRule.objects.all()),
        "tags": TAGS,
        "may_rule": rights().can(user, "manage_access"),
        "may_state": rights().can(user, "edit_agents"),
        "variables": ", ".join(access.VARIABLES),
    }
