"""The workflow pages in a real browser."""

import pytest
from playwright.sync_api import Page, expect

from tests import factories
from tests.functional.conftest import Site, serious_problems

SCHEMA = {"type": "object", "required": ["order"], "properties": {"order": {"type": "string", "maxLength": 40}}}


@pytest.fixture
def manager(site: Site) -> factories.User:
    made = factories.workflow("incident", factories.incident_steps(), title="Incident response")
    factories.publish(made, factories.incident_steps(), schema=SCHEMA, source="metadata:\n  name: incident\n")
    return factories.user("maria", "Workflow Orchestration Manager")


def test_workflow_run_is_started_from_its_card(site, page: Page, manager):
    site.enter(page, manager, "/workflows/")

    page.get_by_role("link", name="Start a run of Incident response").click()
    page.get_by_label("Order").fill("O-77")
    page.get_by_role("button", name="Start run").click()

    expect(page.locator(".run-head h1")).to_be_visible()
    expect(page.get_by_text("1 step is ready and waits for a free worker.")).to_be_visible()


@pytest.mark.parametrize("width", [1440, 390])
def test_workflow_pages_keep_nobody_out(site, page: Page, manager, width):
    page.set_viewport_size({"width": width, "height": 900})
    tabs = ("graph", "people", "versions", "source", "runs")

    for path in ("/workflows/", "/workflows/incident/start/", *(f"/workflows/incident/?tab={tab}" for tab in tabs)):
        site.enter(page, manager, path)
        assert serious_problems(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
