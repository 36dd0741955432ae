"""The desk around a card in a browser: taking back, what is new, asking the agent, choosing another way."""

import re
from unittest import mock

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from playwright.sync_api import Page, expect

from agents import answering
from approvals import replying
from approvals.models import Decision, Gate, Question, Runway
from orchestrator.definitions.plan import GateTerms
from tests import people
from tests.functional.conftest import Site, serious_problems, until


@pytest.fixture
def ana(transactional_db: None) -> User:
    return people.person("ana", decides=people.queue())


def test_an_approval_is_taken_back_by_a_key_and_then_goes_out_at_once(site: Site, ana: User, page: Page) -> None:
    gate = people.gate(title="Isolate one", terms=GateTerms(runway_s=600.0))
    site.enter(page, ana, f"/inbox/{gate.pk}/")

    page.locator("#note").fill("after the backup")
    page.get_by_role("button", name="Approve").click()

    expect(page.locator("#ack")).to_contain_text("goes out at")
    expect(page.locator("#going-out time[data-countdown]")).to_have_text(re.compile(r"(9|10):\d\d"))
    expect(page.locator("#inbox-list .queue-row")).to_have_count(0)
    assert serious_problems(page) == []
    page.keyboard.press("u")
    expect(page.locator("#card-title")).to_have_text("Isolate one")
    expect(page.locator("#note")).to_have_value("after the backup")
    assert (Runway.objects.get().outcome, Decision.objects.count()) == ("taken_back", 0)

    page.get_by_role("button", name="Approve").click()
    expect(page.locator("#ack")).to_contain_text("goes out at")
    page.goto(f"{site.address}/inbox/{gate.pk}/")
    expect(page.locator(".card-banner")).to_contain_text("It goes out at")
    page.get_by_role("button", name="Now").click()
    page.locator("#confirm-yes").click()
    until(Decision.objects.exists, what="it has gone out")
    assert Decision.objects.get().note == "after the backup"


def test_the_agent_answers_on_the_card_and_another_way_is_chosen(
    site: Site, ana: User, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = answering.Reply(text="The beacon\u202e stopped.", output={**people.PROPOSAL, "amount": 99})
    monkeypatch.setattr(answering, "ask", mock.Mock(return_value=said))
    options = (
        {"option": "Watch for 30 min", "cost": "none", "basis": "12 like cases"},
        {"option": "Block", "cost": "2 h"},
    )
    gate = people.gate(alternatives=options)
    site.enter(page, ana, f"/inbox/{gate.pk}/")
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")

    page.locator("#ask").fill("Did the beacon stop?")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator("#card-asked")).to_contain_text("is being asked")
    replying.answer_all()

    expect(page.locator("#card-asked .untrusted")).to_contain_text("The beacon")
    expect(page.locator("#card-asked .untrusted")).to_contain_text("stopped.")
    expect(page.locator("#card-asked")).to_contain_text("it would put out something else")
    assert Question.objects.get().state == "answered"
    assert serious_problems(page) == []
    page.get_by_role("button", name="Choose: Watch for 30 min").click()
    page.locator("#confirm-yes").click()
    until(Decision.objects.exists, what="a decision is stored")
    decision = Decision.objects.get()
    assert (decision.verdict, decision.after) == ("choose", {"alternative": 0, "option": dict(options[0])})
    assert Gate.objects.get(pk=gate.pk).status == "returned"


def test_a_card_is_put_aside_by_ones_own_key(site: Site, ana: User, page: Page) -> None:
    grave = people.gate(title="Grave", risk="high", deadline_s=86400.0)
    site.enter(page, ana, "/inbox/keys/")
    page.get_by_label("Put aside, or skip").fill("z")
    page.get_by_role("button", name="Keep").click()
    expect(page.locator("#toasts")).to_contain_text("Your keys are kept")
    assert serious_problems(page) == []

    page.goto(f"{site.address}/inbox/{grave.pk}/")
    page.keyboard.press("z")
    page.get_by_role("button", name="For an hour").click()

    expect(page.locator("#inbox-list")).not_to_contain_text("Grave")
    expect(page.locator(".queue-filter")).to_contain_text("Put aside 1")


def test_a_view_is_kept_and_look_alikes_are_decided_together(site: Site, ana: User, page: Page) -> None:
    for amount in (10, 12, 11, 900):
        proposal = {"summary": "x", "amount": amount}
        people.gate(title=f"Refund {amount}", action={"operation": "refund"}, proposal=proposal)
    site.enter(page, ana, "/inbox/")
    page.locator(".queue-tools > summary").click()
    page.get_by_label("Order").select_option("newest")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator(".queue-row .queue-name").first).to_have_text("Refund 900")
    page.locator(".queue-tools > summary").click()
    assert serious_problems(page) == []
    page.get_by_label("Keep this view as").fill("Newest")
    page.get_by_role("button", name="Keep", exact=True).click()
    expect(page.locator(".queue-filter .chip[aria-current=true]")).to_have_text("Newest")

    page.locator(".verdict-more > summary").click()
    page.get_by_role("link", name="Decide it with its like…").click()
    expect(page.locator(".odd-list")).to_contain_text("Amount is 900")
    for box in page.locator("tbody input[type=checkbox]").all():
        box.check()
    assert serious_problems(page) == []
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("#toasts")).to_contain_text("3 cards decided")
    assert Decision.objects.filter(verdict="approve").count() == 3


def test_a_session_that_ends_while_typing_is_signed_in_again_in_place(site: Site, ana: User, page: Page) -> None:
    ana.set_password("a long enough password")
    ana.save()
    gate = people.gate()
    site.enter(page, ana, f"/inbox/{gate.pk}/")
    page.locator("#note").fill("half a thou")
    Session.objects.all().delete()

    page.locator("#note").press_sequentially("ght")

    dialog = page.locator("#again")
    expect(dialog).to_be_visible()
    dialog.get_by_label("Password").fill("wrong")
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog.get_by_role("alert")).to_be_visible()
    dialog.get_by_label("Password").fill("a long enough password")
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog).not_to_be_visible()
    expect(page.locator("#note")).to_have_value("half a thought")
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    page.get_by_role("button", name="Approve").click()
    until(Decision.objects.exists, what="a decision is stored")
    assert Decision.objects.get().note == "half a thought"
