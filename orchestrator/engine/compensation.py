"""Sagas: what a run has done is undone, the last step first, when it fails, is cancelled or is rolled back.

Each undoing is a task of the run like any other (index after the plan's steps), so it is retried, claimed after a
crash, and shown. They run one after the other. One that fails asks people and lets the next go on at once; the run
stays `compensating` until every one of them has ended, then it is what it was going to be, with its first error kept.
When it is rolled back, a last task waits for all of them and then sets it back.

Every function runs inside a transaction whose caller has called `lock_run()` first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import F, Q
from django.db.models.functions import Now

from agents.models import Agent
from agents.types import Json
from orchestrator import db, events
from orchestrator.catalogue import lane_of
from orchestrator.definitions.plan import Compensation, GateSpec, Plan, PlanStep
from orchestrator.definitions.serialise import step_to_json
from orchestrator.engine import delivery, tool_calls
from orchestrator.engine.lanes import DEFAULT, pool_of
from orchestrator.engine.plans import INDEX, own_step, plan_of
from orchestrator.models import Run, Task, task_id
from orchestrator.states import RunStatus, TaskStatus

UNDOES: Final = "undoes"  # in a task's spec: the task whose work it undoes
ROLLS_BACK: Final = "rolls_back"  # in a task's spec: to which checkpoint, who asked for it and why
TELLS: Final = "tells"  # in a task's spec: the queue that is told
NOTE: Final[dict[str, Json]] = {
    "type": "object",
    "properties": {"resolution": {"type": "string", "title": "What was done about it", "maxLength": 2000}},
}


@dataclass(frozen=True, slots=True)
class Undo:
    """A finished task and what undoes it."""

    task: Task
    step: PlanStep
    how: Compensation
    calls: tuple[dict[str, Json], ...] = ()  # of tools, the last first: what `agents.library.tool_undo` is given


def undoes(spec: Mapping[str, Any] | None) -> bool:
    """Whether a task with this spec is part of undoing its run: it undoes another's work, or follows on that."""
    return spec is not None and not spec.keys().isdisjoint((UNDOES, TELLS, ROLLS_BACK))


def is_undoing(task: Task) -> bool:
    """The same of a stored task."""
    return undoes(task.spec)


def begin(run: Run, *, ends_as: RunStatus, kind: str = "", asked: bool = False, reason: str = "", actor: str) -> bool:
    """Start to undo a locked run that is about to end as `ends_as`; False if there is nothing to undo or to tell.

    What a run did is undone if its definition says so (`on_failure: compensate`), after a business error, or because
    a person asked for it. Its live tasks have been cancelled already.
    """
    plan = plan_of(run.version_id)
    wanted = asked or kind == "business" or plan.on_failure == "compensate"
    undo = to_undo(run, plan) if wanted else ()
    told = plan.business_queue if undo or kind == "business" else ""
    if not undo and not told:
        return False
    first = run.total
    rows = [_undo_row(run, first + place, undo, place) for place in range(len(undo))]
    if told:
        rows.append(_notice_row(run, first + len(undo), told, len(undo)))
    Task.objects.bulk_create(rows)
    outcome = {**(run.outcome or {}), "ends_as": ends_as.value, "reason": reason}
    Run.objects.filter(pk=run.pk).update(
        status=RunStatus.COMPENSATING,
        remaining=len(rows),
        total=F("total") + len(rows),
        ended_at=None,
        outcome=outcome,
    )
    error = run.error if isinstance(run.error, dict) else {}
    facts: dict[str, Json] = {"undo": len(undo), "first": first, "told": told, "ends_as": ends_as.value}
    facts |= {"step": error.get("step", ""), "code": error.get("code", "")} if error else {"reason": reason}
    events.append("run.compensating", actor=actor, run_id=run.pk, data=facts)
    db.wake_idle()
    return True


def begin_rollback(run: Run, undo: Sequence[Undo], *, checkpoint: int, reason: str, actor: str) -> None:
    """Undo these tasks of a locked run in which nothing lives, and then set it back to a checkpoint of its own.

    Should a person decide that it is not set back after all, the run has failed: what it did is undone.
    """
    first, last = run.total, run.total + len(undo)
    rows = [_undo_row(run, first + place, undo, place, then=(last,)) for place in range(len(undo))]
    rows.append(_rollback_row(run, last, len(undo), {"checkpoint": checkpoint, "actor": actor, "reason": reason}))
    Task.objects.bulk_create(rows)
    outcome = {**(run.outcome or {}), "ends_as": RunStatus.FAILED.value, "reason": reason}
    Run.objects.filter(pk=run.pk).update(
        status=RunStatus.COMPENSATING,
        remaining=len(rows),
        total=F("total") + len(rows),
        ended_at=None,
        outcome=outcome,
    )
    facts: dict[str, Json] = {"undo": len(undo), "first": first, "told": "", "ends_as": "rolled back"}
    facts |= {"checkpoint": checkpoint, "reason": reason}
    events.append("run.compensating", actor=actor, run_id=run.pk, data=facts)
    db.wake_idle()


def to_undo(run: Run, plan: Plan) -> tuple[Undo, ...]:
    """The run's finished tasks that have something to undo them, the last one to finish first."""
    calls = tool_calls.to_undo(run.pk)
    if not calls and not any(step.compensate or (step.body and step.body.compensate) for step in plan.steps):
        return ()
    undone = _undone_at(run.pk)
    found = []
    ended = Task.objects.of_run(run.pk).filter(Q(status=TaskStatus.SUCCEEDED) | Q(pk__in=list(calls)))
    for task in ended.order_by("-ended_at", "-id"):
        step = own_step(plan, task.pk, task.spec)
        how = _how(step, task, calls)
        if how is None or is_undoing(task):
            continue
        if task.pk in undone and task.ended_at is not None and undone[task.pk] >= task.ended_at:
            continue  # an earlier failure of this run has undone it, and it was not done again
        found.append(Undo(task, step, how, () if how is step.compensate else calls[task.pk]))
    return tuple(found)


def _how(step: PlanStep, task: Task, calls: Mapping[int, Any]) -> Compensation | None:
    """What its definition says, if it succeeded; else its tools' hooks undo what it called, however it ended."""
    if step.compensate is not None and task.status == TaskStatus.SUCCEEDED:
        return step.compensate
    return Compensation(agent=tool_calls.AGENT) if task.pk in calls else None


def _undone_at(run_id: int) -> dict[int, Any]:
    undoing = Task.objects.of_run(run_id).filter(
        spec__has_key=UNDOES, status__in=(TaskStatus.SUCCEEDED, TaskStatus.SKIPPED)
    )
    return dict(undoing.order_by("ended_at").values_list(f"spec__{UNDOES}", "ended_at"))


def undone(run_id: int) -> set[int]:
    """Ids of the tasks whose work has been undone and not done again since."""
    ended = _undone_at(run_id)
    tasks = Task.objects.filter(pk__in=list(ended), ended_at__isnull=False).values_list("pk", "ended_at")
    return {pk for pk, ended_at in tasks if ended[pk] >= ended_at}


def let_the_rest_go_on(task: Task) -> None:
    """An undoing that waits for people holds up none of those after it."""
    if not task.successors or not undoes(task.spec):
        return
    after = Task.objects.filter(pk__in=[task_id(task.run_id, index) for index in task.successors])
    last = [pk & INDEX for pk in after.filter(spec__has_key=ROLLS_BACK).values_list("pk", flat=True)]
    Task.objects.filter(pk=task.pk).update(successors=last)
    going = after.filter(status=TaskStatus.BLOCKED).exclude(pk__in=[task_id(task.run_id, index) for index in last])
    for pk in list(going.values_list("pk", flat=True)):
        Task.objects.filter(pk=pk).update(status=TaskStatus.READY, pending=0, ready_at=Now())
        events.append("task.let_go", actor="engine", run_id=task.run_id, task_id=pk, data={"after": task.key})
    db.wake_idle()


def _undo_row(run: Run, index: int, undo: Sequence[Undo], place: int, *, then: Sequence[int] = ()) -> Task:
    task, step, how = undo[place].task, undo[place].step, undo[place].how
    agent = Agent.objects.filter(name=how.agent).first()
    made = PlanStep(
        index=index,
        key=f"undo_{task.key}"[:100],
        title=f"Undo: {step.title}"[:200],
        kind="automated",
        agent=how.agent,
        agent_version=how.agent_version,
        inputs=how.inputs,
        needs_run_input=True,
        timeout=how.timeout,
        retry=how.retry,
        on_error="ask",
    )
    limited = agent is not None and (agent.max_concurrency is not None or agent.rate_per_minute is not None)
    return _row(
        run,
        made,
        agent_id=agent.pk if agent else None,
        lane=lane_of(how.agent, how.agent_version, pool_of(task.lane)),
        limited=limited,
        pending=min(place, 1),
        successors=[*([index + 1] if place + 1 < len(undo) else []), *then],
        spec={
            "step": step_to_json(made),
            "bind": {"output": delivery.unpack(task.output) or {}, "given": task.input or {}},
            UNDOES: task.pk,
            **({"given": {"calls": list(undo[place].calls)}} if undo[place].calls else {}),
        },
    )


def _notice_row(run: Run, index: int, queue: str, count: int) -> Task:
    error = run.error if isinstance(run.error, dict) else {}
    made = PlanStep(
        index=index,
        key="business_notice",
        title="Tell the business owner",
        kind="manual",
        instructions="${given.told}",
        inputs={"error": "${given.error}"},
        form=NOTE,
        gate=GateSpec(
            when="true",
            queue=queue,
            title="${given.title}",
            allowed=("complete",),
            consequence="It ends the run, which has failed whatever is answered here.",
        ),
    )
    what = f"{count} finished steps are undone" if count else "nothing had to be undone"
    title = f"{run.title}: {error.get('message') or 'the run was cancelled'}"
    told = f"The run ended at step {error.get('step', '-')}; {what}. Say what was agreed with whom it concerns."
    about = {name: error.get(name) for name in ("code", "message", "step")}
    bind = {"given": {"told": told, "title": title[:280], "error": about}}
    return _row(run, made, pending=0, spec={"step": step_to_json(made), "bind": bind, TELLS: queue})


def _rollback_row(run: Run, index: int, pending: int, back: dict[str, Json]) -> Task:
    title = f"Roll back to checkpoint {back['checkpoint']}"
    made = PlanStep(index=index, key="roll_back", title=title, kind="rollback", on_error="ask")
    return _row(run, made, pending=pending, spec={"step": step_to_json(made), ROLLS_BACK: back})


def _row(run: Run, step: PlanStep, *, pending: int, spec: dict[str, Any], **columns: Any) -> Task:
    return Task(
        id=task_id(run.pk, step.index),
        run_id=run.pk,
        workflow_id=run.workflow_id,
        version_id=run.version_id,
        key=step.key,
        kind=step.kind,
        status=TaskStatus.BLOCKED if pending else TaskStatus.READY,
        priority=run.priority,
        virtual_start=run.virtual_finish,
        pending=pending,
        fed=0 if pending else 1,
        need=-1,
        ready_at=None if pending else Now(),
        spec=spec,
        **{"lane": DEFAULT, **columns},
    )
