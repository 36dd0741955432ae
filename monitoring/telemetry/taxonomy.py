"""Every event in the words that others' systems look for: a type, a severity, who, whose case, which trace.

`type` is one of a few names that stay the same (`task_start`, `tool_call`, `human_override` ...); `event` is our own,
finer one. `facts` holds numbers, yes or no, and words from a list of fields that name things: what people or agents
wrote (reasons, notes, titles, errors, inputs, outputs) never goes out, whatever field it stands in.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from agents.guardrails import keyring
from agents.tracing import trace_id_of
from monitoring.telemetry import names
from monitoring.telemetry.db import Told

# An event's own name, or the family before its dot.
TYPES: Final[Mapping[str, str]] = {
    "run.started": "workflow_start", "run.succeeded": "workflow_end", "run.partly_succeeded": "workflow_end",
    "run.failed": "workflow_end", "run.cancelled": "workflow_end", "task.started": "task_start",
    "task.succeeded": "task_end", "task.failed": "task_end", "task.skipped": "task_end", "task.cancelled": "task_end",
    "task.retry_scheduled": "task_retry", "task.lost": "task_retry", "task.fell_back": "task_retry",
    "tool.called": "tool_call", "tool.asked": "tool_call", "tool.refused": "policy_violation",
    "policy.refused": "policy_violation", "guard.violated": "policy_violation", "guard.spiked": "policy_violation",
    "gate.opened": "human_review", "gate.decided": "human_decision", "alert.raised": "alert",
    "budget.warned": "budget", "budget.exceeded": "budget", "data.revealed": "data_access",
    "audit.exported": "data_access", "message.sent": "agent_message", "session.signed_in": "sign_in",
    "session.signed_out": "sign_out",
}  # fmt: skip
FAMILIES: Final[Mapping[str, str]] = {
    "run": "workflow_state", "task": "task_state", "gate": "human_review", "stop": "human_override",
    "tool": "tool_state", "policy": "configuration", "entitlement": "access", "permission": "access",
    "role": "access", "access": "access", "account": "access", "token": "access", "team": "access", "session": "access",
    "delegation": "access", "alert": "alert", "message": "agent_message", "memory": "agent_memory",
    "state": "agent_memory", "agent": "agent_state", "breaker": "agent_state", "guardian": "agent_state",
    "model": "agent_state", "budget": "budget", "data": "data_access", "consent": "data_access",
    "retention": "data_access", "audit": "data_access", "feedback": "human_feedback",
}  # fmt: skip
OTHER: Final = "configuration"
NAMES: Final = tuple(sorted({*TYPES.values(), *FAMILIES.values(), OTHER, "human_override"}))
# A person does otherwise than an agent or the plan said.
OVERRIDING: Final = frozenset({"edit", "modify", "request_changes", "reject", "terminate", "override", "choose"})
STEERING: Final = frozenset(
    {
        "run.paused", "run.resumed", "run.cancelled", "run.retried", "run.rolled_back", "run.forked", "run.migrated",
        "run.priority_changed", "run.deadline_changed", "task.skipped", "task.edited", "task.redirected",
        "task.cancelled", "task.terminated", "task.restarted", "agent.terminated", "agent.reverted",
    }
)  # fmt: skip
_SEVERITIES: Final[Mapping[str, int]] = {
    "policy_violation": 8, "human_override": 5, "access": 5, "data_access": 5, "alert": 7, "sign_in": 3, "sign_out": 3,
    "human_decision": 3, "budget": 5, "task_retry": 4,
}  # fmt: skip
_OWN_SEVERITIES: Final[Mapping[str, int]] = {
    "run.failed": 7, "task.failed": 6, "guard.spiked": 10, "stop.set": 8, "run.stranded": 8, "breaker.opened": 6,
    "agent.silent": 7, "budget.exceeded": 7, "gate.escalated": 6,
}  # fmt: skip
# Fields whose words name a thing of ours or come from a short list of ours: nobody writes sentences into them.
NAMING: Final = frozenset(
    {
        "agent", "tool", "queue", "workflow", "verdict", "outcome", "code", "rule", "policy", "entitlement", "risk",
        "kind", "scope", "resource", "role", "severity", "status", "step", "for", "lane", "pool", "word", "model",
        "tier", "prompt", "state", "method", "type", "format", "from", "to", "via", "seal", "branch_taken",
    }
)  # fmt: skip
_NAME: Final = re.compile(r"[\w.@:+/-]{1,100}")


class Entry(BaseModel):
    """One event as others' systems get it. Nothing else is ever in one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pos: int = Field(ge=1, description="Its place in the ledger: gap-free, in order; the same place is the same event.")
    event: str = Field(pattern=r"^[a-z_]+\.[a-z_]+$")
    type: str
    severity: int = Field(ge=0, le=10)
    at: datetime
    actor: str = Field(max_length=200)
    agent_id: str = ""
    customer_id: str = Field(
        "", pattern=r"^([0-9a-f]{64})?$", description="A keyed hash (HMAC-SHA256), always the same."
    )
    correlation_id: str = ""
    trace_id: str = ""
    workflow: str = ""
    step: str = ""
    run_id: int | None = None
    task_id: int | None = None
    facts: dict[str, int | float | bool | str] = Field(default_factory=dict)


def entry_of(told: Told) -> Entry:
    """The event in these words. Raises pydantic.ValidationError where it has not the form of one."""
    kind = type_of(told.kind, told.actor, told.data)
    correlation = names.clean(told.correlation or "")
    return Entry(
        pos=told.pos, event=told.kind, type=kind, severity=_severity(told.kind, kind), at=told.at,
        actor=told.actor, agent_id=_agent(told), customer_id=keyring.pseudonym(told.customer) if told.customer else "",
        correlation_id=correlation, trace_id=trace_id_of(told.correlation) if told.correlation else "",
        workflow=told.workflow or "", step=told.step or "", run_id=told.run, task_id=told.task,
        facts=_facts(told.data),
    )  # fmt: skip


def type_of(kind: str, actor: str, data: Mapping[str, Any]) -> str:
    """The type of an event: every one has one."""
    overrides = kind in STEERING or (kind == "gate.decided" and data.get("verdict") in OVERRIDING)
    if overrides and actor.startswith("user:"):
        return "human_override"
    return TYPES.get(kind) or FAMILIES.get(kind.partition(".")[0], OTHER)


def _severity(kind: str, type_: str) -> int:
    return _OWN_SEVERITIES.get(kind) or _SEVERITIES.get(type_, 2)


def _agent(told: Told) -> str:
    named = told.data.get("agent")
    if isinstance(named, str) and _is_name("agent", named):
        return named
    return told.actor.removeprefix("agent:") if told.actor.startswith("agent:") else told.agent or ""


def _facts(data: Mapping[str, Any]) -> dict[str, int | float | bool | str]:
    found: dict[str, int | float | bool | str] = {}
    for name, value in data.items():
        if not _NAME.fullmatch(name):
            continue
        if isinstance(value, bool | int | float) or (isinstance(value, str) and _is_name(name, value)):
            found[name] = value
    return found


def _is_name(field: str, value: str) -> bool:
    return field in NAMING and _NAME.fullmatch(value) is not None and names.clean(value) == value
