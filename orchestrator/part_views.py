"""Runs in which one's team has steps, and one of them: for people who do not see the workflow's runs as a whole."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from orchestrator import parts, rendering, run_page
from orchestrator.models import Run
from orchestrator.ports import gatekeeper
from orchestrator.states import RUN_TERMINAL
from orchestrator.views import user_of


@require_GET
def every(request: HttpRequest) -> HttpResponse:
    """The newest runs that a team of the reader's has a part in."""
    before = request.GET.get("before", "")
    cursor = int(before) if before.isdecimal() and len(before) < 15 else None
    rows, older = parts.page(user_of(request), before=cursor)
    context = {"rows": rows, "older": older, "before": cursor}
    return render(request, "orchestrator/parts.html" + _region(request, "rows"), context)


@require_GET
def part(request: HttpRequest, pk: int) -> HttpResponse:
    """One run: its team's tasks, each to be opened, and how far the others are."""
    user = user_of(request)
    found = parts.get_run_or_404(user, pk)
    shown = parts.part(user, found)
    context: dict[str, Any] = {"run": found, "part": shown, "is_live": found.status not in RUN_TERMINAL}
    context |= _selected(request, found, request.GET.get("task", ""))
    return render(request, "orchestrator/part.html" + _region(request, "body"), context)


def _selected(request: HttpRequest, run: Run, key: str) -> dict[str, Any]:
    """The task that is opened: one of the reader's team, or none."""
    user = user_of(request)
    step = run_page.step_of(run, key) if key else None
    card = run_page.task_card(run, step, hidden=gatekeeper().hidden_tasks(user, [run.pk])) if step else None
    if card is None or not parts.is_own(user, card.task):
        return {}
    return {"selected": key, "card": card, "output": rendering.pieces(card.task.output)}


def _region(request: HttpRequest, name: str) -> str:
    return f"#{name}" if getattr(request, "wants_partial", False) else ""
