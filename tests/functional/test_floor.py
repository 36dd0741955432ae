"""The watch floor in a browser: what it shows, that it is live, and that it holds still while it is read."""

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from approvals.models import Profile
from orchestrator import events
from tests import factories, people
from tests.functional.conftest import Site, serious_problems


@pytest.fixture
def manager(transactional_db: None) -> User:
    return factories.user("mia", "Workflow Orchestration Manager", "Auditor", first_name="Mia")


def test_floor_shows_what_waits_runs_and_happened(site: Site, manager: User, page: Page) -> None:
    gate = people.gate(title="Isolate host fin-db-02", risk="critical")

    site.enter(page, manager)

    expect(page.locator("#floor-tiles")).to_contain_text("Waiting for people")
    expect(page.locator("#floor-needs")).to_contain_text("Isolate host fin-db-02")
    expect(page.locator("#floor-needs")).to_contain_text("Critical risk")
    expect(page.locator("#floor-flows")).to_contain_text("Incident")
    expect(page.locator("#floor-events")).to_contain_text("Gate opened")
    page.locator("#floor-needs").get_by_role("link", name=re.compile("Isolate host")).click()
    expect(page).to_have_url(re.compile(f"/inbox/{gate.pk}/"))


def test_floor_without_anything_says_what_will_appear(site: Site, manager: User, page: Page) -> None:
    site.enter(page, manager)

    expect(page.get_by_text("Nobody is needed", exact=True)).to_be_visible()
    expect(page.get_by_text("No run is live", exact=True)).to_be_visible()


def test_floor_shows_a_new_run_without_a_reload(site: Site, manager: User, page: Page) -> None:
    workflow = people.workflow("refunds")
    site.enter(page, manager)
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    expect(page.locator("#floor-flows")).to_contain_text("No run is live")

    people.run(of=workflow)

    expect(page.locator("#floor-flows")).to_contain_text("1 run")
    expect(page.locator("#floor-events")).to_contain_text("Run started")


def test_events_held_by_the_button_wait_until_let_go(site: Site, manager: User, page: Page) -> None:
    workflow = people.workflow("refunds")
    site.enter(page, manager)
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    page.get_by_role("button", name="Hold").click()

    people.run(of=workflow)

    expect(page.locator("#floor-flows")).to_contain_text("1 run")
    expect(page.locator("#floor-events")).not_to_contain_text("Run started")
    page.get_by_role("button", name="Hold").click()
    expect(page.locator("#floor-events")).to_contain_text("Run started")


def test_list_under_the_pointer_does_not_move_but_says_what_waits(site: Site, manager: User, page: Page) -> None:
    people.gate(title="Isolate host fin-db-02")
    site.enter(page, manager)
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    needs = page.locator("#floor-needs")
    needs.get_by_role("link", name=re.compile("Isolate host")).hover()

    people.gate(title="Quarantine mailbox j.doe")

    note = needs.get_by_role("button", name=re.compile("new"))
    expect(note).to_be_visible()
    expect(needs).not_to_contain_text("Quarantine mailbox")
    page.mouse.move(5, 5)
    expect(needs).to_contain_text("Quarantine mailbox")
    expect(note).to_be_hidden()


def test_events_can_be_narrowed_to_one_family(site: Site, manager: User, page: Page) -> None:
    people.gate(title="Isolate host fin-db-02")
    site.enter(page, manager)
    expect(page.locator("#floor-events")).to_contain_text("Run started")

    page.locator("#floor-events").get_by_role("link", name="Gates").click()

    expect(page.locator("#floor-events")).not_to_contain_text("Run started")
    expect(page.locator("#floor-events")).to_contain_text("Gate opened")


def test_hostile_title_is_shown_and_does_nothing(site: Site, manager: User, page: Page) -> None:
    people.gate(title="<img src=x onerror=alert(1)>\u202eevil")

    site.enter(page, manager)

    expect(page.locator("#floor-needs")).to_contain_text("<img src=x onerror=alert(1)>⟦U+202E⟧evil")
    expect(page.locator("#floor-needs img")).to_have_count(0)


def test_audit_export_verifies_offline(site: Site, page: Page, tmp_path: Path) -> None:
    for number in range(3):
        events.append("role.granted", actor="user:adam", data={"user": f"zoe-{number}", "role": "Reviewer"})
    site.enter(page, factories.user("nora", "Auditor"), "/audit/")
    expect(page.locator("#trail")).to_contain_text("zoe-2")

    with page.expect_download() as started:
        page.get_by_role("button", name="Export").click()
    file = tmp_path / started.value.suggested_filename
    started.value.save_as(file)

    assert "zoe-2" in file.read_text()
    assert file.name == f"watchkeeper-audit-{len(file.read_text().splitlines())}.jsonl"
    checked = subprocess.run(
        [sys.executable, "docs/verify_export.py", str(file)], check=False, capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout


def test_audit_finds_by_person_and_verifies_the_chain(site: Site, manager: User, page: Page) -> None:
    people.run(by=manager)
    events.append("role.granted", actor="user:adam", data={"user": "zoe", "role": "Reviewer"})
    site.enter(page, manager, "/audit/")
    expect(page.locator("#trail")).to_contain_text("Role granted")

    page.get_by_role("button", name="Verify the chain").click()
    expect(page.locator("#verification")).to_contain_text("The chain holds up to position")
    page.get_by_label("Person").fill("adam")
    page.get_by_role("button", name="Search", exact=True).click()

    expect(page.locator("#trail")).to_contain_text("zoe")
    expect(page.locator("#trail")).not_to_contain_text("Run started")


@pytest.mark.parametrize("size", [(1440, 900), (1920, 1080), (3840, 2160)])
def test_wall_mode_shows_numbers_on_one_screen_and_no_controls(
    site: Site, manager: User, page: Page, size: tuple[int, int]
) -> None:
    for number in range(9):
        people.gate(title=f"Isolate host fin-db-{number}")
    page.set_viewport_size({"width": size[0], "height": size[1]})
    site.enter(page, manager, "/?wall=1")

    expect(page.locator("#floor-tiles")).to_be_visible()
    expect(page.get_by_role("link", name="Stop…")).to_be_hidden()
    expect(page.get_by_role("button", name="Hold")).to_be_hidden()
    expect(page.get_by_role("navigation", name="Main", exact=True)).to_be_hidden()
    expect(page.locator(".wall-bar .link-badge")).to_have_attribute("data-state", "live")
    expect(page.locator(".wall-acts")).to_have_css("opacity", "0")
    sizes = page.evaluate("[document.body.scrollHeight, document.body.scrollWidth, innerHeight, innerWidth]")
    assert sizes[0] <= sizes[2]
    assert sizes[1] <= sizes[3]
    assert _four_panels_share_the_rest(page, *size)
    assert serious_problems(page) == []


def _four_panels_share_the_rest(page: Page, width: int, height: int) -> bool:
    """Side by side and below each other, none over another, down to the end of the screen."""
    names = ("needs", "agents", "flows", "stream")
    needs, agents, flows, stream = (page.locator(f"#floor-{name}").bounding_box() or {} for name in names)
    assert needs["x"] + needs["width"] < agents["x"] < width
    assert needs["y"] + needs["height"] < flows["y"]
    assert agents["y"] + agents["height"] < stream["y"]
    assert flows["x"] + flows["width"] < stream["x"]
    return min(flows["y"] + flows["height"], stream["y"] + stream["height"]) > height * 0.94


def test_wall_shows_its_few_controls_to_who_moves_and_is_left_by_a_key(site: Site, manager: User, page: Page) -> None:
    site.enter(page, manager, "/?wall=1")
    expect(page.locator("#floor-tiles")).to_be_visible()

    page.mouse.move(200, 200)
    expect(page.locator(".wall-acts")).to_have_css("opacity", "1")
    page.keyboard.press("Escape")

    expect(page.get_by_role("heading", name="Watch floor")).to_be_visible()


def test_wall_tells_the_time_where_its_person_is(site: Site, manager: User, page: Page) -> None:
    Profile.objects.update_or_create(user=manager, defaults={"time_zone": "Asia/Kathmandu"})  # 5:45 h before UTC
    page.clock.set_fixed_time(datetime(2026, 5, 4, 12, 0, tzinfo=UTC))

    site.enter(page, manager, "/?wall=1")

    expect(page.locator("[data-wall-clock]")).to_have_text("17:45")


def test_wall_moves_a_little_each_minute_and_renews_itself(site: Site, manager: User, page: Page) -> None:
    page.clock.install()
    site.enter(page, manager, "/?wall=1")
    expect(page.locator(".wall-bar .link-badge")).to_have_attribute("data-state", "live")
    page.evaluate("document.body.dataset.kept = 'yes'")

    page.clock.fast_forward(61_000)
    expect(page.locator("html")).to_have_attribute("data-wall-place", "1")
    page.clock.fast_forward(20 * 60_000)
    expect(page.locator("html")).to_have_attribute("data-wall-turned", "")
    page.clock.fast_forward(6 * 60 * 60_000)
    for _ in range(7):  # by steps in which the server is heard: only a page that is live is renewed
        expect(page.locator(".wall-bar .link-badge")).to_have_attribute("data-state", "live")
        page.clock.fast_forward(10_000)

    expect(page.locator("body[data-kept]")).to_have_count(0)
    expect(page.locator("#floor-tiles")).to_be_visible()


def test_wall_that_lost_its_server_looks_old_says_so_and_comes_back(site: Site, manager: User, page: Page) -> None:
    workflow = people.workflow("refunds")
    site.enter(page, manager, "/?wall=1")
    expect(page.locator(".wall-bar .link-badge")).to_have_attribute("data-state", "live")

    page.context.set_offline(True)
    page.evaluate("window.dispatchEvent(new Event('offline'))")
    expect(page.locator(".wall-old")).to_be_visible()
    expect(page.locator("#floor-tiles")).to_have_css("opacity", "0.45")
    people.run(of=workflow)
    page.context.set_offline(False)

    expect(page.locator(".wall-old")).to_be_hidden()
    expect(page.locator("#floor-flows")).to_contain_text("1 run")


def test_screen_left_on_a_wall_opens_nothing_but_the_floor(site: Site, manager: User, page: Page) -> None:
    site.enter(page, manager, "/?wall=1")
    page.mouse.move(200, 200)
    page.get_by_role("button", name="Leave it on this screen…").click()
    page.locator("#confirm-yes").click()

    expect(page.get_by_role("button", name="Sign this screen out")).to_be_visible()
    expect(page.locator(".wall-bar .link-badge")).to_have_attribute("data-state", "live")
    page.goto(f"{site.address}/runs/")
    expect(page.locator("#floor-tiles")).to_be_visible()
    people.run()
    expect(page.locator("#floor-flows")).to_contain_text("1 run")
    page.mouse.move(300, 300)
    page.get_by_role("button", name="Sign this screen out").click()
    expect(page).to_have_url(re.compile("/sign-in/"))
