"""Every run explains in one sentence what it waits for."""

from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator.ports import GateFact
from orchestrator.waiting import RunFacts, waiting_sentence

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)

STOPS = (("everything (by Ana)", False),)


def gate(**fields: Any) -> GateFact:
    facts = {
        "id": 7, "task_id": 1, "run_id": 1, "title": "Isolate host fin-db-02", "kind": "approval", "status": "open",
        "queue": "Security on-call", "risk": "critical", "opened_at": NOON, "deadline_at": NOON, "settled_at": None,
        "on_timeout": "escalate",
    }  # fmt: skip
    return GateFact(**{**facts, **fields})


def sentence(status: str = "running", **facts: Any) -> str:
    return str(waiting_sentence(RunFacts(**{"status": status, "total": 8, "remaining": 5, **facts})))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"gates": [gate()]}, "Waiting for Security on-call to decide “Isolate host fin-db-02”; escalates 12:00 UTC."),
        ({"gates": [gate(kind="manual", on_timeout="reject")]}, "to do “Isolate host fin-db-02”; rejected 12:00 UTC."),
        ({"gates": [gate(), gate(id=8)]}, "(and 1 more decision)"),
        (
            {"gates": [gate(releases_at=NOON)]},
            "“Isolate host fin-db-02” is approved; it goes out 12:00:00 UTC unless somebody takes it back.",
        ),
        ({"gates": [gate(releases_at=NOON, title="Sent"), gate(title="Open")]}, "to decide “Open”; escalates"),
        ({"gates": [gate()], "running": ["Fetch"], "running_count": 3}, " Meanwhile Fetch and 2 more go on."),
        ({"gates": [gate()], "stops": STOPS}, "everything (by Ana) is stopped."),
        ({"quarantined": ["Fetch"]}, "Waiting for operations to look at Fetch."),
        ({"stops": STOPS}, "Stopped: nothing starts until somebody lifts the stop of everything"),
        ({"running": ["Severity"], "running_count": 1}, "Working on Severity."),
        ({"running": ["A", "B"], "running_count": 40}, "Working on A and B and 38 more."),
        ({"retry_at": NOON, "retry_step": "Fetch"}, "Waiting to try Fetch again 12:00:00 UTC after it failed."),
        ({"limited": ["Fetch"], "ready_count": 1}, "Fetch is ready and waits for its agent"),
        ({"ready_count": 3}, "3 steps are ready and wait for a free worker."),
        ({}, "In progress: 3 of 8 steps have ended."),
        ({"remaining": 8}, "Moving on: the next steps are being made ready."),
    ],
    ids=[
        "gate", "manual", "gates", "going-out", "one-going-out", "gate-and-work", "gate-and-stop", "quarantine",
        "stop", "work", "much-work", "retry",
        "limited", "ready", "counters", "nothing",
    ],
)  # fmt: skip
def test_waiting_sentence_of_live_run_names_what_it_waits_for(facts, expected):
    assert expected in sentence(**facts)


@pytest.mark.parametrize(
    ("status", "facts", "expected"),
    [
        ("succeeded", {}, "Succeeded; nothing is left to do."),
        ("succeeded", {"failed": 2}, "Succeeded; 2 steps failed and the run went on without them"),
        ("failed", {"error": "the feed timed out.", "error_step": "Fetch"}, "Failed at Fetch: the feed timed out."),
        ("failed", {}, "Failed: no reason was recorded."),
        ("cancelled", {}, "Cancelled; nothing more will happen."),
        ("paused", {}, "Paused: nothing starts until somebody resumes it."),
        ("paused", {"running_count": 1}, "Paused: nothing new starts; 1 step that was running may finish."),
    ],
)
def test_waiting_sentence_of_held_or_ended_run_says_so(status, facts, expected):
    assert expected in sentence(status, **facts)


def test_waiting_sentence_links_the_gate_and_keeps_its_deadline_as_a_moment():
    parts = waiting_sentence(RunFacts("running", 2, 1, gates=[gate()])).parts

    assert [part.gate for part in parts if part.gate] == [7]
    assert [part.at for part in parts if part.at] == [NOON]


def test_waiting_sentence_puts_people_before_everything_else():
    facts = RunFacts(
        "running", 8, 5, gates=[gate()], running=["A"], running_count=1, stops=(("everything", False),), ready_count=2
    )

    assert str(waiting_sentence(facts)).startswith("Waiting for Security on-call")
    assert waiting_sentence(facts).tone == "waiting"
