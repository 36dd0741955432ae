"""Which steps have people decide about them, or do them: what no act, fork or migration may get a run past."""

from collections.abc import Collection
from typing import Any, Final

from agents.types import Json
from orchestrator.definitions.plan import COORDINATING, Plan, PlanStep
from orchestrator.engine.plans import INDEX, plan_of, step_in_trouble
from orchestrator.models import Run, Task, Workflow, task_id
from orchestrator.ports import gatekeeper
from orchestrator.states import TASK_TERMINAL, TaskStatus

ASKING: Final = frozenset({"approval", "manual", "hybrid"})  # kinds of steps that people do or decide
ALL: Final = 100_000  # gates of one run
_DEEPEST: Final = 8  # runs inside runs that are looked into


def asks(step: PlanStep, *, deeper: int = _DEEPEST) -> bool:
    """Whether its definition has people asked: by the step, by what it starts, or about what it joins."""
    if (
        step.kind in ASKING
        or step.gate is not None
        or (step.quality is not None and step.quality.may_hold)
        or (step.conflicts is not None and step.conflicts.rule == "ask")
    ):
        return True
    if step.kind == "subworkflow" and deeper:
        return _asks_inside(step.workflow, deeper - 1)
    return _names_queue(step.options) or (step.body is not None and asks(step.body, deeper=deeper))


def _asks_inside(workflow: str, deeper: int) -> bool:
    version = Workflow.objects.filter(name=workflow).values_list("current_version", flat=True).first()
    return version is not None and any(asks(step, deeper=deeper) for step in plan_of(version).steps)


def _names_queue(options: Json) -> bool:
    """A pattern that may ask people names their queue among its options."""
    if isinstance(options, dict):
        return "queue" in options or any(map(_names_queue, options.values()))
    return isinstance(options, list) and any(map(_names_queue, options))


def asks_people(task: Task) -> bool:
    """Whether people are to be asked about this task, or about what it has started."""
    if asks(step_in_trouble(task)):
        return True
    return (
        task.kind in COORDINATING and Task.objects.of_run(task.run_id).filter(parent=task.pk, kind__in=ASKING).exists()
    )


def keys_that_ask(plan: Plan) -> set[str]:
    """The keys of a plan's steps about which people are asked."""
    return {step.key for step in plan.steps if asks(step)}


def decided_before(task: Task) -> tuple[str, ...]:
    """Keys of earlier steps, on the way to this one, that people decide about: what follows is what they agree to.

    Also those that have yet to be decided: nobody would see there what changes here. Not what people did by hand.
    """
    plan, todo = plan_of(task.version_id), [_planned(task)]
    before: set[int] = set()
    while todo:
        fresh = set(plan.steps[todo.pop()].dependencies) - before
        before |= fresh
        todo += fresh
    deciding = [at for at in sorted(before) if plan.steps[at].kind != "manual" and asks(plan.steps[at])]
    rows = Task.objects.filter(pk__in=[task_id(task.run_id, at) for at in deciding]).order_by("pk")
    found = list(rows.values_list("pk", "key", "status", "kind"))
    agreed = gatekeeper().answers_about([row[0] for row in found]) if found else {}
    return tuple(key for pk, key, status, kind in found if _binds(status, kind, agreed.get(pk, "")))


def decided_and_followed(run: Run) -> tuple[str, ...]:
    """Keys of steps that people decide about now, or have agreed to, while what they agreed to has yet to be done.

    Until then nobody changes the facts that it is done with.
    """
    asked = [
        fact
        for fact in gatekeeper().gates_of([run.pk], only_open=False, limit=ALL)
        if fact.kind in ("approval", "hybrid")
    ]
    bound = {fact.task_id for fact in asked if fact.task_id and fact.status == "open"}
    agreed = {fact.task_id for fact in asked if fact.task_id and fact.status == "approved"} - bound
    tasks = (
        Task.objects.filter(pk__in=bound | agreed).only("id", "key", "parent", "version_id", "run_id").order_by("pk")
    )
    undone = _undone(run) if agreed else set()
    return tuple(task.key for task in tasks if task.pk in bound or _following(task, run) & undone)


def _undone(run: Run) -> set[int]:
    """Places of the plan's steps that may still be done, also once a failed run is tried again."""
    over = (TaskStatus.SUCCEEDED, TaskStatus.SKIPPED)
    rows = Task.objects.of_run(run.pk).filter(parent=None).exclude(status__in=over)
    return {pk & INDEX for pk in rows.values_list("pk", flat=True)}


def _following(task: Task, run: Run) -> set[int]:
    """Places of the plan's steps that come after a task; one that was started belongs to its step, which goes on."""
    steps, found = plan_of(run.version_id).steps, set[int]()
    todo = [_planned(task)]
    if task.parent is not None:
        found |= {todo[0]}
    while todo:
        at = todo.pop()
        fresh = {step.index for step in steps if at in step.dependencies} - found
        found |= fresh
        todo += fresh
    return found


def _binds(status: str, kind: str, answer: str) -> bool:
    if status not in TASK_TERMINAL:
        return True
    return status == TaskStatus.SUCCEEDED and (kind != "automated" or answer == "approved")


def _planned(task: Task) -> int:
    """The place of the plan's step that a task belongs to, through whatever has started it."""
    at: Task | None = task
    while at is not None and at.parent is not None:
        task, at = at, Task.objects.filter(pk=at.parent).first()
    return (at or task).pk & INDEX


def passed_by(run: Run, skipped: Collection[int]) -> tuple[str, ...]:
    """Keys of steps that ask people among those that are, or would be, skipped while what waits for them goes on.

    A step that needs only some of those before it, or none, says itself that it does without.
    """
    rows = Task.objects.filter(pk__in=[task_id(run.pk, at) for at in skipped]).defer("input", "output").order_by("pk")
    asking = [task for task in rows if asks_people(task)]
    if not asking:
        return ()
    columns = ("id", "status", "need", "successors")
    nodes = {row[0] & INDEX: row[1:] for row in Task.objects.of_run(run.pk).values_list(*columns)}
    return tuple(task.key for task in asking if _goes_on(task.pk & INDEX, set(skipped), nodes))


def _goes_on(root: int, skipped: set[int], nodes: dict[int, tuple[Any, ...]]) -> bool:
    todo, seen = [root], {root}
    while todo:
        for after in nodes[todo.pop()][2]:
            status, need, _successors = nodes[after]
            if after not in skipped and status not in TASK_TERMINAL and need == 0:
                return True
            if after in skipped and after not in seen:
                seen.add(after)
                todo.append(after)
    return False
