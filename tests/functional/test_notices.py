"""Being told, in a browser: the bell counts by itself, a card that is read is read, channels are opened and tried."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from approvals import services
from approvals.models import Channel, Gate
from approvals.notices import queries, telling
from tests import outlets, people
from tests.functional.conftest import Site, sealed, serious_problems, until


@pytest.fixture
def ana(site: Site) -> User:
    sealed()
    telling.tell()
    return people.person("ana", decides=people.queue(), email="ana@example.org")


@pytest.fixture
def hook(settings) -> Iterator[outlets.Hook]:
    with outlets.webhook() as found:
        settings.NOTICE_HOSTS = [found.host]
        yield found


def asked(**facts: object) -> None:
    people.gate(**facts)
    until(telling.tell, what="somebody is told")


def live(page: Page) -> None:
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")


def test_bell_counts_by_itself_and_leads_to_what_it_counts(site: Site, ana: User, page: Page) -> None:
    site.enter(page, ana)
    live(page)
    expect(page.locator("#shell-told")).to_have_text("")

    asked(title="Isolate host", risk="critical")

    expect(page.locator("#shell-told")).to_have_text("1")
    page.locator(".bell").click()
    page.locator(".bell-pop").get_by_role("link", name="Isolate host").first.click()
    expect(page.locator("#card-title")).to_have_text("Isolate host")
    expect(page.locator("#shell-told")).to_have_text("")


def test_centre_lists_what_is_to_read_and_forgets_what_others_settled(site: Site, ana: User, page: Page) -> None:
    bob = people.person("bob", decides=people.queue())
    asked(title="Isolate host", risk="critical")
    asked(title="Close duplicates", risk="low")
    site.enter(page, ana, "/inbox/notices/")
    live(page)
    expect(page.locator(".notice-title")).to_have_text(["Close duplicates", "Isolate host"])
    assert serious_problems(page) == []

    gate = Gate.objects.get(title="Isolate host")
    services.decide(gate_id=gate.pk, by=bob, verdict="approve", gate_version=gate.version, note="known")
    until(lambda: telling.tell() or queries.unread(ana) == 1, what="it is taken back")

    expect(page.locator(".notice-title")).to_have_text(["Close duplicates"])
    page.get_by_role("link", name="All", exact=True).click()
    expect(page.locator(".notice")).to_have_count(2)
    expect(page.locator(".notice").nth(1)).to_contain_text("Settled")
    page.get_by_role("button", name="Mark all as read").click()
    expect(page.get_by_text("All read")).to_be_visible()


def test_channel_is_opened_tried_and_removed(site: Site, ana: User, hook: outlets.Hook, page: Page) -> None:
    site.enter(page, ana, "/inbox/notices/settings/")
    page.get_by_label("Slack, Teams, webhook, …").check()
    page.get_by_label("Address").fill("json://10.0.0.7/x")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert")).to_contain_text("10.0.0.7 is not among NOTICE_HOSTS")
    expect(page.get_by_label("Address")).to_have_value("json://10.0.0.7/x")

    page.get_by_label("Address").fill(f"json://{hook.host}/alerts")
    page.get_by_role("button", name="Add").click()
    expect(page.locator(".channel")).to_have_count(1)
    expect(page.locator(".channel .pill")).to_have_text("Not used yet")
    page.get_by_role("button", name="Send a trial message").click()
    expect(page.locator(".channel .pill")).to_have_text("Arrives")
    assert [posted["title"] for posted in hook.posted] == ["Watchkeeper reaches you here"]
    assert serious_problems(page) == []

    page.get_by_role("button", name="Remove").click()
    page.locator("#confirm-yes").click()
    expect(page.get_by_text("No channel yet")).to_be_visible()
    assert Channel.objects.filter(removed_at=None).count() == 0


def test_quiet_hours_are_kept(site: Site, ana: User, page: Page) -> None:
    site.enter(page, ana, "/inbox/notices/settings/")
    page.get_by_label("Keep my channels still at these hours").check()
    page.get_by_label("From", exact=True).fill("21:30")
    page.get_by_role("region", name="Quiet hours").get_by_role("button", name="Keep").click()

    expect(page.get_by_label("From", exact=True)).to_have_value("21:30")
    expect(page.get_by_label("Keep my channels still at these hours")).to_be_checked()


def test_coordinator_opens_a_channel_for_a_queue(site: Site, ana: User, hook: outlets.Hook, page: Page) -> None:
    cleo = people.person("cleo", "Human Oversight Coordinator")
    site.enter(page, cleo, "/inbox/notices/settings/")
    page.get_by_role("link", name="Oncall").click()
    page.get_by_label("Slack, Teams, webhook, …").check()
    page.get_by_label("Address").fill(f"json://{hook.host}/team")
    page.get_by_role("button", name="Add").click()

    expect(page.get_by_role("heading", name="How Oncall is told")).to_be_visible()
    expect(page.locator(".channel")).to_have_count(1)
    assert Channel.objects.get().queue == people.queue()


@pytest.mark.parametrize("path", ["/inbox/notices/", "/inbox/notices/settings/"])
def test_pages_fit_a_phone(site: Site, ana: User, page: Page, path: str) -> None:
    asked(title="Isolate host " + "x" * 120, risk="critical")
    page.set_viewport_size({"width": 390, "height": 844})
    site.enter(page, ana, path)

    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert serious_problems(page) == []
