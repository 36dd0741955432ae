"""The pages of costs: the month, statements to charge by, tiers, and what automation is worth."""

import csv
from typing import Any

from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST

from approvals import permissions
from monitoring.costs import overview, savings, statements, tiers, worth
from monitoring.costs.savings import Savings
from monitoring.costs.statements import Statement
from monitoring.metrics import reading, tables
from monitoring.metrics.errors import NoSuchMonth, TierRefused
from monitoring.metrics.kpis import Figures, human
from monitoring.metrics.views import number, refused, viewer
from monitoring.models import Baseline, Measure
from orchestrator import budget_rows, teams
from orchestrator.errors import OrchestratorError

INPUTS = {
    "runs": _("Runs a month"),
    "by_hand": _("Minutes by hand"),
    "with_people": _("Minutes that people still spend on a run"),
    "wage": _("Wage, $ an hour"),
    "per_run": _("Money per run, $"),
    "platform": _("Platform a month, $"),
}
WAGE = 60.0


@require_GET
def costs(request: HttpRequest) -> HttpResponse:
    """The month, what it comes to and why, and what each thing costs."""
    user = viewer(request)
    span = reading.span_of("30d")
    scope = reading.scope_of(user)
    may_set = permissions.can(user, "publish_version")
    context = {
        "month": overview.month(user),
        "workflows": tables.by_workflow(span, scope),
        "agents": tables.by_agent(span, scope),
        "teams": tables.by_team(span, scope),
        "standing": tiers.standing(user),
        "budgets": _budgets(user),
        "months": _months(),
        "may_set": may_set,
        "groups": Group.objects.order_by("name") if may_set else (),
        "people": User.objects.filter(is_active=True).exclude(pk=user.pk).order_by("username")[:500] if may_set else (),
        "levels": tiers.LIMITS,
        "energy_source": worth.ENERGY_SOURCE,
        "wh_per_call": worth.WH_PER_CALL,
    }
    return render(request, "monitoring/costs.html", context)


@require_GET
def statement(request: HttpRequest, month: str) -> HttpResponse:
    """A month's statement; as a file with `?as=csv`."""
    user = viewer(request)
    try:
        found = statements.statement(user, month)
    except NoSuchMonth as unknown:
        raise Http404 from unknown
    if request.GET.get("as") == "csv":
        return _csv(found)
    return render(request, "monitoring/statement.html", {"statement": found, "months": _months()})


@require_GET
def saved(request: HttpRequest, month: str) -> HttpResponse:
    """What each team has saved in a month, at `?wage=` dollars an hour; as a file with `?as=csv`."""
    user = viewer(request)
    try:
        found = savings.savings(user, month, wage=_given(request, "wage", WAGE))
    except NoSuchMonth as unknown:
        raise Http404 from unknown
    if request.GET.get("as") == "csv":
        return _savings_csv(found)
    return render(request, "monitoring/savings.html", {"savings": found, "months": _months()})


@require_GET
def roi(request: HttpRequest) -> HttpResponse:
    """The calculator: filled in from the last 30 days, changed in the address."""
    user = viewer(request)
    usual = _usual(user)
    case = worth.Case(**{name: _given(request, name, getattr(usual, name)) for name in INPUTS})
    bars = worth.tornado(case)
    context = {
        "case": case, "inputs": [(name, words, getattr(case, name)) for name, words in INPUTS.items()],
        "bars": _drawn(bars, case.gain), "formulas": worth.FORMULAS, "swing": worth.SWING,
    }  # fmt: skip
    return render(request, "monitoring/roi.html", context)


@require_POST
def set_tier(request: HttpRequest) -> HttpResponse:
    """Put a team on a tier."""
    user = viewer(request)
    if not permissions.can(user, "publish_version"):
        raise PermissionDenied(_("Tiers are set by whoever may publish everywhere; an administrator can grant that."))
    name, chosen = request.POST.get("sponsor", ""), request.POST.get("team", "")
    sponsor = User.objects.filter(username=name, is_active=True).first() if name else None
    try:
        tiers.set_tier(
            team=_team(chosen), level=request.POST.get("level", ""), by=user, reason=request.POST.get("reason", ""),
            reserve=(number(request.POST.get("reserve", "10")) or 0) / 100, sponsor=sponsor,
        )  # fmt: skip
    except OrchestratorError as refusal:
        refused(request, refusal)
    return redirect("monitoring:costs")


@require_POST
def stand_for(request: HttpRequest, team: int) -> HttpResponse:
    """The sponsor confirms."""
    user = viewer(request)
    found = get_object_or_404(Group, pk=team)
    if not teams.is_visible(user, found):
        raise Http404
    try:
        tiers.stand_for(team=found, by=user)
    except OrchestratorError as refusal:
        refused(request, refusal)
    return redirect("monitoring:costs")


def _team(chosen: str) -> Group:
    found = Group.objects.filter(pk=int(chosen)).first() if chosen.isdecimal() and len(chosen) < 10 else None
    if found is None:
        raise TierRefused(why="choose a team")
    return found


def _budgets(user: User) -> list[budget_rows.Row]:
    """Standing budgets in dollars of the teams that one may see."""
    own = set(user.groups.values_list("pk", flat=True))
    sees_all = permissions.can(user, "see_runs")
    return [row for row in budget_rows.of_teams() if row.resource == "cost" and (sees_all or row.ref in own)]


def _months() -> list[str]:
    """Months with anything in them, the newest first; this one is always there."""
    days = Measure.objects.filter(grain="d", name__in=("cost", "run_started")).order_by()
    found = {f"{at:%Y-%m}" for at in days.dates("at", "month", order="DESC")[:36]}
    return sorted(found | {statements.this_month()}, reverse=True)


def _csv(found: Statement) -> HttpResponse:
    """One line for each team and workflow."""
    response = _sheet(f"watchkeeper-statement-{found.month}.csv")
    sheet = csv.writer(response)
    sheet.writerow(["month", "team", "workflow", "runs", "calls", "tokens", "usd"])
    for line in found.lines:
        for part in line.parts:
            told = (part.runs, part.calls, part.tokens, f"{part.money:.2f}")
            sheet.writerow([found.month, _cell(line.name), _cell(part.workflow), *told])
    sheet.writerow([found.month, "total", "", found.runs, found.calls, found.tokens, f"{found.money:.2f}"])
    return response


def _savings_csv(found: Savings) -> HttpResponse:
    """One line for each team, and one for all of them."""
    response = _sheet(f"watchkeeper-savings-{found.month}.csv")
    sheet = csv.writer(response)
    sheet.writerow([
        "month", "team", "runs_ended", "with_result", "counted", "hours_by_hand", "hours_of_people", "hours_saved",
        "usd_an_hour", "usd_saved", "usd_spent", "usd_gain", "roi",
    ])  # fmt: skip
    for name, one in [*((row.name, row) for row in found.teams), ("total", found.together)]:
        people = "" if one.people_h is None else f"{one.people_h:.2f}"
        hours = (f"{one.by_hand_h:.2f}", people, f"{one.hours:.2f}")
        money = (f"{value:.2f}" for value in (one.wage, one.money, one.spent, one.gain))
        roi = "" if one.roi is None else f"{one.roi:.4f}"
        sheet.writerow([found.month, _cell(name), one.ended, one.well, one.counted, *hours, *money, roi])
    return response


def _sheet(name: str) -> HttpResponse:
    return HttpResponse(
        content_type="text/csv; charset=utf-8", headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def _cell(text: str) -> str:
    """Names cannot become formulas in a spreadsheet."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _usual(user: User) -> worth.Case:
    f = Figures(user, reading.span_of("30d"), reading.scope_of(user))
    stated = Baseline.objects.order_by("workflow_id", "-id").distinct("workflow_id")
    minutes = list(stated.filter(workflow__in=permissions.visible_workflows(user)).values_list("minutes", flat=True))
    waits = human(f)
    return worth.Case(
        runs=float(f.well), by_hand=round(sum(minutes) / len(minutes), 1) if minutes else 30.0,
        with_people=2.0 if waits.n else 0.0, wage=WAGE,
        per_run=round(f.counts["cost"].total / f.well, 4) if f.well else 0.0, platform=500.0,
    )  # fmt: skip


def _given(request: HttpRequest, name: str, usual: float) -> float:
    found = number(request.GET.get(name, ""))
    return min(max(found, 0.0), 1e9) if found is not None else usual


def _drawn(bars: list[worth.Bar], middle: float) -> list[dict[str, Any]]:
    """Bars as parts of one scale, 0-100, with the gain as it is at its own place."""
    low, high = min([middle, *(min(b.down, b.up) for b in bars)]), max([middle, *(max(b.down, b.up) for b in bars)])
    scale = 100 / ((high - low) or 1.0)

    def at(value: float) -> float:
        return round((value - low) * scale, 2)

    return [
        {
            "name": INPUTS[bar.name], "bar": bar, "x": min(at(bar.down), at(bar.up)), "middle": at(middle),
            "down": (min(at(bar.down), at(middle)), abs(at(bar.down) - at(middle))),
            "up": (min(at(bar.up), at(middle)), abs(at(bar.up) - at(middle))),
        }
        for bar in bars
    ]  # fmt: skip
