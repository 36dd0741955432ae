"""Canaries: tagged data and secrets that go through guarded agents turn up in no event, row, error or log line."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from structlog.testing import capture_logs

from agents.guardrails import keyring
from agents.models import MemoryItem, Violation
from approvals.models import Gate
from orchestrator.models import Event, Run
from tests.engine import eventually, finished, publish, shift, start, task
from tests.integration.guardrails import agents_under_guard as guarded

pytestmark = pytest.mark.django_db(transaction=True)

CARD, MAIL, KEY, SSN = "4111 1111 1111 1111", "canary.bird@example.com", "AKIAIOSFODNN7EXAMPLE", "123-45-6789"


@pytest.fixture(autouse=True)
def data_folder(settings: Any, tmp_path: Path) -> Iterator[None]:
    settings.DATA_DIR, settings.DATA_KEYS = tmp_path, []
    keyring.current.cache_clear()
    guarded.given.clear()
    yield
    keyring.current.cache_clear()


def run(agent: str, inputs: str, **given: Any) -> tuple[Run, str]:
    """A run of one step, and everything that was logged meanwhile."""
    publish(f"- {{key: s, type: automated, agent: {agent}, inputs: {{{inputs}}}}}")
    made = start(**given)
    with capture_logs() as logs, shift():
        eventually(lambda: finished(made) or Gate.objects.filter(run=made, status="open").exists())
    return made, str(logs)


def everywhere(made: Run) -> str:
    """All that the database holds about the run, but what people themselves put in: the run's and the task's input."""
    found = [str(list(Event.objects.values_list("data", flat=True))), str(list(Violation.objects.values()))]
    found += [str((row.output, row.error)) for row in made.tasks.all()]
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(string_agg(to_jsonb(a)::text, ' '), '') FROM orchestrator_attempt a")
        found.append(cursor.fetchone()[0])
        cursor.execute("SELECT coalesce(string_agg((g.subject - 'input')::text, ' '), '') FROM approvals_gate g")
        found.append(cursor.fetchone()[0])
    return " ".join(found)


@pytest.mark.parametrize("text", [f"pay {CARD}", f"ask {MAIL}", f"log in with {KEY}", f"her number is {SSN}"])
def test_text_for_a_model_elsewhere(text: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    _made, logs = run("guard-far", 'text: "${input.text}"', text=text)
    canary = text.split(" ", 1)[1].removeprefix("in with ").removeprefix("number is ")
    assert canary not in str(guarded.given), "it has left the system"
    told = str(list(Event.objects.values_list("data", flat=True))) + str(list(Violation.objects.values())) + logs
    assert canary not in told + caplog.text


@pytest.mark.parametrize("text", [f"raise {CARD}", f"raise {KEY.lower()} and {MAIL}", f"visits of {MAIL}"])
def test_errors_of_a_guarded_agent(text: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    made, logs = run("guard-sloppy", 'text: "${input.text}"', text=text)
    assert task(made, "s").error
    found = everywhere(made) + logs + caplog.text
    for canary in (CARD, MAIL, "123456789"):
        assert canary not in found


@pytest.mark.parametrize("text", [f"card {CARD}", f"use {KEY}"])
def test_memory_keeps_no_secret_and_no_card(text: str) -> None:
    made, logs = run("guard-memo", 'text: "${input.text}", layer: long', text=text)
    assert task(made, "s").output == {"refused": "memory_refused"}
    assert not MemoryItem.objects.exists()
    assert Violation.objects.get().rule == "memory"
    assert text.split(" ", 1)[1] not in everywhere(made) + logs


def test_memory_reaches_an_agent_in_a_process_of_its_own() -> None:
    made, _logs = run("guard-memo", 'text: "the door is green", layer: task')
    assert task(made, "s").output["known"] == ["the door is green"]
    (event,) = Event.objects.filter(kind="memory.kept")
    assert event.run_id == made.pk
    assert "green" not in str(event.data)
