"""Moving a live run to another version of its workflow, in place.

A task's place in its run is its step's place in the version, and history names it. So what has begun must be found in
the new version at the same place, under the same key and of the same kind; what has not begun is made anew. Tasks that
a step has started have their places after the plan's. They go over as they are: where both versions have as many steps,
and the step, while it is at it, says the same in both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db.models.functions import Now

from agents.models import Agent
from agents.types import Json
from orchestrator import db, events
from orchestrator.definitions.plan import Plan, PlanStep
from orchestrator.definitions.serialise import step_to_json
from orchestrator.engine import asking, gates, overriding
from orchestrator.engine.plans import INDEX, has_started_others, plan_of
from orchestrator.models import Run, Step, Task, WorkflowVersion, task_id
from orchestrator.ports import gatekeeper
from orchestrator.states import TASK_TERMINAL, RunStatus, TaskStatus

_PLACES: Final = frozenset({"index", "dependencies", "successors", "needs", "branches", "subject", "group"})


@dataclass(frozen=True, slots=True)
class Route:
    """How a run would go over. `unmappable` is why it cannot, one sentence a step; empty if it can."""

    kept: tuple[str, ...]  # keys of steps that have begun
    made: tuple[str, ...]  # keys of steps that the run does not have yet
    dropped: tuple[str, ...]  # keys of steps that have not begun and are not in the new version
    changed: tuple[str, ...]  # keys of kept steps that have not ended and whose definition differs
    voided: tuple[int, ...]  # tasks that wait for people about a changed step: they are asked again
    unmappable: tuple[tuple[str, str], ...]  # (key, why): running, missing, moved, kind, branches, places, starts, asks
    unasked: tuple[str, ...]  # keys of steps about which people would have been asked, and are not any more


def route(run: Run, version: WorkflowVersion) -> Route:
    """Map each task by its key. Reads only."""
    return route_to(run, plan_of(version.pk))


def route_to(run: Run, new: Plan) -> Route:
    """The same for a plan that is no version yet."""
    old = plan_of(run.version_id)
    tasks = list(Task.objects.of_run(run.pk).defer("input", "output").order_by("id"))
    places = {step.key: step.index for step in new.steps}
    begun = [task for task in tasks if _has_begun(task)]
    wrong = [(task.key, why) for task in begun if (why := _why_not(task, old, new, places))]
    live = [task for task in begun if task.status not in TASK_TERMINAL]
    changed = [task for task in live if not wrong and _differs(task, old, new)]
    keys = {task.key for task in tasks}
    ended = {task.key for task in tasks if task.status in TASK_TERMINAL}
    return Route(
        kept=tuple(task.key for task in begun),
        made=tuple(key for key in places if key not in keys),
        dropped=tuple(task.key for task in tasks if task.key not in places and not _has_begun(task)),
        changed=tuple(task.key for task in changed),
        voided=tuple(task.pk for task in changed if task.wait_for in ("gate", "quarantine")),
        unmappable=tuple(wrong),
        unasked=tuple(sorted(asking.keys_that_ask(old) - asking.keys_that_ask(new) - ended)),
    )


def changed_ahead(run: Run, new: Plan, found: Route) -> tuple[str, ...]:
    """Keys of steps that have not begun and would be done differently, or at another point."""
    old = plan_of(run.version_id)
    steps = {step.key: step for step in old.steps}
    kept = {*found.kept, *found.made}
    return tuple(
        step.key
        for step in new.steps
        if step.key not in kept and (before := steps.get(step.key)) is not None
        and (_words(old, before) != _words(new, step) or _after(old, before) != _after(new, step))
    )  # fmt: skip


def _after(plan: Plan, step: PlanStep) -> set[str]:
    return {plan.steps[at].key for at in step.dependencies}


def migrate(run: Run, version: WorkflowVersion, found: Route, *, actor: str, reason: str) -> None:
    """Move a locked run over along a route that maps everything."""
    numbers = dict(WorkflowVersion.objects.filter(pk__in=[run.version_id, version.pk]).values_list("pk", "number"))
    facts: dict[str, Json] = {
        "from": numbers[run.version_id],
        "to": version.number,
        "version": version.pk,
        "reason": reason,
    }
    events.append("run.migrated", actor=actor, run_id=run.pk, data={**facts, "reason": reason})
    rows = list(Step.objects.filter(version=version).order_by("index"))
    kept = {task.pk & INDEX: task for task in Task.objects.of_run(run.pk).defer("input", "output") if _has_begun(task)}
    fresh = Task.objects.of_run(run.pk).exclude(pk__in=[task.pk for task in kept.values()])
    fresh.delete()
    db.share_limits()
    _keep(version, rows, kept)
    _make(run, version, rows, kept)
    skipped = _settle(run, rows)
    live = Task.objects.of_run(run.pk).exclude(status__in=TASK_TERMINAL)
    total = len(rows) + sum(index >= len(rows) for index in kept)
    Run.objects.filter(pk=run.pk).update(version=version, total=total, remaining=live.count() + len(skipped))
    asked = {gate.task_id: gate.id for gate in gatekeeper().gates_of([run.pk], only_open=True)} if found.voided else {}
    for pk in found.voided:
        task = Task.objects.select_for_update(no_key=True).get(pk=pk)
        overriding.let_run(task, reason=reason, spec={**(task.spec or {}), gates.VOIDED: asked.get(pk, 0)})
        data: dict[str, Json] = {"attempt": task.attempt, "reason": reason}
        events.append("task.returned", actor=actor, run_id=run.pk, task_id=pk, data=data)
    if skipped:
        for pk in skipped:
            events.append(
                "task.skipped", actor="engine", run_id=run.pk, task_id=pk, data={"reason": "nothing before it ran"}
            )
        db.advance_runs(skipped, [False] * len(skipped))
    db.wake_idle()


def _has_begun(task: Task) -> bool:
    return task.status in TASK_TERMINAL or task.attempt > 0 or task.spec is not None


def _why_not(task: Task, old: Plan, new: Plan, places: Mapping[str, int]) -> str:
    """Why a task that has begun cannot go over; empty if it can."""
    index = task.pk & INDEX
    if task.status == TaskStatus.RUNNING:
        return "running"
    if index >= len(old.steps) or has_started_others(task):
        if len(new.steps) != len(old.steps):
            return "places"
        if index >= len(old.steps):
            return ""
    return _why_not_planned(task, index, old, new, places)


def _why_not_planned(task: Task, index: int, old: Plan, new: Plan, places: Mapping[str, int]) -> str:
    if task.key not in places:
        return "missing"
    if places[task.key] != index:
        return "moved"
    if new.steps[index].kind != task.kind:
        return "kind"
    ended = task.status in TASK_TERMINAL
    if has_started_others(task) and not ended and _differs(task, old, new):
        return "starts"
    if task.wait_for == "gate" and asking.asks(old.steps[index]) and not asking.asks(new.steps[index]):
        return "asks"
    if task.kind == "conditional" and ended and _branches(old, index) != _branches(new, index):
        return "branches"
    return ""


def _branches(plan: Plan, index: int) -> list[tuple[str, list[str]]]:
    return [(branch.when, [plan.steps[at].key for at in branch.then]) for branch in plan.steps[index].branches]


def _differs(task: Task, old: Plan, new: Plan) -> bool:
    index = task.pk & INDEX
    return index < len(old.steps) and _words(old, old.steps[index]) != _words(new, new.steps[index])


def _words(plan: Plan, step: PlanStep) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a step says, without its place in the graph, and what the step that it reviews says."""
    reviewed = plan.steps[step.subject] if step.subject is not None else None
    return _said(step), _said(reviewed) if reviewed is not None else {}


def _said(step: PlanStep) -> dict[str, Any]:
    return {name: value for name, value in step_to_json(step).items() if name not in _PLACES}


def _keep(version: WorkflowVersion, rows: list[Step], kept: Mapping[int, Task]) -> None:
    started = [task.pk for index, task in kept.items() if index >= len(rows)]
    Task.objects.filter(pk__in=started).update(version=version)
    for row in rows:
        task = kept.get(row.index)
        if task is None:
            continue
        columns: dict[str, Any] = {"version": version, "successors": row.successors}
        if not has_started_others(task):  # else it waits for those
            columns["need"] = row.need
        if task.status not in TASK_TERMINAL and not (task.spec and "step" in task.spec):
            columns |= {"agent_id": row.agent_id, "lane": row.lane}
        Task.objects.filter(pk=task.pk).update(**columns)


def _make(run: Run, version: WorkflowVersion, rows: list[Step], kept: Mapping[int, Task]) -> None:
    limited = set(Agent.objects.exclude(max_concurrency=None, rate_per_minute=None).values_list("pk", flat=True))
    Task.objects.bulk_create(
        Task(
            id=task_id(run.pk, row.index), run_id=run.pk, workflow_id=run.workflow_id, version=version, key=row.key,
            kind=row.kind, agent_id=row.agent_id, status=TaskStatus.BLOCKED, lane=row.lane, priority=run.priority,
            virtual_start=run.virtual_finish, limited=row.agent_id in limited, pending=row.dependencies, need=row.need,
            successors=row.successors,
        )
        for row in rows
        if row.index not in kept
    )  # fmt: skip


def _settle(run: Run, rows: list[Step]) -> list[int]:
    """Count anew what each live task waits for; return those that nothing feeds, which are skipped."""
    tasks = {task.pk & INDEX: task for task in Task.objects.of_run(run.pk).defer("input", "output")}
    before: dict[int, list[int]] = {row.index: [] for row in rows}
    for row in rows:
        for successor in row.successors:
            before[successor].append(row.index)
    skipped = []
    for index, task in sorted(tasks.items()):
        if task.status in TASK_TERMINAL or index >= len(rows) or has_started_others(task):
            continue
        ended = [other for other in before[index] if tasks[other].status in TASK_TERMINAL]
        fed = sum(tasks[other].status == TaskStatus.SUCCEEDED for other in ended) if before[index] else 1
        columns: dict[str, Any] = {"pending": len(before[index]) - len(ended), "fed": fed}
        if task.status == TaskStatus.BLOCKED:
            columns |= _become(task, run, pending=columns["pending"], fed=fed)
        Task.objects.filter(pk=task.pk).update(**columns)
        if columns.get("status") == TaskStatus.SKIPPED:
            skipped.append(task.pk)
    return skipped


def _become(task: Task, run: Run, *, pending: int, fed: int) -> dict[str, Any]:
    """The columns of a blocked task by its join rule, as `advance_runs_v1` has it."""
    if task.need > 0 and fed >= task.need:
        ready = True
    elif pending:
        return {}
    else:
        ready = task.need < 0 or fed >= max(task.need, 1)
    if not ready:
        return {"status": TaskStatus.SKIPPED, "ended_at": Now()}
    return {"status": TaskStatus.READY, "ready_at": Now(), "held": run.status == RunStatus.PAUSED}
