"""Signals, calls back and consumer groups over REST, with rights and refusals."""

import json
from typing import Any

import pytest
from django.test import Client

from config.api import limits
from orchestrator import callback_tokens
from orchestrator.engine import starting, sweep
from orchestrator.models import Event, Run, Signal, Task, Wait
from tests import engine, people
from tests.api import as_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager() -> Any:
    return people.person("mia", "Workflow Orchestration Manager")


@pytest.fixture
def billing() -> None:
    engine.publish("  - {key: a, type: automated, agent: test-echo}", name="billing")


def test_signal_is_recorded_once_for_its_id(manager: Any) -> None:
    api = as_user(manager)
    body = {"name": "order.paid", "key": "A1", "data": {"n": 1}, "id": "x-1"}

    first, again = api.post("/signals", body), api.post("/signals", body)
    other = api.post("/signals", {**body, "data": {"n": 2}})

    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 422)
    assert first.json() == again.json()
    assert other.json()["error"]["code"] == "signal_conflict"
    assert Signal.objects.count() == 1
    assert api.get("/signals?name=order.paid").json()["items"][0]["data"] == {"n": 1}


@pytest.mark.parametrize(
    "body",
    [
        {"name": "Order Paid"},
        {"name": "order.paid", "data": {"x": "y" * 60_000}},
        {"name": "order.paid", "data": json.loads("[" * 40 + "]" * 40)},
        {"name": "order.paid", "key": "k" * 201},
        {"name": "order.paid", "data": {"n": 10**30}},
    ],
    ids=["name", "large", "not an object", "long key", "number"],
)
def test_signal_that_cannot_be_stored_is_refused(manager: Any, body: dict[str, object]) -> None:
    refused = as_user(manager).post("/signals", body)

    assert refused.status_code == 422
    assert not Signal.objects.exists()


def test_signals_need_the_right_and_the_scope_to_start_runs(manager: Any) -> None:
    body = {"name": "order.paid"}

    assert as_user(people.person("rea", "Reviewer")).post("/signals", body).status_code == 403
    assert as_user(manager, "read").post("/signals", body).status_code == 403
    assert Client().post("/api/v1/signals", body, content_type="application/json").status_code == 401
    assert not Signal.objects.exists()


@pytest.mark.usefixtures("billing")
def test_group_starts_one_run_for_each_signal_in_order_and_again_on_replay(manager: Any) -> None:
    api = as_user(manager)
    made = api.post(
        "/groups", {"name": "b", "workflow": "billing", "signal": "order.paid", "match": "event.data.n > 1"}
    )
    for n in range(5):
        api.post("/signals", {"name": "order.paid", "data": {"n": n}})

    sweep.fire_timers()
    sweep.fire_timers()

    assert made.status_code == 201
    assert list(Run.objects.order_by("pk").values_list("input__n", flat=True)) == [2, 3, 4]
    assert api.get("/groups").json()[0]["behind"] == 0
    position = Signal.objects.order_by("pk")[3].pk
    assert api.post("/groups/b/replay", {"position": position, "reason": ""}).status_code == 422
    assert api.post("/groups/b/replay", {"position": 10**9, "reason": "again"}).status_code == 422
    assert api.post("/groups/b/replay", {"position": position, "reason": "the last one was lost"}).status_code == 200
    sweep.fire_timers()
    assert list(Run.objects.order_by("pk").values_list("input__n", flat=True)) == [2, 3, 4, 4]
    assert set(Run.objects.values_list("started_by", flat=True)) == {manager.pk}


@pytest.mark.usefixtures("billing")
def test_stopped_group_catches_up_when_it_goes_on(manager: Any) -> None:
    api = as_user(manager)
    api.post("/groups", {"name": "b", "workflow": "billing", "signal": "order.paid"})
    api.post("/groups/b/disable", {"reason": "maintenance"})
    for n in range(120):
        api_signal(n)
    sweep.fire_timers()
    assert not Run.objects.exists()
    assert api.get("/groups").json()[0]["behind"] == 120

    api.post("/groups/b/enable", {"reason": "done"})
    for _ in range(3):  # a long way to catch up is gone in batches, each with other timers in between
        sweep.fire_timers()

    assert list(Run.objects.order_by("pk").values_list("input__n", flat=True)) == list(range(120))
    assert api.post("/groups/b/remove", {"reason": "not needed"}).status_code == 204
    assert api.get("/groups").json() == []


def api_signal(n: int) -> None:
    from orchestrator import signals

    signals.publish(name="order.paid", data={"n": n}, by=None)


def test_signal_that_the_workflow_refuses_does_not_block_those_after_it(manager: Any) -> None:
    engine.publish(
        "  - {key: a, type: automated, agent: test-echo}",
        name="billing",
        rest="configuration: {input: {type: object, properties: {n: {type: integer}}, required: [n]}}",
    )
    api = as_user(manager)
    api.post("/groups", {"name": "b", "workflow": "billing", "signal": "order.paid"})
    api.post("/signals", {"name": "order.paid", "data": {"n": "many"}})
    api.post("/signals", {"name": "order.paid", "data": {"n": 2}})

    sweep.fire_timers()

    assert Run.objects.get().input == {"n": 2}
    assert "not valid at n" in Event.objects.get(kind="group.refused").data["problem"]


@pytest.mark.usefixtures("billing")
def test_signal_that_the_engine_stumbles_over_does_not_block_those_after_it(
    manager: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, orders = starting.begin, []

    def stumble(order: Any) -> int:
        orders.append(order)
        if len(orders) == 1:
            raise ValueError("nobody thought of this")
        return begin(order)

    monkeypatch.setattr(starting, "begin", stumble)
    api = as_user(manager)
    api.post("/groups", {"name": "b", "workflow": "billing", "signal": "order.paid"})
    for n in (1, 2):
        api.post("/signals", {"name": "order.paid", "data": {"n": n}})

    sweep.fire_timers()

    assert Run.objects.get().input == {"n": 2}
    assert "(ValueError)" in Event.objects.get(kind="group.refused").data["problem"]


@pytest.mark.usefixtures("billing")
def test_group_needs_the_rights_to_start_and_to_steer(manager: Any) -> None:
    body = {"name": "b", "workflow": "billing", "signal": "order.paid"}
    api = as_user(people.person("dev", "Agent Development Specialist"))

    assert api.post("/groups", body).status_code == 403
    assert as_user(people.person("rea", "Reviewer")).post("/groups", body).status_code == 404
    assert as_user(manager).post("/groups", {**body, "match": "input.x"}).status_code == 422
    assert as_user(manager).post("/groups", body).status_code == 201
    assert as_user(manager).post("/groups", body).status_code == 409
    assert api.post("/groups/b/remove", {"reason": "mine"}).status_code == 403


@pytest.fixture
def address() -> str:
    """Of a task that waits for a call back."""
    engine.publish("  - {key: w, type: wait_callback}")
    run = engine.start()
    pk = run.pk << 20
    token = callback_tokens.issue(pk, 0)
    Task.objects.filter(pk=pk).update(status="waiting", wait_for="callback", attempt=1)
    Wait.objects.create(task_id=pk, kind="callback", token_hash=callback_tokens.digest(token))
    return f"/api/v1/callbacks/{token}"


def test_call_back_needs_no_session_and_no_csrf_token_and_works_once(address: str) -> None:
    client = Client(enforce_csrf_checks=True)

    assert client.get(address).status_code == 405
    assert client.post(address, "ok=1", content_type="application/x-www-form-urlencoded").status_code in {400, 422}
    first = client.post(address, '{"ok": true}', content_type="application/json")
    again = client.post(address, '{"ok": false}', content_type="application/json")

    assert (first.status_code, again.status_code) == (200, 409)
    assert again.json()["error"]["code"] == "callback_used"
    assert Task.objects.get(kind="wait_callback").output == {"ok": True}


def test_guesses_at_addresses_are_throttled(address: str) -> None:
    limits.buckets.clear()
    client = Client()
    wrong = address[:-8] + "00000000"

    answers = [client.post(wrong, "{}", content_type="application/json").status_code for _ in range(14)]

    assert answers[0] == 404
    assert answers[-1] == 429
    assert client.post(address, "{}", content_type="application/json").status_code == 429
    limits.buckets.clear()
    assert client.post(address, "{}", content_type="application/json").status_code == 200


def test_new_address_is_for_those_who_steer(address: str, manager: Any) -> None:
    pk = Wait.objects.get().task_id

    assert as_user(people.person("ana", "Auditor")).post(f"/tasks/{pk}/callback", {"reason": "lost"}).status_code == 403
    made = as_user(manager).post(f"/tasks/{pk}/callback", {"reason": "lost"})

    assert made.status_code == 201
    new = made.json()["callback_url"].partition("/api/v1")[2]
    assert Client().post(address, "{}", content_type="application/json").status_code == 404
    assert Client().post(f"/api/v1{new}", "{}", content_type="application/json").status_code == 200
