"""A run's state, checkpoints and past through the API: for who may see the run, and refused with a remedy."""

from typing import Any

import pytest
from django.db import transaction

from agents.checkpoints import Notes
from orchestrator import sequencer, services
from orchestrator.engine import checkpoints, run_state
from orchestrator.engine.run_state import Write
from orchestrator.models import Event, LedgerEntry, Run
from orchestrator.snapshot_api import SnapshotOut
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def run() -> Run:
    made = factories.workflow("flow", factories.steps("a", "b"))
    created = factories.run(made, statuses=["running", "blocked"])
    factories.event(created, "run.started", tasks=2)
    factories.event(created, "task.started", made=factories.task(created), attempt=1)
    with transaction.atomic():
        services.lock_run(created.pk)
        run_state.write(created.pk, Write("shared.x", {"n": 1}), writer="user:ada")
        run_state.write(created.pk, Write("shared.x", {"n": 2}), writer="user:bob", task=factories.task(created).pk)
        checkpoints.make(created.pk, name="half way", notes=Notes(findings=[{"finding": "it works"}]), actor="user:ada")
    return created


def get(client: Any, path: str) -> tuple[int, Any]:
    answer = client.get(f"/api/v1/runs/{path}")
    return answer.status_code, answer.json()


@pytest.fixture
def reader(client: Any) -> Any:
    client.force_login(factories.user("ana", "Auditor"), backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_state_its_history_and_a_difference_are_read(run, reader):
    _, newest = get(reader, f"{run.pk}/state")
    _, history = get(reader, f"{run.pk}/state/shared.x")
    _, diff = get(reader, f"{run.pk}/state/shared.x/diff?old=1&new=2")

    assert [(entry["key"], entry["version"], entry["writer"]) for entry in newest] == [("shared.x", 2, "user:bob")]
    assert [entry["version"] for entry in history] == [2, 1]
    assert diff["changes"] == [{"path": "n", "before": 1, "after": 2}]


@pytest.mark.parametrize(("search", "found"), [("shared", 1), ('"n": 2', 1), ("nowhere", 0)])
def test_state_is_searched_by_key_and_value(run, reader, search, found):
    status, entries = get(reader, f"{run.pk}/state?search={search}")

    assert (status, len(entries)) == (200, found)


def test_checkpoints_are_listed(run, reader):
    _, made = get(reader, f"{run.pk}/checkpoints")

    assert [(entry["number"], entry["name"], entry["findings"]) for entry in made] == [
        (1, "half way", [{"finding": "it works"}])
    ]


def test_a_run_is_shown_as_it_was_at_a_place_of_the_ledger(run, reader):
    with sequencer.connect() as own:
        sequencer.seal_all(own)
    first = Event.objects.filter(run=run, kind="state.written").order_by("id").first()
    status, found = get(reader, f"{run.pk}/at/{LedgerEntry.objects.get(event_id=first.pk).pos}")

    assert status == 200
    assert [(task["key"], task["status"]) for task in found["tasks"]] == [("a", "running"), ("b", "blocked")]
    assert [(entry["version"], entry["value"]) for entry in found["state"]] == [(1, {"n": 1})]
    assert found["checkpoints"] == {}


def test_the_run_as_it_was_is_written_as_its_schema_says(run, reader):
    """It is written by hand, for five thousand tasks: nothing else holds it to the schema."""
    with transaction.atomic():
        services.lock_run(run.pk)
        run_state.write(run.pk, Write("shared.large", 2**63 - 1), writer="user:ada")
    factories.event(run, "gate.opened", made=factories.task(run), gate=7)
    with sequencer.connect() as own:
        sequencer.seal_all(own)
    pos = LedgerEntry.objects.latest("pos").pos
    status, found = get(reader, f"{run.pk}/at/{pos}")

    assert status == 200
    assert SnapshotOut.model_validate(found).model_dump(mode="json") == found
    assert found["gates"] == [{"id": 7, "task": factories.task(run).pk, "verdict": ""}]
    assert {entry["key"]: entry["value"] for entry in found["state"]}["shared.large"] == 2**63 - 1
    assert found["checkpoints"] == {"1": "half way"}


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("state/shared.y", 404, "state_not_found"),
        ("state/shared.x/diff?old=0&new=9", 404, "state_not_found"),
        ("at/0", 422, None),
    ],
)
def test_what_there_is_not_is_said(run, reader, path, status, code):
    found, body = get(reader, f"{run.pk}/{path}")

    assert found == status
    assert code is None or body["error"]["code"] == code
    assert body["error"]["remedy"]


@pytest.mark.parametrize("path", ["state", "state/shared.x", "state/shared.x/diff?old=0&new=1", "checkpoints", "at/1"])
def test_who_may_not_see_the_run_sees_nothing_of_it(run, client, path):
    client.force_login(factories.user("rita", "Reviewer"), backend="django.contrib.auth.backends.ModelBackend")

    assert get(client, f"{run.pk}/{path}")[0] == 404
