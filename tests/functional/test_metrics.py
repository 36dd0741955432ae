"""Figures, what is behind one, and a statement, in a browser."""

import re

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from monitoring.costs import statements
from monitoring.metrics import folding
from tests import factories
from tests.functional.conftest import Site, serious_problems, until
from tests.integration.metrics.conftest import attempt, finished


@pytest.fixture
def manager(transactional_db: None) -> User:
    return factories.user("mia", "Workflow Orchestration Manager", first_name="Mia")


def some_runs() -> None:
    factories.agent("reader")
    made = factories.workflow("letters", factories.steps("read", agents={"read": "reader"}), title="Letters")
    for i in range(22):
        run = factories.run(made, statuses=["succeeded"], status="succeeded", title=f"Letter {i}")
        factories.event(run, "run.started")
        attempt(factories.task(run), cost=0.125)
        if i == 7:
            factories.event(run, "task.edited", actor="user:mia", made=factories.task(run))
        finished(run)


def measured() -> bool:
    folding.catch_up()
    from monitoring.models import Ending

    return Ending.objects.count() == 22


def test_figure_leads_to_the_runs_that_speak_against_it(site: Site, manager: User, page: Page) -> None:
    some_runs()
    until(measured, what="all runs are measured")

    site.enter(page, manager, "/analytics/")

    tile = page.locator(".kpi", has=page.get_by_role("link", name="Done without a person"))
    expect(tile).to_contain_text("95.5 %")
    expect(tile).to_contain_text("n = 22 runs ended")
    expect(page.locator(".chart-area canvas").first).to_be_visible()
    tile.get_by_role("link", name="Done without a person").click()
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Letter 7")
    expect(rows).to_contain_text("a person acted")


def test_chart_says_the_same_as_a_table_and_keeps_nobody_out(site: Site, manager: User, page: Page) -> None:
    some_runs()
    until(measured, what="all runs are measured")
    site.enter(page, manager, "/analytics/")

    page.locator("[data-chart]").first.get_by_text("As a table").click()

    expect(page.locator("[data-chart]").first.locator("tbody tr").last).to_contain_text("22")
    assert serious_problems(page) == []


def test_statement_adds_up(site: Site, manager: User, page: Page) -> None:
    some_runs()
    until(measured, what="all runs are measured")

    site.enter(page, manager, "/analytics/costs/")
    page.get_by_role("link", name="Statement").click()

    expect(page).to_have_url(re.compile(f"/statements/{statements.this_month()}/"))
    expect(page.locator("#statement-total")).to_have_text("$2.75")
    paid = [int(cell.get_attribute("data-cents") or 0) for cell in page.locator("[data-cents]").all()]
    assert sum(paid) == 275
    assert serious_problems(page) == []
