"""Who does agents' work from outside: heard, silent, heard again; said once; shown with what they hold."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from agents.models import Agent, AgentItem
from monitoring import queries as floor
from orchestrator import agent_service, presence
from orchestrator.engine import remote, sweep
from orchestrator.models import Event, Presence, RemoteCall, Run
from tests import people
from tests.api import Api
from tests.engine import eventually, publish, shift, start, task
from tests.outside import STEP, fetched, registered, settled, worker

pytestmark = pytest.mark.django_db(transaction=True)


def parked(run: Run) -> bool:
    return task(run, "work").wait_for == "answer"


def told(kind: str) -> list[dict[str, Any]]:
    return [event.data or {} for event in Event.objects.filter(kind=kind).order_by("id")]


def quieten(*, seconds: float = 3600) -> None:
    Presence.objects.update(heard_at=timezone.now() - timedelta(seconds=seconds))


def holding() -> tuple[Api, Run, dict[str, Any]]:
    _, api = worker()
    registered(api)
    publish(STEP)
    run = start(text="hello")
    with shift():
        eventually(lambda: parked(run))
        [call] = fetched(api)
    return api, run, call


def test_silent_worker_is_told_once_its_call_comes_back_and_it_is_heard_again():
    api, run, _ = holding()
    outside = Agent.objects.get(name="outside")
    assert presence.silent_since() == {}
    quieten()
    RemoteCall.objects.update(lease_until=timezone.now() - timedelta(seconds=1))

    remote.tend()
    sweep.tend()
    sweep.tend()

    assert task(run, "work").status == "ready"  # its work is back in the queue
    [said] = told("agent.silent")
    assert said["agent"] == "outside"
    assert AgentItem.objects.get(kind="silent", closed_at=None).agent == outside
    assert list(presence.silent_since()) == [outside.pk]
    assert agent_service.standing_of(outside).state == "silent"
    assert {one.name: one.status for one in floor.pulse().agents}["outside"] == "silent"

    fetched(api)

    assert presence.silent_since() == {}
    assert len(told("agent.heard")) == 1
    assert AgentItem.objects.get(kind="silent").closed_by == "engine"
    fetched(api)
    assert len(told("agent.heard")) == 1


def test_closed_item_is_not_opened_again_while_it_stays_silent():
    holding()
    quieten()
    sweep.tend()
    AgentItem.objects.update(closed_at=timezone.now())
    sweep.tend()
    assert AgentItem.objects.count() == 1


def test_renewing_a_lease_and_answering_are_heard_too():
    api, _, call = holding()
    quieten()
    api.post("/workers/heartbeat", {"calls": [{"id": call["id"], "attempt": call["attempt"]}]})
    sweep.tend()
    assert presence.silent_since() == {}
    quieten()
    settled(api, call, output={"said": "hi"})
    sweep.tend()
    assert presence.silent_since() == {}


def test_agent_is_not_silent_while_another_worker_of_it_is_heard():
    api, _, _ = holding()
    quieten()
    fetched(api, worker="second")
    sweep.tend()
    assert told("agent.silent") == []
    states = {one.presence.worker: one.state for one in agent_service.workers()}
    assert sorted(states.values()) == ["idle", "silent"]
    assert states["second"] == "idle"


def test_remote_agent_that_lets_a_call_run_out_is_silent_until_it_answers():
    holding()
    RemoteCall.objects.update(pulled=False, due_at=timezone.now() - timedelta(seconds=1), holder=None)
    Presence.objects.all().delete()

    remote.tend()

    assert len(told("agent.silent")) == 1
    outside = Agent.objects.get(name="outside")
    assert outside.pk in presence.silent_since()
    presence.remote_heard(outside)
    assert presence.silent_since() == {}


def test_pages_and_api_show_who_holds_what():
    _, run, call = holding()
    mia = people.person("mia", "Workflow Orchestration Manager")
    client = Client()
    client.force_login(mia)

    page = client.get("/agents/workers/").content.decode()
    assert call["agent"] in page
    assert f"#{run.pk}" in page
    card = client.get(f"/runs/{run.pk}/?tab=graph&task=work").content.decode()
    assert "has this call" in card
    assert "Its lease ends" in card
    assert "waits for an answer from outside" in card
    agent_page = client.get("/out-of-service/?agent=outside").content.decode()
    assert "In service" in agent_page
    stood = client.get("/api/v1/agents/outside/service").json()
    assert (stood["state"], stood["in_hand"]["outside"], stood["workers"]) == ("in_service", 1, 1)
    [seen] = client.get("/api/v1/workers/seen").json()
    assert (seen["holds"], seen["state"]) == (1, "running")
    assert seen["lease_until"]


def test_who_may_not_see_agents_sees_no_workers():
    holding()
    client = Client()
    client.force_login(people.person("nobody"))
    assert client.get("/agents/workers/").status_code == 403
    assert client.get("/api/v1/workers/seen").status_code == 403
    assert client.get("/api/v1/agents/outside/service").status_code == 403
