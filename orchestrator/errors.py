"""Everything the orchestrator refuses. The docstring is the message; facts are attributes."""

from typing import ClassVar

from agents.errors import worded
from orchestrator.definitions.errors import DefinitionError

__all__ = ["DefinitionError"]  # a definition's problems are refusals too


class OrchestratorError(Exception):
    """Something was refused."""

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 409

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        super().__init__(worded(type(self), facts))


class RunNotFound(OrchestratorError):
    """Run {run_id} does not exist."""

    code = "run_not_found"
    status = 404


class WorkflowNotFound(OrchestratorError):
    """There is no workflow named {name!r}; publish it or check the spelling."""

    code = "workflow_not_found"
    status = 404


class WorkflowFrozen(OrchestratorError):
    """Workflow {name!r} is frozen ({reason}); unfreeze it first, or make a certified version current."""

    code = "workflow_frozen"
    status = 409


class WorkflowNotPublished(OrchestratorError):
    """Workflow {name!r} has no published version; publish one first."""

    code = "workflow_not_published"


class InvalidInput(OrchestratorError):
    """The input of {name!r} is not valid at {path}: {problem}."""

    code = "invalid_input"
    status = 422


class IdempotencyConflict(OrchestratorError):
    """Idempotency key {key!r} was used with a different body; send a new key."""

    code = "idempotency_conflict"
    status = 422


class IllegalTransition(OrchestratorError):
    """{what} is {status}; it cannot be {verb}."""

    code = "illegal_transition"


class TaskNotWaiting(OrchestratorError):
    """Task {task_id} is {status}, not waiting; nothing was changed."""

    code = "task_not_waiting"


class RevisionLimit(OrchestratorError):
    """This was sent back {limit} times already; approve, reject or terminate it."""

    code = "revision_limit"


class FrozenByGuardrails(OrchestratorError):
    """Guardrails froze {agent!r}; somebody whose role releases frozen agents lets it go on, nobody else."""

    code = "frozen_by_guardrails"
    status = 403


class AlreadyStopped(OrchestratorError):
    """{scope} is stopped already."""

    code = "already_stopped"


class ReasonMissing(OrchestratorError):
    """Say why: a reason is needed to {verb}."""

    code = "reason_missing"
    status = 422


class StopNotFound(OrchestratorError):
    """Stop {stop_id} does not exist."""

    code = "stop_not_found"
    status = 404


class TooDeep(OrchestratorError):
    """Runs start runs more than {limit} deep; a workflow that starts itself needs a condition that ends it."""

    code = "too_deep"


class SubworkflowForbidden(OrchestratorError):
    """{step} may not start runs of {workflow}: give {author} (published it) or {starter} (started it) the right."""

    code = "subworkflow_not_permitted"
    status = 403


class SignalRefused(OrchestratorError):
    """The signal's {field} {problem}; put it right and send it again."""

    code = "signal_refused"
    status = 422


class SignalTooDeep(OrchestratorError):
    """{signal} is not published: {deepest} runs in a row were each started by a run's signal; break the circle."""

    code = "signal_too_deep"
    status = 409


class SignalConflict(OrchestratorError):
    """Another signal {name!r} was sent with the id {id!r}; send a new fact under a new id."""

    code = "signal_conflict"
    status = 422


class CallbackUnknown(OrchestratorError):
    """Nothing waits at this address; check that it was copied whole."""

    code = "callback_unknown"
    status = 404


class CallbackUsed(OrchestratorError):
    """An answer came here at {at}; the address works once, and nothing was changed."""

    code = "callback_used"


class CallbackClosed(OrchestratorError):
    """Nobody waits here since {at}, when {why}; nothing was changed."""

    code = "callback_closed"
    status = 410


class CallbackInvalid(OrchestratorError):
    """What was sent is not valid at {path}: {problem}; correct it and send it again to the same address."""

    code = "callback_invalid"
    status = 422


class GroupNotFound(OrchestratorError):
    """There is no consumer group named {name!r}; check the spelling."""

    code = "group_not_found"
    status = 404


class GroupExists(OrchestratorError):
    """There is a consumer group named {name!r} already; choose another name."""

    code = "group_exists"


class GroupRefused(OrchestratorError):
    """The consumer group's {field} {problem}; put it right and send it again."""

    code = "group_refused"
    status = 422


class ScheduleNotFound(OrchestratorError):
    """There is no schedule named {name!r}; check the spelling."""

    code = "schedule_not_found"
    status = 404


class ScheduleExists(OrchestratorError):
    """There is a schedule named {name!r} already; choose another name."""

    code = "schedule_exists"


class ScheduleRefused(OrchestratorError):
    """The schedule's {problem}."""

    code = "schedule_refused"
    status = 422


class StaleState(OrchestratorError):
    """State {key!r} of run {run_id} is at version {version}, written by {writer}; you saw {expected}: read it again."""

    code = "state_stale"


class StateNotWritten(OrchestratorError):
    """State {key!r} was not written: {problem}."""

    code = "state_refused"
    status = 422


class IllegalMove(StateNotWritten):
    """State {key!r} was not written: {problem}."""

    code = "illegal_move"
    status = 409


class StateNotFound(OrchestratorError):
    """Run {run_id} has no state {key!r} in version {version}; list its state to see what there is."""

    code = "state_not_found"
    status = 404


class CheckpointNotMade(OrchestratorError):
    """The checkpoint was not made, because of {field}: {problem}."""

    code = "checkpoint_refused"
    status = 422


class TooManyCheckpoints(OrchestratorError):
    """Run {run_id} has {most} checkpoints already; roll back to one of them or start a new run."""

    code = "too_many_checkpoints"


class CheckpointNotFound(OrchestratorError):
    """Run {run_id} has no checkpoint {number}; list its checkpoints to see which there are."""

    code = "checkpoint_not_found"
    status = 404


class EventNotInRun(OrchestratorError):
    """Place {pos} of the ledger is before run {run_id} began, or none of its own; choose one of the run's events."""

    code = "event_not_in_run"
    status = 404


class SnapshotTooLarge(OrchestratorError):
    """Run {run_id} has more than {most} events up to there; choose an earlier one."""

    code = "snapshot_too_large"


class EffectsWouldRepeat(OrchestratorError):
    """{count} side effects would happen a second time ({names}); say that they may, or choose a later event."""

    code = "effects_would_repeat"


class MigratedSince(OrchestratorError):
    """Run {run_id} got another version after checkpoint {number}; fork it from there instead."""

    code = "migrated_since"


class NothingToRun(OrchestratorError):
    """Nothing of run {run_id} would run anew from there; choose an earlier event."""

    code = "nothing_to_run"
