"""What agents ask people in the middle of their work, and what people answered: the agent is called again with it.

An approval is for exactly one action of one task, and is over when a reviewer sends the work back.
"""

from typing import Any, Final

from django.db.models.functions import Now

from agents.types import Approval, Json
from orchestrator import db, events
from orchestrator.engine.assignment import Assignment
from orchestrator.models import Run, Task
from orchestrator.states import RunStatus, TaskStatus

_APPROVALS: Final = "approvals"  # in a task's spec
_ASKS: Final = "asks"  # in a task's state
_MOST: Final = 50


def approvals_of(job: Assignment) -> tuple[Approval, ...]:
    """What people agreed to of what this task's agent asked, since it was last sent back."""
    kept: list[dict[str, Any]] = (job.claimed.spec or {}).get(_APPROVALS, [])
    current = [one for one in kept if one["revision"] == job.claimed.revision]
    return tuple(Approval(one["action"], one["answer"], one["decided_by"]) for one in current)


def kept(task: Task) -> list[dict[str, Any]]:
    """The same of a task's row, as JSON."""
    found: list[dict[str, Any]] = (task.spec or {}).get(_APPROVALS, [])
    return [one for one in found if one["revision"] == task.revision]


def remember(pk: int, action: dict[str, Json]) -> None:
    """The gate that has just been opened is a question: its approval calls the agent again."""
    task = Task.objects.only("id", "state").get(pk=pk)
    Task.objects.filter(pk=pk).update(state={**(task.state or {}), _ASKS: action})


def approve(task: Task, answer: dict[str, Json], *, actor: str) -> bool:
    """If the locked waiting task asked a question, let its agent go on with the answer; False if it did not."""
    remembered = dict(task.state or {})
    if task.wait_for != "gate" or _ASKS not in remembered:
        return False
    agreed = {"action": remembered.pop(_ASKS), "answer": answer, "decided_by": actor, "revision": task.revision}
    spec = dict(task.spec or {})
    spec[_APPROVALS] = [*spec.get(_APPROVALS, ()), agreed][-_MOST:]
    paused = Run.objects.filter(pk=task.run_id, status=RunStatus.PAUSED).exists()
    Task.objects.filter(pk=task.pk, status=TaskStatus.WAITING).update(
        status=TaskStatus.READY,
        wait_for="",
        held=paused,
        ready_at=Now(),
        shift=None,
        state=remembered or None,
        spec=spec,
    )
    data: dict[str, Json] = {"attempt": task.attempt, "reason": "approved"}
    events.append("task.returned", actor=actor, run_id=task.run_id, task_id=task.pk, data=data)
    db.wake_idle()
    return True
