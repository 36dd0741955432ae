"""Keeping people able, in a browser: own judgement first, a check, what the card reports, and web push's worker."""

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now
from playwright.sync_api import Page, expect

from approvals import services
from approvals.able import planning
from approvals.models import Decision, FirstVerdict, GoldCase, Handling
from tests import people
from tests.functional.conftest import Site, serious_problems, until


@pytest.fixture
def ana(transactional_db: None) -> User:
    return people.person("ana", "Reviewer", decides=people.queue())


def test_one_judges_first_by_key_and_then_decides(site: Site, ana: User, page: Page, settings) -> None:
    settings.OWN_VERDICT_FIRST = ["high"]
    people.gate(risk="high", evidence=({"claim": "It called home", "status": "verified", "source": "log 4"},))
    site.enter(page, ana, "/inbox/")
    expect(page.locator("#first")).to_be_visible()
    expect(page.locator("#card")).not_to_contain_text("61")
    assert serious_problems(page) == []

    page.keyboard.press("r")
    expect(page.locator("#decision")).to_be_visible()
    expect(page.locator("#card")).to_contain_text("you would reject")
    page.locator("#card .evidence li").first.scroll_into_view_if_needed()
    until(
        lambda: page.mouse.move(5, 5) or Handling.objects.filter(saw_evidence=True, active_s__gte=5).exists(),
        what="what is read is measured",
    )
    page.keyboard.press("a")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#ack")).to_be_visible()

    row = FirstVerdict.objects.get()
    assert (row.verdict, row.final, row.changed) == ("reject", "approve", True)
    assert Handling.objects.get().verdict == "approve"


def test_check_is_told_after_the_verdict_and_stands_on_ones_own_page(site: Site, ana: User, page: Page) -> None:
    sam = people.person("sam", "Reviewer", decides=people.queue())
    past = people.gate(title="Isolate host")
    services.decide(gate_id=past.pk, by=sam, verdict="reject", gate_version=1, note="no")
    case = GoldCase.objects.create(
        gate=past, queue=past.queue, basis="planted", truth="refuse", why="The host is another one.",
        subject=past.subject, confirmed_at=Now(),
    )  # fmt: skip
    planning.open_check(case, ana)
    people.gate(title="Another one")
    decisions = Decision.objects.count()
    site.enter(page, ana, "/inbox/")
    expect(page.locator(".queue-row")).to_have_count(2)

    page.locator(".queue-row", has_text="Isolate host").click()
    expect(page.locator("#card-title")).to_have_text("Isolate host")
    page.locator("[data-send=approve]").click()

    expect(page.locator("#ack")).to_contain_text("The host is another one.")
    expect(page.locator("#card-title")).to_have_text("Another one")
    assert Decision.objects.count() == decisions
    page.locator("#ack").get_by_role("link", name="Your reviewing").click()
    expect(page.get_by_role("table")).to_contain_text("The host is another one.")
    assert serious_problems(page) == []


def test_worker_of_web_push_is_registered_for_every_page(site: Site, ana: User, page: Page) -> None:
    page.context.grant_permissions(["notifications"], origin=site.address)
    # A browser without windows has nowhere to notify: it says so, whatever it was granted.
    page.add_init_script("Object.defineProperty(Notification, 'permission', { get: () => 'granted' })")
    site.enter(page, ana, "/inbox/notices/settings/")

    scope = page.evaluate("navigator.serviceWorker.ready.then((worker) => worker.scope)")

    assert scope == f"{site.address}/"
    expect(page.locator("[data-push-on]")).to_be_visible()
    assert serious_problems(page) == []
