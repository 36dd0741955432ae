"""A run and the runs that its steps have started, and those that these have: paused and resumed together.

The caller holds the lock of the run; those below it are locked here in id order, which is the order in which they were
started. A run that somebody paused on its own account has no mark, and is left as it is.
"""

from collections.abc import Iterable
from functools import reduce
from itertools import batched
from operator import or_

from django.db.models import Q

from agents.types import Json
from orchestrator import events
from orchestrator.engine import steering
from orchestrator.models import TASK_BITS, Run, task_id
from orchestrator.states import RUN_TERMINAL, RunStatus

_AT_ONCE = 200  # runs whose children are looked for in one statement


def living(run_id: int) -> list[int]:
    """The runs below this one that have not ended, by id."""
    found: set[int] = set()
    wave = {run_id}
    while wave := {child for runs in batched(sorted(wave), _AT_ONCE) for child in _children(runs)} - found:
        found |= wave
    return sorted(found)


def to_pause(run: Run) -> list[int]:
    """The runs below it that a pause would pause with it."""
    return _of(living(run.pk), Q(status=RunStatus.RUNNING))


def to_resume(run: Run) -> list[int]:
    """The runs below it that were paused with it: by its own pause, or by the one that paused it too."""
    marks = {run.pk, run.paused_with} - {None}
    return _of(living(run.pk), Q(status=RunStatus.PAUSED, paused_with__in=marks))


def staying_paused(run: Run) -> list[int]:
    """The runs below it that are paused and would stay so."""
    return sorted(set(_of(living(run.pk), Q(status=RunStatus.PAUSED))) - set(to_resume(run)))


def of_workflow(workflow_id: int) -> list[int]:
    """The living runs of other workflows below the living runs of this one, by id."""
    live = Run.objects.filter(workflow_id=workflow_id).exclude(status__in=RUN_TERMINAL)
    found: set[int] = set()
    wave = set(live.values_list("pk", flat=True))
    while wave := {child for runs in batched(sorted(wave), _AT_ONCE) for child in _children(runs)} - found:
        found |= wave
    return list(
        Run.objects.filter(pk__in=found).exclude(workflow_id=workflow_id).order_by("pk").values_list("pk", flat=True)
    )


def to_pause_with_workflow(workflow_id: int) -> list[int]:
    """Those of them that run."""
    return _of(of_workflow(workflow_id), Q(status=RunStatus.RUNNING))


def to_resume_with_stop(stop_id: int) -> list[int]:
    """The runs that were paused because this stop holds the workflow that started them."""
    held = Run.objects.filter(status=RunStatus.PAUSED, paused_with=-stop_id)
    return list(held.order_by("pk").values_list("pk", flat=True))


def lock(runs: list[int]) -> None:
    """Lock runs in id order."""
    _locked(runs)


def pause_with_stop(runs: list[int], *, stop_id: int, actor: str, reason: str) -> int:
    """Pause runs of other workflows because the one that started them is held; return how many."""
    paused = [child for child in _locked(runs) if child.status == RunStatus.RUNNING]
    for child in paused:
        pause_with(child, mark=-stop_id, actor=actor, reason=reason)
    return len(paused)


def resume_with_stop(stop_id: int, *, actor: str, reason: str) -> int:
    """Resume what was paused with a stop that is lifted; return how many."""
    paused = [child for child in _locked(to_resume_with_stop(stop_id)) if child.status == RunStatus.PAUSED]
    for child in paused:
        steering.resume(child)
        data: dict[str, Json] = {"reason": reason, "stop": stop_id}
        events.append("run.resumed", actor=actor, run_id=child.pk, data=data)
    return len(paused)


def pause(run: Run, *, actor: str, reason: str) -> int:
    """Pause what runs below a run that has just been paused; return how many."""
    below = _locked(to_pause(run))
    for child in below:
        if child.status == RunStatus.RUNNING:
            pause_with(child, mark=run.pk, actor=actor, reason=reason)
    return len(below)


def pause_with(child: Run, *, mark: int, actor: str, reason: str) -> None:
    """Pause a locked run because the run `mark` was paused, or the stop `-mark` holds the workflow that started it."""
    steering.pause(child)
    Run.objects.filter(pk=child.pk).update(paused_with=mark)
    held_by: dict[str, Json] = {"with": mark} if mark > 0 else {"stop": -mark}
    events.append("run.paused", actor=actor, run_id=child.pk, data={"reason": reason, **held_by})


def resume(run: Run, *, actor: str, reason: str) -> int:
    """Resume what was paused with a run that has just been resumed; return how many."""
    below = _locked(to_resume(run))
    for child in below:
        if child.status == RunStatus.PAUSED:
            steering.resume(child)
            events.append("run.resumed", actor=actor, run_id=child.pk, data={"reason": reason, "with": run.pk})
    return len(below)


def parent_of(run: Run) -> Run | None:
    """The run whose step started this one."""
    return Run.objects.filter(pk=run.parent_task >> TASK_BITS).first() if run.parent_task is not None else None


def _children(runs: Iterable[int]) -> list[int]:
    ranges = (Q(parent_task__gte=task_id(pk, 0), parent_task__lt=task_id(pk + 1, 0)) for pk in runs)
    live = Run.objects.filter(reduce(or_, ranges)).exclude(status__in=RUN_TERMINAL)
    return list(live.values_list("pk", flat=True))


def _of(runs: list[int], condition: Q) -> list[int]:
    return list(Run.objects.filter(condition, pk__in=runs).order_by("pk").values_list("pk", flat=True))


def _locked(runs: list[int]) -> list[Run]:
    return list(Run.objects.select_for_update(no_key=True).filter(pk__in=runs).order_by("pk"))
