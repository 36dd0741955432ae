"""Tasks that go back unjudged: what they waited for has come, or nobody has a place for them.

Called with run and task locked.
"""

from agents.types import Json
from orchestrator import events
from orchestrator.engine.transitions import make_ready
from orchestrator.models import Task


def return_waiting(task: Task, *, reason: str) -> None:
    """What a task waited for has come: it goes on as it was."""
    make_ready(task, state=None)
    data: dict[str, Json] = {"attempt": task.attempt, "reason": reason}
    events.append("task.returned", actor="engine", run_id=task.run_id, task_id=task.pk, data=data)


def return_running(task: Task, *, reason: str) -> None:
    """A running task, whose attempt has ended unjudged, goes back to its lane."""
    make_ready(task)
    data: dict[str, Json] = {"attempt": task.attempt, "reason": reason}
    events.append("task.released", actor="engine", run_id=task.run_id, task_id=task.pk, data=data)
