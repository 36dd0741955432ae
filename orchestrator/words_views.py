"""What models are writing in a run right now: a fragment that asks again each second while there may be more."""

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from agents import models_used
from agents.models import AgentVersion
from orchestrator import queries
from orchestrator.models import TASK_BITS, Run, Task, task_id
from orchestrator.states import RunStatus

_OVER = {RunStatus.SUCCEEDED, RunStatus.PARTIAL, RunStatus.FAILED, RunStatus.CANCELLED}


@require_GET
def words(request: HttpRequest, pk: int) -> HttpResponse:
    """The newest words of each call under way. State, not a stream: whoever reconnects sees all of it again."""
    assert isinstance(request.user, User)
    run = queries.get_visible_run_or_404(request.user, pk)
    shown = [
        found
        for found in models_used.shown(run.correlation_id, "task-")
        if int(found.key.split("-")[1]) >> TASK_BITS == run.pk
    ]
    goes_on = run.status not in _OVER and _has_models(run)
    return render(request, "orchestrator/run_words.html", {"run": run, "shown": shown, "goes_on": goes_on})


def _has_models(run: Run) -> bool:
    tasks = Task.objects.filter(pk__gte=task_id(run.pk, 0), pk__lt=task_id(run.pk + 1, 0))
    return AgentVersion.objects.filter(kind="llm", agent__in=tasks.values("agent").distinct()).exists()
