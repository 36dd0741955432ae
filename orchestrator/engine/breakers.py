"""Circuit breakers: an agent that fails several times in a row is left alone for a while, then tried with one task.

closed --`threshold` failures in a row--> open --`reset_s` seconds--> half open (one probe) --it works--> closed
                                            ^                                            --it fails--> open

The rows are written in the transactions that end attempts: here for failures, by `close_breakers_v1` for tasks that
settle well. No claim takes a task of an agent that is out of service, except the probe (`claim_tasks_v1`); `attend`,
called every second and when a breaker opens, gives such tasks to their fallback agents or lets them wait
(`wait_for = 'breaker'`), and wakes them. So an agent that fails costs other agents' tasks nothing.

Lock order: run, task, breaker.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any, Final

from django.db import transaction
from django.db.models import DurationField, ExpressionWrapper, F, Value
from django.db.models.functions import Now

from agents.models import Agent
from agents.types import Json
from orchestrator import db, events
from orchestrator.engine.fallback import fall_back
from orchestrator.engine.plans import step_of
from orchestrator.engine.policy import name_of
from orchestrator.models import Breaker, Run, Task
from orchestrator.states import RunStatus, TaskStatus

BATCH: Final = 500
OPEN, HALF_OPEN, CLOSED = Breaker.State.OPEN, Breaker.State.HALF_OPEN, Breaker.State.CLOSED
OURS: Final = frozenset({"pool_busy", "agent_not_found", "unknown_kind"})  # no place, no code: not the agent's doing


def counts(error: Mapping[str, Any]) -> bool:
    """Whether a failure speaks against the agent: it may work later, or it broke its own promise.

    A refused input, a permanent error of its own and a business error do not: the agent answered.
    """
    code = str(error.get("code", ""))
    if error.get("kind") == "transient":
        return code not in OURS
    return code == "contract_output" or code.startswith("output_")


def failed(task: Task, error: Mapping[str, Any]) -> bool:
    """Count a failure of the task's agent, in the transaction that records it; return whether it is out of service."""
    if task.agent_id is None:
        return False
    if not counts(error):
        return Breaker.objects.filter(agent_id=task.agent_id).exclude(state=CLOSED).exists()
    Breaker.objects.bulk_create([Breaker(agent_id=task.agent_id)], ignore_conflicts=True)
    row = Breaker.objects.select_for_update(of=("self",)).select_related("agent").get(agent_id=task.agent_id)
    row.failures += 1
    row.last_error = {"code": name_of(error), "message": error.get("message", ""), "task": task.pk, "run": task.run_id}
    probed = row.state == HALF_OPEN and row.probe == task.pk
    if probed or (row.state == CLOSED and row.failures >= row.threshold):
        row.state, row.probe = OPEN, None
        facts: dict[str, Json] = {"agent": row.agent.name, "failures": row.failures, "code": name_of(error)}
        _change(row, opened_at=Now())
        events.append("breaker.opened", actor="engine", data={**facts, "run": task.run_id, "seconds": row.reset_s})
        transaction.on_commit(partial(_hold_back_all, row.agent_id), robust=True)
    else:
        row.save(update_fields=["failures", "last_error"])
    return row.state != CLOSED


def worked(task: Task) -> None:
    """An attempt that is not settled in a batch ended well, in its transaction."""
    if task.agent_id is None:
        return
    if Breaker.objects.filter(agent_id=task.agent_id).exclude(state=CLOSED, failures=0).exists():
        db.close_breakers([task.pk], [task.agent_id])


def _change(row: Breaker, **columns: Any) -> None:
    Breaker.objects.filter(pk=row.pk).update(
        state=row.state,
        probe=row.probe,
        failures=row.failures,
        last_error=row.last_error,
        changed_at=Now(),
        **columns,
    )


# People


def reset(agent: Agent) -> Breaker:
    """Put an agent back into service; the caller appends the event. Its waiting tasks go on once this commits."""
    Breaker.objects.bulk_create([Breaker(agent=agent)], ignore_conflicts=True)
    row = Breaker.objects.select_for_update().get(agent=agent)
    row.state, row.probe, row.failures = CLOSED, None, 0
    _change(row, opened_at=None)
    transaction.on_commit(partial(_let_go, agent.pk), robust=True)
    return row


def configure(agent: Agent, *, threshold: int, reset_s: float) -> Breaker:
    """After how many failures in a row an agent is left alone, and for how many seconds."""
    row, _ = Breaker.objects.update_or_create(agent=agent, defaults={"threshold": threshold, "reset_s": reset_s})
    return row


# Upkeep


def attend() -> None:
    """Half-open what has been left alone long enough, hold back or hand on what is ready, wake what may go on."""
    guarded = list(Breaker.objects.exclude(state=CLOSED).values_list("agent_id", flat=True))
    for agent in guarded:
        _probe(agent)
        _hold_back_all(agent)
    waiting = Task.objects.filter(status=TaskStatus.WAITING, wait_for="breaker").exclude(agent_id__in=guarded)
    for agent in set(waiting.order_by().values_list("agent_id", flat=True)[:BATCH]):
        if agent is not None:
            _let_go(agent)


def _probe(agent: int) -> None:
    """Choose the one task that tries an agent whose time is over, or whose probe has come to nothing."""
    candidates = (
        Task.objects.filter(agent_id=agent, suspect=False, held=False)
        .filter(status__in=(TaskStatus.WAITING, TaskStatus.READY), wait_for__in=("breaker", ""))
        .order_by("-priority", "virtual_start", "id")
    )
    if not _due(agent):
        return
    for run_id, pk in candidates.values_list("run_id", "pk")[:20]:
        with transaction.atomic():
            if _try_with(agent, run_id, pk):
                return


def _due(agent: int) -> bool:
    length = ExpressionWrapper(F("reset_s") * Value(timedelta(seconds=1)), output_field=DurationField())
    row = Breaker.objects.filter(agent_id=agent).annotate(due=F("opened_at") + length)
    if row.filter(state=OPEN, due__lte=Now()).exists():
        return True
    probe = row.filter(state=HALF_OPEN).values_list("probe", flat=True).first()
    return probe is not None and not Task.objects.filter(pk=probe, status__in=("ready", "running")).exists()


def _try_with(agent: int, run_id: int, pk: int) -> bool:
    run = Run.objects.select_for_update(no_key=True).get(pk=run_id)
    task = Task.objects.select_for_update(no_key=True).get(pk=pk)
    row = Breaker.objects.select_for_update(of=("self",)).select_related("agent").get(agent_id=agent)
    may_wait = task.status == TaskStatus.READY or (task.status == TaskStatus.WAITING and task.wait_for == "breaker")
    if run.status == RunStatus.PAUSED or not may_wait or not _due(agent):
        return False
    row.state, row.probe = HALF_OPEN, pk
    _change(row)
    events.append("breaker.half_opened", actor="engine", data={"agent": row.agent.name, "task": pk, "run": run_id})
    if task.status == TaskStatus.WAITING:
        _wake(run, [pk], row.agent.name)
    db.wake_idle()
    return True


def _hold_back_all(agent: int) -> None:
    """What is ready for an agent out of service goes to its fallback, or waits; run by run."""
    while True:
        probe = Breaker.objects.filter(agent_id=agent).exclude(state=CLOSED).values_list("probe", flat=True)
        if not probe:
            return
        ready = Task.objects.filter(status=TaskStatus.READY, held=False, agent_id=agent).exclude(pk=probe[0] or 0)
        by_run: dict[int, list[int]] = defaultdict(list)
        for run_id, pk in ready.order_by("id").values_list("run_id", "pk")[:BATCH]:
            by_run[run_id].append(pk)
        moved = sum(_hold_back(agent, run_id, tasks) for run_id, tasks in by_run.items())
        if not moved:
            return


@transaction.atomic
def _hold_back(agent: int, run_id: int, pks: list[int]) -> int:
    Run.objects.select_for_update(no_key=True).get(pk=run_id)
    tasks = list(
        Task.objects.select_for_update(no_key=True)
        .filter(pk__in=pks, status=TaskStatus.READY, agent_id=agent)
        .order_by("id")
    )
    row = Breaker.objects.select_for_update(of=("self",)).select_related("agent").get(agent_id=agent)
    if row.state == CLOSED:
        return 0
    held = [task for task in tasks if task.pk != row.probe]
    for task in held:
        step = step_of(task)
        if step.fallback:
            fall_back(task, step, {"code": "breaker_open"})
            continue
        Task.objects.filter(pk=task.pk).update(status=TaskStatus.WAITING, wait_for="breaker")
        events.append(
            "task.held_back",
            actor="engine",
            run_id=run_id,
            task_id=task.pk,
            data={"agent": row.agent.name, "attempt": task.attempt},
        )
    return len(held)


def _let_go(agent: int) -> None:
    name = Agent.objects.values_list("name", flat=True).get(pk=agent)
    waiting = Task.objects.filter(status=TaskStatus.WAITING, wait_for="breaker", agent_id=agent).order_by("id")
    while pks := list(waiting.values_list("run_id", "pk")[:BATCH]):
        by_run: dict[int, list[int]] = defaultdict(list)
        for run_id, pk in pks:
            by_run[run_id].append(pk)
        for run_id, tasks in by_run.items():
            with transaction.atomic():
                _wake(Run.objects.select_for_update(no_key=True).get(pk=run_id), tasks, name)
                db.wake_idle()


def _wake(run: Run, pks: list[int], agent: str) -> None:
    waiting = Task.objects.filter(pk__in=pks, status=TaskStatus.WAITING, wait_for="breaker")
    for task in waiting.select_for_update(no_key=True).order_by("id"):
        Task.objects.filter(pk=task.pk).update(
            status=TaskStatus.READY, wait_for="", held=run.status == RunStatus.PAUSED, ready_at=Now()
        )
        data: dict[str, Json] = {"agent": agent, "attempt": task.attempt}
        events.append("task.let_go", actor="engine", run_id=run.pk, task_id=task.pk, data=data)
