"""What starts a workflow by itself: its consumer groups, made, stopped, replayed and removed on the workflow's page."""

from collections.abc import Callable
from typing import Final

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from orchestrator import groups, queries
from orchestrator.errors import OrchestratorError
from orchestrator.models import ConsumerGroup, Workflow
from orchestrator.views import user_of


@require_POST
def make(request: HttpRequest, name: str) -> HttpResponse:
    """Let the workflow start by itself for each signal of a name."""
    user, workflow = _managed(request, name)
    given = {field: request.POST.get(field, "").strip() for field in ("group", "signal", "match", "recent")}
    try:
        groups.create(
            name=given["group"],
            workflow=workflow,
            signal=given["signal"],
            match=given["match"],
            recent=_number(given["recent"]) if given["recent"] else 0,
            from_start=request.POST.get("from_start") == "on",
            by=user,
        )
    except OrchestratorError as refusal:
        return again(request, workflow, {**given, "problem": str(refusal)}, status=refusal.status)
    messages.success(request, _("Runs of this workflow start by themselves for %(signal)s now.") % given)
    return redirect(address(workflow))


@require_POST
def change(request: HttpRequest, name: str, group: str, verb: str) -> HttpResponse:
    """Stop a group, let it go on, replay signals to it, or remove it."""
    user, workflow = _managed(request, name)
    act = _ACTS.get(verb)
    if act is None or not ConsumerGroup.objects.filter(name=group, workflow=workflow).exists():
        raise Http404
    try:
        act(group, user, request)
    except OrchestratorError as refusal:
        return again(request, workflow, {"at": group, "problem": str(refusal)}, status=refusal.status)
    return redirect(address(workflow))


def shown(user: User, workflow: Workflow) -> dict[str, object]:
    """What the page lists, and whether this person may change it."""
    found = groups.standings(ConsumerGroup.objects.filter(workflow=workflow))
    return {"standings": found, "may_manage": groups.may_manage(user, workflow)}


def address(workflow: Workflow) -> str:
    """Where the groups are listed."""
    return reverse("orchestrator:workflow", args=[workflow.name]) + "?tab=signals"


def again(request: HttpRequest, workflow: Workflow, typed: dict[str, str], *, status: int) -> HttpResponse:
    """The list with what was typed and why it was refused."""
    context = {"workflow": workflow, "typed": typed, **shown(user_of(request), workflow)}
    return render(request, "orchestrator/workflow_signals_page.html", context, status=status)


def _managed(request: HttpRequest, name: str) -> tuple[User, Workflow]:
    user = user_of(request)
    workflow = queries.get_visible_workflow_or_404(user, name)
    if not groups.may_manage(user, workflow):
        raise PermissionDenied(_("Your roles do not let you say when this workflow starts. A workflow manager can."))
    return user, workflow


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1


_ACTS: Final[dict[str, Callable[[str, User, HttpRequest], object]]] = {
    "enable": lambda group, user, request: groups.set_enabled(
        name=group, enabled=True, by=user, reason=request.POST.get("reason", "")
    ),
    "disable": lambda group, user, request: groups.set_enabled(
        name=group, enabled=False, by=user, reason=request.POST.get("reason", "")
    ),
    "replay": lambda group, user, request: groups.replay(
        name=group,
        position=_number(request.POST.get("position", "")),
        by=user,
        reason=request.POST.get("reason", ""),
    ),
    "remove": lambda group, user, request: groups.remove(name=group, by=user, reason=request.POST.get("reason", "")),
}
