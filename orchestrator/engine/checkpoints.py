"""Save points of a run: made by a step's setting, by an agent or by a person. The caller holds the run's lock."""

from dataclasses import asdict
from typing import Any, Final

from agents import checkpoints
from agents.checkpoints import Notes
from orchestrator import events
from orchestrator.definitions.plan import PlanStep
from orchestrator.engine.plans import plan_of
from orchestrator.errors import TooManyCheckpoints
from orchestrator.models import Checkpoint, Event, Run, Task
from orchestrator.states import TASK_TERMINAL

MOST: Final = 1000  # in one run


def make(run_id: int, *, name: str, notes: Notes, actor: str, task: int | None = None) -> int:
    """Make one and return its number; the same one again, after a lost answer, is made once.

    Raises CheckpointRefused and TooManyCheckpoints.
    """
    name = checkpoints.checked_name(name)
    last = Checkpoint.objects.filter(run_id=run_id).order_by("-number").first()
    if last is not None and _is_same(last, name, notes, actor, task):
        return last.number
    number = last.number + 1 if last else 1
    if number > MOST:
        raise TooManyCheckpoints(run_id=run_id, most=MOST)
    event = events.append(
        "checkpoint.made", actor=actor, run_id=run_id, task_id=task, data={"checkpoint": number, "name": name}
    )
    Checkpoint.objects.create(run_id=run_id, number=number, name=name, event=event, created_by=actor, **asdict(notes))
    return number


def _is_same(last: Checkpoint, name: str, notes: Notes, actor: str, task: int | None) -> bool:
    stored = Notes(last.decisions, last.completion, last.findings, last.next_steps)
    if (last.name, last.created_by, stored) != (name, actor, notes):
        return False
    return Event.objects.filter(pk=last.event, task_id=task).exists() if task else False


def made_by_step(run_id: int, step: PlanStep, *, task: Task) -> None:
    """The save point that a step's definition asks for: how far the run is, and what comes next."""
    run = Run.objects.values("total", "version_id").get(pk=run_id)
    ended = Task.objects.of_run(run_id).filter(status__in=TASK_TERMINAL).count()
    steps = plan_of(run["version_id"]).steps
    following: list[Any] = [steps[index].title[:300] for index in task.successors if index < len(steps)][:50]
    notes = checkpoints.checked(
        {
            "completion": {
                "status": f"{ended} of {run['total']} steps have ended",
                "share": round(min(1.0, ended / max(run["total"], 1)), 4),
            },
            "next_steps": following,
        }
    )
    make(run_id, name=step.checkpoint, notes=notes, actor="engine", task=task.pk)


def last_of(task: int) -> Checkpoint | None:
    """The newest save point that this task's agent has made."""
    made = Event.objects.filter(run_id=task >> 20, task_id=task, kind="checkpoint.made").exclude(actor="engine")
    return Checkpoint.objects.filter(
        run_id=task >> 20, event__in=list(made.order_by("-id").values_list("pk", flat=True)[:1])
    ).first()
