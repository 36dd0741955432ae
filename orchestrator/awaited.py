"""What waiting tasks wait for, read in three queries however many they are; for pages and the API."""

from collections.abc import Iterable, Mapping
from typing import Final

from orchestrator.models import Run, Timer, Wait
from orchestrator.waiting import Awaited

MOST: Final = 1000  # tasks that are looked up for one page


def awaited(tasks: Mapping[int, tuple[str, str]]) -> dict[int, Awaited]:
    """For waiting tasks, given as id: (what they wait for, their step's title), what that is and until when."""
    outside = dict([(pk, told) for pk, told in tasks.items() if told[0] in _KINDS][:MOST])
    if not outside:
        return {}
    timers = Timer.objects.filter(ref__in=outside, kind__in=("task_timer", "wait_deadline"), fired_at=None)
    until = dict(timers.values_list("ref", "due_at"))
    waits = {wait.task_id: wait for wait in Wait.objects.filter(task_id__in=outside, ended_at=None)}
    runs = _children(outside)
    found = {}
    for pk, (kind, step) in outside.items():
        wait, run = waits.get(pk), runs.get(pk)
        found[pk] = Awaited(
            kind=kind,
            step=step,
            until=until.get(pk),
            name=wait.name if wait else "",
            key=wait.key if wait else "",
            run=run.pk if run else None,
            workflow=run.workflow.title if run else "",
        )
    return found


_KINDS: Final = frozenset({"timer", "event", "callback", "run", "message", "answer"})


def _children(tasks: Iterable[int]) -> dict[int, Run]:
    found = Run.objects.filter(parent_task__in=list(tasks)).select_related("workflow").order_by("pk")
    return {run.parent_task: run for run in found.only("id", "parent_task", "workflow__title") if run.parent_task}
