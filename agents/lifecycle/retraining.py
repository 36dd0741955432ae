"""An agent whose outputs people change too often gets one item: its prompt and scenarios want work, with examples."""

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone

from agents.lifecycle import items
from agents.models import Agent, AgentItem
from agents.quality.outcomes import Judged, Weighed, decisions
from agents.types import Json

KIND: Final = "retraining"
WINDOW: Final = timedelta(days=7)
LIMIT: Final = 0.20  # share of decided outputs that people changed or refused, above which it is asked for
LEAST: Final = 10  # decisions: fewer prove too little
EXAMPLES: Final = 50  # the newest, attached to the item
_LOOKED_AT: Final = 500


def watch() -> int:
    """Open an item for every agent above the limit; how many were opened."""
    since = timezone.now() - WINDOW
    return sum(_check(one, since) for one in decisions().weighed(since) if is_too_often(one))


def is_too_often(found: Weighed) -> bool:
    """Whether people override more than they should have to."""
    ratio = found.override_ratio
    return found.decided >= LEAST and ratio is not None and ratio > LIMIT


@transaction.atomic
def _check(found: Weighed, since: datetime) -> bool:
    """One agent; what a person has closed counts again only by what came after."""
    agent = Agent.objects.filter(name=found.agent).first()
    if agent is None:
        return False
    closed = AgentItem.objects.filter(agent=agent, kind=KIND, closed_at__gt=since).order_by("-closed_at")
    if last := closed.values_list("closed_at", flat=True).first():
        since = last
        later = decisions().weighed(since, agent=agent.name)
        if not later or not is_too_often(later[0]):
            return False
        found = later[0]
    words = (
        f"People changed or refused {found.overridden} of {found.decided} outputs ({found.override_ratio:.0%}) in "
        f"{WINDOW.days} days, more than {LIMIT:.0%}: retrain its prompt, and adjust its scenarios by the examples."
    )
    facts: dict[str, Json] = {"decided": found.decided, "overridden": found.overridden, "limit": LIMIT}
    return items.open_once(agent, KIND, words, {**facts, "examples": _examples(agent.name, since)})


def _examples(agent: str, since: datetime) -> list[Json]:
    found: list[Json] = []
    for one in decisions().judged(agent, limit=_LOOKED_AT):
        if datetime.fromisoformat(str(one.provenance["at"])) < since or len(found) >= EXAMPLES:
            break
        if one.expected != one.output:
            found.append(_example(one))
    return found


def _example(one: Judged) -> Json:
    """Where it is to be seen: input, output and note stay with the gate, under its rights."""
    return {name: one.provenance[name] for name in ("decision", "gate", "run", "verdict", "at")}
