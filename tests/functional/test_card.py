"""Deciding in a browser: every verdict, by mouse and by key, and what happens when the world moves meanwhile."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, Route, expect

from approvals import services
from approvals.models import Decision, Draft, Gate, GateStatus
from orchestrator.models import Run
from tests import engine, people
from tests.functional.conftest import Site, serious_problems, until

ASKING = """
  - {key: assess, type: automated, agent: test-echo, gate: {when: "true", queue: oncall, title: Look}}
  - {key: report, type: automated, agent: test-echo}
"""


@pytest.fixture
def ana(transactional_db: None) -> User:
    return people.person("ana", decides=people.queue())


@pytest.fixture
def sam(transactional_db: None) -> User:
    return people.person("sam", decides=people.queue())


def decision(gate: Gate) -> Decision:
    until(lambda: Decision.objects.filter(gate=gate).exists(), what="a decision is stored")
    return Decision.objects.get(gate=gate)


def address(gate: Gate) -> str:
    return f"/inbox/{gate.pk}/"


def live(page: Page) -> None:
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")


def test_card_opens_with_what_one_must_know(site: Site, ana: User, page: Page) -> None:
    evidence = ({"claim": "Beacon every 60 s", "source": "firewall", "quote": "", "status": "unsupported"},)
    options = ({"option": "Watch for 30 min", "cost": "none"},)
    gate = people.gate(risk="high", evidence=evidence, alternatives=options)

    site.enter(page, ana, address(gate))

    facts = page.locator(".card-facts")
    expect(facts).to_contain_text("assessor v1 for run")
    expect(facts).to_contain_text("The host loses its network.")
    expect(facts).to_contain_text("Isolate fin-db-02")
    expect(facts.locator(".rule")).to_have_text('risk == "critical"')
    expect(facts).to_contain_text("It is never approved by silence.")
    expect(facts.locator(".factor")).to_have_text(["1 claim without a source", "the agent is not sure"])
    expect(facts.locator(".confidence")).to_have_text("61 % unsure")
    expect(page.locator(".untrusted").first).to_contain_text("Written by agent assessor, version 1")
    expect(page.locator(".evidence")).to_contain_text("no source found")
    expect(page.locator(".alternatives")).to_contain_text("Watch for 30 min")


def test_approve_stores_the_verdict_and_opens_the_next_card(site: Site, ana: User, page: Page) -> None:
    first = people.gate(title="Isolate one", risk="high")
    people.gate(title="Isolate two")
    site.enter(page, ana, "/inbox/")
    expect(page.locator("#card-title")).to_have_text("Isolate one")

    page.locator("#note").fill("agreed with the owner")
    page.get_by_role("button", name="Approve").click()

    expect(page.locator("#card-title")).to_have_text("Isolate two")
    expect(page.locator("#ack")).to_contain_text("Approved")
    expect(page.locator("#inbox-list")).not_to_contain_text("Isolate one")
    stored = decision(first)
    assert (stored.verdict, stored.note, stored.decided_by) == ("approve", "agreed with the owner", ana)


def test_last_card_decided_leaves_an_empty_desk(site: Site, ana: User, page: Page) -> None:
    gate = people.gate()
    site.enter(page, ana, address(gate))

    page.get_by_role("button", name="Approve").click()

    expect(page.get_by_role("heading", name="Nothing waits for you")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/inbox/$"))
    assert serious_problems(page) == []


def test_run_goes_on_after_the_verdict_and_the_page_says_when(site: Site, ana: User, page: Page) -> None:
    engine.publish(ASKING, rest="dependencies: {report: [assess]}")
    with engine.shift():
        run = engine.start(what="find")
        engine.eventually(lambda: Gate.objects.filter(run=run, status=GateStatus.OPEN).exists())
        site.enter(page, ana, address(Gate.objects.get(run=run)))

        page.get_by_role("button", name="Approve").click()

        expect(page.locator("#ack")).to_contain_text(re.compile(r"(resumed at|succeeded at) \d\d:\d\d:\d\d"))
        engine.eventually(lambda: engine.finished(run))
    assert engine.statuses(run) == {"assess": "succeeded", "report": "succeeded"}


def test_run_that_does_not_go_on_is_said_in_red(site: Site, ana: User, page: Page) -> None:
    gate = people.gate(step=1, risk="low", kind="manual", form=people.FORM, allowed=("complete",), proposal={})
    site.enter(page, ana, address(gate))
    page.get_by_label("Finding").fill("nothing unusual")
    page.get_by_role("button", name="Done").click()
    expect(page.locator("#ack")).to_be_visible()

    Gate.objects.filter(pk=gate.pk).update(settled_at=gate.opened_at.replace(year=gate.opened_at.year - 1))

    expect(page.locator("#ack")).to_contain_text("the run has not gone on")
    expect(page.locator("#ack")).to_have_class(re.compile("is-failed"))


def test_edit_shows_the_changes_before_it_sends_them(site: Site, ana: User, page: Page) -> None:
    gate = people.gate()
    site.enter(page, ana, address(gate))

    page.get_by_role("button", name="Edit", exact=True).click()
    page.get_by_label("Amount").fill("20.25")
    page.get_by_role("button", name="Look at the changes").click()

    review = page.locator("#review")
    expect(review.locator("del").first).to_have_text("12")
    expect(review.locator("ins").first).to_have_text("20")
    assert not Decision.objects.exists()
    assert serious_problems(page) == []
    review.get_by_role("button", name="Approve with these changes").click()
    expect(page.locator("#ack")).to_contain_text("Approved with changes")
    stored = decision(gate)
    assert stored.verdict == "edit"
    assert stored.after == {"summary": "Isolate host fin-db-02", "amount": 20.25}


def test_edit_of_critical_risk_asks_for_its_reason_before_it_is_sent(site: Site, ana: User, page: Page) -> None:
    gate = people.gate(risk="critical")
    site.enter(page, ana, address(gate))
    page.keyboard.press("e")
    page.get_by_label("Amount").fill("20.25")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#review")).to_be_visible()

    page.keyboard.press("Control+Enter")

    expect(page.locator("#note")).to_be_focused()
    expect(page.locator("#verdict-status")).to_contain_text("Say why")
    expect(page.locator("#review")).to_be_visible()
    page.keyboard.type("the limit is 20.25")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#ack")).to_contain_text("Approved with changes")
    assert decision(gate).note == "the limit is 20.25"


def test_reason_keeps_the_focus_of_whoever_sends_as_soon_as_the_changes_are_shown(
    site: Site, ana: User, page: Page
) -> None:
    gate = people.gate(risk="critical")
    site.enter(page, ana, address(gate))
    page.evaluate("""() => new MutationObserver((_, observer) => {
        if (!document.getElementById("review")) return;
        observer.disconnect();
        const how = { key: "Enter", ctrlKey: true, bubbles: true, cancelable: true };
        document.body.dispatchEvent(new KeyboardEvent("keydown", how));
    }).observe(document.body, { childList: true, subtree: true })""")
    page.keyboard.press("e")
    page.get_by_label("Amount").fill("20.25")
    page.keyboard.press("Control+Enter")

    expect(page.locator("#verdict-status")).to_contain_text("Say why")
    expect(page.locator("#note")).to_be_focused()


def test_edit_that_breaks_the_contract_is_refused_with_what_was_typed(site: Site, ana: User, page: Page) -> None:
    gate = people.gate()
    site.enter(page, ana, address(gate))

    page.get_by_role("button", name="Edit", exact=True).click()
    page.get_by_label("Amount").fill("5000")
    page.get_by_role("button", name="Look at the changes").click()
    page.get_by_role("button", name="Approve with these changes").click()

    expect(page.locator("#problem")).to_contain_text("amount")
    expect(page.get_by_label("Amount")).to_have_value("5000")
    assert not Decision.objects.exists()


def test_request_changes_asks_for_a_note_first(site: Site, ana: User, page: Page) -> None:
    gate = people.gate()
    site.enter(page, ana, address(gate))

    page.get_by_role("button", name="Request changes").click()
    expect(page.locator("#verdict-status")).to_contain_text("Say why in the note first")
    expect(page.locator("#note")).to_be_focused()
    page.keyboard.type("name the owner of the host")
    page.keyboard.press("Control+Enter")

    expect(page.locator("#ack")).to_contain_text("Sent back")
    stored = decision(gate)
    assert (stored.verdict, stored.note) == ("request_changes", "name the owner of the host")


def test_reject_names_its_consequence_and_can_be_left(site: Site, ana: User, page: Page) -> None:
    gate = people.gate()
    site.enter(page, ana, address(gate))
    page.locator("#note").fill("wrong host")

    page.get_by_role("button", name="Reject").click()
    sure = page.get_by_role("dialog", name="Are you sure?")
    expect(sure).to_contain_text("its step fails")
    sure.get_by_role("button", name="Go back").click()
    assert not Decision.objects.exists()
    page.get_by_role("button", name="Reject").click()
    sure.get_by_role("button", name="Reject").click()

    expect(page.locator("#ack")).to_contain_text("Rejected")
    assert decision(gate).verdict == "reject"


def test_terminate_ends_the_run(site: Site, ana: User, page: Page) -> None:
    gate = people.gate()
    site.enter(page, ana, address(gate))
    page.locator("#note").fill("the incident is closed")

    page.get_by_text("More", exact=True).last.click()
    page.get_by_role("button", name="End the run").click()
    page.get_by_role("dialog", name="Are you sure?").get_by_role("button", name="End the run").click()

    expect(page.locator("#ack")).to_contain_text("cancelled at")
    assert Run.objects.get(pk=gate.run_id).status == "cancelled"


def test_manual_task_is_done_with_its_form(site: Site, ana: User, page: Page) -> None:
    gate = people.gate(kind="manual", form=people.FORM, allowed=("complete",), proposal={}, agent="", confidence=None)
    site.enter(page, ana, address(gate))

    page.get_by_role("button", name="Done").click()
    expect(page.locator("#problem")).to_contain_text("Correct what is marked")
    page.get_by_label("Finding").fill("the host is clean")
    page.get_by_label("Finding").press("Control+Enter")

    expect(page.locator("#ack")).to_contain_text("Done")
    assert decision(gate).after == {"finding": "the host is clean"}


def test_second_of_two_reviewers_learns_who_was_first_and_keeps_the_note(
    site: Site, ana: User, sam: User, page: Page, new_context: Any
) -> None:
    gate = people.gate(title="Isolate host")
    site.enter(page, ana, address(gate))
    live(page)
    page.locator("#note").fill("I would rather watch it")
    other = new_context().new_page()
    site.enter(other, sam, address(gate))

    other.get_by_role("button", name="Approve").click()

    expect(page.locator(".card-banner")).to_contain_text(re.compile(r"Approved by Sam at \d\d:\d\d:\d\d"))
    expect(page.get_by_role("button", name="Approve")).to_be_disabled()
    expect(page.locator("#note")).to_have_value("I would rather watch it")


def test_lost_race_keeps_the_typed_note(site: Site, ana: User, sam: User, page: Page) -> None:
    gate = people.gate(title="Isolate host")
    site.enter(page, ana, address(gate))
    page.locator("#note").fill("I would rather watch it")

    # The page's own news is cut off: only the server can tell.
    page.route("**/inbox/*/?part=top*", lambda route: route.abort())
    services.decide(gate_id=gate.pk, by=sam, verdict="approve", gate_version=1)
    page.get_by_role("button", name="Approve").click()

    expect(page.locator("#problem")).to_contain_text("came too late")
    expect(page.locator(".card-banner")).to_contain_text("Approved by Sam at")
    expect(page.get_by_role("textbox", name="Comment")).to_have_value("I would rather watch it")
    assert Decision.objects.get().decided_by == sam


def test_changed_gate_switches_the_verdict_off_until_looked_at(site: Site, ana: User, page: Page) -> None:
    second = people.queue("leads")
    people.access.grant(to=ana, permission="decide_gates", on=second, by=None)
    ana = User.objects.get(pk=ana.pk)
    gate = people.gate(escalate_to="leads")
    site.enter(page, ana, address(gate))
    live(page)
    page.locator("#note").fill("half a thought")

    people.deadline(gate)

    expect(page.locator(".card-banner")).to_contain_text("This changed while it was open.")
    expect(page.get_by_role("button", name="Approve")).to_be_disabled()
    until(lambda: Draft.objects.filter(gate=gate, text="half a thought").exists(), what="the draft is kept")
    page.get_by_role("link", name="Look at it again").click()
    expect(page.get_by_role("button", name="Approve")).to_be_enabled()
    expect(page.locator("#note")).to_have_value("half a thought")


def test_stale_version_is_refused_with_the_fresh_card_and_the_text(site: Site, ana: User, page: Page) -> None:
    gate = people.gate()
    site.enter(page, ana, address(gate))
    page.route("**/inbox/*/?part=top*", lambda route: route.abort())
    page.locator("#note").fill("agreed")
    Gate.objects.filter(pk=gate.pk).update(version=2)

    with page.expect_response(lambda response: response.url.endswith("/decide/")) as answer:
        page.get_by_role("button", name="Approve").click()

    assert answer.value.status == 409
    expect(page.locator("#problem")).to_contain_text("changed after you opened it")
    expect(page.locator("#note")).to_have_value("agreed")
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("#ack")).to_contain_text("Approved")


def test_offline_page_refuses_to_decide(site: Site, ana: User, page: Page) -> None:
    gate = people.gate()
    site.enter(page, ana, address(gate))
    live(page)

    page.context.set_offline(True)

    expect(page.get_by_role("button", name="Approve")).to_be_disabled()
    expect(page.locator("#verdict-status")).to_contain_text("The connection is lost")
    page.context.set_offline(False)
    expect(page.get_by_role("button", name="Approve")).to_be_enabled()


def test_draft_survives_leaving_the_page(site: Site, ana: User, page: Page) -> None:
    gate = people.gate()
    site.enter(page, ana, address(gate))

    page.locator("#note").fill("ask the owner first")

    expect(page.locator("#verdict-status")).to_contain_text("Draft kept at")
    page.reload()
    expect(page.locator("#note")).to_have_value("ask the owner first")


def test_decision_by_keyboard_alone(site: Site, ana: User, page: Page) -> None:
    people.gate(title="Isolate one", risk="high")
    second = people.gate(title="Isolate two")
    site.enter(page, ana, "/inbox/")
    live(page)

    page.keyboard.press("j")
    expect(page.locator("#card-title")).to_have_text("Isolate two")
    page.keyboard.press("o")
    expect(page.locator("#card-title")).to_be_focused()
    page.keyboard.press("a")
    expect(page.locator("#verdict-status")).to_contain_text("Ctrl+Enter sends: Approve")
    page.keyboard.type("a fine note; jerk")
    assert not Decision.objects.exists()
    page.keyboard.press("Control+Enter")

    expect(page.locator("#ack")).to_contain_text("Approved")
    assert decision(second).note == "a fine note; jerk"
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys on this page")).to_contain_text("Request changes")


def test_claim_by_key_is_seen_by_others(site: Site, ana: User, sam: User, page: Page, new_context: Any) -> None:
    gate = people.gate()
    other = new_context().new_page()
    site.enter(other, sam, address(gate))
    live(other)
    site.enter(page, ana, address(gate))

    page.keyboard.press("m")

    expect(page.locator("#card-top")).to_contain_text("You took this until")
    expect(other.locator("#card-top")).to_contain_text("Ana took this until")
    expect(page.locator("#card-looking")).to_contain_text("Sam is looking")


def test_comment_appears_for_others_at_once(site: Site, ana: User, sam: User, page: Page, new_context: Any) -> None:
    gate = people.gate()
    other = new_context().new_page()
    site.enter(other, sam, address(gate))
    live(other)
    site.enter(page, ana, address(gate))

    page.get_by_role("textbox", name="Comment").fill("who owns this host?")
    page.get_by_role("button", name="Comment").click()

    expect(other.locator("#card-comments")).to_contain_text("who owns this host?")
    expect(page.get_by_role("textbox", name="Comment")).to_have_value("")


def test_hostile_output_is_shown_and_does_nothing(site: Site, ana: User, page: Page) -> None:
    evil = "<img src=x onerror=alert(1)>\u202eevil"
    evidence = ({"claim": evil, "source": evil, "quote": "", "status": "verified"},)
    gate = people.gate(proposal={"summary": evil}, action={"isolate": evil}, evidence=evidence, consequence=evil)

    site.enter(page, ana, address(gate))

    expect(page.locator("#card .revealed").first).to_be_visible()
    assert page.locator("#card img").count() == 0


def test_own_request_is_shown_without_verdicts(site: Site, page: Page) -> None:
    maker = people.person("mia", decides=people.queue())
    gate = people.gate(started_by=maker)

    site.enter(page, maker, address(gate))

    expect(page.locator(".card-banner")).to_contain_text("You started this run: someone else decides.")
    expect(page.locator("#decision")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_card_has_no_serious_accessibility_problem(site: Site, ana: User, page: Page, scheme: Any) -> None:
    evidence = ({"claim": "Beacon every 60 s", "source": "firewall", "quote": "each minute", "status": "verified"},)
    gate = people.gate(risk="critical", evidence=evidence, alternatives=({"option": "Watch"},))
    services.comment(gate_id=gate.pk, by=ana, text="looking into it")
    page.emulate_media(color_scheme=scheme)

    site.enter(page, ana, address(gate))
    live(page)

    assert serious_problems(page) == []


def test_phone_shows_the_card_alone_with_the_verdict_in_reach(site: Site, ana: User, page: Page) -> None:
    gate = people.gate(title="Isolate host")
    page.set_viewport_size({"width": 390, "height": 844})
    site.enter(page, ana, "/inbox/")
    expect(page.locator("#card")).to_be_hidden()

    page.locator(".queue-row").click()

    expect(page).to_have_url(re.compile(f"/inbox/{gate.pk}/$"))
    expect(page.locator(".queue")).to_be_hidden()
    expect(page.get_by_role("button", name="Approve")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert serious_problems(page) == []
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("heading", name="Nothing waits for you")).to_be_visible()


def test_key_after_escape_still_says_what_it_will_send(site: Site, ana: User, page: Page) -> None:
    gate = people.gate()
    site.enter(page, ana, address(gate))
    page.keyboard.press("a")
    expect(page.locator("#verdict-status")).to_have_text("Ctrl+Enter sends: Approve")

    page.keyboard.press("Escape")
    expect(page.locator("#verdict-status")).to_have_text("")
    page.keyboard.press("r")
    page.keyboard.type("wrong host")

    expect(page.locator("#verdict-status")).to_have_text("Ctrl+Enter sends: Reject")


def test_menu_of_further_verdicts_closes_over_the_note_that_it_asks_for(site: Site, ana: User, page: Page) -> None:
    gate = people.gate()
    site.enter(page, ana, address(gate))

    page.get_by_text("More", exact=True).last.click()
    page.get_by_role("button", name="End the run").click()

    expect(page.locator("#note")).to_be_focused()
    expect(page.get_by_role("button", name="End the run")).to_be_hidden()


def test_ctrl_enter_in_a_comment_posts_it_and_never_a_verdict(site: Site, ana: User, page: Page) -> None:
    gate = people.gate(kind="manual", form=people.FORM, allowed=("complete",), proposal={}, agent="", confidence=None)
    site.enter(page, ana, address(gate))
    page.get_by_label("Finding").fill("the host is clean")

    page.get_by_role("textbox", name="Comment").fill("who owns it?")
    page.get_by_role("textbox", name="Comment").press("Control+Enter")

    expect(page.locator("#card-comments")).to_contain_text("who owns it?")
    expect(page.get_by_role("textbox", name="Comment")).to_have_value("")
    assert not Decision.objects.exists()


def test_refused_form_puts_the_cursor_where_something_is_wrong(site: Site, ana: User, page: Page) -> None:
    form = {
        "type": "object",
        "required": ["owner", "hosts"],
        "properties": {"hosts": {"type": "integer", "minimum": 0}, "owner": {"type": "string"}},
    }
    gate = people.gate(kind="manual", form=form, allowed=("complete",), proposal={}, agent="", confidence=None)
    site.enter(page, ana, address(gate))
    page.get_by_label("Owner").fill("Bo")
    page.get_by_label("Hosts").fill("-3")

    page.get_by_role("button", name="Done").click()

    expect(page.get_by_label("Hosts")).to_be_focused()
    expect(page.get_by_label("Hosts")).to_have_accessible_description(re.compile("minimum"))
    page.get_by_label("Hosts").fill("3")
    page.get_by_label("Hosts").press("Control+Enter")
    expect(page.locator("#ack")).to_contain_text("Done")
    assert decision(gate).after == {"owner": "Bo", "hosts": 3}


def test_verdict_is_acknowledged_before_the_server_has_answered(site: Site, ana: User, page: Page) -> None:
    gate = people.gate()
    site.enter(page, ana, address(gate))
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/decide/*", hold)

    page.get_by_role("button", name="Approve").click()

    expect(page.locator("#verdict-status")).to_have_text("Sending…")
    # The page is asked, because Playwright hands over held requests only while it is: until() alone would wait for a
    # request that is there, and the page, after 15 s, would say that nobody answers.
    until(lambda: page.evaluate("1") and held, what="the verdict was sent")
    # A region that refreshes meanwhile is another request that ends: it must not take the acknowledgement away.
    with page.expect_response(re.compile(r"/shell/\?part=nav")):
        page.evaluate("document.getElementById('shell-nav').dispatchEvent(new CustomEvent('refresh'))")
    until(lambda: page.evaluate("!document.querySelector('#shell-nav').matches('.htmx-request')"), what="it ended")
    expect(page.locator("#verdict-status")).to_have_text("Sending…")
    held[0].continue_()
    expect(page.locator("#ack")).to_contain_text("Approved")


def test_approving_with_changed_fields_is_asked_once_more(site: Site, ana: User, page: Page) -> None:
    gate = people.gate()
    site.enter(page, ana, address(gate))
    page.keyboard.press("e")
    page.get_by_label("Amount").fill("20.25")

    page.get_by_role("button", name="Approve").click()

    expect(page.locator("#problem")).to_contain_text("You changed fields below")
    expect(page.get_by_label("Amount")).to_have_value("20.25")
    assert not Decision.objects.exists()
    page.get_by_role("button", name="Look at the changes").click()
    page.get_by_role("button", name="Approve with these changes").click()
    expect(page.locator("#ack")).to_contain_text("Approved with changes")
    stored = decision(gate)
    assert stored.after == {"summary": "Isolate host fin-db-02", "amount": 20.25}
