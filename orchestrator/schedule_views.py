"""When a workflow starts by the clock: its schedules on the workflow's page, and what starts next anywhere."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

import orjson
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from orchestrator import forms, queries, schedules
from orchestrator.errors import OrchestratorError
from orchestrator.models import Schedule, Workflow
from orchestrator.ports import rights
from orchestrator.schedules import Standing, Wanted
from orchestrator.views import user_of

OVERLAP: Final[Mapping[str, Promise]] = {
    "skip": gettext_lazy("start none while a run of it is alive"),
    "queue": gettext_lazy("let one wait until the run before it has ended"),
    "allow": gettext_lazy("start it all the same"),
}
MISSED: Final[Mapping[str, Promise]] = {
    "run": gettext_lazy("start one late"),
    "skip": gettext_lazy("leave it out"),
}
OUTCOMES: Final[Mapping[str, tuple[str, str, Promise]]] = {  # tone, icon, word
    "started": ("is-good", "play", gettext_lazy("started")),
    "queued": ("is-waiting", "hourglass", gettext_lazy("waits for the run before it")),
    "skipped": ("is-stopped", "skip-forward", gettext_lazy("left out")),
    "missed": ("is-stopped", "skip-forward", gettext_lazy("missed and left out")),
    "refused": ("is-failed", "circle-x", gettext_lazy("could not start")),
}
_FIELDS: Final = ("name", "cron", "zone", "input", "overlap", "missed", "reason")


@dataclass(frozen=True, slots=True)
class Slot:
    """A moment, and how a clock in the schedule's zone shows it."""

    at: datetime
    local: str


@require_POST
def make(request: HttpRequest, name: str) -> HttpResponse:
    """Let the workflow start at the times of a cron expression."""
    user, workflow = _managed(request, name)
    typed = _typed(request)
    if request.POST.get("preview"):
        return again(request, workflow, {**typed, **_looked_ahead(typed)}, status=200)
    try:
        schedules.create(
            name=typed["name"], workflow=workflow, wanted=_wanted(typed), by=user, reason=typed["reason"]
        )  # fmt: skip
    except (OrchestratorError, _Unreadable) as refusal:
        return again(request, workflow, {**typed, "problem": str(refusal)}, status=refusal.status)
    messages.success(request, _("Schedule %(name)s is made; its runs start in your name.") % typed)
    return redirect(address(workflow))


@require_POST
def change(request: HttpRequest, name: str, schedule: str, verb: str) -> HttpResponse:
    """Change, pause, resume or remove a schedule, or run it now."""
    user, workflow = _started(request, name) if verb == "run" else _managed(request, name)
    act = _ACTS.get(verb)
    if act is None or not Schedule.objects.filter(name=schedule, workflow=workflow).exists():
        raise Http404
    typed = {**_typed(request), "at": schedule}
    if request.POST.get("preview"):
        return again(request, workflow, {**typed, **_looked_ahead(typed)}, status=200)
    try:
        return act(request, user, workflow, typed)
    except (OrchestratorError, _Unreadable) as refusal:
        return again(request, workflow, {**typed, "problem": str(refusal)}, status=refusal.status)


@require_GET
def preview(request: HttpRequest, name: str) -> HttpResponse:
    """The next slots of what is being typed."""
    _user, workflow = _managed(request, name)
    found = _looked_ahead({part: request.GET.get(part, "") for part in ("cron", "zone")})
    partial = "#times" if getattr(request, "wants_partial", False) else ""
    return render(request, "orchestrator/schedule_preview.html" + partial, {"workflow": workflow, **found})


@require_GET
def upcoming(request: HttpRequest) -> HttpResponse:
    """What starts next, over all workflows that the user may see."""
    user = user_of(request)
    if not rights().can_somewhere(user, "see_runs"):
        raise PermissionDenied(_("Your roles do not show you runs. An administrator can change that."))
    visible = list(rights().visible_workflows(user).values_list("pk", flat=True))
    starts = schedules.upcoming(Schedule.objects.filter(workflow_id__in=visible))
    rows = [(start, _slot(start.at, start.schedule.zone)) for start in starts]
    return render(request, "orchestrator/upcoming.html", {"rows": rows})


def shown(user: User, workflow: Workflow) -> dict[str, Any]:
    """What the page lists, and what this person may do to it."""
    rows = [_row(found) for found in schedules.standings(Schedule.objects.filter(workflow=workflow))]
    may_manage = schedules.may_manage(user, workflow)
    return {
        "schedules": rows,
        "may_manage": may_manage,
        "may_run": rights().can(user, "start_run", workflow),
        "zones": sorted(available_timezones()) if may_manage else [],
        "own_zone": timezone.get_current_timezone_name(),
        "overlaps": OVERLAP.items(),
        "misses": MISSED.items(),
    }


def address(workflow: Workflow) -> str:
    """Where the schedules are listed."""
    return reverse("orchestrator:workflow", args=[workflow.name]) + "?tab=schedules"


def again(request: HttpRequest, workflow: Workflow, typed: dict[str, Any], *, status: int) -> HttpResponse:
    """The list with what was typed and why it was refused, or what it would come to."""
    context = {"workflow": workflow, "typed": typed, **shown(user_of(request), workflow)}
    return render(request, "orchestrator/workflow_schedules_page.html", context, status=status)


class _Unreadable(Exception):
    """What was typed as the input is not a JSON object."""

    status = 422


def _managed(request: HttpRequest, name: str) -> tuple[User, Workflow]:
    user = user_of(request)
    workflow = queries.get_visible_workflow_or_404(user, name)
    if not schedules.may_manage(user, workflow):
        raise PermissionDenied(_("Your roles do not let you say when this workflow starts. A workflow manager can."))
    return user, workflow


def _started(request: HttpRequest, name: str) -> tuple[User, Workflow]:
    user = user_of(request)
    workflow = queries.get_visible_workflow_or_404(user, name)
    if not rights().can(user, "start_run", workflow):
        raise PermissionDenied(_("Your roles do not let you start runs of this workflow. A workflow manager can."))
    return user, workflow


def _typed(request: HttpRequest) -> dict[str, Any]:
    return {field: request.POST.get(field, "").strip() for field in _FIELDS}


def _wanted(typed: Mapping[str, str]) -> Wanted:
    document, problem = forms.read_json(typed["input"] or "{}")
    if problem:
        raise _Unreadable(_("Input: %(problem)s") % {"problem": problem})
    return Wanted(typed["cron"], typed["zone"], document, typed["overlap"], typed["missed"])


def _looked_ahead(typed: Mapping[str, str]) -> dict[str, Any]:
    """The next slots of an expression, or why there are none."""
    try:
        slots = schedules.preview(typed["cron"], typed["zone"])
    except OrchestratorError as refusal:
        return {"refusal": str(refusal)}
    return {"slots": [_slot(slot, typed["zone"]) for slot in slots]}


def _row(found: Standing) -> dict[str, Any]:
    schedule = found.schedule
    return {
        "schedule": schedule,
        "slots": [_slot(slot, schedule.zone) for slot in found.next],
        "latest": [(start, OUTCOMES[start.outcome], _slot(start.slot, schedule.zone)) for start in found.latest],
        "overlap": OVERLAP[schedule.overlap],
        "missed": MISSED[schedule.missed],
        "input": orjson.dumps(schedule.input, option=orjson.OPT_INDENT_2).decode(),
        "key": uuid.uuid4().hex,
    }


def _slot(at: datetime, zone: str) -> Slot:
    local = at.astimezone(ZoneInfo(zone))
    return Slot(at, f"{date_format(local, 'D j M Y, H:i')} {local.tzname()}")


def _change(request: HttpRequest, user: User, workflow: Workflow, typed: dict[str, Any]) -> HttpResponse:
    schedules.change(name=typed["at"], wanted=_wanted(typed), by=user, reason=typed["reason"])
    messages.success(request, _("Schedule %(at)s is changed; its runs start in your name now.") % typed)
    return redirect(address(workflow))


def _set(request: HttpRequest, user: User, workflow: Workflow, typed: dict[str, Any], *, enabled: bool) -> HttpResponse:
    schedules.set_enabled(name=typed["at"], enabled=enabled, by=user, reason=typed["reason"])
    return redirect(address(workflow))


def _remove(request: HttpRequest, user: User, workflow: Workflow, typed: dict[str, Any]) -> HttpResponse:
    schedules.remove(name=typed["at"], by=user, reason=typed["reason"])
    messages.success(request, _("Schedule %(at)s is removed; runs that it started go on.") % typed)
    return redirect(address(workflow))


def _run(request: HttpRequest, user: User, workflow: Workflow, typed: dict[str, Any]) -> HttpResponse:
    key = request.POST.get("key", "") or uuid.uuid4().hex
    run = schedules.run_now(name=typed["at"], by=user, reason=typed["reason"], key=key)
    messages.success(request, _("Run #%(pk)d has started.") % {"pk": run.pk})
    return redirect("orchestrator:run", run.pk)


_ACTS: Final[Mapping[str, Callable[[HttpRequest, User, Workflow, dict[str, Any]], HttpResponse]]] = {
    "change": _change,
    "pause": partial(_set, enabled=False),
    "resume": partial(_set, enabled=True),
    "remove": _remove,
    "run": _run,
}
