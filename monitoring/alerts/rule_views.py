"""Pages of rules and of the rotation: write one, try it on what was, keep it."""

from datetime import date
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from approvals import deciders, permissions
from monitoring.alerts import history, oncall, shipped
from monitoring.alerts import rules as keeping
from monitoring.alerts import runbooks as books
from monitoring.alerts.errors import RuleNotFound, RuleRefused
from monitoring.alerts.history import Tried
from monitoring.alerts.inputs import SCOPES
from monitoring.alerts.views import seen_by_watchers, user_of
from monitoring.alerts.wording import written
from monitoring.models import AlertRule, Severity
from orchestrator.errors import OrchestratorError

WINDOWS = (1, 5, 10, 15, 30, 60, 120, 360, 720, 1440)
TURNS = 6  # that the page of the rotation looks ahead


@require_GET
@seen_by_watchers
def rules(request: HttpRequest) -> HttpResponse:
    """Every rule, by what it looks at."""
    every = list(AlertRule.objects.all())
    context = {
        "groups": [
            (scope, group) for scope in SCOPES.values() if (group := [r for r in every if r.scope == scope.name])
        ],
        "may_edit": _may_edit(request),
        "unmapped": keeping.unmapped(every),
        "titles": {book.name: books.said(book.title) for book in books.every().values()},
    }
    return render(request, "monitoring/alerts_rules.html", context)


@require_http_methods(["GET", "POST"])
@seen_by_watchers
def new(request: HttpRequest) -> HttpResponse:
    """A new rule."""
    _refuse_others(request)
    scope = request.GET.get("scope", "")
    wanted = keeping.Wanted("", scope if scope in SCOPES else "agent", "", Severity.WARNING.value)
    if request.method == "GET":
        return _form(request, None, wanted)
    wanted = _read(request)
    return _keep(request, None, request.POST.get("name", "")[:60], wanted)


@require_http_methods(["GET", "POST"])
@seen_by_watchers
def rule(request: HttpRequest, name: str) -> HttpResponse:
    """One rule: read it, try it, change it."""
    try:
        found = keeping.get(name)
    except RuleNotFound as unknown:
        raise Http404 from unknown
    if request.method == "GET":
        return _form(request, found, _wanted(found))
    _refuse_others(request)
    return _keep(request, found, name, _read(request, scope=found.scope))


@require_POST
@seen_by_watchers
def remove(request: HttpRequest, name: str) -> HttpResponse:
    """Delete a rule that has raised nothing."""
    _refuse_others(request)
    try:
        keeping.remove(name, by=user_of(request), reason=request.POST.get("reason", ""))
    except RuleNotFound as unknown:
        raise Http404 from unknown
    except RuleRefused as refusal:
        found = keeping.get(name)
        return _form(request, found, _wanted(found), problem=str(refusal), status=refusal.status)
    messages.success(request, _("The rule is gone."))
    return redirect("alerts:rules")


@require_POST
@seen_by_watchers
def attempt(request: HttpRequest) -> HttpResponse:
    """When the rule in the form would have fired; nothing is kept."""
    wanted = _read(request)
    return render(request, "monitoring/alerts_rule.html#tried", _tried(request, wanted))


@require_http_methods(["GET", "POST"])
@seen_by_watchers
def on_call(request: HttpRequest) -> HttpResponse:
    """Whose turn it is, whose it will be; and the rotation, for whoever may change it."""
    if request.method == "GET":
        return _rotation(request)
    _refuse_others(request)
    try:
        oncall.set_rotation(_terms(request), by=user_of(request), reason=request.POST.get("reason", ""))
    except OrchestratorError as refusal:
        return _rotation(request, problem=str(refusal), status=refusal.status)
    messages.success(request, _("The rotation is set."))
    return redirect("alerts:on-call")


def _rotation(request: HttpRequest, *, problem: str = "", status: int = 200) -> HttpResponse:
    found = oncall.get()
    people = deciders.holders("handle_alerts")
    order = {pk: place for place, pk in enumerate(found.people)} if found else {}
    context = {
        "rotation": found,
        "turns": oncall.turns(timezone.now(), count=TURNS),
        "people": sorted(people, key=lambda one: (order.get(one.pk, len(order)), one.username)),
        "places": {pk: place + 1 for pk, place in order.items()},
        "may_edit": _may_edit(request),
        "problem": problem,
        "today": timezone.localdate(),
    }
    return render(request, "monitoring/alerts_on_call.html", context, status=status)


def _terms(request: HttpRequest) -> oncall.Terms:
    """From the form: `place.<username>` is a person's place, empty for none."""
    asked = request.POST
    places = {
        name.removeprefix("place."): int(value)
        for name, value in asked.dict().items()
        if isinstance(value, str)
        and name.startswith("place.")
        and value.isdecimal()
        and len(value) < 4
        and int(value) > 0
    }
    try:
        starts = date.fromisoformat(asked.get("starts_on", ""))
    except ValueError:
        starts = timezone.localdate()
    return oncall.Terms(
        people=tuple(sorted(places, key=lambda name: (places[name], name))),
        days=_number(asked.get("days", ""), 7), hour=_number(asked.get("hour", ""), 9),
        zone=asked.get("zone", "UTC")[:60], starts_on=starts, minutes=_number(asked.get("minutes", ""), 5),
    )  # fmt: skip


def _number(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else otherwise


def _keep(request: HttpRequest, found: AlertRule | None, name: str, wanted: keeping.Wanted) -> HttpResponse:
    user, reason = user_of(request), request.POST.get("reason", "")
    try:
        if found is None:
            made = keeping.create(name, wanted, by=user, reason=reason)
        else:
            made = keeping.change(name, wanted, by=user, reason=reason)
    except OrchestratorError as refusal:
        return _form(request, found, wanted, problem=str(refusal), status=refusal.status, name=name)
    messages.success(request, _("The rule is kept, and looks from now on."))
    return redirect("alerts:rule", made.name)


def _form(
    request: HttpRequest,
    found: AlertRule | None,
    wanted: keeping.Wanted,
    *,
    problem: str = "",
    status: int = 200,
    name: str = "",
) -> HttpResponse:
    usual = shipped.find(found.name) if found is not None else None
    context: dict[str, Any] = {
        "rule": found, "wanted": wanted, "name": name or (found.name if found else ""), "problem": problem,
        "scopes": SCOPES.values(), "scope": SCOPES[wanted.scope], "severities": Severity.choices, "windows": WINDOWS,
        "books": [(book.name, books.said(book.title)) for book in books.every().values()],
        "may_edit": _may_edit(request), "usual": usual,
        "recent": found.alerts.order_by("-pk").count() if found is not None else 0,
        "may_remove": found is not None and not found.shipped and not found.alerts.exists(),
    }  # fmt: skip
    if request.GET.get("try") and found is not None:
        context |= _tried(request, wanted)
    return render(request, "monitoring/alerts_rule.html", context, status=status)


def _tried(request: HttpRequest, wanted: keeping.Wanted) -> dict[str, Any]:
    try:
        tried = history.replay(wanted, user=user_of(request))
    except RuleRefused as refusal:
        return {"tried": None, "tried_problem": str(refusal)}
    return {"tried": tried, "tried_rows": list(_rows(tried, wanted)), "tried_problem": tried.problem}


def _rows(tried: Tried, wanted: keeping.Wanted) -> Any:
    scope = SCOPES[wanted.scope]
    named = sorted(keeping.named_in(wanted.condition, wanted.scope))
    for one in tried.shown:
        numbers = ", ".join(f"{name} {written(one.values[name], scope.of(name).unit)}" for name in named)
        yield {"firing": one, "numbers": numbers}


def _read(request: HttpRequest, *, scope: str = "") -> keeping.Wanted:
    asked = request.POST
    given = scope or asked.get("scope", "")
    return keeping.Wanted(
        title=asked.get("title", "")[:200], scope=given if given in SCOPES else "agent",
        condition=asked.get("condition", "")[:2000], severity=asked.get("severity", "")[:20],
        window=_number(asked.get("window", ""), 60), subject=asked.get("subject", "")[:100],
        runbook=asked.get("runbook", "")[:60], enabled=asked.get("enabled") == "yes",
    )  # fmt: skip


def _wanted(found: AlertRule) -> keeping.Wanted:
    return keeping.Wanted(
        found.title, found.scope, found.condition, found.severity, found.window, found.subject, found.runbook,
        found.enabled,
    )  # fmt: skip


def _may_edit(request: HttpRequest) -> bool:
    return permissions.can(user_of(request), "edit_alerts")


def _refuse_others(request: HttpRequest) -> None:
    if not _may_edit(request):
        raise PermissionDenied(_("Your roles do not let you change alert rules. An administrator can change that."))
