"""The agent pages."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from agents.models import AgentHealth, AgentRelease, AgentVersion
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def developer(client: Client) -> Client:
    client.force_login(factories.user("dev", "Agent Development Specialist"))
    return client


def text_of(response) -> str:  # type: ignore[no-untyped-def]
    """The page's words without mark-up."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", response.content.decode()))


def heard(agent, *, calls: int, failures: int = 0, minutes: int = 1) -> None:  # type: ignore[no-untyped-def]
    moment = timezone.now() - timedelta(minutes=minutes)
    AgentHealth.objects.create(
        agent=agent, minute=moment.replace(second=0, microsecond=0), calls=calls, failures=failures,
        total_ms=calls * 20.0,
        seen_at=moment,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("calls", "failures", "word"),
    [(0, 0, "Idle"), (40, 0, "Healthy"), (40, 8, "Degraded"), (40, 30, "Failing"), (2, 2, "Degraded")],
)
def test_agents_health_is_said_in_a_word(developer, calls, failures, word):
    agent = factories.agent("assessor")
    if calls:
        heard(agent, calls=calls, failures=failures)

    assert word in text_of(developer.get("/agents/"))


def test_agents_calls_of_ten_minutes_ago_no_longer_count(developer):
    heard(factories.agent("assessor"), calls=40, failures=40, minutes=10)

    page = text_of(developer.get("/agents/"))

    assert "Idle" in page
    assert "10 min ago" in page


def test_agents_query_count_does_not_grow_with_the_list(developer, django_assert_max_num_queries):
    for _ in range(20):
        heard(factories.agent(), calls=3)

    with django_assert_max_num_queries(17):  # one of them counts alerts
        developer.get("/agents/")


def test_agents_search_narrows_the_list(developer):
    factories.agent("assessor")
    factories.agent("writer")

    page = text_of(developer.get("/agents/", {"q": "writ"}))

    assert "writer" in page
    assert "assessor" not in page


def test_agent_page_reads_contracts_without_json_schema(developer):
    agent = factories.agent("assessor", max_concurrency=4)
    AgentVersion.objects.create(
        agent=agent, number=2, kind="python", isolation="process", entrypoint="a.b:c", digest="1" * 64,
        input_schema={
            "properties": {"host": {"$ref": "#/$defs/Host"}, "level": {"enum": ["low", "high"]}},
            "required": ["host"],
            "$defs": {"Host": {"type": "object", "properties": {"name": {"type": "string", "maxLength": 60}}}},
        },
    )  # fmt: skip

    page = text_of(developer.get("/agents/assessor/"))

    assert "low | high" in page
    assert "at most 60 characters" in page
    assert "in a process of its own that can be killed" in page


def test_agent_page_shows_the_version_that_does_the_work(developer):
    agent = factories.agent("assessor")
    AgentVersion.objects.create(
        agent=agent, number=2, kind="python", isolation="loop", entrypoint="new", digest="1" * 64
    )
    AgentRelease.objects.create(agent=agent, current=1, canary=2, share=20)

    page = text_of(developer.get("/agents/assessor/"))

    assert "tests.assessor" in page
    assert "canary v2, 20 %" in page


def test_agent_page_shows_an_older_version_on_request(developer):
    agent = factories.agent("assessor")
    AgentVersion.objects.create(
        agent=agent, number=2, kind="python", isolation="loop", entrypoint="new", digest="1" * 64
    )

    assert "tests.assessor" in text_of(developer.get("/agents/assessor/?version=1"))


def test_agents_without_the_right_is_refused():
    outsider = Client()
    outsider.force_login(factories.user("nobody"))
    factories.agent("assessor")

    assert outsider.get("/agents/").status_code == 403
    assert outsider.get("/agents/assessor/").status_code == 403


def test_agent_that_does_not_exist_is_not_found(developer):
    assert developer.get("/agents/nobody/").status_code == 404
