"""The compatibility matrix: every system that the code knows has its row, with all columns, and says how it stands."""

import pytest
from django.test import Client
from django.urls import reverse

from agents.messaging.bridges import KINDS as BRIDGES
from agents.models import AgentVersion
from agents.systems.declared import SYSTEMS
from agents.systems.present import library
from agents.tools.secret_stores import STORES
from tests import people

pytestmark = pytest.mark.django_db


def page(**query: str) -> str:
    client = Client()
    client.force_login(
        people.User.objects.filter(username="dev").first() or people.person("dev", "Agent Development Specialist")
    )
    return client.get(reverse("agents:systems"), query).content.decode()


def test_every_kind_of_agent_bus_and_store_has_a_row():
    keys = {system.key for system in SYSTEMS}

    assert len(keys) == len(SYSTEMS)
    assert {value for value, _label in AgentVersion.Kind.choices} <= keys | {"files"}
    assert set(BRIDGES) <= keys
    assert set(STORES) - {"files"} <= keys  # environment and files share one
    assert all(system.formats and system.sign_in and system.retries for system in SYSTEMS)


def test_page_shows_the_columns_and_how_each_stands_here(settings):
    people.workflow()  # with an agent of the kind python
    settings.MESSAGE_BRIDGES = ["nats://127.0.0.1:4222"]
    settings.POLICY_OPA_URL = ""
    shown = page()

    for head in ("Formats", "Signed in by", "Tried again", "Here"):
        assert f'<th scope="col">{head}</th>' in shown
    assert "set up" in row(shown, "nats")
    assert "POLICY_OPA_URL" in row(shown, "opa")
    assert "agent" in row(shown, "python")
    assert library("no_such_library")().state == "missing"


def test_search_leaves_what_fits_and_says_when_nothing_does():
    assert 'id="system-kafka"' in page(q="sasl")
    assert 'id="system-mqtt"' not in page(q="sasl")
    assert "No system matches" in page(q="cobol")


def row(shown: str, key: str) -> str:
    return shown.split(f'id="system-{key}"')[1].split("</tr>", maxsplit=1)[0]
