"""Whom a message goes to: one agent, those who listen to a topic, those who know a subject, everybody who listens."""

from dataclasses import dataclass
from typing import Any, Final

import orjson
from django.conf import settings
from django.db.models import Exists, OuterRef, Q

from agents.messaging.envelope import Envelope
from agents.messaging.errors import RecipientUnknown
from agents.messaging.ports import ConditionFailed, engine
from agents.models import Agent, AgentVersion, Subscription

BROADCAST: Final = "broadcast"  # the topic of messages to everybody


@dataclass(frozen=True, slots=True)
class Reader:
    """An agent that a message goes to; `doubt` says why nobody can tell whether it wanted it: people look at that."""

    name: str
    doubt: str = ""


def readers_of(envelope: Envelope) -> list[Reader]:
    """The readers of a message, each once, by name; nobody reads what they sent to many themselves.

    Raises RecipientUnknown for a message to an agent that is not there.
    """
    if envelope.to is not None:
        return [Reader(envelope.to)] if _is_here(envelope.to) else []
    found = _specialists(envelope.specialism) if envelope.specialism is not None else _listeners(envelope)
    return [found[name] for name in sorted(found) if name != envelope.agent_id]


def channels_of(envelope: Envelope) -> list[str]:
    """Where a message goes out by bridges; nothing for one that concerns nobody elsewhere."""
    if envelope.to is not None:
        return [f"agents/{envelope.to}/in"] if envelope.to in settings.MESSAGE_REMOTE_AGENTS else []
    topic = BROADCAST if envelope.broadcast else envelope.topic
    if topic is None or not any(matches(pattern, topic) for pattern in settings.MESSAGE_BRIDGE_TOPICS):
        return []
    return [f"topics/{topic.replace('.', '/')}"]


def matches(pattern: str, topic: str) -> bool:
    """Whether a topic is among those that a pattern means: `*` is any one word, `#` at the end any further words."""
    wanted, words = pattern.split("."), topic.split(".")
    if wanted[-1] == "#":
        wanted, words = wanted[:-1], words[: len(wanted) - 1]
    return len(wanted) == len(words) and all(w in ("*", word) for w, word in zip(wanted, words, strict=True))


def as_message(envelope: Envelope) -> dict[str, Any]:
    """An envelope as conditions read it under the name `message`."""
    shown: dict[str, Any] = orjson.loads(envelope.model_dump_json())
    return shown


def _is_here(name: str) -> bool:
    if Agent.objects.filter(name=name).exists():
        return True
    if name in settings.MESSAGE_REMOTE_AGENTS:
        return False
    raise RecipientUnknown(name=name)


def _specialists(subject: str) -> dict[str, Reader]:
    newest = AgentVersion.objects.filter(agent=OuterRef("agent"), number__gt=OuterRef("number"))
    able = AgentVersion.objects.filter(~Exists(newest), capabilities__contains=[subject]).values("agent")
    names = Agent.objects.filter(Q(domain_tags__contains=[subject]) | Q(pk__in=able)).values_list("name", flat=True)
    return {name: Reader(name) for name in names}


def _listeners(envelope: Envelope) -> dict[str, Reader]:
    topic = BROADCAST if envelope.broadcast else envelope.topic or ""
    rules = Subscription.objects.filter(enabled=True).select_related("agent")
    rules = rules.filter(Q(topic=topic) | Q(topic__contains="*") | Q(topic__endswith="#"))
    found: dict[str, Reader] = {}
    shown: dict[str, Any] | None = None
    for rule in rules:
        name = rule.agent.name
        if (name in found and not found[name].doubt) or not matches(rule.topic, topic):
            continue
        if not rule.match:
            found[name] = Reader(name)
            continue
        shown = shown or as_message(envelope)
        wants, doubt = _wants(rule, shown)
        if wants or (doubt and name not in found):
            found[name] = Reader(name, doubt)
    return found


def _wants(rule: Subscription, shown: dict[str, Any]) -> tuple[bool, str]:
    try:
        return engine().holds(rule.match, shown), ""
    except ConditionFailed as problem:
        return False, f"The condition of {rule.agent.name} on {rule.topic} gave no answer: {problem}"[:500]
