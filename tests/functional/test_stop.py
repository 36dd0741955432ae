"""The stop control against real shifts: what it did is measured and shown, and lifted, work goes on."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from orchestrator.models import Run, Stop, Task
from tests import engine, factories
from tests.functional.conftest import Site, until

RUNS = 20


@pytest.fixture
def waiting_runs(site: Site) -> Iterator[list[Run]]:
    engine.gates_open.clear()
    engine.publish("  - {key: wait, type: automated, agent: test-patient}")
    yield [engine.start() for _ in range(RUNS)]
    engine.gates_open.set()


def running() -> int:
    return Task.objects.filter(status="running").count()


def test_stop_of_everything_shows_what_it_did_and_lifted_work_goes_on(
    site: Site, waiting_runs: list[Run], page: Page
) -> None:
    boss = factories.user("omar", "Human Oversight Coordinator", first_name="Omar", last_name="Haddad")
    with engine.shift():
        until(lambda: running() == RUNS, what="all agents are at work")
        site.enter(page, boss)

        stop_everything(page)
        expect_measures(page)
        assert running() == 0
        stop = Stop.objects.get()
        assert (stop.effect["returned"], stop.stopped_by) == (RUNS, boss)

        engine.gates_open.set()
        page.get_by_role("link", name="To the watch floor").click()
        lift(page)
        until(lambda: all(engine.finished(run) for run in waiting_runs), what="the runs have finished", seconds=20)

    assert {run.status for run in waiting_runs} == {"succeeded"}


def stop_everything(page: Page) -> None:
    """By the button in the frame, which says first what would happen."""
    page.get_by_role("link", name="Stop…").click()
    expect(page.locator("#stop-reach")).to_contain_text(f"{RUNS} running tasks would be cancelled")
    page.get_by_label("Why").fill("Agents write nonsense")
    page.get_by_role("button", name="Stop now").click()


def expect_measures(page: Page) -> None:
    """The dialog shows what the shifts measured."""
    measures = page.locator("#dialog .measures div")
    expect(measures.filter(has_text="tasks returned").locator("dd")).to_have_text(str(RUNS))
    expect(measures.filter(has_text="last start after it").locator("dd")).to_have_text("none")
    expect(measures.filter(has_text="all cancelled").locator("dd")).to_have_text(re.compile(r"^\d+ ms$"))


def lift(page: Page) -> None:
    """By the banner, which every page shows while the stop holds."""
    banner = page.locator("#shell-stops")
    expect(banner).to_contain_text("Everything is stopped")
    expect(banner).to_contain_text(f"{RUNS} tasks returned")
    banner.get_by_role("link", name="Lift…").click()
    page.locator("#dialog textarea").fill("They are mended")
    page.locator("#dialog form button").last.click()
    expect(page.get_by_text("The stop is lifted")).to_be_visible()
    expect(banner.locator(".note")).to_have_count(0)
