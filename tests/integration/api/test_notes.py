"""Saying something to a pattern: by the API and from its card, and what the pattern makes of it."""

from typing import Any

import pytest

from orchestrator import notes
from orchestrator.invariants import violations
from orchestrator.models import Event, Task
from tests import engine, factories
from tests.api import as_user
from tests.engine import eventually, finished, publish, shift, start, task

pytestmark = pytest.mark.django_db(transaction=True)

CHAT = """
- key: chat
  type: pattern
  pattern: group_chat
  options:
    topic: where to go
    queue: operations
    participants: [{name: ann, agent: test-patient}, {name: ben, agent: test-echo}]
    end: {says: never said}
- {key: after, type: automated, agent: test-echo}
"""


@pytest.fixture
def mia() -> Any:
    return factories.user("mia", "Workflow Orchestration Manager")


@pytest.fixture
def closed_gates():
    engine.gates_open.clear()
    yield
    engine.gates_open.set()


def test_person_ends_a_chat_between_two_turns_and_is_named(mia: Any, closed_gates: None) -> None:
    publish(CHAT)
    run = start()
    with shift():
        eventually(lambda: Task.objects.of_run(run.pk).filter(key="chat.1", status="running").exists())
        path = f"/tasks/{task(run, 'chat').pk}/notes"
        said = as_user(mia).post(path, {"text": "enough of this", "kind": "end", "disposition": "postponed"})
        assert said.status_code == 201, said.json()
        assert (said.json()["by"], said.json()["version"]) == ("user:mia", 1)
        engine.gates_open.set()
        eventually(lambda: finished(run))

    output = task(run, "chat").output
    assert (output["ended"], output["disposition"], output["turns"]) == ("person", "postponed", 1)
    assert output["messages"][-1] == {
        "turn": 0, "position": "", "agrees": False, "author": "user:mia", "kind": "person", "text": "enough of this",
    }  # fmt: skip
    event = Event.objects.get(run_id=run.pk, kind="task.noted")
    assert (event.actor, event.data["reason"], event.data["kind"]) == ("user:mia", "enough of this", "end")
    assert [one["text"] for one in as_user(mia).get(path).json()] == ["enough of this"]
    assert not list(violations())
    late = as_user(mia).post(path, {"text": "one more thing"})
    assert (late.status_code, late.json()["error"]["code"]) == (409, "not_listening")


def test_only_who_may_steer_says_something_and_only_to_a_pattern(mia: Any) -> None:
    publish(CHAT)
    run = start()
    chat, after = task(run, "chat").pk, task(run, "after").pk
    viewer = factories.user("vic", "Auditor")

    assert as_user(viewer).post(f"/tasks/{chat}/notes", {"text": "x"}).status_code == 403
    assert as_user(mia, "read").post(f"/tasks/{chat}/notes", {"text": "x"}).status_code == 403
    refused = as_user(mia).post(f"/tasks/{after}/notes", {"text": "x"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "not_listening")
    for body in ({"text": ""}, {"text": "x" * 4001}, {"text": " "}, {"text": "x", "kind": "shout"}):
        assert as_user(mia).post(f"/tasks/{chat}/notes", body).status_code == 422
    large = {"text": "x", "set": {"a": "y" * 30_000}}
    assert as_user(mia).post(f"/tasks/{chat}/notes", large).json()["error"]["code"] == "note_refused"
    assert not notes.notes_to(task(run, "chat"))
    assert not Event.objects.filter(kind="task.noted").exists()


def test_card_shows_what_was_said_and_takes_a_note(client: Any, mia: Any) -> None:
    publish(CHAT)
    run = start()
    pk = task(run, "chat").pk
    client.force_login(mia)

    answer = client.post(f"/tasks/{pk}/say/", {"text": "mind <b>the</b> budget"}, follow=True)

    page = answer.content.decode()
    assert "mind &lt;b&gt;the&lt;/b&gt; budget" in page
    assert "waits for the next turn" in page
    assert "Say something to it" in page
    client.force_login(factories.user("vic", "Auditor"))
    assert client.post(f"/tasks/{pk}/say/", {"text": "x"}).status_code == 403
    shown = client.get(f"/runs/{run.pk}/?tab=graph&task=chat").content.decode()
    assert "waits for the next turn" in shown
    assert "Say something to it" not in shown
