"""Items about an agent: opened once, and open until a person says what came of them."""

from collections.abc import Mapping
from typing import Final

from django.db.models.functions import Now

from agents import event_log
from agents.models import Agent, AgentItem
from agents.types import Json

FROZEN: Final = "frozen"  # by its guardrails


def open_once(agent: Agent, kind: str, words: str, facts: Mapping[str, Json]) -> bool:
    """Open an item, with its event, unless one of its kind is open; whether it was opened. In a transaction."""
    _, is_new = AgentItem.objects.get_or_create(
        agent=agent, kind=kind, closed_at=None, defaults={"words": words[:500], "facts": dict(facts)}
    )
    if is_new:
        data: dict[str, Json] = {"agent": agent.name, "item": kind, "words": words[:500]}
        event_log.record("agent.item_opened", actor="engine", data=data)
    return is_new


def close(agent: Agent, kind: str, *, by: str, reason: str) -> int:
    """Close the open item of a kind; how many there were."""
    found = AgentItem.objects.filter(agent=agent, kind=kind, closed_at=None)
    return found.update(closed_at=Now(), closed_by=by, reason=reason[:2000])
