"""The desk around a card in a browser: taking back, what is new, asking the agent, choosing another way."""

import re
from unittest import mock

import pytest
from django.contrib.auth.models import User
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
    expect(page.locator(".card-banner")).to_contain_text("Approved by Ana")
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
