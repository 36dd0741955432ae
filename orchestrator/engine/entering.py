"""What a step that begins moves: the lifecycles of the run, before its agent is called or people are asked."""

from django.db import transaction

from agents.types import Failed
from orchestrator.engine import lifecycles, run_state, transitions
from orchestrator.engine.assignment import Assignment
from orchestrator.errors import IllegalMove
from orchestrator.models import Task
from orchestrator.states import TaskStatus


def move(job: Assignment) -> Failed | None:
    """Move what the step's `moves` say; a Failed that says why if that is not legal where it stands.

    Fenced by the attempt. A step that begins again finds it where it has moved it, and moves nothing.
    """
    try:
        with transaction.atomic():
            transitions.lock_run(job.claimed.run_id)
            mine = Task.objects.filter(pk=job.claimed.id, attempt=job.claimed.attempt, status=TaskStatus.RUNNING)
            if mine.exists():  # else replaced meanwhile: whoever replaced it moves
                for name, state in job.step.moves.items():
                    _move(job, name, state)
    except IllegalMove as refused:
        return Failed("permanent", refused.code, str(refused))
    return None


def _move(job: Assignment, name: str, state: str) -> None:
    run = job.claimed.run_id
    if lifecycles.state_of(run, name, job.plan.lifecycles[name]) != state:
        change = run_state.Write(f"{lifecycles.SHARED}.{name}", state, reason=f"step {job.step.key} begins")
        run_state.write(run, change, writer="engine", task=job.claimed.id)
