"""Budgets in a real browser: on every page that shows them, and through the dialog that sets them."""

import pytest
from playwright.sync_api import Page, expect

from orchestrator.models import Budget, Run
from tests import factories
from tests.functional.conftest import Site, serious_problems
from tests.integration.orchestrator.test_failure_pages import MISSING


@pytest.fixture
def run(site: Site) -> Run:
    agent = factories.agent("reader")
    made = factories.run(factories.workflow("flow", factories.steps("first", agents={"first": "reader"})))
    for resource, limit, spent, held in (("tokens", 1000, 850, 100), ("cost", 5, 5, 0), ("calls", 200, 12, 3)):
        Budget.objects.create(scope="run", ref=made.pk, resource=resource, limit=limit, spent=spent, reserved=held)
    Budget.objects.create(scope="run_agent", ref=made.pk, agent=agent, resource="tokens", limit=400, spent=100)
    Budget.objects.create(scope="workflow", ref=made.workflow_id, resource="cost", limit=100, spent=20)
    Budget.objects.create(scope="run_agent", ref=0, agent=agent, resource="tokens", limit=50_000)
    return made


@pytest.fixture
def mia() -> factories.User:
    return factories.user("mia", "Workflow Orchestration Manager")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_pages_with_budgets_keep_nobody_out(site, page: Page, run, mia, width, scheme):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})

    for path in (f"/runs/{run.pk}/", "/workflows/flow/?tab=budgets", "/agents/reader/"):
        site.enter(page, mia, path)
        expect(page.locator(".budgets").first).to_be_visible()
        assert serious_problems(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_team_pages_keep_nobody_out(site, page: Page, mia, width, scheme):
    team = mia.groups.get()
    for resource, limit, spent in (("tokens", 1000, 850), ("cost", 5, 5), ("calls", 200, 12)):
        Budget.objects.create(scope="team", ref=team.pk, resource=resource, limit=limit, spent=spent)
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})

    for path in ("/teams/", f"/teams/{team.pk}/"):
        site.enter(page, mia, path)
        expect(page.get_by_text("over 80 %").first).to_be_visible()
        assert serious_problems(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_incomplete_run_is_accepted_from_the_inbox_by_keyboard(site, page: Page, mia):
    done = ["succeeded", "failed", *["succeeded"] * 6]
    made = factories.run(factories.workflow("flow", factories.incident_steps()), statuses=done, status="partial")
    failure = {**MISSING["failed_agents"][0], "task": factories.task(made, 1).pk}
    Run.objects.filter(pk=made.pk).update(failed=1, outcome={**MISSING, "failed_agents": [failure]})
    site.enter(page, mia, "/inbox/")

    expect(page.get_by_role("link", name="Have Threat summary reviewed by hand")).to_be_visible()
    expect(page.get_by_role("link", name="Retry Threat summary with 120 s")).to_be_visible()
    page.get_by_role("link", name="Accept as it is").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Why").fill("Good enough.")
    dialog.get_by_role("button", name="Accept it").press("Enter")

    expect(page.get_by_text("is accepted")).to_be_visible()
    made.refresh_from_db()
    assert "accepted" in made.outcome


def test_budget_is_raised_by_keyboard_with_a_preview_and_a_reason(site, page: Page, run, mia):
    site.enter(page, mia, f"/runs/{run.pk}/")

    page.get_by_role("link", name="Set a budget").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Limit").fill("2000")
    dialog.get_by_label("Limit").press("Tab")
    expect(dialog.get_by_text("2,000, of which 850 are used")).to_be_visible()
    dialog.get_by_label("Why").fill("Worth it.")
    dialog.get_by_role("button", name="Set budget").press("Enter")

    expect(page.locator(".budgets")).to_contain_text("2,000")
    assert Budget.objects.get(scope="run", resource="tokens").limit == 2000
