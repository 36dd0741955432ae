"""What live pages may listen to, and which of it an event touches. Pure: no database, no sockets.

Topics: `alerts floor inbox runs workflows agents audit messages notices shell` and `run:<id> gate:<id> queue:<name>`.
`notices` is each user's own: no event touches it, the hub is told whose notices changed.
A topic says *that* something changed, never what: the browser fetches the region through a view that checks rights.
"""

import re
from typing import Final

from orchestrator.ledger import SealedEvent

PLAIN: Final = frozenset(
    {"alerts", "floor", "inbox", "runs", "workflows", "agents", "audit", "messages", "notices", "shell"}
)
_ADDRESSED: Final = re.compile(r"(run|gate):([1-9][0-9]{0,17})|queue:([a-z0-9_-]{1,50})", re.ASCII)

# Beside the run, gate or queue that an event names.
_BY_FAMILY: Final[dict[str, frozenset[str]]] = {
    "run": frozenset({"floor", "runs", "shell", "audit"}),
    "task": frozenset({"floor", "runs", "agents"}),
    "gate": frozenset({"floor", "inbox", "runs", "shell", "audit"}),
    "stop": frozenset({"floor", "runs", "workflows", "agents", "shell", "audit"}),
    "alert": frozenset({"alerts", "shell", "audit"}),
    "breaker": frozenset({"floor", "runs", "agents", "audit"}),
    "agent": frozenset({"floor", "agents", "audit"}),
    "prompt": frozenset({"agents", "audit"}),
    "model": frozenset({"runs", "agents", "audit"}),
    "signal": frozenset({"workflows", "audit"}),
    "callback": frozenset({"runs", "audit"}),
    "group": frozenset({"workflows", "audit"}),
    "schedule": frozenset({"workflows", "audit"}),
    "workflow": frozenset({"floor", "workflows", "audit"}),
    "tool": frozenset({"agents", "audit"}),
    "policy": frozenset({"agents", "audit"}),
    "entitlement": frozenset({"agents", "audit"}),
    "message": frozenset({"messages", "audit"}),
    "subscription": frozenset({"messages", "audit"}),
    "bridge": frozenset({"messages", "audit"}),
    "quality": frozenset({"agents", "audit"}),
    "evaluation": frozenset({"agents", "audit"}),
    "dataset": frozenset({"agents", "audit"}),
    "guardian": frozenset({"floor", "runs", "agents", "audit"}),
    "budget": frozenset({"runs", "workflows", "agents", "audit"}),
    "guard": frozenset({"runs", "agents", "audit"}),
    "memory": frozenset({"agents", "audit"}),
    "oversight": frozenset({"floor", "audit"}),
    "role": frozenset({"agents", "audit"}),
    "team": frozenset({"agents", "audit"}),
    "workshop": frozenset({"workflows", "agents", "audit"}),
}
_OTHERWISE: Final = frozenset({"audit"})


def is_topic(name: str) -> bool:
    """Whether there can be such a topic."""
    return name in PLAIN or _ADDRESSED.fullmatch(name) is not None


def split(topic: str) -> tuple[str, str]:
    """`run:5` as ("run", "5"); a plain topic has no reference."""
    family, _, ref = topic.partition(":")
    return family, ref


def topics_of(event: SealedEvent) -> frozenset[str]:
    """Every topic whose pages may look different after this event."""
    topics = set(_BY_FAMILY.get(event.kind.partition(".")[0], _OTHERWISE))
    if event.run_id is not None:
        topics.add(f"run:{event.run_id}")
    facts = event.data or {}
    if isinstance(facts.get("gate"), int):
        topics.add(f"gate:{facts['gate']}")
    queues = (facts.get("queue"), facts.get("from"))
    topics.update(f"queue:{name}" for name in queues if isinstance(name, str))
    return frozenset(topics)
