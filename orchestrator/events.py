"""The event log's front door for Python: one fact, in the past tense, in the caller's transaction.

The engine's SQL functions insert their events themselves; everything else calls `append()`.
Readers never read this table by id: they read `orchestrator.ledger`, which is gap-free and in order.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import orjson
from django.db import connection, transaction

from agents import tracing
from agents.types import Json
from orchestrator.errors import OrchestratorError
from orchestrator.redacting import redact

MAX_DATA_BYTES: Final = 16_384


class EventKind(StrEnum):
    """Every kind of event there is (docs/architecture.md)."""

    OVERSIGHT_CASE_CONFIRMED = "oversight.case_confirmed"
    OVERSIGHT_CASE_RETIRED = "oversight.case_retired"
    OVERSIGHT_RULED = "oversight.ruled"
    OVERSIGHT_PROMISED = "oversight.promised"
    OVERSIGHT_ATTENDED = "oversight.attended"
    OVERSIGHT_UNATTENDED = "oversight.unattended"
    WORKFLOW_PACED = "workflow.paced"
    WORKFLOW_UNPACED = "workflow.unpaced"
    WORKFLOW_FULL_PACE = "workflow.full_pace"
    WORKFLOW_WEIGHT_CHANGED = "workflow.weight_changed"

    RUN_STARTED = "run.started"
    RUN_PAUSED = "run.paused"
    RUN_RESUMED = "run.resumed"
    RUN_CANCELLED = "run.cancelled"
    RUN_SUCCEEDED = "run.succeeded"
    RUN_FAILED = "run.failed"
    RUN_RETRIED = "run.retried"
    RUN_STRANDED = "run.stranded"
    RUN_PRIORITY_CHANGED = "run.priority_changed"
    RUN_DEADLINE_CHANGED = "run.deadline_changed"
    RUN_DEADLINE_PASSED = "run.deadline_passed"
    RUN_MIGRATED = "run.migrated"
    RUN_FORKED = "run.forked"
    RUN_ROLLED_BACK = "run.rolled_back"
    RUN_QUEUED = "run.queued"
    RUN_ADMITTED = "run.admitted"
    RUN_COMPENSATING = "run.compensating"
    RUN_ACCEPTED = "run.accepted"
    RUN_SINGLE_AGENT = "run.single_agent"
    RUN_TRACED = "run.traced"
    RUN_PARTLY_SUCCEEDED = "run.partly_succeeded"

    TASK_STARTED = "task.started"
    TASK_SUCCEEDED = "task.succeeded"
    TASK_SKIPPED = "task.skipped"
    TASK_FAILED = "task.failed"
    TASK_RETRY_SCHEDULED = "task.retry_scheduled"
    TASK_RETURNED = "task.returned"
    TASK_WAITING = "task.waiting"
    TASK_CANCELLED = "task.cancelled"
    TASK_LOST = "task.lost"
    TASK_LATE_RESULT = "task.late_result"
    TASK_RELEASED = "task.released"
    TASK_REVISED = "task.revised"
    TASK_SPAWNED = "task.spawned"
    TASK_ASSIGNED = "task.assigned"
    TASK_EDITED = "task.edited"
    TASK_REDIRECTED = "task.redirected"
    TASK_NOTED = "task.noted"
    TASK_GUARDED = "task.guarded"
    TASK_WITHHELD = "task.withheld"
    TASK_COPIED = "task.copied"
    TASK_ROLLED_BACK = "task.rolled_back"
    TASK_RESTARTED = "task.restarted"
    TASK_TERMINATED = "task.terminated"

    AGENT_TARGETS_SET = "agent.targets_set"
    AGENT_CANARY_STARTED = "agent.canary_started"
    AGENT_CANARY_ENDED = "agent.canary_ended"
    AGENT_CANARY_ROLLED_BACK = "agent.canary_rolled_back"
    AGENT_PROMOTED = "agent.promoted"
    AGENT_REVERTED = "agent.reverted"
    AGENT_DESCRIBED = "agent.described"
    AGENT_ITEM_OPENED = "agent.item_opened"
    AGENT_ITEM_CLOSED = "agent.item_closed"
    AGENT_STARTED = "agent.started"
    AGENT_TERMINATED = "agent.terminated"
    AGENT_RESTARTED = "agent.restarted"
    AGENT_SILENT = "agent.silent"
    AGENT_HEARD = "agent.heard"
    AGENT_WIDENING_ASKED = "agent.widening_asked"
    AGENT_WIDENING_REFUSED = "agent.widening_refused"

    QUALITY_ASSESSED = "quality.assessed"
    QUALITY_CALIBRATED = "quality.calibrated"
    QUALITY_AUTHORITY_CHANGED = "quality.authority_changed"
    EVALUATION_FINISHED = "evaluation.finished"
    EVALUATION_ITEM_CLOSED = "evaluation.item_closed"
    DATASET_KEPT = "dataset.kept"
    GUARDIAN_RAISED = "guardian.raised"
    GUARDIAN_HELD = "guardian.held"

    STATE_WRITTEN = "state.written"
    CONFLICT_FOUND = "conflict.found"
    CONFLICT_RESOLVED = "conflict.resolved"
    CHECKPOINT_MADE = "checkpoint.made"
    SECRET_ROTATED = "secret.rotated"
    FINDING_DISCOVERED = "finding.discovered"
    TASK_FELL_BACK = "task.fell_back"
    TASK_HELD_BACK = "task.held_back"
    TASK_LET_GO = "task.let_go"
    TASK_REOPENED = "task.reopened"

    SIGNAL_PUBLISHED = "signal.published"
    SIGNAL_REFUSED = "signal.refused"
    CALLBACK_RECEIVED = "callback.received"
    CALLBACK_ISSUED = "callback.issued"
    GROUP_CREATED = "group.created"
    GROUP_ENABLED = "group.enabled"
    GROUP_DISABLED = "group.disabled"
    GROUP_REPLAYED = "group.replayed"
    GROUP_REMOVED = "group.removed"
    GROUP_REFUSED = "group.refused"

    MESSAGE_SENT = "message.sent"
    MESSAGE_EXPIRED = "message.expired"
    MESSAGE_REFUSED = "message.refused"
    MESSAGE_DEAD_LETTERED = "message.dead_lettered"
    MESSAGE_REQUEUED = "message.requeued"
    MESSAGE_DROPPED = "message.dropped"
    MESSAGE_RESTORED = "message.restored"
    MESSAGE_REPLAYED = "message.replayed"
    SUBSCRIPTION_ADDED = "subscription.added"
    SUBSCRIPTION_ENABLED = "subscription.enabled"
    SUBSCRIPTION_DISABLED = "subscription.disabled"
    SUBSCRIPTION_REMOVED = "subscription.removed"
    BRIDGE_UP = "bridge.up"
    BRIDGE_DOWN = "bridge.down"
    BRIDGE_FAILED_OVER = "bridge.failed_over"

    SCHEDULE_CREATED = "schedule.created"
    SCHEDULE_CHANGED = "schedule.changed"
    SCHEDULE_PAUSED = "schedule.paused"
    SCHEDULE_RESUMED = "schedule.resumed"
    SCHEDULE_REMOVED = "schedule.removed"
    SCHEDULE_FIRED = "schedule.fired"
    SCHEDULE_QUEUED = "schedule.queued"
    SCHEDULE_SKIPPED = "schedule.skipped"
    SCHEDULE_REFUSED = "schedule.refused"
    SCHEDULE_BACKFILLED = "schedule.backfilled"

    GATE_OPENED = "gate.opened"
    GATE_CLAIMED = "gate.claimed"
    GATE_RELEASED = "gate.released"
    GATE_COMMENTED = "gate.commented"
    GATE_ESCALATED = "gate.escalated"
    GATE_VOTED = "gate.voted"
    GATE_AMENDED = "gate.amended"
    GATE_ASSIGNED = "gate.assigned"
    GATE_STRANDED = "gate.stranded"
    GATE_MENDED = "gate.mended"
    GATE_REMINDED = "gate.reminded"
    GATE_CALLED = "gate.called"
    GATE_DECIDED = "gate.decided"
    GATE_APPROVED = "gate.approved"
    GATE_TURNED_DOWN = "gate.turned_down"
    GATE_HELD = "gate.held"
    GATE_TAKEN_BACK = "gate.taken_back"
    GATE_ASKED = "gate.asked"
    GATE_ANSWERED = "gate.answered"
    GATE_RECORDED = "gate.recorded"
    GATE_WITHDRAWN = "gate.withdrawn"
    GATE_REFUSED = "gate.refused"

    QUEUE_CHANGED = "queue.changed"
    QUEUE_HANDED_OVER = "queue.handed_over"
    RESPONSIBILITY_CHANGED = "responsibility.changed"
    DELEGATION_MADE = "delegation.made"
    DELEGATION_ENDED = "delegation.ended"

    FEEDBACK_GIVEN = "feedback.given"
    FEEDBACK_ANSWERED = "feedback.answered"
    FEEDBACK_LINK_MADE = "feedback.link_made"
    FEEDBACK_LINK_REVOKED = "feedback.link_revoked"
    IMPROVEMENT_OPENED = "improvement.opened"
    IMPROVEMENT_CLOSED = "improvement.closed"
    USABILITY_RECORDED = "usability.recorded"
    USABILITY_FOUND = "usability.found"
    USABILITY_CLOSED = "usability.closed"
    RETROSPECTIVE_HELD = "retrospective.held"
    LESSON_CHOSEN = "lesson.chosen"
    LESSON_DRAFTED = "lesson.drafted"
    PROPOSAL_MADE = "proposal.made"
    PROPOSAL_SECONDED = "proposal.seconded"
    PROPOSAL_ACCEPTED = "proposal.accepted"
    PROPOSAL_DECLINED = "proposal.declined"

    STOP_SET = "stop.set"
    STOP_LIFTED = "stop.lifted"
    STOP_MEASURED = "stop.measured"

    ALERT_RAISED = "alert.raised"
    ALERT_RESOLVED = "alert.resolved"
    ALERT_ACKNOWLEDGED = "alert.acknowledged"
    ALERT_ASSIGNED = "alert.assigned"
    ALERT_ESCALATED = "alert.escalated"
    ALERT_SILENCED = "alert.silenced"
    ALERT_UNSILENCED = "alert.unsilenced"
    ALERT_STEP_DONE = "alert.step_done"
    ALERT_RULE_CHANGED = "alert.rule_changed"
    ALERT_ROTATION_CHANGED = "alert.rotation_changed"
    ALERT_DRILLED = "alert.drilled"

    OBJECTIVE_SET = "objective.set"
    OBJECTIVE_WITHDRAWN = "objective.withdrawn"
    BASELINE_STATED = "baseline.stated"
    TIER_SET = "tier.set"
    TIER_SPONSORED = "tier.sponsored"
    DIGEST_MADE = "digest.made"

    RETENTION_APPLIED = "retention.applied"
    RETENTION_HELD = "retention.held"
    RETENTION_RELEASED = "retention.released"
    RETENTION_RULE_CHANGED = "retention.rule_changed"
    AUDIT_EXPORTED = "audit.exported"

    BUDGET_WARNED = "budget.warned"
    BUDGET_EXCEEDED = "budget.exceeded"
    BUDGET_CHANGED = "budget.changed"
    POLICY_REFUSED = "policy.refused"
    BREAKER_OPENED = "breaker.opened"
    BREAKER_HALF_OPENED = "breaker.half_opened"
    BREAKER_CLOSED = "breaker.closed"
    BREAKER_RESET = "breaker.reset"
    BREAKER_CONFIGURED = "breaker.configured"

    TOOL_CALLED = "tool.called"
    TOOL_ASKED = "tool.asked"
    TOOL_REFUSED = "tool.refused"
    TOOL_LIMITS_CHANGED = "tool.limits_changed"
    TOOL_RESET = "tool.reset"
    POLICY_PROPOSED = "policy.proposed"
    POLICY_ACTIVATED = "policy.activated"
    POLICY_REJECTED = "policy.rejected"
    ENTITLEMENT_REVOKED = "entitlement.revoked"
    ENTITLEMENT_RESTORED = "entitlement.restored"
    GUARD_VIOLATED = "guard.violated"
    GUARD_SPIKED = "guard.spiked"
    DATA_REVEALED = "data.revealed"
    DATA_RULE_CHANGED = "data.rule_changed"
    CONSENT_GRANTED = "consent.granted"
    CONSENT_WITHDRAWN = "consent.withdrawn"
    MEMORY_KEPT = "memory.kept"
    MEMORY_REFUSED = "memory.refused"
    MEMORY_QUARANTINED = "memory.quarantined"
    MEMORY_RELEASED = "memory.released"
    MEMORY_CORRECTED = "memory.corrected"
    MEMORY_DELETED = "memory.deleted"
    MEMORY_ERASED = "memory.erased"

    PROMPT_DRAFTED = "prompt.drafted"
    PROMPT_CHANGED = "prompt.changed"
    PROMPT_SUBMITTED = "prompt.submitted"
    PROMPT_RETURNED = "prompt.returned"
    PROMPT_EVALUATED = "prompt.evaluated"
    PROMPT_PUBLISHED = "prompt.published"
    MODEL_DOWNGRADED = "model.downgraded"
    MODEL_RESTORED = "model.restored"
    AGENT_REGISTERED = "agent.registered"
    AGENT_LIMITS_CHANGED = "agent.limits_changed"
    WORKFLOW_PUBLISHED = "workflow.published"
    WORKFLOW_PATTERN_CHOSEN = "workflow.pattern_chosen"
    WORKFLOW_INSTALLED = "workflow.installed"
    WORKFLOW_ADVICE_KEPT = "workflow.advice_kept"
    WORKSHOP_HELD = "workshop.held"
    WORKFLOW_STAFFED = "workflow.staffed"
    WORKFLOW_DEPRECATED = "workflow.version_deprecated"
    WORKFLOW_RESTORED = "workflow.version_restored"
    WORKFLOW_CERTIFIED = "workflow.version_certified"
    WORKFLOW_DECERTIFIED = "workflow.version_decertified"
    WORKFLOW_FROZEN = "workflow.frozen"
    WORKFLOW_UNFROZEN = "workflow.unfrozen"

    PERMISSION_GRANTED = "permission.granted"
    PERMISSION_REVOKED = "permission.revoked"
    ROLE_GRANTED = "role.granted"
    ROLE_REVOKED = "role.revoked"
    ROLE_MADE = "role.made"
    ROLE_CHANGED = "role.changed"
    ROLE_REMOVED = "role.removed"
    ACCESS_PROPOSED = "access.proposed"
    ACCESS_CONFIRMED = "access.confirmed"
    ACCESS_REFUSED = "access.refused"
    ACCOUNT_INVITED = "account.invited"
    ACCOUNT_LINK_MADE = "account.link_made"
    ACCOUNT_LINK_ENDED = "account.link_ended"
    ACCOUNT_JOINED = "account.joined"
    ACCOUNT_CLOSED = "account.closed"
    ACCOUNT_LINKED = "account.linked"
    ACCOUNT_CHANGED = "account.changed"
    ACCOUNT_SECURED = "account.secured"
    TEAM_MADE = "team.made"
    TEAM_REMOVED = "team.removed"
    TEAM_PERSON_ADDED = "team.person_added"
    TEAM_PERSON_REMOVED = "team.person_removed"
    TEAM_PLACED = "team.placed"
    TOKEN_CREATED = "token.created"
    TOKEN_RENEWED = "token.renewed"
    TOKEN_REVOKED = "token.revoked"
    SESSION_SIGNED_IN = "session.signed_in"
    SESSION_SIGNED_OUT = "session.signed_out"
    SESSION_ENDED = "session.ended"
    SESSION_VIEWED_AS = "session.viewed_as"
    SESSION_VIEW_ENDED = "session.view_ended"
    SESSION_ON_WALL = "session.on_wall"
    NOTICE_CHANNEL_ADDED = "notice.channel_added"
    NOTICE_CHANNEL_CHANGED = "notice.channel_changed"
    NOTICE_CHANNEL_REMOVED = "notice.channel_removed"


class EventRefused(OrchestratorError):
    """The event {kind!r} was not recorded: {problem}."""

    code = "event_refused"
    status = 422


def append(
    kind: EventKind | str,
    *,
    actor: str,
    run_id: int | None = None,
    task_id: int | None = None,
    data: Mapping[str, Json] | None = None,
) -> int:
    """Record one fact in the caller's transaction and return the event's id.

    `data` holds facts and ids; what looks like a secret in it is masked before it is stored, for good.
    Raises EventRefused for an unknown kind, and for an empty actor or too much data.
    """
    known = _known(kind)
    if not actor or len(actor) > 200 or "\x1f" in actor:
        raise EventRefused(kind=known, problem="its actor must be 1 to 200 plain characters")
    body = _encode(known, data)
    if run_id is not None and (trace := tracing.current()):
        trace.runs.add(run_id)
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        cursor.execute("SELECT append_event(%s, %s, %s, %s, %s::jsonb)", [known, actor, run_id, task_id, body])
        event_id: int = cursor.fetchone()[0]
    return event_id


def _known(kind: EventKind | str) -> str:
    try:
        return EventKind(kind).value
    except ValueError:
        problem = "there is no such kind; add it to EventKind and docs/architecture.md"
        raise EventRefused(kind=kind, problem=problem) from None


def _encode(kind: str, data: Mapping[str, Json] | None) -> str | None:
    if data is None:
        return None
    try:
        body = orjson.dumps(redact(dict(data)))
    except orjson.JSONEncodeError as error:
        raise EventRefused(kind=kind, problem=f"its data is not JSON: {error}") from error
    if len(body) > MAX_DATA_BYTES:
        problem = f"its data has {len(body)} bytes, more than {MAX_DATA_BYTES}; store a reference"
        raise EventRefused(kind=kind, problem=problem)
    return body.decode()
