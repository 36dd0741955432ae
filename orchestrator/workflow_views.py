"""Workflows: the list, one workflow with its versions and design, and what an agent's page asks of them. Read only."""

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlencode

import orjson
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from agents.models import Agent, AgentItem
from orchestrator import (
    acts,
    agent_service,
    budget_rows,
    checks,
    drafts,
    drawing,
    group_views,
    pace,
    presence,
    queries,
    schedule_views,
    steward,
    workflow_queries,
    workshops,
)
from orchestrator.acts import advising, choosing
from orchestrator.definitions.schema import workflow_schema
from orchestrator.engine import caching
from orchestrator.engine.plans import plan_of
from orchestrator.models import Workflow, WorkflowVersion
from orchestrator.pattern_pictures import picture_of
from orchestrator.patterns import plain
from orchestrator.patterns.advising import PHASES, SELF_COORDINATING, phase_of
from orchestrator.ports import rights
from orchestrator.views import user_of

TABS: Final = {
    "graph": ("network", gettext_lazy("Graph")),
    "design": ("route", gettext_lazy("Design")),
    "people": ("users", gettext_lazy("People")),
    "schedules": ("clock", gettext_lazy("Schedules")),
    "signals": ("radio", gettext_lazy("Signals")),
    "versions": ("layers", gettext_lazy("Versions")),
    "source": ("file-text", gettext_lazy("Source")),
    "budgets": ("signal-medium", gettext_lazy("Budgets")),
    "runs": ("play", gettext_lazy("Latest runs")),
}

EARLIER: Final = 20  # choices of a pattern that are listed


@require_GET
def workflows(request: HttpRequest) -> HttpResponse:
    """The workflows whose runs the user may see."""
    user = user_of(request)
    if not rights().can_somewhere(user, "see_runs"):
        raise PermissionDenied(_("Your roles do not show you any workflows. An administrator can change that."))
    partial = "#cards" if getattr(request, "wants_partial", False) else ""
    tag = request.GET.get("tag", "")[:100]
    context = {
        "cards": workflow_queries.workflow_cards(user, tag),
        "tags": workflow_queries.tags_of(user),
        "tag": tag,
        "may_publish": rights().can(user, "publish_version"),
        "has_draft": drafts.of(user, None) is not None,
    }
    return render(request, "orchestrator/workflows.html" + partial, context)


@require_GET
def workflow(request: HttpRequest, name: str) -> HttpResponse:
    """One workflow at one version: its graph, who is asked when, its versions and its source."""
    user = user_of(request)
    found = queries.get_visible_workflow_or_404(user, name)
    number = request.GET.get("version", "")
    version = workflow_queries.version_of(found, int(number) if number.isdecimal() and len(number) < 9 else None)
    if version is None and number:
        raise Http404
    tab = request.GET.get("tab", "graph")
    context: dict[str, Any] = {
        "workflow": found,
        "version": version,
        "health": workflow_queries.health_of(found),
        "tabs": TABS,
        "tab": tab if tab in TABS else "graph",
        "acts": acts.possible(user, acts.Target("workflow", found)),
        "held": queries.held("workflow", found.pk),
        "may_start": rights().can(user, "start_run", found) and found.current_version_id is not None,
        "may_publish": rights().can(user, "publish_version", found),
        "has_draft": drafts.of(user, found) is not None,
    }
    if version is not None:
        context |= _chosen(found, version) | _tab(context["tab"], user, found, version)
    partial = "#page" if getattr(request, "wants_partial", False) else ""
    return render(request, "orchestrator/workflow.html" + partial, context)


def _tab(tab: str, user: User, found: Workflow, version: WorkflowVersion) -> dict[str, Any]:
    shown = _SHOWN.get(tab)
    return shown(user, found, version) if shown else {}


def _people(user: User, found: Workflow, version: WorkflowVersion) -> dict[str, Any]:
    return {"gated": workflow_queries.gated_steps(version), "holders": rights().who_may(found)}


def _graph(user: User, found: Workflow, version: WorkflowVersion) -> dict[str, Any]:
    steps = workflow_queries.steps_of(version)
    picture = drawing.picture(queries.layout_of(version.pk), {}, now=timezone.now())
    return {"picture": picture, "steps": steps[:200], "hidden_steps": max(0, len(steps) - 200)}


def _chosen(found: Workflow, version: WorkflowVersion) -> dict[str, Any]:
    """Its pattern and what the publishing checks warned of: said on every tab."""
    choice = choosing.newest(found)
    entry = next((one for one in plain.entries() if choice and one.name == choice.pattern), None)
    return {"choice": choice, "chosen": entry, "warnings": checks.of_version(version)}


def _design(user: User, found: Workflow, version: WorkflowVersion) -> dict[str, Any]:
    """The pattern with its rationale, and the choices before it."""
    rows = list(found.pattern_choices.select_related("chosen_by")[: EARLIER + 1])
    advice = choosing.advice_for(rows[0].answers) if rows else None
    return {
        "history": rows[1:],
        "advice": advice if rows and advice and advice.pattern == rows[0].recommended else None,
        "picture": picture_of(rows[0].pattern) if rows else None,
        "may_choose": rights().can(user, "publish_version", found),
        **_team(found, version),
    }


def _team(found: Workflow, version: WorkflowVersion) -> dict[str, Any]:
    """The advisor's verdict that holds, the phase that the version is in, and the switch."""
    kept, plan = advising.newest(found), plan_of(version.pk)
    coordinates = any(step.pattern in SELF_COORDINATING or step.select for step in plan.steps)
    return {
        "team": kept,
        **workshops.shown(found),
        "record": steward.record_of(found, version),
        "team_query": urlencode(kept.answers) if kept else "",
        "phases": list(PHASES.items()),
        "phase_now": phase_of(len(checks.agents_of(plan)), coordinates_itself=coordinates),
        "mode_act": "several-agents" if found.single_agent_id else "single-agent",
    }


def _versions(user: User, found: Workflow, version: WorkflowVersion) -> dict[str, Any]:
    versions = workflow_queries.versions_of(found)
    earlier = next((other for other in versions if other.number < version.number), None)
    before = workflow_queries.version_of(found, earlier.number) if earlier else None
    lines = workflow_queries.difference(before.source, version.source) if before else []
    answered = "?" + urlencode({"answers": orjson.dumps({"version": str(version.number)}).decode()})
    return {"versions": versions, "before": before, "lines": lines, "answered": answered}


def _budgets(user: User, found: Workflow, version: WorkflowVersion) -> dict[str, Any]:
    stated, shares = budget_rows.stated(version)
    divided = ", ".join(f"{agent} {share:.0%}" for agent, share in shares.items())
    return {
        "stated": stated,
        "shares": _("Divided: %(shares)s.") % {"shares": divided} if divided else "",
        "standing": budget_rows.standing("workflow", found.pk),
        "total": _sum_of(budget_rows.total(workflow=found)),
        "may_set": rights().can(user, "publish_version", found),
    }


def _sum_of(total: budget_rows.Total) -> str:
    known = {"calls": total.calls, "tokens": total.tokens, "cost": total.cost, "runs": budget_rows.NEWEST_RUNS}
    return _("Its calls in the newest %(runs)s runs of all: %(calls)s, with %(tokens)s tokens and $%(cost).2f.") % known


_SHOWN: Final[dict[str, Callable[[User, Workflow, WorkflowVersion], dict[str, Any]]]] = {
    "graph": _graph,
    "design": _design,
    "people": _people,
    "schedules": lambda user, found, _: schedule_views.shown(user, found),
    "signals": lambda user, found, _: group_views.shown(user, found),
    "versions": _versions,
    "budgets": _budgets,
    "runs": lambda user, found, _: {"rows": workflow_queries.latest_rows(found), "pace": pace.pace_of(found)},
}


@require_GET
def agent_uses(request: HttpRequest, name: str) -> HttpResponse:
    """What an agent's page asks of this app: where the agent is used, and where it failed of late."""
    user = user_of(request)
    if not rights().can(user, "see_agents"):
        raise PermissionDenied(_("Your roles do not show you agents. An administrator can change that."))
    context: dict[str, Any] = {
        "name": name,
        "workflows": workflow_queries.workflows_using(user, name),
        "failures": workflow_queries.recent_failures(user, name),
    }
    agent = Agent.objects.filter(name=name).first()
    if agent is not None:
        context |= {
            "own": budget_rows.own(agent),
            "standing": budget_rows.standing("agent", agent.pk),
            "total": _sum_of(budget_rows.total(agent=agent)),
            "may_set": rights().can(user, "edit_agents"),
            "known": True,
            "cache": cache_of(name),
            **workshops.shown(agent),
        }
    partial = "#uses" if getattr(request, "wants_partial", False) else ""
    return render(request, "orchestrator/agent_uses.html" + partial, context)


def cache_of(agent: str) -> dict[str, Any] | None:
    """How often its results were used again; None where no step asks for that."""
    asked, hits = caching.use_of(agent)
    return {"asked": asked, "hits": hits, "share": hits / asked, "days": caching.DAYS} if asked else None


@require_GET
def out_of_service(request: HttpRequest) -> HttpResponse:
    """What the agents' pages ask of this app: who is out of service, until when, and what a person may do about it."""
    user = user_of(request)
    if not rights().can(user, "see_agents"):
        raise PermissionDenied(_("Your roles do not show you agents. An administrator can change that."))
    name = request.GET.get("agent", "")
    rows = workflow_queries.breakers(name)
    agent = Agent.objects.filter(name=name).first() if name else None
    context: dict[str, Any] = {
        "rows": rows,
        "terminated": [] if name else agent_service.terminated(),
        "silent": [] if name else agent_service.silent(),
        "one": agent_service.standing_of(agent) if agent else None,
        "is_told": bool(agent) and AgentItem.objects.filter(agent=agent, kind=presence.KIND, closed_at=None).exists(),
        "may_start": rights().can(user, "lift_stop"),
        "may_reset": rights().can(user, "steer_run") or rights().can(user, "edit_agents"),
    }
    partial = "#rows" if getattr(request, "wants_partial", False) else ""
    context["is_page"] = not partial or "page" in request.GET
    return render(request, "orchestrator/out_of_service.html" + partial, context)


@require_GET
def workers(request: HttpRequest) -> HttpResponse:
    """Who does agents' work from outside, what each has, and the calls that wait for an answer."""
    if not rights().can(user_of(request), "see_agents"):
        raise PermissionDenied(_("Your roles do not show you agents. An administrator can change that."))
    partial = "#rows" if getattr(request, "wants_partial", False) else ""
    seen = rights().visible_workflows(user_of(request), "see_runs")
    context = {
        "workers": agent_service.workers(),
        "calls": agent_service.calls(),
        "visible": set(seen.values_list("pk", flat=True)),
        "bound": settings.AGENT_SILENT_SECONDS,
    }
    return render(request, "orchestrator/workers.html" + partial, context)


@require_GET
def schema(request: HttpRequest) -> JsonResponse:
    """The JSON Schema of definitions, for editors."""
    return JsonResponse(workflow_schema(), json_dumps_params={"indent": 2})
