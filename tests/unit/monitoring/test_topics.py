"""Which topics an event touches, and what a topic may be called."""

from datetime import UTC, datetime
from typing import Any

import pytest

from monitoring.topics import is_topic, topics_of
from orchestrator.events import EventKind
from orchestrator.ledger import SealedEvent


def event(kind: str, run_id: int | None = None, data: dict[str, Any] | None = None) -> SealedEvent:
    return SealedEvent(1, 1, run_id, None, kind, datetime(2026, 1, 1, tzinfo=UTC), "engine", data)


@pytest.mark.parametrize(
    ("happened", "touched"),
    [
        (event("run.started", 5), {"run:5", "runs", "floor", "shell", "audit"}),
        (event("task.started", 5), {"run:5", "runs", "floor", "agents"}),
        (
            event("gate.opened", 5, {"gate": 9, "queue": "oncall"}),
            {"run:5", "gate:9", "queue:oncall", "inbox", "floor", "runs", "shell", "audit"},
        ),
        (
            event("gate.escalated", 5, {"gate": 9, "queue": "boss", "from": "oncall"}),
            {"run:5", "gate:9", "queue:oncall", "queue:boss", "inbox", "floor", "runs", "shell", "audit"},
        ),
        (event("stop.set"), {"floor", "runs", "workflows", "agents", "shell", "audit"}),
        (event("agent.registered"), {"floor", "agents", "audit"}),
        (event("role.granted"), {"agents", "audit"}),
        (event("workshop.held"), {"workflows", "agents", "audit"}),
    ],
    ids=lambda value: value.kind if isinstance(value, SealedEvent) else "",
)
def test_topics_of_event_are_what_shows_it(happened, touched):
    assert topics_of(happened) == touched


@pytest.mark.parametrize("kind", list(EventKind))
def test_topics_of_every_kind_exist(kind):
    touched = topics_of(event(kind, 5, {"gate": 9, "queue": "on-call_2"}))

    assert touched
    assert all(is_topic(topic) for topic in touched)


@pytest.mark.parametrize("name", ["floor", "shell", "run:1", "gate:22", "queue:on-call"])
def test_is_topic_of_a_topic_is_true(name):
    assert is_topic(name)


@pytest.mark.parametrize(
    "name", ["", "run:", "run:0", "run:-1", "run:1 ", "run:٣", "queue:A", "gate:1:2", "floor:1", "run:" + "9" * 30]
)
def test_is_topic_of_anything_else_is_false(name):
    assert not is_topic(name)
