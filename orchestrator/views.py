"""Runs: the list, one run, how to start and how to steer one, and what it delivered."""

import uuid
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from orchestrator import (
    acts,
    agent_service,
    details,
    forms,
    gantt,
    inside,
    narrative,
    parts,
    progress,
    queries,
    rendering,
    run_page,
    services,
    state_page,
    time_machine,
    unbiased,
)
from orchestrator.acts import Target
from orchestrator.engine.outcomes import payload
from orchestrator.engine.plans import plan_of
from orchestrator.errors import OrchestratorError
from orchestrator.models import Artifact, Content, Run, Workflow
from orchestrator.ports import gatekeeper, rights
from orchestrator.states import RUN_TERMINAL

TABS: Final = {
    "graph": ("network", gettext_lazy("Graph")),
    "timeline": ("clock", gettext_lazy("Timeline")),
    "narrative": ("scroll-text", gettext_lazy("Narrative")),
    "state": ("layers", gettext_lazy("State")),
    "past": ("undo-2", gettext_lazy("Time machine")),
    "files": ("file-text", gettext_lazy("Deliverables")),
    "input": ("corner-down-left", gettext_lazy("Input")),
}
FILTERS: Final = (
    ("", gettext_lazy("All")),
    ("people", gettext_lazy("Waiting for people")),
    ("running", gettext_lazy("Running")),
    ("paused", gettext_lazy("Paused")),
    ("pending", gettext_lazy("Queued")),
    ("compensating", gettext_lazy("Undoing")),
    ("failed", gettext_lazy("Failed")),
    ("partial", gettext_lazy("Partly done")),
    ("succeeded", gettext_lazy("Succeeded")),
    ("cancelled", gettext_lazy("Cancelled")),
)
SHOWN_FILE: Final = 100_000  # bytes of a delivered text that the page itself shows


@require_GET
def runs(request: HttpRequest) -> HttpResponse:
    """The newest runs, filtered and searched, each with what it waits for."""
    user = user_of(request)
    if not rights().can_somewhere(user, "see_runs"):
        if parts.some(user):
            return redirect("orchestrator:parts")
        raise PermissionDenied(_("Your roles do not show you any runs. An administrator can change that."))
    wanted, shown = _filter(request.GET), rights().visible_workflows(user).order_by("title").only("name", "title")
    if request.GET.get("part") == "which":
        return render(request, "orchestrator/runs.html#which", {"wanted": wanted, "workflows": shown})
    context: dict[str, Any] = {"page": queries.run_list(user, wanted), "wanted": wanted, "filters": FILTERS}
    if not _wants_partial(request):
        context |= {
            "workflows": shown,
            "may_start": rights().can_somewhere(user, "start_run"),
            "has_parts": parts.some(user),
        }
    return render(request, _template(request, "runs", "rows"), context)


def _filter(given: Mapping[str, str]) -> queries.RunFilter:
    before = given.get("before", "")
    return queries.RunFilter(
        workflow=given.get("workflow", "")[:100],
        status=given.get("status", ""),
        search=given.get("q", "")[:200],
        before=int(before) if before.isdecimal() and len(before) < 15 else None,
    )


@require_GET
def run(request: HttpRequest, pk: int) -> HttpResponse:
    """One run: its head, and one tab below it. Each is a region that refreshes by itself."""
    user = user_of(request)
    try:
        found = queries.get_visible_run_or_404(user, pk)
    except Http404:
        if _wants_partial(request):
            raise
        return redirect("orchestrator:part", parts.get_run_or_404(user, pk).pk)
    part = request.GET.get("part", "tab") if _wants_partial(request) else ""
    context: dict[str, Any] = {"run": found, "tabs": TABS, "is_live": found.status not in RUN_TERMINAL}
    if part != "tab":
        offered = acts.possible(user, Target("run", found))
        may_set = any(act.name == "set-budget" for act in offered)
        context |= {"head": run_page.head(found), "acts": offered, "may_set": may_set}
        context |= {"outcome": payload(found), "may_steer": rights().can(user, "steer_run", found)}
    if part != "head":
        context |= _tab(request, found)
    template = f"orchestrator/run.html#{'head' if part == 'head' else 'tab'}" if part else "orchestrator/run.html"
    response = render(request, template, context)
    if part == "tab" and request.GET.get("by") == "slider" and "number" in context:
        # What the slider shows is what a reload shows, and what one sends to somebody else.
        place = {"tab": "past", "n": context["number"], "task": request.GET.get("task", "")}
        response["HX-Replace-Url"] = f"{request.path}?{urlencode({name: it for name, it in place.items() if it})}"
    return response


def _tab(request: HttpRequest, found: Run) -> dict[str, Any]:
    tab = request.GET.get("tab", "graph")
    context: dict[str, Any] = {"tab": tab if tab in TABS else "graph"}
    match context["tab"]:
        case "timeline":
            context["timeline"] = gantt.of(found)
            context["marks"] = state_page.marks(found, seconds=context["timeline"].seconds)
            context["inside"] = inside.of(found)
        case "state":
            hidden = unbiased.hidden_tasks(user_of(request), found)
            context |= state_page.state(found, request.GET, hidden=hidden) | {"acts_of": _state_acts(request, found)}
        case "past":
            hidden = unbiased.hidden_tasks(user_of(request), found)
            context |= time_machine.past(found, request.GET, hidden=hidden) | {"acts_of": _state_acts(request, found)}
        case "narrative":
            context |= _narrative(user_of(request), found, request.GET)
        case "files":
            context |= _files(request, found)
        case "input":
            context["pieces"] = rendering.pieces(found.input)
        case "graph":
            context |= {
                "picture": run_page.graph(found),
                "story": narrative.story(found, length=narrative.LATEST, user=user_of(request)),
            }
            context["agents"] = progress.by_agent(found)
            context |= _selected(user_of(request), found, request.GET.get("task", ""))
            context["may_say"] = rights().can(user_of(request), "steer_run", found)
            context["details"] = details.may_see(request.user, found)
    return context


def _narrative(user: User, found: Run, given: Mapping[str, str]) -> dict[str, Any]:
    """The run's story, or that of every run with its correlation id."""
    before = given.get("before", "")
    cursor = int(before) if before.isdecimal() and len(before) < 19 else None
    everything, others = given.get("all") == "1", narrative.related(user, found)
    whole = given.get("of") == "all" and bool(others)
    told = narrative.narrative(user, [found, *others] if whole else [found], before=cursor, everything=everything)
    return {"story": told, "everything": everything, "others": others, "whole": whole}


def _state_acts(request: HttpRequest, found: Run) -> frozenset[str]:
    """Which acts on its history the user may do now."""
    return frozenset(act.name for act in acts.possible(user_of(request), Target("run", found)))


def _selected(user: User, found: Run, key: str) -> dict[str, Any]:
    """The task beside the graph: the one asked for, or a folded family of them."""
    if not key:
        return {}
    if key.startswith("~"):
        opened = run_page.family(found, key[1:])
        return {"selected": key, "family": opened} if opened else {}
    step = run_page.step_of(found, key)
    card = run_page.task_card(found, step, hidden=gatekeeper().hidden_tasks(user, [found.pk])) if step else None
    if card is None:
        return {}
    target = acts.of("task", card.task.pk)
    outside = {"outside": agent_service.call_of(card.task), "team": parts.team_of(found, step.index) if step else ""}
    steering = {"task_acts": acts.possible(user, target), "held": queries.held(target.scope, target.ref)}
    return {"selected": key, "card": card, "output": rendering.pieces(card.task.output), **steering, **outside}


def _files(request: HttpRequest, found: Run) -> dict[str, Any]:
    files = run_page.files(found)
    wanted = request.GET.get("file", "")
    shown = next((file for file, _size in files if str(file.pk) == wanted), files[0][0] if files else None)
    body = Content.objects.filter(sha256=shown.sha256).values_list("body", flat=True).first() if shown else None
    text = bytes(body)[:SHOWN_FILE].decode(errors="replace") if body is not None else ""
    step = run_page.step_of(found, shown.task.key) if shown and shown.task else None
    return {"files": files, "shown": shown, "text": text, "shown_step": step}


@require_GET
def artifact(request: HttpRequest, pk: int, artifact_pk: int) -> HttpResponse:
    """A delivered file, as a download and always as plain text: nothing in it may run in a browser."""
    found = queries.get_visible_run_or_404(user_of(request), pk)
    file = Artifact.objects.filter(pk=artifact_pk, run=found).first()
    body = Content.objects.filter(sha256=file.sha256).values_list("body", flat=True).first() if file else None
    if file is None or body is None:
        raise Http404
    response = HttpResponse(bytes(body), content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = content_disposition_header(True, file.name.replace("/", "_")) or "attachment"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox; frame-ancestors 'none'"
    return response


@require_http_methods(["GET", "POST"])
def start(request: HttpRequest, name: str) -> HttpResponse:
    """The form that starts a run of one workflow, made from its input schema; on POST, the start."""
    user = user_of(request)
    workflow = queries.get_visible_workflow_or_404(user, name)
    if not rights().can(user, "start_run", workflow):
        raise PermissionDenied(_("Your roles do not let you start runs of this workflow. A workflow manager can."))
    if workflow.current_version_id is None:
        return _start_form(request, workflow, problem=_("It has no published version yet."), status=409)
    fields = forms.fields_of(plan_of(workflow.current_version_id).input_schema)
    as_json = not fields or request.GET.get("as") == "json" or request.POST.get("as") == "json"
    if request.method == "GET":
        return _start_form(request, workflow, fields=fields, as_json=as_json)
    text = request.POST.get("json", "")
    answer = forms.Answer(fields, {}) if as_json else forms.read(fields, request.POST)
    document, problem = forms.read_json(text) if as_json else (answer.document, "")
    shown: dict[str, Any] = {"fields": answer.fields, "as_json": as_json, "text": text}
    if problem or not answer.is_readable:
        said = problem or _("Something below is missing or cannot be read.")
        return _start_form(request, workflow, **shown, problem=said, status=422)
    key = request.POST.get("key", "")[:100] or None
    try:
        made = services.start_run(workflow=name, input=document, by=user, idempotency_key=key)
    except OrchestratorError as refused:
        return _start_form(request, workflow, **shown, problem=str(refused), status=refused.status)
    messages.success(request, _("Run #%(pk)d has started.") % {"pk": made.pk})
    return redirect("orchestrator:run", made.pk)


@require_GET
def start_which(request: HttpRequest) -> HttpResponse:
    """Which workflow to start: those that the user may."""
    startable = (
        rights().visible_workflows(user_of(request), "start_run").exclude(current_version=None).order_by("title")
    )
    return render(request, _template(request, "start_which", "dialog"), {"workflows": startable})


def _start_form(request: HttpRequest, workflow: Workflow, *, status: int = 200, **context: Any) -> HttpResponse:
    # The key makes a form that is sent twice start one run.
    key = request.POST.get("key", "")[:100] or uuid.uuid4().hex
    return render(request, "orchestrator/start.html", {"workflow": workflow, "key": key, **context}, status=status)


def user_of(request: HttpRequest) -> User:
    """The signed-in user."""
    assert isinstance(request.user, User)  # LoginRequiredMiddleware lets nobody else in
    return request.user


def leave(request: HttpRequest, href: str) -> HttpResponse:
    """Go to a page, also out of a dialog."""
    if not _wants_partial(request):
        return redirect(href)
    response = HttpResponse(status=204)
    response["HX-Redirect"] = href
    return response


def _wants_partial(request: HttpRequest) -> bool:
    return bool(getattr(request, "wants_partial", False))


def _template(request: HttpRequest, name: str, partial: str) -> str:
    return f"orchestrator/{name}.html" + (f"#{partial}" if _wants_partial(request) else "")
