"""Steering in a real browser: what a dialog says before, what happens, and how it is taken back."""

import pytest
from playwright.sync_api import Page, expect

from orchestrator.models import Run, Task
from tests import engine, factories
from tests.functional.conftest import Site, serious_problems

STEPS = """
  - {key: collect, title: Collect the facts, type: automated, agent: test-echo, inputs: {host: fin-db-02}}
  - {key: weigh, title: Weigh them, type: automated, agent: test-echo}
  - {key: report, title: Write the report, type: automated, agent: test-echo}
"""


@pytest.fixture
def run(site: Site) -> Run:
    engine.publish(STEPS, rest="dependencies: {weigh: [collect], report: [weigh]}")
    return engine.start()


@pytest.fixture
def maria(run: Run) -> factories.User:
    return factories.user("maria", "Workflow Orchestration Manager", first_name="Maria", last_name="Lind")


def test_run_is_paused_from_its_page_and_the_toast_takes_it_back(site: Site, page: Page, run: Run, maria):
    site.enter(page, maria, f"/runs/{run.pk}/")
    page.get_by_role("link", name="Pause…").first.click()
    dialog = page.locator("#dialog")
    expect(dialog.get_by_text("1 ready step is held back.")).to_be_visible()
    assert serious_problems(page) == []
    dialog.get_by_label("Why").fill("The disk is full")
    dialog.get_by_role("button", name="Pause run").click()

    expect(page.get_by_text("The disk is full").first).to_be_visible()
    expect(page.locator(".run-says")).to_contain_text("Maria Lind")
    page.get_by_role("link", name="Undo…").click()
    expect(dialog.get_by_label("Why")).to_have_value("Undo: The disk is full")
    dialog.get_by_role("button", name="Resume run").click()

    expect(page.locator(".run-head .pill").first).to_contain_text("Running")


def test_step_is_skipped_by_keyboard_with_an_output_that_its_preview_follows(site: Site, page: Page, run: Run, maria):
    site.enter(page, maria, f"/runs/{run.pk}/?task=collect")
    card = page.get_by_role("complementary", name="Collect the facts")
    card.get_by_label("More ways to steer it").focus()
    page.keyboard.press("Enter")
    card.get_by_role("link", name="Skip…").focus()
    page.keyboard.press("Enter")
    dialog = page.locator("#dialog")
    expect(dialog.get_by_text("2 steps that only it leads to are skipped: weigh, report.")).to_be_visible()

    dialog.get_by_label("Output").fill('{"host": "fin-db-02", "seen": true}')
    page.keyboard.press("Tab")
    expect(dialog.get_by_text("1 step after it becomes ready.")).to_be_visible()
    dialog.get_by_label("Why").fill("Known already")
    dialog.get_by_role("button", name="Skip step").click()

    expect(page.get_by_text("Step collect is skipped.")).to_be_visible()
    assert Task.objects.of_run(run.pk).get(key="collect").output == {"host": "fin-db-02", "seen": True}


def test_act_that_has_become_another_is_not_done_and_says_so(site: Site, page: Page, run: Run, maria):
    site.enter(page, maria, f"/runs/{run.pk}/?task=collect")
    page.get_by_role("complementary").get_by_role("link", name="Edit input…").click()
    dialog = page.locator("#dialog")
    dialog.get_by_label("Input").fill('{"host": "fin-db-03"}')
    dialog.get_by_label("Why").fill("Another host")
    expect(dialog.get_by_text("Changed in its input: host")).to_be_visible()
    Task.objects.of_run(run.pk).filter(key="collect").update(revision=1)
    dialog.get_by_role("button", name="Run with this input").click()

    expect(dialog.get_by_role("alert")).to_contain_text("nothing was done")
    expect(dialog.get_by_label("Why")).to_have_value("Another host")
    dialog.get_by_role("button", name="Run with this input").click()
    expect(page.get_by_text("Step collect has another input.")).to_be_visible()


def test_palette_steers_the_run_of_the_page_and_one_named_by_its_number(site: Site, page: Page, run: Run, maria):
    site.enter(page, maria, f"/runs/{run.pk}/")
    page.keyboard.press("Control+k")
    page.keyboard.type("priority")
    page.get_by_role("option", name="Change this run's priority").click()
    expect(page.locator("#dialog").get_by_label("Priority")).to_be_focused()
    page.keyboard.press("Escape")

    page.goto(f"{site.address}/workflows/")
    page.keyboard.press("Control+k")
    page.keyboard.type(f"cancel {run.pk}")
    page.get_by_role("option", name="Cancel this run").click()
    expect(page.locator("#dialog").get_by_role("button", name="Cancel run for good")).to_be_visible()


@pytest.mark.parametrize(("path", "act"), [("/workflows/flow/", "Pause…"), ("/agents/test-echo/", "Pause…")])
def test_workflow_and_agent_are_paused_from_their_pages(site: Site, page: Page, run: Run, maria, path, act):
    site.enter(page, maria, path)
    page.get_by_role("link", name=act).click()
    dialog = page.locator("#dialog")
    dialog.get_by_label("Why").fill("It lies")
    dialog.get_by_role("button", name="Pause it").click()

    expect(page.locator("#shell-stops")).to_contain_text("It lies")
    expect(page.locator("#shell-stops")).to_contain_text("is paused")


def test_refused_act_says_why_in_its_dialog_and_keeps_the_height_of_a_field(site: Site, page: Page, run: Run, maria):
    """A field that was drawn larger has an inline style, which no answer may carry over: the policy refuses those."""
    site.enter(page, maria, f"/act/run/{run.pk}/fork/")
    page.goto(f"{site.address}/runs/{run.pk}/")
    page.locator(f'a[href="/act/run/{run.pk}/fork/"]').first.dispatch_event("click")
    dialog = page.locator("#dialog")
    dialog.get_by_label("After event").fill("999999999")
    why = dialog.get_by_label("Why")
    why.fill("To try again")
    why.evaluate("field => { field.style.height = '140px' }")
    # What password managers and test drivers leave behind.
    dialog.get_by_label("After event").evaluate("field => { field.style.color = 'red'; field.style.color = '' }")

    dialog.get_by_role("button", name="Fork").click()

    expect(dialog.get_by_role("alert")).to_be_visible()
    expect(why).to_have_value("To try again")
    expect(why).to_have_css("height", "140px")


def test_act_on_a_page_of_its_own_is_refused_there_and_not_in_a_dialog_above_it(
    site: Site, page: Page, run: Run, maria
):
    site.enter(page, maria, f"/act/run/{run.pk}/priority/")
    page.get_by_role("spinbutton", name="Priority").fill("999999")
    page.get_by_label("Why").fill("It is urgent")

    page.get_by_role("button", name="Change priority").click()

    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("Why")).to_have_value("It is urgent")
    expect(page.locator("#act-form")).to_have_count(1)
    expect(page.locator("#dialog")).not_to_be_visible()
