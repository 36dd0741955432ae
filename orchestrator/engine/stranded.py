"""Runs that nothing will ever move: alive, but no task of theirs is ready, running or waiting.

That should not be possible; a person who looks at such a run at night should not be the one who finds out. Looked for
by the control worker; found ones become a gate, so that somebody is asked and can let the run go on. One whose tasks
have all ended has ended, too.
"""

import structlog
from django.db import transaction
from django.db.models import BigIntegerField, Exists, ExpressionWrapper, OuterRef
from django.db.models.functions import Now

from agents.types import Json
from orchestrator import events
from orchestrator.engine import gates, transitions
from orchestrator.engine.gates import Subject
from orchestrator.engine.plans import step_in_trouble
from orchestrator.models import Run, Task
from orchestrator.states import RunStatus, TaskStatus

log = structlog.get_logger(__name__)
MOVING = (TaskStatus.READY, TaskStatus.RUNNING, TaskStatus.WAITING)
LIVE = (RunStatus.RUNNING, RunStatus.PAUSED)
RULE = "nothing in this run could go on by itself"


def find_stranded() -> list[int]:
    """Ids of stranded runs, by the range of their tasks' ids."""
    first = ExpressionWrapper(OuterRef("pk") * (1 << 20), output_field=BigIntegerField())
    moving = Task.objects.filter(id__gte=first, id__lt=first + (1 << 20), status__in=MOVING)
    return list(Run.objects.filter(~Exists(moving), status__in=LIVE).order_by("pk").values_list("pk", flat=True)[:100])


def rescue() -> int:
    """Ask people about each stranded run; return how many were found. One run's trouble never hides another."""
    found = find_stranded()
    for run_id in found:
        try:
            _ask(run_id)
        except Exception:
            log.exception("rescue_failed", run_id=run_id)
    return len(found)


def _end(run: Run) -> None:
    """All its tasks have ended, and nobody has said so of the run: say it now. What failed can be tried again."""
    log.error("run_stranded", run_id=run.pk, task_id=None)
    events.append("run.stranded", actor="engine", run_id=run.pk, data={"step": ""})
    ended = Task.objects.of_run(run.pk).order_by("id")
    lost = None if run.outcome else ended.filter(status__in=(TaskStatus.FAILED, TaskStatus.CANCELLED)).first()
    if lost is None:
        status = RunStatus.PARTIAL if run.outcome else RunStatus.SUCCEEDED
        kind = "run.partly_succeeded" if run.outcome else "run.succeeded"
        facts: dict[str, Json] = {"tasks": run.total, "failed": run.failed}
    else:
        status, kind, facts = RunStatus.FAILED, "run.failed", {"step": lost.key, "code": "stranded"}
    error = {"kind": "infrastructure", "code": "stranded", "message": RULE, "step": lost.key} if lost else run.error
    Run.objects.filter(pk=run.pk).update(status=status, remaining=0, ended_at=Now(), error=error)
    events.append(kind, actor="engine", run_id=run.pk, data=facts)


@transaction.atomic
def _ask(run_id: int) -> None:
    """Look again under the run's lock: what looked stranded may have been between two statements."""
    run = transitions.lock_run(run_id)
    if run_id not in find_stranded():
        return
    task = Task.objects.of_run(run_id).filter(status=TaskStatus.BLOCKED).order_by("id").first()
    if task is None:
        _end(run)
        return
    log.error("run_stranded", run_id=run_id, task_id=task.pk)
    events.append("run.stranded", actor="engine", run_id=run_id, data={"step": task.key})
    error: dict[str, Json] = {"kind": "infrastructure", "code": "stranded", "message": RULE}
    subject = Subject(task_id=task.pk, run_id=run_id, workflow_id=run.workflow_id, requested_by=run.started_by_id)
    request = gates.for_trouble(step_in_trouble(task), subject, kind="exception", rule=RULE, error=error)
    transitions.strand(task, request)
