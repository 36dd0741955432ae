"""Schedules, their preview, and a run past its deadline, in a real browser."""

import re
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from playwright.sync_api import Locator, Page, expect

from approvals.models import Gate
from orchestrator import services
from orchestrator.engine import sweep
from orchestrator.models import Run, Schedule, Timer
from tests import engine, factories, people
from tests.functional.conftest import Site, serious_problems


@pytest.fixture
def manager(site: Site) -> factories.User:
    engine.publish("  - {key: nap, type: timer, duration: 2d}", name="report")
    return factories.user("maria", "Workflow Orchestration Manager")


def do(card: Locator, name: str, why: str) -> None:
    """Open what can be done to a schedule, say why, and do it."""
    card.get_by_text("Run now, pause or remove").click()
    card.get_by_label("Why").first.fill(why)
    card.get_by_role("button", name=name).click()


@pytest.mark.parametrize("width", [1440, 390])
def test_schedule_is_previewed_made_paused_and_run_by_keyboard(site, page: Page, manager, width):
    page.set_viewport_size({"width": width, "height": 900})
    site.enter(page, manager, "/workflows/report/?tab=schedules")
    expect(page.get_by_text("No clock starts it")).to_be_visible()

    page.get_by_label("Name of the schedule").fill("nightly")
    page.keyboard.press("Tab")
    page.keyboard.type("99 2 * * *")
    expect(page.locator("#times-new")).to_contain_text("its minute is not valid")
    page.get_by_label("Times").fill("0 12 29 2 *")
    page.get_by_label("Time zone").fill("Europe/Berlin")
    expect(page.locator("#times-new")).to_contain_text("29 Feb 2028, 12:00 CET")
    page.get_by_label("Why").fill("books")
    assert serious_problems(page) == []
    page.keyboard.press("Enter")

    card = page.get_by_role("article", name="nightly")
    expect(card).to_contain_text("29 Feb 2028, 12:00 CET")
    expect(card).to_contain_text("“books”")
    assert serious_problems(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    do(card, "Pause", "holiday")
    expect(card).to_contain_text("paused")
    do(card, "Run now", "now")

    expect(page).to_have_url(re.compile(r"/runs/[0-9]+/$"))
    assert Run.objects.count() == 1
    assert not Schedule.objects.get().enabled


@pytest.mark.parametrize("width", [1440, 390])
def test_run_past_its_deadline_is_given_another_one_on_its_card(site, page: Page, manager, width):
    page.set_viewport_size({"width": width, "height": 900})
    leads = people.queue("leads")
    rest = "configuration: {run_deadline: 2h, escalation_queue: leads}"
    engine.publish("  - {key: nap, type: timer, duration: 2d}", name="report", rest=rest)
    run = services.start_run(workflow="report", input={}, by=manager)
    Timer.objects.filter(kind="run_deadline").update(due_at=Now() - timedelta(seconds=1))
    sweep.fire_timers()
    gate = Gate.objects.get()
    site.enter(page, people.person("lea", "Reviewer", decides=leads), f"/inbox/{gate.pk}/")

    expect(page.get_by_role("heading", name="Past its deadline: Flow")).to_be_visible()
    assert serious_problems(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_label("Another deadline").fill("4h")
    page.get_by_role("button", name="Set another deadline").click()
    expect(page.locator("#ack")).to_contain_text("Given another deadline")

    run.refresh_from_db()
    assert run.deadline_at is not None
    gate.refresh_from_db()
    assert gate.status == "approved"
