"""The State tab and the time machine in a real browser: by keyboard, on a phone, and with nothing that overflows."""

import os
import re

import pytest
from django.db import transaction
from playwright.sync_api import Page, expect

from agents.checkpoints import Notes
from orchestrator import services
from orchestrator.engine import checkpoints, run_state
from orchestrator.engine.run_state import Write
from orchestrator.models import Conflict, Run
from tests import factories
from tests.functional.conftest import Held, Site, serious_problems


@pytest.fixture
def run(site: Site) -> Run:
    for name in ("intake", "summary", "enrichment", "severity", "recommend", "report"):
        factories.agent(f"{name}-agent")
    made = factories.workflow("incident", factories.incident_steps(), title="Incident response")
    created = factories.run(made, statuses=["succeeded", "running", "ready"], title="Beaconing on fin-db-02")
    first, second = factories.task(created), factories.task(created, 1)
    factories.event(created, "run.started", actor="user:maria", tasks=8)
    factories.event(created, "task.started", made=first, attempt=1)
    with transaction.atomic():
        services.lock_run(created.pk)
        for number, value in enumerate(
            ({"hosts": ["fin-db-02"], "seen": 3}, {"hosts": ["fin-db-02", "web-1"], "seen": 9})
        ):
            change = Write("shared.scope", value, expected=number, reason="two more hosts beacon" if number else "")
            run_state.write(created.pk, change, writer="agent:intake-agent", task=first.pk)
        run_state.write(created.pk, Write("shared.severity", "high"), writer="agent:severity-agent", task=second.pk)
    factories.event(created, "task.succeeded", made=first, attempt=1)
    with transaction.atomic():
        notes = Notes([{"decision": "Isolate fin-db-02", "reasoning": "It beacons every 60 s."}], {"status": "2 of 8"},
                      [{"finding": "Two hosts beacon", "confidence": 0.9}], ["Ask the owner of web-1"])  # fmt: skip
        checkpoints.make(created.pk, name="Scope is known", notes=notes, actor="agent:intake-agent", task=first.pk)
    factories.event(created, "task.started", made=second, attempt=1)
    Conflict.objects.create(run=created, task=second.pk, key="severity", sides=[
        {"writer": "severity", "value": "high"}, {"writer": "summary", "value": "low"}])  # fmt: skip
    return created


@pytest.fixture
def manager(run: Run) -> factories.User:
    return factories.user("maria", "Workflow Orchestration Manager", first_name="Maria", last_name="Lind")


def shoot(page: Page, name: str) -> None:
    if folder := os.environ.get("SHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


@pytest.mark.parametrize("width", [1440, 390])
def test_state_is_read_compared_and_searched(site, page: Page, run, manager, width):
    page.set_viewport_size({"width": width, "height": 900})
    site.enter(page, manager, f"/runs/{run.pk}/?tab=state")
    expect(page.get_by_role("link", name="shared.scope")).to_be_visible()
    shoot(page, f"state-{width}")

    page.get_by_role("link", name="shared.scope").click()

    expect(page.locator(".state-diff")).to_contain_text("web-1")
    shoot(page, f"state-key-{width}")
    assert fits(page)
    assert serious_problems(page) == []


@pytest.mark.parametrize("width", [1440, 390])
def test_the_time_machine_goes_back_by_keyboard(site, page: Page, run, manager, width):
    page.set_viewport_size({"width": width, "height": 900})
    site.enter(page, manager, f"/runs/{run.pk}/?tab=past")
    title = page.get_by_role("heading", name="After event 8 of 8")
    expect(title).to_be_visible()
    shoot(page, f"past-{width}")
    slider = page.get_by_role("slider")

    slider.focus()
    slider.press("Home")
    expect(page.get_by_role("heading", name="After event 1 of 8")).to_be_visible()
    slider.press("ArrowRight")

    expect(page.get_by_role("heading", name="After event 2 of 8")).to_be_visible()
    expect(slider).to_be_focused()
    expect(page.locator(".dag .s-running")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"\?tab=past&n=2$"))
    page.keyboard.press(".")
    expect(page.get_by_role("heading", name="After event 3 of 8")).to_be_visible()
    page.keyboard.press("]")
    expect(page.get_by_role("heading", name="After event 8 of 8")).to_be_visible()
    page.keyboard.press("[")
    expect(page.get_by_role("heading", name="After event 1 of 8")).to_be_visible()
    page.keyboard.press(".")
    expect(page.get_by_role("heading", name="After event 2 of 8")).to_be_visible()
    shoot(page, f"past-back-{width}")
    assert fits(page)
    assert serious_problems(page) == []


def test_no_key_is_lost_while_a_jump_loads(site, page: Page, run, manager):
    site.enter(page, manager, f"/runs/{run.pk}/?tab=past&n=1")
    expect(page.get_by_role("heading", name="After event 1 of 8")).to_be_visible()
    jump = Held(page, r"by=slider")

    page.keyboard.press(".")
    jump.wait()
    page.keyboard.press(".")
    page.keyboard.press(".")

    expect(page.get_by_role("heading", name="After event 4 of 8")).to_be_visible()
    page.keyboard.press(",")
    expect(page.get_by_role("heading", name="After event 3 of 8")).to_be_visible()
    expect(page).to_have_url(re.compile(r"n=3$"))


def test_the_time_machine_shows_one_step_as_it_was_and_forks_from_there(site, page: Page, run, manager):
    site.enter(page, manager, f"/runs/{run.pk}/?tab=past&n=2")

    page.locator(".dag").get_by_role("link", name="Intake: running").click()
    then = page.get_by_role("complementary", name="Intake")
    expect(then).to_contain_text("Running")
    then.get_by_role("link", name="finished").click()
    expect(then).to_contain_text("Succeeded")
    expect(page).to_have_url(re.compile("task=intake"))
    page.keyboard.press("f")

    expect(page.get_by_role("dialog")).to_contain_text("Fork this run")
    assert serious_problems(page) == []
