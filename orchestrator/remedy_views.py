"""What the inbox asks of this app: what else may be done about a card, and which runs ended in part."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from orchestrator import remedies as queries
from orchestrator.models import Task
from orchestrator.views import user_of


@require_GET
def remedies(request: HttpRequest, pk: int) -> HttpResponse:
    """Acts that settle what a task asks, as far as the user may do them; nothing of what they may not see."""
    task = Task.objects.filter(pk=pk).first()
    found = queries.of_task(task, user_of(request)) if task else []
    partial = "#buttons" if getattr(request, "wants_partial", False) else ""
    return render(request, "orchestrator/remedies.html" + partial, {"remedies": found})


@require_GET
def incomplete(request: HttpRequest) -> HttpResponse:
    """Runs that ended in part and that the user may do something about."""
    partial = "#runs" if getattr(request, "wants_partial", False) else ""
    return render(request, "orchestrator/incomplete.html" + partial, {"found": queries.incomplete(user_of(request))})
