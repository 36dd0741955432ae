"""The workflow pages and what an agent's page asks of this app."""

import re

import pytest
from django.test import Client
from django.utils import timezone

from approvals import access
from orchestrator.models import Attempt, Task, Workflow
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager(client: Client) -> Client:
    client.force_login(factories.user("maria", "Workflow Orchestration Manager"))
    return client


@pytest.fixture
def incident() -> Workflow:
    return factories.workflow("incident", factories.incident_steps(), title="Incident response")


def text_of(response) -> str:  # type: ignore[no-untyped-def]
    """The page's words without mark-up."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", response.content.decode()))


def test_workflows_cards_show_version_tags_and_how_runs_ended(manager, incident):
    factories.run(incident, statuses=["succeeded"] * 8, status="succeeded")
    factories.run(incident, statuses=["failed"], status="failed")
    factories.run(incident, statuses=["running"])
    factories.workflow("second")

    page = text_of(manager.get("/workflows/"))

    assert "Incident response" in page
    assert "50 % of 2" in page
    assert "demo" in page


def test_workflows_query_count_does_not_grow_with_the_list(manager, django_assert_max_num_queries):
    for _ in range(12):
        factories.workflow()
    manager.get("/workflows/")

    with django_assert_max_num_queries(20):  # nine of them for the frame: badges, bell, alerts, stops
        manager.get("/workflows/")


@pytest.mark.parametrize("tab", ["graph", "people", "versions", "source", "runs", "nonsense"])
def test_workflow_page_shows_each_tab(manager, incident, tab):
    factories.run(incident)

    assert manager.get(f"/workflows/incident/?tab={tab}").status_code == 200


def test_workflow_people_names_rules_and_who_may_do_what(manager, incident):
    access.grant(to=factories.user("gina"), permission="start_run", on=incident, by=None)

    page = text_of(manager.get("/workflows/incident/?tab=people"))

    assert "risk == &quot;critical&quot; || confidence &lt; 0.8" in page
    assert "gina" in page
    assert "Human Oversight Coordinator" in page


def test_workflow_versions_show_what_changed(manager, incident):
    factories.publish(incident, factories.incident_steps(), source="metadata:\n  name: incident\n  title: New words\n")

    page = manager.get("/workflows/incident/?tab=versions").content.decode()

    assert "d-added" in page
    assert "New words" in page


def test_workflow_that_may_not_be_seen_does_not_exist(incident):
    stranger = Client()
    stranger.force_login(factories.user("rita", "Reviewer"))

    assert stranger.get("/workflows/incident/").status_code == 404
    assert stranger.get("/workflows/incident/start/").status_code == 404


def test_workflow_version_that_does_not_exist_is_not_found(manager, incident):
    assert manager.get("/workflows/incident/?version=99").status_code == 404


def test_schema_is_served_to_editors(manager):
    assert manager.get("/workflows/schema.json").json()["title"] == "Watchkeeper workflow"


def test_agent_uses_names_workflows_and_recent_failures(manager):
    factories.agent("intake-agent")
    made = factories.workflow("incident", factories.incident_steps())
    created = factories.run(made, statuses=["failed"], status="failed", title="Broken alert")
    task = Task.objects.of_run(created.pk).first()
    Attempt.objects.create(
        task=task,
        number=1,
        status="failed",
        ended_at=timezone.now(),
        error={"code": "timeout", "message": "It took too long."},
    )

    page = text_of(manager.get("/agents/intake-agent/uses/"))

    assert "incident" in page
    assert "It took too long." in page
    assert "Broken alert" in page
