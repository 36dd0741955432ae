"""What holds a run's work back now, in words: for whoever is about to let something of it go on."""

from typing import Final

from django.db.models import Q

from orchestrator.models import Run, Stop, Task
from orchestrator.states import RunStatus

_WORDS: Final = {
    Stop.Scope.EVERYTHING: ("everything is stopped", "everything is paused"),
    Stop.Scope.WORKFLOW: ("its workflow is stopped", "its workflow is paused"),
    Stop.Scope.AGENT: ("its agent is stopped", "its agent is paused"),
    Stop.Scope.RUN: ("its run is stopped", "its run is paused"),
    Stop.Scope.TASK: ("its step is stopped", "its step is paused"),
}


def held_by(run_id: int, task_id: int | None) -> str:
    """Why nothing of this task may go on now: a stop or a pause of anything it belongs to; empty if it may."""
    run = Run.objects.only("id", "workflow_id", "status").get(pk=run_id)
    agent = Task.objects.filter(pk=task_id).values_list("agent_id", flat=True).first() if task_id else None
    which = Q(scope=Stop.Scope.EVERYTHING) | Q(scope=Stop.Scope.WORKFLOW, ref=run.workflow_id)
    which |= Q(scope=Stop.Scope.RUN, ref=run_id) | Q(scope=Stop.Scope.TASK, ref=task_id or 0)
    which |= Q(scope=Stop.Scope.AGENT, ref=agent or 0)
    found = Stop.objects.filter(which, lifted_at=None).order_by("lets_finish", "pk").first()
    if found is not None:
        return _WORDS[Stop.Scope(found.scope)][found.lets_finish]
    return "its run is paused" if run.status == RunStatus.PAUSED else ""
