"""Saying something to a pattern from its task card."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from orchestrator import notes
from orchestrator.errors import OrchestratorError
from orchestrator.models import Task
from orchestrator.ports import rights
from orchestrator.views import user_of


@require_POST
def say(request: HttpRequest, pk: int) -> HttpResponse:
    """Keep the note and go back to the card; what was refused is said there."""
    user = user_of(request)
    task = Task.objects.filter(pk=pk).first()
    if task is None or not rights().can(user, "see_runs", task):
        raise Http404
    if not rights().can(user, "steer_run", task):
        raise PermissionDenied
    kind = "end" if request.POST.get("kind") == "end" else "note"
    try:
        notes.say(task_id=pk, by=user, text=request.POST.get("text", ""), kind=kind)
    except OrchestratorError as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, _("Said. The next turn takes it up."))
    query = urlencode({"tab": "graph", "task": task.key})
    return redirect(f"{reverse('orchestrator:run', args=[task.run_id])}?{query}")
