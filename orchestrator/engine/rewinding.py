"""What forking, rolling back, restarting and terminating do to tasks. The caller holds the run's lock and says why.

`fork_of` and `rollback_of` only read: the plans that they return are what a preview shows and what is then carried out.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from django.db.models import F
from django.db.models.functions import Now

from agents.checkpoints import Notes
from agents.types import Json
from orchestrator import db, events, snapshots
from orchestrator.db import RunOrder
from orchestrator.definitions.plan import Plan, PlanStep
from orchestrator.engine import checkpoints, compensation, gates, run_state, transitions
from orchestrator.engine.asking import asks
from orchestrator.engine.attempts import end_attempt
from orchestrator.engine.compensation import Undo
from orchestrator.engine.gates import Subject
from orchestrator.engine.plans import INDEX, plan_of, step_in_trouble
from orchestrator.engine.run_state import SHARED, Write
from orchestrator.errors import MigratedSince
from orchestrator.models import Checkpoint, Effect, Event, Run, StateEntry, Task, Timer, task_id
from orchestrator.ports import gatekeeper
from orchestrator.snapshots import Snapshot
from orchestrator.states import TASK_TERMINAL, AttemptStatus, RunStatus, TaskStatus

_CUT: Final = 1000  # tasks that one event names
_DONE: Final = ("succeeded", "skipped")
_HAPPENED: Final = ("confirmed", "sent", "unknown")
_CHANGED_LATER: Final = ("task.revised", "task.rolled_back", "task.restarted")


@dataclass(frozen=True, slots=True)
class SideEffect:
    """Something that a task has done to the world."""

    task: int
    step: str
    key: str
    status: str

    def __str__(self) -> str:
        return f"{self.key} of {self.step}"


@dataclass(frozen=True, slots=True)
class Fork:
    """A new run that begins after an event of another: what is copied, what runs anew, what that would do again."""

    snapshot: Snapshot
    version: int
    copied: list[tuple[int, int, str]]  # task, index in the new run, status
    anew: list[PlanStep]
    effects: list[SideEffect]
    state: list[StateEntry]


def fork_of(run: Run, event: int, version: int) -> Fork:
    """Work out a fork of a run after one of its events, as a run of this version."""
    snapshot = snapshots.at_event(run, event)
    target = plan_of(version)
    copied = _copied(snapshot, target, _changed_since(run, event))
    keys = {target.steps[index].key for _, index, _ in copied}
    state = [entry for key, entry in snapshot.values().items() if key.rpartition(".")[0] in (SHARED, *keys)]
    return Fork(
        snapshot=snapshot,
        version=version,
        copied=copied,
        anew=[step for step in target.steps if step.key not in keys],
        effects=_effects(run, kept={task & INDEX for task, _, _ in copied}),
        state=sorted(state, key=lambda entry: entry.key),
    )


def _copied(snapshot: Snapshot, target: Plan, changed: set[int]) -> list[tuple[int, int, str]]:
    """What had ended well by then and still is as it was, each with everything that it stands on."""
    source = {step.key: step for step in plan_of(snapshot.version).steps}
    statuses = snapshot.statuses
    copied: dict[int, tuple[int, int, str]] = {}
    for step in target.steps:
        before = source.get(step.key)
        if before is None or before.kind != step.kind or before.index in changed:
            continue
        if statuses[before.index] == TaskStatus.SUCCEEDED and (asks(step) or asks(before)):
            continue  # people agreed to it there, for that run and for who had asked: a fork asks them itself
        stands = step.need > 0 or all(index in copied for index in step.dependencies)
        if stands and statuses[before.index] in _DONE:
            task = task_id(snapshot.run.pk, before.index)
            copied[step.index] = (task, step.index, statuses[before.index])
    return list(copied.values())


def _changed_since(run: Run, event: int) -> set[int]:
    """Tasks that have put out something else since: what they had put out by then is no longer stored."""
    later = Event.objects.filter(run_id=run.pk, id__gt=event, kind__in=_CHANGED_LATER, task_id__isnull=False)
    return {task & INDEX for task in later.values_list("task_id", flat=True) if task is not None}


def _effects(run: Run, *, kept: set[int]) -> list[SideEffect]:
    """Side effects of a run's tasks that have not been undone, without the kept ones' and what these have spawned."""
    rows = Effect.objects.filter(
        task_id__gte=task_id(run.pk, 0), task_id__lt=task_id(run.pk + 1, 0), status__in=_HAPPENED
    )
    found = [SideEffect(*row) for row in rows.order_by("id").values_list("task_id", "task__key", "key", "status")]
    root = _root_of(run) if found else None
    return [effect for effect in found if root and root(effect.task) not in kept]


def _root_of(run: Run) -> Callable[[int], int]:
    """The place of the plan's step from which a task comes, however often removed."""
    parents = dict(Task.objects.of_run(run.pk).filter(parent__isnull=False).values_list("id", "parent"))

    def root(task: int) -> int:
        while (parent := parents.get(task)) is not None:
            task = parent
        return task & INDEX

    return root


def start_fork(fork: Fork, order: RunOrder, *, actor: str, reason: str) -> int:
    """Start the new run with its copied tasks and state, and return its id."""
    source = fork.snapshot.run
    new = db.start_run(order)
    Run.objects.filter(pk=new).update(forked_from=source, forked_at=fork.snapshot.event)
    facts: dict[str, Json] = {"run": source.pk, "event": fork.snapshot.event, "copied": len(fork.copied)}
    events.append("run.forked", actor=actor, run_id=new, data={**facts, "reason": reason})
    if fork.copied:
        tasks, places, statuses = (list(column) for column in zip(*fork.copied, strict=True))
        db.copy_tasks(new, tasks, places, statuses)
        db.advance_runs([task_id(new, place) for place in places], [status == "succeeded" for status in statuses])
    for entry in fork.state:
        change = Write(entry.key, entry.value, expected=0, reason=f"copied from run {source.pk}", restored=True)
        run_state.write(new, change, writer="engine")
    return new


@dataclass(frozen=True, slots=True)
class Rollback:
    """A run set back to a checkpoint: what starts anew, what is cut off, what is undone first, what stays done."""

    checkpoint: Checkpoint
    back: list[Task]  # steps of the plan, in their order
    cut: list[Task]  # live tasks that are cancelled: they run, wait, or were spawned
    compensate: list[Undo]  # succeeded after it, and undone first: the last one to end comes first
    undone: list[Task]  # steps of the plan that have been undone: they do everything again
    effects: list[SideEffect]  # done after it by tasks that nothing undoes
    reversed: list[SideEffect]  # done after it by tasks that are undone first
    state: list[Write] = field(default_factory=list)


def rollback_of(run: Run, checkpoint: Checkpoint) -> Rollback:
    """Work out a rollback of a run to one of its checkpoints. Raises MigratedSince."""
    snapshot = snapshots.at_event(run, checkpoint.event)
    if snapshot.version != run.version_id:
        raise MigratedSince(run_id=run.pk, number=checkpoint.number)
    planned = len(plan_of(run.version_id).steps)
    tasks = list(Task.objects.of_run(run.pk).defer("input", "output").order_by("id"))
    back = _set_back(snapshot, tasks[:planned])
    chosen = {task.pk & INDEX for task in back}
    cut = [task for task in tasks[:planned] if task.pk & INDEX in chosen and task.status in ("running", "waiting")]
    cut += [task for task in tasks[planned:] if task.status not in TASK_TERMINAL]
    root = _root_of(run)
    undo = [each for each in compensation.to_undo(run, plan_of(run.version_id)) if root(each.task.pk) in chosen]
    already = compensation.undone(run.pk)
    effects = [e for e in _effects(run, kept=set()) if root(e.task) in chosen and e.task not in already]
    undoing = {each.task.pk for each in undo}
    return Rollback(
        checkpoint=checkpoint,
        back=back,
        cut=cut,
        compensate=undo,
        undone=[task for task in back if task.status == TaskStatus.SUCCEEDED and task.pk in already],
        effects=[effect for effect in effects if effect.task not in undoing],
        reversed=[effect for effect in effects if effect.task in undoing],
        state=_restored(snapshot, {task.key for task in back}),
    )


def _set_back(snapshot: Snapshot, tasks: Sequence[Task]) -> list[Task]:
    """Steps that had not ended by then, but for those that were skipped since and still would be."""
    dependencies, _ = snapshots.graph_of(snapshot.run.version_id)
    statuses = snapshot.statuses
    chosen: dict[int, Task] = {}
    for task in tasks:
        index = task.pk & INDEX
        still_skipped = task.status == TaskStatus.SKIPPED and not any(other in chosen for other in dependencies[index])
        if statuses[index] not in TASK_TERMINAL and not still_skipped:
            chosen[index] = task
    return list(chosen.values())


def _restored(snapshot: Snapshot, keys: set[str]) -> list[Write]:
    """The writes that bring the shared state of these steps, and what all share, back to what it was."""
    then = snapshot.values()
    latest = StateEntry.objects.filter(run_id=snapshot.run.pk).order_by("key", "-version").distinct("key")
    writes: list[Write] = []
    for entry in latest:
        namespace, was = entry.key.rpartition(".")[0], then.get(entry.key)
        ours = namespace == SHARED or namespace in keys or namespace.partition(".")[0] in keys
        if not ours or (was.version if was else 0) == entry.version or (was is None and entry.deleted):
            continue
        writes.append(Write(entry.key, was.value if was else None, entry.version, deleted=was is None))
    return writes


def undo_and_roll_back(run: Run, plan: Rollback, *, actor: str, reason: str) -> None:
    """Undo first what the plan says is to be undone, then set the run back; at once if there is nothing to undo.

    Nothing else goes on meanwhile: what lives is cancelled, and starts anew when the run has been set back.
    """
    if not plan.compensate:
        roll_back(run, plan, actor=actor, reason=reason)
        return
    number = plan.checkpoint.number
    transitions.cancel_live_tasks(run.pk, reason=f"rolling back to checkpoint {number}", actor=actor)
    compensation.begin_rollback(run, plan.compensate, checkpoint=number, reason=reason, actor=actor)


def finish_rollback(run: Run, task: Task) -> None:
    """All has been undone, or dealt with by hand: set the run back. `task` has just ended, and nothing else lives."""
    assert task.spec is not None
    asked = task.spec[compensation.ROLLS_BACK]
    checkpoint = Checkpoint.objects.get(run=run, number=asked["checkpoint"])
    roll_back(run, rollback_of(run, checkpoint), actor=asked["actor"], reason=asked["reason"])


def roll_back(run: Run, plan: Rollback, *, actor: str, reason: str) -> None:
    """Set the run back; what it does next is decided by its tasks alone. `plan.compensate` has been undone before.

    1. Cut off what lives: its attempts end, its gates close, its workers are told.
    2. Say so, then set each step back; replay derives from these events what is ready.
    3. Bring the shared state back as new versions: nothing that was written is ever lost.
    """
    number = plan.checkpoint.number
    live = list(Task.objects.select_for_update(no_key=True).filter(pk__in=[t.pk for t in plan.cut]).order_by("id"))
    for at in range(0, len(live), _CUT):
        transitions.cancel_tasks(
            run.pk, live[at : at + _CUT], reason=f"rolled back to checkpoint {number}", actor=actor, partly=True
        )
    events.append(
        "run.rolled_back", actor=actor, run_id=run.pk,
        data={"checkpoint": number, "name": plan.checkpoint.name, "tasks": len(plan.back), "reason": reason},
    )  # fmt: skip
    _restart_anew(run, plan.back, actor=actor)
    # What was undone has not happened: memory of it, and the key that providers know it by, must not stop it now.
    again = [task.pk for task in plan.undone]
    Effect.objects.filter(task_id__in=again).update(status="prepared", result=None, updated_at=Now())
    Task.objects.filter(pk__in=again).update(revision=F("revision") + 1)
    for change in plan.state:
        why = f"rolled back to checkpoint {number}"
        write = Write(change.key, change.value, change.expected, change.deleted, why, restored=True)
        run_state.write(run.pk, write, writer=actor)
    alive = Task.objects.of_run(run.pk).exclude(status__in=TASK_TERMINAL).count()
    failed = Task.objects.of_run(run.pk).filter(status=TaskStatus.FAILED, parent=None).count()
    Run.objects.filter(pk=run.pk).update(
        status=RunStatus.RUNNING, remaining=alive, failed=failed, ended_at=None, error=None, outcome=None
    )
    db.wake_idle()


def _restart_anew(run: Run, back: Iterable[Task], *, actor: str) -> None:
    dependencies, needs = snapshots.graph_of(run.version_id)
    fresh = {task.pk & INDEX for task in back}
    status = dict(Task.objects.of_run(run.pk).values_list("id", "status"))
    for task in back:
        index = task.pk & INDEX
        before = dependencies[index]
        ended = [other for other in before if other not in fresh]
        fed = sum(status[task_id(run.pk, other)] == TaskStatus.SUCCEEDED for other in ended) if before else 1
        may_start = len(ended) == len(before) or 0 < needs[index] <= fed
        Task.objects.filter(pk=task.pk).update(
            status=TaskStatus.READY if may_start else TaskStatus.BLOCKED, pending=len(before) - len(ended), fed=fed,
            need=needs[index], held=False, ready_at=Now() if may_start else None, ended_at=None, shift=None,
            failures=0, losses=0, suspect=False, error=None, state=None, output=None, confidence=None, wait_for="",
        )  # fmt: skip
        if task.attempt or task.status not in (TaskStatus.BLOCKED, TaskStatus.READY):
            events.append(
                "task.rolled_back", actor=actor, run_id=run.pk, task_id=task.pk,
                data={"attempt": task.attempt, "was": task.status},
            )  # fmt: skip


def restart(task: Task, *, actor: str, reason: str) -> None:
    """Take a running or waiting task from its agent and let it begin again; it finds its last checkpoint itself."""
    _take_away(task, code="restarted", reason=reason)
    transitions.make_ready(task, failures=0, losses=0, suspect=False, state=None)
    events.append(
        "task.restarted", actor=actor, run_id=task.run_id, task_id=task.pk,
        data={"attempt": task.attempt, "reason": reason},
    )  # fmt: skip


def _take_away(task: Task, *, code: str, reason: str) -> None:
    """End the attempt, if it runs, and close what it waits for. Its state and checkpoints are committed already."""
    if task.status == TaskStatus.RUNNING:
        end_attempt(task, AttemptStatus.SUSPENDED, error={"code": code, "message": reason})
        db.notify_shifts(f"cancel:{task.run_id}")
    else:
        gatekeeper().withdraw_gates([task.pk], reason=reason)
        Timer.objects.filter(kind="task_retry", ref=task.pk, fired_at=None).update(fired_at=Now())


def terminate(run: Run, task: Task, *, actor: str, reason: str) -> int:
    """Stop a running task's agent, keep what it knows as a checkpoint, and ask people; return the checkpoint's number.

    What it has written so far is committed already; what it was about to answer is not used.
    """
    last = checkpoints.last_of(task.pk)
    told: dict[str, Json] = {"decision": f"Stopped the agent of {task.key}"[:300], "reasoning": reason}
    notes = Notes(
        decisions=[*(last.decisions if last else []), told],
        completion=last.completion if last else {},
        findings=last.findings if last else [],
        next_steps=last.next_steps if last else [],
    )
    _take_away(task, code="terminated", reason=reason)
    events.append(
        "task.terminated", actor=actor, run_id=run.pk, task_id=task.pk,
        data={"attempt": task.attempt, "reason": reason},
    )  # fmt: skip
    number = checkpoints.make(run.pk, name=f"Stopped: {task.key}"[:200], notes=notes, actor=actor, task=task.pk)
    error: dict[str, Json] = {"kind": "permanent", "code": "terminated", "message": f"Its agent was stopped: {reason}"}
    subject = Subject(task_id=task.pk, run_id=run.pk, workflow_id=run.workflow_id, requested_by=run.started_by_id)
    request = gates.for_trouble(step_in_trouble(task), subject, kind="exception", rule="terminated", error=error)
    transitions.open_gate(task, request, actor=actor)
    return number
