"""`agents.guardrails.ports.Watch`: events for what agents' guardrails do, and the hold that freezes an agent."""

import re
from collections.abc import Mapping
from typing import Final

from agents.lifecycle import items
from agents.models import Agent
from agents.types import Json
from orchestrator import acts, events
from orchestrator.acts.holding import Freeze
from orchestrator.errors import AlreadyStopped
from orchestrator.models import TASK_BITS, Stop

_KEY: Final = re.compile(r"task-([0-9]{1,18})-[0-9]+")


def happened(kind: str, *, actor: str, data: Mapping[str, Json], key: str = "") -> None:
    """Append an event, to the story of the call's run if it has one."""
    match = _KEY.fullmatch(key)
    task = int(match[1]) if match else None
    run = task >> TASK_BITS if task is not None else None
    events.append(kind, actor=actor, run_id=run, task_id=task, data=data)


def freeze(agent_id: int, *, reason: str) -> bool:
    """Pause the agent, and tell those who may release it: what runs may finish, nothing starts until one of them does.

    One that somebody holds already is frozen all the same: then nobody else lets it go on.
    """
    target = acts.of("agent", agent_id)
    assert isinstance(target.row, Agent)
    items.open_once(target.row, items.FROZEN, reason, {})
    try:
        acts.perform(Freeze(), target, by=None, reason=reason)
    except AlreadyStopped:
        Stop.objects.filter(scope="agent", ref=agent_id, lifted_at=None).update(guards=True)
        return False
    return True
