"""What an agent has in hand, who could take it over, and what of it could start again."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Final

from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from agents.types import Json
from orchestrator.acts.core import Act, Performing, Target, find
from orchestrator.acts.steps import candidates
from orchestrator.engine import checkpoints, overriding, remote, rewinding, selecting
from orchestrator.engine.plans import step_in_trouble
from orchestrator.errors import OrchestratorError
from orchestrator.models import TASK_BITS, RemoteCall, Run, Task, task_id
from orchestrator.states import RunStatus, TaskStatus

MOST: Final = 500  # steps that change hands at once: the locks of all are held until the last has
MOST_RESTARTED: Final = 200
SHOWN: Final = 8  # lines of a preview
FAILED_RUNS: Final = 100  # the newest that are looked into for failed steps

# What becomes of a step; otherwise the agent that takes it over.
ASK: Final = "?"  # people decide
ANEW: Final = "*"  # it names no agent: one is chosen
HELD: Final = ""  # it has not begun, and waits


@dataclass(frozen=True, slots=True)
class InHand:
    """One step that an agent works on or is about to, and what becomes of it when the agent is no more."""

    task: int
    to: str


@dataclass(frozen=True, slots=True)
class Unfinished:
    """One step that may start again, and the checkpoint that its agent finds then."""

    task: int
    key: str
    attempt: int
    status: str
    checkpoint: int  # 0: none
    named: str

    @property
    def failed(self) -> bool:
        """Whether its run ended with it."""
        return self.status == TaskStatus.FAILED

    @property
    def bound(self) -> list[Json]:
        """What a person agrees to."""
        return [self.task, self.attempt, self.status, self.checkpoint]


def _begun(agent: int) -> QuerySet[Task]:
    """Running, waiting for an answer from outside, or for its next try."""
    waits = Q(status=TaskStatus.WAITING, wait_for__in=(remote.WAITS, "retry"))
    found = Task.objects.filter(agent_id=agent).filter(Q(status=TaskStatus.RUNNING) | waits)
    return found.select_related("run__workflow").order_by("pk")


def ready_of(agent: int) -> list[int]:
    """Steps that could start at once if it were let."""
    found = Task.objects.filter(agent_id=agent, status=TaskStatus.READY, held=False).order_by("pk")
    return list(found.values_list("pk", flat=True)[:MOST])


def runs_of(agent: int) -> list[int]:
    """The runs of what it has in hand, in the order of locks."""
    begun = list(_begun(agent).values_list("pk", flat=True)[:MOST])
    return sorted({pk >> TASK_BITS for pk in (*begun, *ready_of(agent))})


def in_hand(agent: int, *, moves: bool) -> list[InHand]:
    """What it has in hand, begun before ready, and what becomes of each."""
    away = selecting.away()
    begun = [InHand(task.pk, _next(task, away) if moves else _asked(task)) for task in _begun(agent)[:MOST]]
    ready = Task.objects.filter(pk__in=ready_of(agent)).select_related("run__workflow").order_by("pk")
    later = [InHand(task.pk, _next(task, away) if moves else HELD) for task in ready[: MOST - len(begun)]]
    return [*begun, *later]


def _asked(task: Task) -> str:
    """What waits for its next try has nothing to interrupt."""
    return HELD if task.wait_for == "retry" else ASK


def _next(task: Task, away: dict[int, str]) -> str:
    """Who takes a step over; people decide where nobody fits, and where it cannot change hands."""
    if step_in_trouble(task).select is not None:
        return ANEW
    nobody = HELD if task.status == TaskStatus.READY else _asked(task)
    if find("task", "redirect").why_not(Target("task", task)):
        return nobody
    out = selecting.names_of(away)
    return next((name for name in candidates(task) if name not in out), nobody)


def take(act: Performing, one: InHand) -> str:
    """Carry out what becomes of one step; its run is locked. It may have ended meanwhile."""
    task = Task.objects.select_for_update(no_key=True, of=("self",)).select_related("run__workflow").get(pk=one.task)
    began = task.status == TaskStatus.RUNNING or task.wait_for in (remote.WAITS, "retry")
    if one.to == HELD or not (began or task.status == TaskStatus.READY):
        return HELD
    RemoteCall.objects.filter(task_id=task.pk, answered_at=None, ended_at=None).update(ended_at=Now())
    if one.to == ASK:
        rewinding.terminate(task.run, task, actor=act.actor, reason=act.reason)
    elif one.to == ANEW:
        _forget_choice(task, reason=act.reason)
    else:
        _redirect(act, task, one.to)
    return one.to


def _forget_choice(task: Task, *, reason: str) -> None:
    spec = {name: value for name, value in (task.spec or {}).items() if name != "chosen"}
    step = {name: value for name, value in spec.get("step", {}).items() if name not in ("agent", "agent_version")}
    spec["step"] = step
    overriding.let_run(task, reason=reason, agent_id=None, limited=False, spec=spec)


def _redirect(act: Performing, task: Task, to: str) -> None:
    redirect, target, answers = find("task", "redirect"), Target("task", task), {"agent": to}
    redirect.apply(Performing(target, answers, redirect.plan(target, answers), act.by, act.reason))


# Starting again


def unfinished(agent: int) -> list[Unfinished]:
    """Steps of live runs that it works on or has trouble with, then steps that failed the newest failed runs."""
    rows = [*_live(agent)[:MOST_RESTARTED], *_failed(agent)]
    return [_unfinished(task) for task in rows[:MOST_RESTARTED] if _how(task)]


def _live(agent: int) -> QuerySet[Task]:
    trouble = Q(status=TaskStatus.WAITING, wait_for="retry")
    found = Task.objects.filter(agent_id=agent).filter(Q(status=TaskStatus.RUNNING) | trouble)
    return found.select_related("run__workflow").order_by("pk")


def _failed(agent: int) -> Iterator[Task]:
    newest = Run.objects.filter(status=RunStatus.FAILED).order_by("-ended_at").values_list("pk", flat=True)
    runs = sorted(newest[:FAILED_RUNS])
    if not runs:
        return
    ranges = reduce(or_, (Q(pk__gte=task_id(run, 0), pk__lt=task_id(run + 1, 0)) for run in runs))
    found = Task.objects.filter(ranges, agent_id=agent, status=TaskStatus.FAILED, parent=None)
    seen: set[int] = set()  # one retry revives a run with all that failed in it
    for task in found.select_related("run__workflow").order_by("pk"):
        if task.run_id not in seen:
            seen.add(task.run_id)
            yield task


def _how(task: Task) -> Act | None:
    """The act on one step that starts it again; None where that is refused now."""
    act = find("task", "retry" if task.status == TaskStatus.FAILED else "restart")
    return None if act.why_not(Target("task", task)) else act


def _unfinished(task: Task) -> Unfinished:
    last = checkpoints.last_of(task.pk)
    number, name = (last.number, last.name) if last else (0, "")
    return Unfinished(task.pk, task.key, task.attempt, task.status, number, name)


def restart(act: Performing, one: Unfinished) -> bool:
    """Start one step again; its run and steps are locked. Whether it could: another's restart may have revived it."""
    task = Task.objects.select_related("run__workflow").get(pk=one.task)
    how, target = _how(task), Target("task", task)
    if how is None or task.status != one.status:
        return False
    try:
        how.apply(Performing(target, {}, how.plan(target, {}), act.by, act.reason))
    except OrchestratorError:
        if task.status == TaskStatus.FAILED:
            return False
        raise
    return True
