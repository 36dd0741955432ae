"""`agents.messaging.ports.Engine`: what messages need of the event log, of expressions and of sleeping tasks."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from agents.messaging.envelope import Envelope
from agents.messaging.ports import ConditionFailed
from agents.types import Json
from orchestrator import events, signals
from orchestrator.definitions import expressions
from orchestrator.definitions.expressions import ExpressionError
from orchestrator.engine import waits
from orchestrator.errors import SignalRefused
from orchestrator.models import ConsumerGroup

KEY: Final = re.compile(r"task-([0-9]{1,19})-[0-9]{1,5}", re.ASCII)  # what `engine.work` calls a task's calls


def tell(kind: str, *, actor: str, data: Mapping[str, Json]) -> None:
    """Record one fact."""
    events.append(kind, actor=actor, data=data)


def wake(readers: Sequence[str]) -> None:
    """Have these tasks look for their message as soon as this transaction has committed."""
    for reader in readers:
        if task := task_of(reader):
            waits.set_timer("message", task)


def task_of(reader: str) -> int | None:
    """The task whose call a key stands for; None for a reader that is none of ours."""
    found = KEY.fullmatch(reader)
    return int(found[1]) if found else None


def announce(envelope: Envelope, *, sender: str) -> None:
    """Workflows start by themselves for signals: a message on topic x is the signal `message.x`, if a group listens."""
    name = f"message.{envelope.topic}"
    if not ConsumerGroup.objects.filter(signal=name, enabled=True).exists():
        return
    told: dict[str, Json] = envelope.model_dump(mode="json")
    key = envelope.correlation_id if envelope.correlation_id.isprintable() else ""
    try:
        signals.publish(name=name, key=key, data=told, sender_id=str(envelope.id), by=None, actor=sender)
    except SignalRefused as refusal:  # larger than a signal may be: its readers have it, workflows do not
        facts: dict[str, Json] = {"agent": envelope.agent_id, "code": refusal.code, "problem": str(refusal)[:500]}
        tell("message.refused", actor="engine", data={**facts, "correlation_id": envelope.correlation_id})


def flaw(condition: str) -> str | None:
    """What is wrong with a CEL condition over `message`, in words; None if it can be used."""
    try:
        source = expressions.check(condition)
    except ExpressionError as problem:
        return f"cannot be used: {problem}"
    if strangers := {reference.root for reference in source.references} - {"message"}:
        return f"reads {', '.join(sorted(strangers))}; it may use message only"
    return None


def holds(condition: str, message: Mapping[str, Any]) -> bool:
    """Whether the condition holds. Raises ConditionFailed."""
    try:
        return expressions.holds(condition, {"message": dict(message)})
    except ExpressionError as problem:
        raise ConditionFailed(str(problem)) from problem
