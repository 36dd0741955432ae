"""What wakes waiting tasks: a time, a signal, the end of a run, a deadline. Called by the control worker.

Each is safe to do twice at once: the run's lock is taken first, and only a task that still waits for just this goes on.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import orjson
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from agents.types import Json
from orchestrator import db, events, results, waits_db
from orchestrator.definitions import contracts, expressions
from orchestrator.definitions.expressions import ExpressionError
from orchestrator.engine import asking, delivery, failures, steering, transitions
from orchestrator.engine.consumers import as_event, refusal_of
from orchestrator.engine.plans import plan_of, step_in_trouble
from orchestrator.engine.returns import return_waiting
from orchestrator.models import TASK_BITS, Run, Signal, Task, Timer, Wait
from orchestrator.states import RUN_TERMINAL, RunStatus, TaskStatus

LATE_SECONDS: Final = 30.0  # a timer that fires so long after its time says that it is late
BATCH: Final = 1000  # timers fired in one statement
CROWD: Final = 200  # waiting tasks that one transaction hands a signal
REFUSALS: Final = 10  # refused signals that a waiting task's story tells of


@transaction.atomic
def fire_sleepers(limit: int = BATCH) -> int:
    """Let tasks go on whose time has come by the database's clock; return how many timers were due."""
    now = db.clock()
    due = list(Timer.objects.filter(kind="task_timer", fired_at=None, due_at__lte=now).order_by("due_at")[:limit])
    if not due:
        return 0
    finishes = []
    for timer in due:
        late = max(0.0, (now - timer.due_at).total_seconds())
        output = {"due": timer.due_at.isoformat(), "fired_at": now.isoformat(), "late": late > LATE_SECONDS}
        body = orjson.dumps({**output, "late_s": round(late, 3)}).decode()
        facts: dict[str, Json] = {"late_s": round(late, 3)} if late > LATE_SECONDS else {}
        finishes.append(waits_db.Finish(timer.ref, body, facts, timer=timer.pk))
    waits_db.finish_waits("timer", finishes, actor="engine")
    Timer.objects.filter(pk__in=[timer.pk for timer in due], fired_at=None).update(fired_at=Now())
    return len(due)


def hand_out_signal(signal_id: int) -> None:
    """Give a signal to every task that waits for it, in batches of runs; one that expired meanwhile is forgotten."""
    signal = Signal.objects.filter(pk=signal_id).first()
    if signal is None:
        return
    wanted = Wait.objects.filter(Q(key="") | Q(key=signal.key), kind="event", name=signal.name, ended_at=None)
    tasks = list(wanted.order_by("task_id").values_list("task_id", flat=True))
    for start in range(0, len(tasks), CROWD):
        _offer(tasks[start : start + CROWD], [signal])


def pass_over_unsent() -> int:
    """Of waits that have just opened, pass over those for which nothing has been sent since their run began.

    That is nearly all of them, in two statements. What is sent from now on looks for them itself.
    """
    opened = Timer.objects.filter(kind="wait_opened", fired_at=None, due_at__lte=Now()).order_by("due_at")
    due = dict(opened.values_list("ref", "pk")[:BATCH])
    if not due:
        return 0
    sent = Signal.objects.filter(name=OuterRef("name"), sent_at__gte=OuterRef("task__run__started_at"))
    worth_a_look = Wait.objects.filter(Exists(sent), task_id__in=due, ended_at=None).values_list("task_id", flat=True)
    unsent = due.keys() - set(worth_a_look)
    Timer.objects.filter(pk__in=[due[task] for task in unsent], fired_at=None).update(fired_at=Now())
    return len(unsent)


def look_back(task: int) -> None:
    """A wait has opened: the earliest signal that fits and came since its run started may be there already."""
    wait = Wait.objects.filter(task_id=task, kind="event", ended_at=None).first()
    started = Run.objects.filter(pk=task >> TASK_BITS).values_list("started_at", flat=True).first()
    if wait is None or started is None:
        return
    earlier = Signal.objects.filter(name=wait.name, sent_at__gte=started).order_by("pk")
    if wait.key:
        earlier = earlier.filter(key=wait.key)
    _offer([task], earlier.iterator(chunk_size=200))


@transaction.atomic
def _offer(tasks: Sequence[int], signals: Iterable[Signal]) -> None:
    """Hand each task the first signal that fits. Whether a wait is still open counts only under its run's lock."""
    _lock_runs(tasks)
    open_waits = Wait.objects.filter(task_id__in=tasks, ended_at=None, task__status=TaskStatus.WAITING)
    still = list(
        open_waits.filter(task__wait_for="event")
        .select_related("task__workflow", "task__run__started_by")
        .order_by("task_id")
    )
    used, refusals = _used(still), dict[tuple[int, int], str]()
    for signal in signals:
        if not still:
            return
        fitting = [w for w in still if (w.task.run_id, signal.pk) not in used and _fits(w, signal, refusals)]
        taken: dict[int, Wait] = {}
        for wait in fitting:  # of two waits in one run only one gets it
            taken.setdefault(wait.task.run_id, wait)
        body = orjson.dumps(as_event(signal)).decode()
        finishes = [waits_db.Finish(wait.task_id, body, {"signal": signal.pk}) for wait in taken.values()]
        if finishes:
            waits_db.finish_waits("event", finishes, actor=f"signal:{signal.pk}")
            used |= {(run, signal.pk) for run in taken}
            still = [wait for wait in still if taken.get(wait.task.run_id) is not wait]


def _used(waits: Sequence[Wait]) -> set[tuple[int, int]]:
    """Signals that another step of the same run has taken, as (run, signal). Few workflows wait for more than one."""
    runs = {w.task.run_id for w in waits if sum(s.kind == "wait_event" for s in plan_of(w.task.version_id).steps) > 1}
    found: set[tuple[int, int]] = set()
    for run in runs:
        taken = Task.objects.of_run(run).filter(kind="wait_event", status=TaskStatus.SUCCEEDED)
        found |= {(run, signal) for signal in taken.values_list("output__id", flat=True)}
    return found


def _fits(wait: Wait, signal: Signal, refusals: dict[tuple[int, int], str]) -> bool:
    """Whether a signal is what a task waits for. What cannot be told means no, and is told in the run's story."""
    if (wait.key and wait.key != signal.key) or wait.name != signal.name:
        return False
    known = (signal.pk, wait.task.workflow_id)
    if known not in refusals:
        refusals[known] = refusal_of(signal, wait.task.workflow)
    if problem := refusals[known] or _own_after_decision(wait, signal):
        _refuse(wait, signal, problem)
        return False
    try:
        if wait.match and not expressions.holds(wait.match, {"event": as_event(signal)}):
            return False
    except ExpressionError as problem:
        _refuse(wait, signal, f"match: {problem}")
        return False
    flaws = contracts.violations(wait.schema, signal.data) if wait.schema else []
    if flaws:
        path, message = flaws[0]
        _refuse(wait, signal, f"{path or 'data'}: {message}")
    return not flaws


def _own_after_decision(wait: Wait, signal: Signal) -> str:
    """Whoever asked for the run does not tell it, behind people's decision, what to go on with."""
    asker = wait.task.run.started_by
    if asker is None or signal.sent_by != f"user:{asker.get_username()}":
        return ""
    keys = asking.decided_before(wait.task)
    return (
        f"people decide about {', '.join(keys[:3])}: somebody else than who started the run must send it"
        if keys
        else ""
    )


def _refuse(wait: Wait, signal: Signal, problem: str) -> None:
    """Deny by default: the wait goes on. A flood of bad signals leaves a few lines in the story, not a flood."""
    remembered = dict(wait.task.state or {})
    told = [*remembered.get("refused", ())]
    if signal.pk in told or len(told) >= REFUSALS:  # seen by the look back, and again as it is handed out
        return
    wait.task.state = {**remembered, "refused": [*told, signal.pk]}
    Task.objects.filter(pk=wait.task_id).update(state=wait.task.state)
    facts: dict[str, Json] = {"signal": signal.pk, "name": signal.name, "problem": problem[:300]}
    events.append("signal.refused", actor=signal.sent_by, run_id=wait.task.run_id, task_id=wait.task_id, data=facts)


@transaction.atomic
def child_ended(child_id: int) -> None:
    """A run that a task started has ended: the task takes its result, or fails as its step says."""
    child = Run.objects.get(pk=child_id)
    assert child.parent_task is not None
    run = transitions.lock_run(child.parent_task >> TASK_BITS)
    task = Task.objects.select_for_update(no_key=True).get(pk=child.parent_task)
    child.refresh_from_db()
    mine = (task.state or {}).get("run") == child.pk and (task.status, task.wait_for) == (TaskStatus.WAITING, "run")
    if not mine or child.status not in RUN_TERMINAL:  # a failed one may have been retried meanwhile
        return
    if child.status in (RunStatus.SUCCEEDED, RunStatus.PARTIAL):
        _take_result(task, run, child)
    else:
        _fail(task, run, _error_of(child))


def _take_result(task: Task, run: Run, child: Run) -> None:
    try:
        body = orjson.dumps(results.result_of(child))
    except ExpressionError as problem:
        error: dict[str, Json] = {"kind": "permanent", "code": "expression", "message": str(problem)}
        _ask(task, run, error, rule="the result of the run it started cannot be worked out: stop and ask")
        return
    if len(body) > delivery.LARGE:
        body = orjson.dumps(delivery.pack(body))
    waits_db.finish_waits("run", [waits_db.Finish(task.pk, body.decode(), {"run": child.pk})], actor="engine")


def _error_of(child: Run) -> dict[str, Json]:
    if child.status == RunStatus.CANCELLED:
        message = f"Run {child.pk}, which this step started, was cancelled."
        return {"kind": "permanent", "code": "subworkflow_cancelled", "message": message, "run": child.pk}
    cause = child.error or {}
    why = f"step {cause.get('step', '?')}: {cause.get('message') or cause.get('code') or 'no reason was recorded'}"
    message = f"Run {child.pk}, which this step started, failed at {why}"
    return {"kind": "permanent", "code": "subworkflow_failed", "message": message[:2000], "run": child.pk}


@transaction.atomic
def wait_overdue(task_id: int) -> None:
    """What a task waited for did not come in time: fail, skip or ask, as its step says."""
    run = transitions.lock_run(task_id >> TASK_BITS)
    task = Task.objects.select_for_update(no_key=True).get(pk=task_id)
    overdue = Timer.objects.filter(kind="wait_deadline", ref=task_id, fired_at=None, due_at__lte=Now()).exists()
    if not overdue or task.status != TaskStatus.WAITING or task.wait_for not in {"event", "callback", "run", "message"}:
        return
    if task.wait_for == "message":  # the agent itself says what follows
        return_waiting(task, reason="no message came in time")
        return
    step = step_in_trouble(task)
    what = {"event": "the signal", "callback": "the call back", "run": "the run that it started"}[task.wait_for]
    message = f"The deadline passed, and {what} did not come."
    if task.wait_for == "run":
        message = "The deadline passed before the run that it started had ended."
    error: dict[str, Json] = {"kind": "permanent", "code": "deadline", "message": message}
    match step.wait.on_deadline if step.wait else "fail":
        case "skip":
            _skip(task, reason=message)
        case "ask":
            _ask(task, run, error, rule="on_deadline: ask")
        case _:
            _fail(task, run, error)


@transaction.atomic
def cancel_orphan(run_id: int) -> None:
    """The task that started this run waits for it no longer."""
    run = transitions.lock_run(run_id)
    if run.status in RUN_TERMINAL:
        return
    reason = "the step that started it does not wait for it any more"
    steering.cancel(run, reason=reason, actor="engine")
    events.append("run.cancelled", actor="engine", run_id=run_id, data={"reason": reason})


def _fail(task: Task, run: Run, error: dict[str, Json]) -> None:
    failures.fail_step(task, error, step=step_in_trouble(task), run=run)


def _ask(task: Task, run: Run, error: dict[str, Json], *, rule: str) -> None:
    failures.ask_about(task, error, step=step_in_trouble(task), run=run, rule=rule)


def _skip(task: Task, *, reason: str) -> None:
    transitions.move(task, TaskStatus.SKIPPED, wait_for="")
    events.append("task.skipped", actor="engine", run_id=task.run_id, task_id=task.pk, data={"reason": reason})
    db.advance_runs([task.pk], [False])


def _lock_runs(tasks: Iterable[int]) -> None:
    runs = sorted({task >> TASK_BITS for task in tasks})
    list(Run.objects.filter(pk__in=runs).order_by("pk").select_for_update(no_key=True).values_list("pk"))
