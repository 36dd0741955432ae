"""Events read as sentences."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils import translation

from orchestrator.events import EventKind
from orchestrator.happenings import Happening
from orchestrator.story import actor_of, said_reason, tell

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def told(kind: str, actor: str = "engine", **fields: Any) -> Any:
    facts = fields.pop("facts", {})
    return tell(Happening(1, NOW, kind, actor, facts, **fields))


@pytest.mark.parametrize("kind", [kind.value for kind in EventKind])
def test_tell_every_kind_of_event_has_a_sentence(kind):
    assert told(kind).text


def test_tell_unknown_kind_is_shown_by_its_name():
    assert told("task.teleported").text == "task teleported"


@pytest.mark.parametrize(
    ("kind", "facts", "text"),
    [
        ("run.started", {"tasks": 61}, "started the run of 61 steps"),
        ("task.started", {"attempt": 3}, "started (attempt 3)"),
        ("task.started", {"attempt": 1}, "started"),
        ("task.skipped", {"reason": "its branch was not taken"}, "was skipped: its branch was not taken"),
        ("task.retry_scheduled", {"code": "timeout", "attempt": 2},
         "failed (timeout) and will be tried again (attempt 2)"),
        ("task.cancelled", {"count": 4}, "cancelled 4 unfinished steps"),
        ("task.lost", {"quarantined": True}, "lost its worker for the third time and waits for a person"),
        ("gate.decided", {"verdict": "edit"}, "edited and approved"),
        ("gate.decided", {"verdict": "expire"}, "nobody decided before the deadline; rejected"),
        ("gate.escalated", {"queue": "lead"}, "nobody decided in time; passed on to lead"),
    ],
)  # fmt: skip
def test_tell_facts_are_part_of_the_sentence(kind, facts, text):
    assert told(kind, facts=facts).text == text


@pytest.mark.parametrize(
    ("actor", "expected"),
    [
        ("user:ana", ("person", "ana")),
        ("agent:severity", ("agent", "severity")),
        ("shift:12", ("engine", "worker 12")),
        ("feed", ("engine", "the feed")),
        ("engine", ("engine", "")),
    ],
)
def test_actor_of_tells_people_agents_and_the_engine_apart(actor, expected):
    assert actor_of(actor) == expected


def test_tell_reason_of_an_override_is_its_note():
    assert told("run.paused", "user:ana", facts={"reason": "wait for the vendor"}).note == "wait for the vendor"


def test_tell_reviewers_note_stays_with_the_decision():
    assert told("gate.decided", "user:ana", facts={"verdict": "reject"}, note="wrong host").note == "wrong host"


def test_reason_of_the_engine_is_told_in_the_users_language_and_a_persons_as_typed():
    with translation.override("de"):
        assert said_reason("its branch was not taken") != "its branch was not taken"
        assert said_reason("wrong host") == "wrong host"


@pytest.mark.parametrize(
    ("kind", "by_person", "by_itself"),
    [
        ("task.rolled_back", "set back, to start anew:", "was set back and starts anew"),
        ("task.restarted", "took from its agent, to start again:", "was taken from its agent and starts again"),
        (
            "task.terminated",
            "stopped the agent that worked on",
            "its agent was stopped; what it knew is kept as a checkpoint",
        ),
    ],
)
def test_what_a_person_did_to_a_step_reads_between_both_names(kind: str, by_person: str, by_itself: str) -> None:
    assert told(kind, "user:mia").text == by_person
    assert told(kind).text == by_itself
