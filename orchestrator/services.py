"""Business verbs on workflows, runs and stops. Each owns its transaction and appends its event in it.

The verbs at the end (`complete_task` ...) are for whoever keeps the gates: they run inside the caller's transaction,
after `lock_run()`, so that a decision and the release of its task commit together.
"""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from agents.models import Agent
from agents.types import Json
from orchestrator import acts, db, events, failpoints, orders, ports, publishing, waits_db
from orchestrator.definitions.fields import seconds
from orchestrator.engine import admission, deadlines, failures, starting, transitions
from orchestrator.errors import FrozenByGuardrails, IllegalTransition, ReasonMissing, RunNotFound, StopNotFound
from orchestrator.models import Run, Stop, Task
from orchestrator.states import TASK_TERMINAL

publish = publishing.publish
check_queues = publishing.check_queues
check_teams = publishing.check_teams
may_publish = publishing.may_publish
lock_run = transitions.lock_run
lock_signal = waits_db.lock_signal


def actor_of(user: User | None, default: str = "engine") -> str:
    """How an event names who acted."""
    return f"user:{user.get_username()}" if user is not None else default


def reason_given(reason: str, verb: str) -> str:
    """The reason that an act needs, trimmed. Raises ReasonMissing."""
    if not reason.strip():
        raise ReasonMissing(verb=verb)
    return reason.strip()


# Runs


def start_run(
    *,
    workflow: str,
    input: Mapping[str, Any],
    by: User | None,
    title: str = "",
    idempotency_key: str | None = None,
    correlation_id: str = "",
    priority: int | None = None,
    actor: str = "",
    over_limit: str = "",
) -> Run:
    """Start a run of a workflow's current version.

    The same idempotency key again returns the run it started; with another input it raises IdempotencyConflict.
    Over a limit (settings MOST_RUNS_PER_WORKFLOW, MOST_READY_PER_LANE) it is queued (`pending`), or refused with Busy:
    `over_limit` says which, else the setting OVER_LIMIT.
    Raises WorkflowNotFound, WorkflowNotPublished and InvalidInput.
    """
    order = orders.draw_up(
        orders.find_workflow(workflow),
        input,
        user=by.pk if by else None,
        title=title,
        key=idempotency_key,
        correlation=correlation_id,
        priority=priority,
        actor=actor or actor_of(by),
    )
    if idempotency_key and (run := orders.started_before(order)) is not None:
        return run
    full = admission.limit_reached(order.workflow)
    if full and (over_limit or settings.OVER_LIMIT) == "refuse":
        raise admission.Busy(what=full[0], limit=full[1], seconds=admission.RETRY_SECONDS)
    try:
        with transaction.atomic():
            run_id = starting.begin(order, full=full)
    except IntegrityError:
        if (run := orders.started_before(order)) is None:
            raise
        return run
    failpoints.hit("start.committed")
    return Run.objects.get(pk=run_id)


def pause_run(*, run_id: int, by: User | None, reason: str) -> Run:
    """Hold a run's ready tasks back; what runs goes on to its end."""
    return _steer_run("pause", run_id, by=by, reason=reason)


def resume_run(*, run_id: int, by: User | None, reason: str) -> Run:
    """Let a paused run's ready tasks go."""
    return _steer_run("resume", run_id, by=by, reason=reason)


def cancel_run(*, run_id: int, by: User | None, reason: str) -> Run:
    """End a run now: live tasks are cancelled, running agents too, open gates are withdrawn."""
    return _steer_run("cancel", run_id, by=by, reason=reason)


def retry_run(*, run_id: int, by: User | None, reason: str) -> Run:
    """Run a failed run's failed and cancelled tasks again, with what had succeeded kept."""
    return _steer_run("retry", run_id, by=by, reason=reason)


def _steer_run(act: str, run_id: int, *, by: User | None, reason: str) -> Run:
    found = Run.objects.filter(pk=run_id).first()
    if found is None:
        raise RunNotFound(run_id=run_id)
    acts.perform(acts.find("run", act), acts.Target("run", found), by=by, reason=reason)
    return Run.objects.get(pk=run_id)


# Stops


def stop(*, scope: str, ref: int | None, by: User | None, reason: str) -> Stop:
    """Stop everything, a workflow or an agent.

    No task of it is claimed once this commits; what runs is cancelled and returned.
    """
    done = acts.perform(acts.find(scope, "stop"), acts.of(scope, ref), by=by, reason=reason)
    return Stop.objects.get(pk=done.stop)


def lift_stop(*, stop_id: int, by: User | None, reason: str) -> Stop:
    """Let what a stop held go on."""
    made = Stop.objects.filter(pk=stop_id).first()
    if made is None:
        raise StopNotFound(stop_id=stop_id)
    if made.lifted_at is not None:
        raise IllegalTransition(what=f"Stop {stop_id}", status="lifted", verb="lifted again")
    if made.guards and by is not None and not ports.rights().can(by, "release_agent"):
        raise FrozenByGuardrails(agent=str(acts.of(made.scope, made.ref).row))
    acts.perform(acts.find(made.scope, "resume"), acts.of(made.scope, made.ref), by=by, reason=reason)
    made.refresh_from_db()
    return made


def set_agent_limits(*, agent: str, max_concurrency: int | None, rate_per_minute: int | None, by: User | None) -> Agent:
    """Change how many calls of an agent run at once and how many start in a minute; None means no limit.

    Two transactions: once the first has committed, every task that is made reads the new limits, and every task made
    with the old ones is there for the second to mark.
    """
    with transaction.atomic():
        db.lock_limits()
        row = Agent.objects.select_for_update(no_key=True).get(name=agent)
        row.max_concurrency, row.rate_per_minute = max_concurrency, rate_per_minute
        row.save(update_fields=["max_concurrency", "rate_per_minute"])
        events.append(
            "agent.limits_changed",
            actor=actor_of(by),
            data={"agent": agent, "max_concurrency": max_concurrency, "rate_per_minute": rate_per_minute},
        )
    _mark_limited(row)
    return row


@transaction.atomic
def _mark_limited(row: Agent) -> None:
    live = Task.objects.filter(agent_id=row.pk).exclude(status__in=TASK_TERMINAL)
    runs = Run.objects.filter(pk__in=live.values("run_id")).order_by("pk").select_for_update(no_key=True)
    list(runs.values_list("pk"))  # lock order: run, task
    live.update(limited=row.max_concurrency is not None or row.rate_per_minute is not None)


# For whoever keeps the gates: inside the caller's transaction, after lock_run().


def complete_task(*, task_id: int, output: dict[str, Json], actor: str) -> None:
    """A verdict lets a waiting task succeed with `output`. Raises TaskNotWaiting."""
    transitions.complete_waiting(task_id, output=output, actor=actor)


def revise_task(*, task_id: int, note: str, actor: str, limit: int | None = None) -> None:
    """A verdict sends the work back to its agent with a note. Raises TaskNotWaiting, RevisionLimit."""
    transitions.revise(task_id, note=note, actor=actor, limit=limit)


def retry_task(*, task_id: int, actor: str) -> None:
    """A verdict lets a task in trouble try again. Raises TaskNotWaiting."""
    transitions.retry_waiting(task_id, actor=actor)


def approve_call(*, task_id: int, actor: str) -> None:
    """A verdict approves the call of a tool that a task waits for: its agent runs again. Raises TaskNotWaiting."""
    transitions.approve_call(task_id, actor=actor)


def skip_task(*, task_id: int, actor: str) -> None:
    """A verdict lets the run go on without a task. Raises TaskNotWaiting."""
    transitions.skip_waiting(task_id, actor=actor)


def extend_run(*, run_id: int, by: str, actor: str, reason: str) -> None:
    """A verdict gives a run that is past its deadline another one, so long from now: 90m, 4h, 2d.

    Raises IllegalTransition when it has ended, AnswerInvalid for what is not a length of time.
    """
    length = seconds(by)
    if length is None:
        raise acts.AnswerInvalid(field="Another deadline", problem="write 90m, 4h or 2d")
    deadlines.extend(Run.objects.get(pk=run_id), seconds=length, actor=actor, reason=reason)


def fail_task(*, task_id: int, code: str, message: str, actor: str, note: str = "") -> None:
    """A verdict, or a deadline, fails a waiting task and its run, or tells its pattern. Raises TaskNotWaiting."""
    failures.fail_waiting(task_id, code=code, message=message, actor=actor, note=note)


def time_out_task(*, task_id: int, message: str, actor: str) -> None:
    """A deadline ends a waiting task; its run goes on or fails as the step says. Raises TaskNotWaiting."""
    failures.time_out(task_id, message=message, actor=actor)
