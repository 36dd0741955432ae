"""Violations: each is a row and an event; too many of one agent within a short time freeze it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Max
from django.db.models.functions import Now

from agents.guardrails.ports import watch
from agents.models import Agent, Violation
from agents.types import Json

HOUR: Final = timedelta(hours=1)
SHOWN: Final = 100
RULES: Final = {
    "secret": "a secret in its input",
    "injection": "an injection in its input",
    "output_secret": "a secret in its output",
    "output_pii": "personal data in its output",
    "output_pci": "card data in its output",
    "output_phi": "health data in its output",
    "memory": "something that may not enter memory",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """One call that broke rules. `facts` hold places and kinds, never data."""

    agent: str
    version: int
    rule: str  # the first of them
    facts: dict[str, Json]
    key: str = ""  # of the call


@transaction.atomic
def record(seen: Seen) -> str | None:
    """Keep it; why the agent is frozen by it, in words, or None.

    1. Lock the agent's row, so that two violations at once are counted one after the other.
    2. Count what came within the window and has not led to a freeze yet.
    3. At the limit: hold the agent through the port, and start to count anew.
    """
    agent = Agent.objects.select_for_update(no_key=True).filter(name=seen.agent).first()
    if agent is None:
        return None
    Violation.objects.create(agent=agent, version=seen.version, rule=seen.rule, facts=seen.facts, key=seen.key)
    data: dict[str, Json] = {"agent": seen.agent, "version": seen.version, "rule": seen.rule, "guard": seen.facts}
    watch().happened("guard.violated", actor=f"agent:{seen.agent}", data=data, key=seen.key)
    limit, seconds = settings.GUARD_SPIKE, settings.GUARD_SPIKE_SECONDS
    recent = Violation.objects.filter(agent=agent, spent=False, at__gt=Now() - timedelta(seconds=seconds))
    count = recent.count()
    if count < limit:
        return None
    Violation.objects.filter(agent=agent, spent=False).update(spent=True)
    reason = f"{count} violations within {seconds} seconds, the last one {RULES.get(seen.rule, seen.rule)}"
    watch().freeze(agent.pk, reason=f"Guardrails: {reason}.")
    spike: dict[str, Json] = {"agent": seen.agent, "count": count, "seconds": seconds, "rule": seen.rule}
    watch().happened("guard.spiked", actor="engine", data=spike, key=seen.key)
    return reason


def rates() -> dict[int, dict[str, Any]]:
    """Violations of each agent in the last hour and the last of all, by agent id."""
    every = Violation.objects.order_by().values("agent_id").annotate(last=Max("at"), total=Count("pk"))
    hour = Violation.objects.filter(at__gt=Now() - HOUR).order_by().values("agent_id").annotate(count=Count("pk"))
    recent = {row["agent_id"]: row["count"] for row in hour}
    return {row["agent_id"]: {**row, "hour": recent.get(row["agent_id"], 0)} for row in every}


def newest(agent: Agent | None = None) -> list[Violation]:
    """The newest first."""
    rows = Violation.objects.select_related("agent").order_by("-pk")
    return list((rows.filter(agent=agent) if agent else rows)[:SHOWN])
