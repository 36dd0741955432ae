"""`agents.guardrails.ports.Watch`: events for what agents' guardrails do, and the hold that freezes an agent."""

import re
from collections.abc import Mapping
from typing import Final

from agents.types import Json
from orchestrator import acts, events
from orchestrator.errors import AlreadyStopped
from orchestrator.models import TASK_BITS

_KEY: Final = re.compile(r"task-([0-9]{1,18})-[0-9]+")


def happened(kind: str, *, actor: str, data: Mapping[str, Json], key: str = "") -> None:
    """Append an event, to the story of the call's run if it has one."""
    match = _KEY.fullmatch(key)
    task = int(match[1]) if match else None
    run = task >> TASK_BITS if task is not None else None
    events.append(kind, actor=actor, run_id=run, task_id=task, data=data)


def freeze(agent_id: int, *, reason: str) -> bool:
    """Pause the agent: what runs may finish, nothing starts until somebody performs the act "resume"."""
    try:
        acts.perform(acts.find("agent", "pause"), acts.of("agent", agent_id), by=None, reason=reason)
    except AlreadyStopped:
        return False
    return True
