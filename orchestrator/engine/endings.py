"""Ends of attempts that are not settled in batches: one small fenced transaction each, made in a thread of the worker.

A late end (the attempt no longer stands) changes nothing.
"""

from dataclasses import replace
from typing import Any

from django.db import transaction

from agents.types import Completed, Failed, Json, NeedsApproval
from orchestrator import events
from orchestrator.budgets import NOTHING
from orchestrator.definitions import expressions
from orchestrator.definitions.serialise import UnknownField
from orchestrator.engine import (
    breakers,
    compensation,
    conflicts,
    failures,
    gates,
    lanes,
    mailing,
    oversight,
    questions,
    rewinding,
    steering,
    transitions,
)
from orchestrator.engine.assignment import Assignment
from orchestrator.engine.assuring import Judgement
from orchestrator.engine.attempts import end_attempt
from orchestrator.engine.gates import VOIDED, Subject
from orchestrator.engine.plans import step_in_trouble
from orchestrator.engine.transitions import Fence, Result
from orchestrator.models import TASK_BITS, Run, Task, task_id
from orchestrator.ports import gatekeeper
from orchestrator.states import AttemptStatus, RunStatus, TaskStatus


@transaction.atomic
def open_output_gate(job: Assignment, shift: int, given: dict[str, Json], outcome: Completed) -> None:
    """The step's rule holds for this output, or people have asked before: they look at it before it is used."""
    _tell_guard(job)
    spec = job.step.gate or gates.agents_own(job.step)
    context = {**job.context, "output": outcome.output, "confidence": outcome.confidence}
    subject = _subject(job, transitions.lock_run(job.claimed.run_id), given, outcome)
    request = gates.for_output(spec, job.step, subject, kind="approval", context=context)
    fence, actor = _fence(job, shift), f"agent:{job.step.agent}"
    if transitions.wait_for_people(fence, request, version=outcome.version, actor=actor):
        _worked(job)


@transaction.atomic
def open_quality_gate(
    job: Assignment, shift: int, given: dict[str, Json], outcome: Completed, judgement: Judgement
) -> None:
    """The output fails what its step asks of it: only a person's decision lets it be used."""
    run = transitions.lock_run(job.claimed.run_id)
    context = {**job.context, "output": outcome.output, "confidence": outcome.confidence}
    spec = job.step.gate or gates.of_quality(job.step)
    request = gates.for_output(spec, job.step, _subject(job, run, given, outcome), kind="approval", context=context)
    request = gates.held(request, job.step, judgement)
    actor = f"agent:{judgement.producer.agent}"
    if not transitions.wait_for_people(_fence(job, shift), request, version=outcome.version, actor=actor):
        return
    if job.step.agent:
        _worked(job)
    if judgement.pauses and run.status == RunStatus.RUNNING:
        steering.pause(run)
        reason = f"guardian {judgement.pauses} wants the run to stand still"
        events.append("run.paused", actor=f"agent:{judgement.pauses}", run_id=run.pk, data={"reason": reason})


@transaction.atomic
def open_agents_gate(job: Assignment, shift: int, given: dict[str, Json], outcome: NeedsApproval) -> None:
    """The agent itself will not go on without a person."""
    _tell_guard(job)
    context = {**job.context, "output": outcome.output, "confidence": outcome.confidence}
    subject = _subject(job, transitions.lock_run(job.claimed.run_id), given, outcome)
    spec = job.step.gate or gates.agents_own(job.step)
    request = gates.for_output(spec, job.step, subject, kind="approval", context=context)
    if outcome.resume:
        request = replace(request, consequence="The agent goes on from where it stopped, with this answer.")
    fence, actor = _fence(job, shift), f"agent:{job.step.agent}"
    if transitions.wait_for_people(fence, request, version=outcome.version, actor=actor):
        if outcome.resume:
            questions.remember(job.claimed.id, outcome.action)
        _worked(job)


@transaction.atomic
def open_tool_gate(job: Assignment, shift: int, given: dict[str, Json], outcome: NeedsApproval) -> None:
    """A tool that the agent calls is not called before people approve: this call, with these arguments."""
    assert outcome.call is not None
    subject = _subject(job, transitions.lock_run(job.claimed.run_id), given, outcome)
    request = gates.for_tool(job.step, subject, outcome.call)
    fence, actor = _fence(job, shift), f"agent:{job.step.agent}"
    if transitions.wait_for_people(fence, request, version=outcome.version, actor=actor):
        _worked(job)


@transaction.atomic
def withhold_output(job: Assignment, shift: int, given: dict[str, Json], outcome: Completed) -> None:
    """A critical output that its rule wants people for was about to go out unasked: it waits for them all the same."""
    transitions.lock_run(job.claimed.run_id)
    task = transitions.fenced(_fence(job, shift))
    if task is not None:
        oversight.withheld(task, actor="engine", why="its rule asks people, and nobody was asked")
        open_output_gate(job, shift, given, outcome)


@transaction.atomic
def withhold_approval(job: Assignment, shift: int, proposal: dict[str, Json], context: dict[str, Any]) -> None:
    """The same for the output that an approval step was about to let pass."""
    transitions.lock_run(job.claimed.run_id)
    task = transitions.fenced(_fence(job, shift))
    if task is not None:
        oversight.withheld(task, actor="engine", why="its rule asks people, and nobody was asked")
        open_approval_gate(job, shift, proposal, context)


def is_undecided(job: Assignment) -> bool:
    """Whether people were asked about this task's work, and the last answer was not that they agree.

    What a migration has voided was asked by another version's rule, and counts no more.
    """
    voided = (job.claimed.spec or {}).get(VOIDED, 0)
    return gatekeeper().answers_about([job.claimed.id], after=voided).get(job.claimed.id, "approved") != "approved"


@transaction.atomic
def complete_delivering(job: Assignment, shift: int, given: dict[str, Json], outcome: Completed) -> None:
    """The step hands over a file: output and file commit together."""
    _tell_guard(job)
    transitions.lock_run(job.claimed.run_id)
    result = Result(output=outcome.output, input=given, confidence=outcome.confidence, version=outcome.version)
    if transitions.complete_running(_fence(job, shift), result, step=job.step, actor=f"agent:{job.step.agent}"):
        _worked(job)


@transaction.atomic
def cancel_rest(job: Assignment) -> None:
    """A join has enough: what else leads only to it is cancelled."""
    transitions.lock_run(job.claimed.run_id)
    transitions.cancel_rest(job.claimed.id)


@transaction.atomic
def open_approval_gate(job: Assignment, shift: int, proposal: dict[str, Json], context: dict[str, Any]) -> None:
    """An approval step asks about the output of the step it reviews."""
    assert job.step.gate is not None
    assert job.step.subject is not None
    run = transitions.lock_run(job.claimed.run_id)
    reviewed = Task.objects.get(pk=task_id(run.pk, job.step.subject))
    subject = Subject(
        **_ids(run, job.claimed.id),
        proposal=proposal,
        given=reviewed.input or {},
        confidence=reviewed.confidence,
        version=reviewed.attempts.filter(status="succeeded").values_list("agent_version", flat=True).last(),
        revision=reviewed.revision,
    )
    step = job.plan.steps[job.step.subject]
    known = {**context, "confidence": reviewed.confidence}
    request = gates.for_output(job.step.gate, step, subject, kind="approval", context=known)
    transitions.wait_for_people(_fence(job, shift), request)


@transaction.atomic
def open_manual_gate(job: Assignment, shift: int, given: dict[str, Json]) -> None:
    """A person does this step."""
    assert job.step.gate is not None
    run = transitions.lock_run(job.claimed.run_id)
    subject = Subject(**_ids(run, job.claimed.id), given=given)
    request = gates.for_output(job.step.gate, job.step, subject, kind="manual", context=job.context)
    transitions.wait_for_people(_fence(job, shift), request)


@transaction.atomic
def open_hybrid_gate(job: Assignment, shift: int, given: dict[str, Json], outcome: Completed | NeedsApproval) -> None:
    """The agent has drafted: a person completes the form, which starts from the draft."""
    _tell_guard(job)
    assert job.step.gate is not None
    context = {**job.context, "output": outcome.output, "confidence": outcome.confidence}
    text = expressions.render_text(job.step.instructions, context)
    shown = {**given, "instructions": text} if text else given
    subject = _subject(job, transitions.lock_run(job.claimed.run_id), shown, outcome)
    request = gates.for_output(job.step.gate, job.step, subject, kind="hybrid", context=context)
    transitions.wait_for_people(_fence(job, shift), request, version=outcome.version, actor=f"agent:{job.step.agent}")
    mailing.finished(job)


@transaction.atomic
def roll_back(job: Assignment, shift: int) -> None:
    """Everything that a rollback had to undo has ended: the run is set back by the task that waited for that."""
    run = transitions.lock_run(job.claimed.run_id)
    task = transitions.fenced(_fence(job, shift))
    if task is None:
        return
    end_attempt(task, AttemptStatus.SUCCEEDED, used=NOTHING)
    transitions.move(task, TaskStatus.SUCCEEDED, wait_for="", error=None)
    data: dict[str, Json] = {"attempt": task.attempt}
    events.append("task.succeeded", actor="engine", run_id=run.pk, task_id=task.pk, data=data)
    rewinding.finish_rollback(run, task)


@transaction.atomic
def open_trouble_gate(job: Assignment, shift: int, error: dict[str, Json], rule: str) -> None:
    """Something gave no answer that may be acted on: stop and ask."""
    _tell_guard(job)
    run = transitions.lock_run(job.claimed.run_id)
    subject = Subject(**_ids(run, job.claimed.id), undoing=compensation.undoes(job.claimed.spec))
    request = gates.for_trouble(job.step, subject, kind="exception", rule=rule, error=error)
    transitions.wait_for_people(_fence(job, shift), request)


@transaction.atomic
def end_failed(job: Assignment, shift: int, given: dict[str, Json], outcome: Failed) -> None:
    """The agent failed: try again later, ask, skip or fail, as the step says."""
    _tell_guard(job)
    run = transitions.lock_run(job.claimed.run_id)
    error: dict[str, Json] = {"kind": outcome.kind, "code": outcome.code, "message": outcome.message}
    undoing = compensation.undoes(job.claimed.spec)
    subject = Subject(**_ids(run, job.claimed.id), given=given, version=outcome.version, undoing=undoing)
    tries = job.claimed.failures + 1
    rule = f"{outcome.kind} error after {tries} of {job.step.retry.attempts} tries, on_error: {job.step.on_error}"
    told: dict[str, Json] = {**error, "attempts": tries}
    queue = job.plan.business_queue if outcome.kind == "business" else ""
    ask = gates.for_trouble(job.step, subject, kind="exception", rule=rule, error=told, queue=queue)
    if outcome.error_class:
        error |= {"class": outcome.error_class, "stack": outcome.stack}
    if failures.fail_attempt(_fence(job, shift), error, step=job.step, retry_after=outcome.retry_after, ask=ask):
        mailing.failed(job, f"{outcome.code}: {outcome.message}")


@transaction.atomic
def decline(job: Assignment, shift: int) -> None:
    """This release does not know the step's kind: put the task where only workers look that do."""
    transitions.lock_run(job.claimed.run_id)
    transitions.decline(_fence(job, shift), kind=job.step.kind, what=f"steps of type {job.step.kind}")


def end_unread(shift: int, pk: int, attempt: int, problem: Exception) -> None:
    """A task that could not be read: for the workers of a later release if it is one of theirs, else for people."""
    if isinstance(problem, UnknownField):
        with transaction.atomic():
            transitions.lock_run(pk >> TASK_BITS)
            fence, name = Fence(task_id=pk, attempt=attempt, shift=shift), problem.name
            transitions.decline(fence, kind=lanes.of_field(name), what=f"the field {name} of its definition")
    else:
        fail_abruptly(shift, pk, attempt, "task_unreadable")


@transaction.atomic
def settle_conflicts(job: Assignment, shift: int) -> dict[str, Json] | None:
    """What the steps before agree on, for expressions as `agreed`; None when the task waits for people (or is late)."""
    run = transitions.lock_run(job.claimed.run_id)
    task = transitions.fenced(_fence(job, shift))
    if task is None:
        return None
    found = conflicts.examine(task, job.step, job.context["steps"])
    if not found.open:
        return found.agreed
    transitions.wait_for_people(_fence(job, shift), conflicts.question(run, task, job.step, found))
    return None


@transaction.atomic
def fail_abruptly(shift: int, pk: int, attempt: int, code: str) -> None:
    """End an attempt whose failure is ours, not the agent's: a person decides what to do."""
    run = transitions.lock_run(pk >> TASK_BITS)
    task = Task.objects.get(pk=pk)
    error: dict[str, Json] = {
        "kind": "permanent",
        "code": code,
        "message": "The engine could not record this result; see the log.",
    }
    step = step_in_trouble(task)
    rule = f"{code}: stop and ask"
    subject = Subject(**_ids(run, pk), undoing=compensation.undoes(task.spec))
    request = gates.for_trouble(step, subject, kind="exception", rule=rule, error=error)
    transitions.wait_for_people(Fence(task_id=pk, attempt=attempt, shift=shift), request)


def _subject(job: Assignment, run: Run, given: dict[str, Json], outcome: Completed | NeedsApproval) -> Subject:
    return Subject(
        **_ids(run, job.claimed.id),
        proposal=outcome.output,
        given=given,
        confidence=outcome.confidence,
        version=outcome.version,
        revision=job.claimed.revision,
        action=outcome.action if isinstance(outcome, NeedsApproval) else None,
    )


def _tell_guard(job: Assignment) -> None:
    """What guardrails did to the call's data, where no event of the attempt's end carries it."""
    if found := job.told.get("guard"):
        run, task = job.claimed.run_id, job.claimed.id
        data: dict[str, Json] = {"agent": job.step.agent, "attempt": job.claimed.attempt, "guard": found}
        events.append("task.guarded", actor="engine", run_id=run, task_id=task, data=data)


def _worked(job: Assignment) -> None:
    mailing.finished(job)
    breakers.worked(Task.objects.only("id", "agent_id").get(pk=job.claimed.id))


def _fence(job: Assignment, shift: int) -> Fence:
    return Fence(task_id=job.claimed.id, attempt=job.claimed.attempt, shift=shift, used=job.used)


def _ids(run: Run, pk: int) -> dict[str, Any]:
    return {"task_id": pk, "run_id": run.pk, "workflow_id": run.workflow_id, "requested_by": run.started_by_id}
