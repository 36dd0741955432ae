"""Who is out of service is said where agents are listed, and by whom they can be brought back."""

import pytest
from django.test import Client

from orchestrator import acts
from tests import factories, people

pytestmark = pytest.mark.django_db


def test_terminated_agent_is_named_with_the_reason_and_started_from_its_page(client: Client) -> None:
    mia = people.person("mia", "Workflow Orchestration Manager")
    factories.agent("writer")
    target = acts.locate("agent", "writer")
    answers = {"in_hand": "put before people"}
    acts.perform(acts.find("agent", "terminate"), target, by=mia, reason="it is replaced", answers=answers)
    client.force_login(mia)
    listed, own = (client.get(f"/out-of-service/{query}").content.decode() for query in ("", "?agent=writer"))
    for page in (listed, own):
        assert "it is replaced" in page
        assert "/act/agent/writer/start/" in page
    assert "Terminated" in own
    banner = client.get("/shell/?part=stops").content.decode()
    assert "writer" not in banner  # no emergency that every page tells of

    rita = people.person("rita", "Quality Assurance Lead")
    client.force_login(rita)
    assert "/act/agent/writer/start/" not in client.get("/out-of-service/?agent=writer").content.decode()


def test_more_authority_is_confirmed_from_the_agent_s_page(client: Client) -> None:
    dora = people.person("dora", "Agent Development Specialist")
    factories.agent("writer")
    target = acts.locate("agent", "writer")
    acts.perform(acts.find("agent", "describe"), target, by=dora, reason="r", answers={"authority": "refunds"})
    client.force_login(dora)
    page = client.get("/agents/writer/").content.decode()
    assert "may also decide refunds" in page
    assert "/act/agent/writer/confirm-authority/" in page
    assert "/act/agent/writer/close-item/" not in page


def test_list_of_workers_says_what_will_appear_when_there_are_none(client: Client) -> None:
    client.force_login(people.person("mia", "Workflow Orchestration Manager"))
    page = client.get("/agents/workers/").content.decode()
    assert "No external worker has come yet" in page
    assert "Nothing waits outside" in page
