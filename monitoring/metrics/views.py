"""The pages of figures: all of them, what is behind one, a workflow's signals and what is promised of it."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from approvals import permissions
from approvals.able import figures as reviewers
from approvals.able.promises import kept as promised_by_queues
from monitoring.metrics import behind, charts, kpis, objectives, reading, tables
from monitoring.metrics.kpis import Figures
from monitoring.models import Baseline, MeasureCursor, Objective
from orchestrator.errors import OrchestratorError
from orchestrator.models import Workflow

_LOOKS = {
    "workflow": tables.by_workflow, "agent": tables.by_agent, "pattern": tables.by_pattern, "team": tables.by_team,
}  # fmt: skip
BY = (*_LOOKS, "people")
_OF_ONE = (kpis.alone, kpis.success, kpis.human, kpis.unit_cost, kpis.mended, kpis.faster)


@require_GET
def metrics(request: HttpRequest) -> HttpResponse:
    """All figures of what one may see, over a span."""
    user = viewer(request)
    span = reading.span_of(request.GET.get("span", ""))
    f = Figures(user, span, reading.scope_of(user))
    by = request.GET.get("by", BY[0])
    if by not in BY:
        raise Http404
    context: dict[str, Any] = {
        **_frame(request, f),
        "tiles": [make(f) for make in kpis.TARGETED],
        "others": [make(f) for make in kpis.OTHERS],
        "charts": charts.overview(f),
        "kept": objectives.kept(user),
        "steps": tables.bottlenecks(span, f.scope)[:10],
        "by": by,
        "rows": _rows(by, f),
        "loads": sorted(f.loads.items()),
    }
    if permissions.can(user, "see_runs"):
        context |= {"talk": tables.talk(span), "used": tables.utilisation()}
    if by == "people":
        context |= {"reviewers": reviewers.everybody(user), "promises": promised_by_queues(user)}
    return render(request, "monitoring/metrics.html", context)


def _rows(by: str, f: Figures) -> list[tables.Row]:
    return _LOOKS[by](f.span, f.scope) if by in _LOOKS else []


@require_GET
def workflow(request: HttpRequest, name: str) -> HttpResponse:
    """One workflow: golden signals, latency against its budgets, steps, what is promised."""
    user = viewer(request)
    found = _workflow(user, name)
    span = reading.span_of(request.GET.get("span", ""))
    f = Figures(user, span, reading.scope_of(user, workflow=found))
    kept = objectives.kept(user, workflow=found)
    context = {
        **_frame(request, f),
        "workflow": found,
        "row": next(iter(tables.by_workflow(span, f.scope)), None),
        "now": tables.saturation(found),
        "others": [make(f) for make in _OF_ONE],
        "parts": [(key, f.times[key], _budget(kept, key)) for key in ("queue", "work", "human", "completion")],
        "charts": charts.overview(f, workflow=found),
        "kept": kept,
        "steps": tables.bottlenecks(span, f.scope)[:20],
        "baseline": Baseline.objects.filter(workflow=found).select_related("stated_by").first(),
        "may_promise": permissions.can(user, "publish_version", found),
        "indicators": Objective.Indicator.values,
    }
    return render(request, "monitoring/metrics_workflow.html", context)


@require_GET
def what_is_behind(request: HttpRequest, key: str) -> HttpResponse:
    """A figure, what it means, and the runs, tries or gates behind it."""
    user = viewer(request)
    if key not in kpis.BY_KEY:
        raise Http404
    only = request.GET.get("workflow", "")
    found = _workflow(user, only) if only else None
    span = reading.span_of(request.GET.get("span", ""))
    f = Figures(user, span, reading.scope_of(user, workflow=found, agent=request.GET.get("agent", "")[:100]))
    context = {
        **_frame(request, f), "workflow": found, "tile": kpis.BY_KEY[key](f), "behind": behind.behind(key, f),
        "loads": sorted(f.loads.items()) if key == "volume" else None,
    }  # fmt: skip
    return render(request, "monitoring/metrics_behind.html", context)


@require_POST
def promise(request: HttpRequest, name: str) -> HttpResponse:
    """Promise something of a workflow, or promise it no longer."""
    user = viewer(request)
    found = _workflow(user, name)
    indicator = request.POST.get("indicator", "")
    try:
        if request.POST.get("withdraw"):
            objectives.withdraw(workflow=found, by=user, indicator=indicator)
        else:
            seconds = number(request.POST.get("within", ""))
            objectives.promise(
                workflow=found, by=user, indicator=indicator, share=(number(request.POST.get("share", "")) or 0) / 100,
                within_ms=seconds * 1000 if seconds is not None else None,
                days=int(number(request.POST.get("days", "")) or 0), reason=request.POST.get("reason", ""),
            )  # fmt: skip
    except OrchestratorError as refusal:
        refused(request, refusal)
    return redirect("monitoring:metrics-workflow", name)


@require_POST
def baseline(request: HttpRequest, name: str) -> HttpResponse:
    """State how long the same work takes by hand."""
    user = viewer(request)
    found = _workflow(user, name)
    minutes = number(request.POST.get("minutes", "")) or 0
    try:
        objectives.state_baseline(workflow=found, by=user, minutes=minutes, source=request.POST.get("source", ""))
    except OrchestratorError as refusal:
        refused(request, refusal)
    return redirect("monitoring:metrics-workflow", name)


def viewer(request: HttpRequest) -> User:
    """Whoever sees runs of any workflow sees the figures of those. Raises PermissionDenied."""
    assert isinstance(request.user, User)  # LoginRequiredMiddleware lets nobody else in
    if not permissions.can_somewhere(request.user, "see_runs"):
        raise PermissionDenied(_("Figures are for roles that may see runs; an administrator can grant that."))
    return request.user


def refused(request: HttpRequest, refusal: OrchestratorError) -> None:
    """Say why nothing was changed; raise PermissionDenied where it was not theirs to change."""
    if refusal.status == 403:
        raise PermissionDenied(str(refusal))
    messages.error(request, str(refusal))


def number(text: str) -> float | None:
    """A number as people type it; None for what is none, or not finite."""
    try:
        found = float(text.strip().replace(",", "."))
    except ValueError:
        return None
    return found if abs(found) < 1e15 else None


def _workflow(user: User, name: str) -> Workflow:
    return get_object_or_404(permissions.visible_workflows(user), name=name)


def _budget(kept: list[objectives.Kept], key: str) -> Objective | None:
    return next((one.objective for one in kept if one.objective.indicator == key), None)


def _frame(request: HttpRequest, f: Figures) -> dict[str, Any]:
    cursor = MeasureCursor.objects.filter(pk=1).first()
    spans = [(name, words) for name, (_days, _grain, words) in reading.SPANS.items()]
    sees = {"sees_money": True, "sees_people": permissions.can(f.user, "see_oversight")}
    return {"f": f, "span": f.span, "spans": spans, "cursor": cursor, "at": request.path, **sees}
