"""The inbox and the card without a browser's script: who sees what, what a verdict answers, what is kept."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from approvals import lists, services
from approvals.models import Comment, Decision, Draft, Gate, GateStatus, Presence
from tests import people

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ana() -> User:
    return people.person("ana", decides=people.queue())


@pytest.fixture
def browser(ana: User) -> Client:
    return signed_in(ana)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def at(name: str, gate: Gate) -> str:
    return reverse(f"approvals:{name}", args=[gate.pk])


def verdict(client: Client, gate: Gate, name: str = "approve", **fields: str) -> tuple[int, str]:
    answer = client.post(at("decide", gate), {"verdict": name, "version": str(gate.version), "key": "k1", **fields})
    return answer.status_code, answer.content.decode() or answer.get("Location", "")


@pytest.mark.parametrize("name", ["gate", "aftermath"])
def test_gate_of_another_queue_does_not_exist_for_me(browser: Client, name: str) -> None:
    gate = people.gate(queue="board")

    assert browser.get(at(name, gate)).status_code == 404


@pytest.mark.parametrize("name", ["decide", "claim", "release", "comment", "draft", "presence"])
def test_acts_on_a_gate_of_another_queue_are_refused(browser: Client, name: str) -> None:
    gate = people.gate(queue="board")

    answer = browser.post(at(name, gate), {"verdict": "approve", "version": "1", "text": "hello"})

    assert answer.status_code in {404, 302}
    assert not Decision.objects.exists()
    assert not Comment.objects.exists()
    assert not Presence.objects.exists()
    assert not Draft.objects.exists()


def test_inbox_without_any_right_is_refused() -> None:
    assert signed_in(people.person("eve")).get(reverse("approvals:inbox")).status_code == 403


def test_verdict_without_script_leads_to_the_next_card_and_says_what_happened(browser: Client) -> None:
    gate = people.gate(title="First", risk="high")
    other = people.gate(title="Second")

    status, location = verdict(browser, gate)

    assert (status, location) == (302, f"/inbox/{other.pk}/?after={gate.pk}")
    assert "Approved" in re.sub("<[^>]*>", "", browser.get(location).content.decode())


def test_same_key_again_is_the_same_decision(browser: Client) -> None:
    gate = people.gate()

    first, second = verdict(browser, gate), verdict(browser, gate)

    assert first[0] == second[0] == 302
    assert Decision.objects.count() == 1


def test_stale_version_answers_409_with_the_fresh_version_and_the_note(browser: Client) -> None:
    gate = people.gate()
    Gate.objects.filter(pk=gate.pk).update(version=2)

    status, page = verdict(browser, gate, note="a careful thought")

    assert status == 409
    assert "a careful thought" in page
    assert 'name="version" value="2"' in page
    assert Draft.objects.get().text == "a careful thought"
    assert Gate.objects.get().status == GateStatus.OPEN


def test_settled_gate_answers_409_and_names_who_was_first(browser: Client) -> None:
    gate = people.gate()
    sam = people.person("sam", decides=people.queue())
    services.decide(gate_id=gate.pk, by=sam, verdict="approve", gate_version=1)

    status, page = verdict(browser, gate, name="reject", note="not this host")

    assert status == 409
    assert "Approved by Sam" in page
    assert "not this host" in page
    assert 'id="decision"' not in page


def test_missing_note_answers_422(browser: Client) -> None:
    status, page = verdict(browser, people.gate(), name="reject")

    assert status == 422
    assert "Say why in the note" in page


def test_verdict_that_is_not_offered_is_refused(browser: Client) -> None:
    status, _page = verdict(browser, people.gate(allowed=("approve",)), name="terminate", note="end it")

    assert status == 422
    assert not Decision.objects.exists()


def test_edit_is_shown_before_it_is_stored_and_counts_only_as_shown(browser: Client) -> None:
    gate = people.gate()
    edit = {"answer.summary": "Watch the host", "answer.amount": "12.5"}

    status, page = verdict(browser, gate, name="edit", **edit)
    reviewed = re.search(r'name="reviewed" value="(\w+)"', page)
    assert status == 200
    assert reviewed
    assert "<ins>" in page
    assert not Decision.objects.exists()
    other, _page = verdict(browser, gate, name="edit", **{**edit, "answer.summary": "Else", "reviewed": reviewed[1]})
    assert other == 200
    assert not Decision.objects.exists()
    sent, _page = verdict(browser, gate, name="edit", **edit, reviewed=reviewed[1])

    assert sent == 302
    assert Decision.objects.get().after == {"summary": "Watch the host", "amount": 12.5}


def test_edit_without_a_change_is_refused(browser: Client) -> None:
    same = {"answer.summary": people.PROPOSAL["summary"], "answer.amount": "12.5"}

    status, page = verdict(browser, people.gate(), name="edit", **{name: str(text) for name, text in same.items()})

    assert status == 422
    assert "Nothing is changed yet" in page


def test_card_never_lets_an_agents_text_become_mark_up(browser: Client) -> None:
    evil = "<script>alert(1)</script>\u202e"
    gate = people.gate(
        title=evil, proposal={"summary": evil}, action={evil: evil}, consequence=evil, rule=evil, input={evil: evil},
        evidence=({"claim": evil, "source": evil, "quote": evil, "status": evil},), alternatives=({evil: evil},),
    )  # fmt: skip

    page = browser.get(at("gate", gate)).content.decode()

    shown = re.sub(r"<input[^>]*>", "", page)  # what is edited has to stay as it is; the field says what it hides
    assert "<script>alert" not in page
    assert "\u202e" not in shown
    assert "It holds 1 character that you cannot see" in page


def test_draft_is_kept_for_its_author_alone(browser: Client, ana: User) -> None:
    gate = people.gate()
    sam = people.person("sam", decides=people.queue())

    sent = browser.post(at("draft", gate), {"note": "half a thought", "open": "1", "answer.summary": "Watch"})

    assert sent.status_code == 204
    assert "half a thought" in browser.get(at("gate", gate)).content.decode()
    assert "half a thought" not in signed_in(sam).get(at("gate", gate)).content.decode()


def test_claim_and_comment_without_script_lead_back_to_the_card(browser: Client) -> None:
    gate = people.gate()

    claimed = browser.post(at("claim", gate))
    said = browser.post(at("comment", gate), {"text": "who owns it?"})

    assert claimed["Location"] == said["Location"] == at("gate", gate)
    page = browser.get(at("gate", gate)).content.decode()
    assert "You took this until" in page
    assert "who owns it?" in page


def test_standing_tells_only_of_gates_that_i_may_see(browser: Client) -> None:
    mine, theirs = people.gate(), people.gate(queue="board")
    sam = people.person("sam", decides=people.queue())
    services.decide(gate_id=mine.pk, by=sam, verdict="approve", gate_version=1)
    Gate.objects.filter(pk=theirs.pk).update(status="withdrawn", settled_at=theirs.opened_at)

    answer = browser.get(reverse("approvals:standing"), {"ids": f"{mine.pk},{theirs.pk},x,{10**30}"})

    assert answer.json() == {"settled": {str(mine.pk): "Approved by Sam"}, "looking": {}}


def test_presence_names_the_others(browser: Client, ana: User) -> None:
    gate = people.gate()
    services.touch_presence(gate_id=gate.pk, by=people.person("sam", decides=people.queue()))

    assert browser.post(at("presence", gate)).json() == {"looking": ["Sam"]}


def test_history_shows_my_own_verdicts_only(browser: Client, ana: User) -> None:
    first, second = people.gate(title="By me"), people.gate(title="By Sam")
    services.decide(gate_id=first.pk, by=ana, verdict="approve", gate_version=1)
    sam = people.person("sam", decides=people.queue())
    services.decide(gate_id=second.pk, by=sam, verdict="approve", gate_version=1)

    page = browser.get(reverse("approvals:history")).content.decode()

    assert "By me" in page
    assert "By Sam" not in page


def test_verdict_that_would_drop_changed_fields_is_asked_again_and_then_given(browser: Client) -> None:
    gate = people.gate()
    edited = {"answer.summary": "Watch the host", "answer.amount": "12.5"}

    status, page = verdict(browser, gate, **edited)
    assert status == 422
    assert "You changed fields below" in page
    assert 'value="Watch the host"' in page
    assert not Decision.objects.exists()
    again, _page = verdict(browser, gate, **edited, without_changes="1")

    assert again == 302
    assert Decision.objects.get().verdict == "approve"


def test_verdict_with_untouched_fields_is_given_at_once(browser: Client) -> None:
    same = {"answer.summary": str(people.PROPOSAL["summary"]), "answer.amount": "12.5"}

    status, _page = verdict(browser, people.gate(), **same)

    assert status == 302


def test_needed_choice_of_manual_work_is_nobodys_until_somebody_chooses(browser: Client) -> None:
    kinds = {"kind": {"type": "string", "enum": ["host", "user"]}}
    form = {"type": "object", "properties": kinds, "required": ["kind"]}
    gate = people.gate(kind="manual", form=form, allowed=("complete",), proposal={}, agent="", confidence=None)

    page = browser.get(f"/inbox/{gate.pk}/").content.decode()
    status, _page = verdict(browser, gate, name="complete", **{"answer.kind": ""})

    options = re.findall(r'<option value="([^"]*)"([^>]*)>', page[page.index('name="answer.kind"') :])[:3]
    assert [(value, "selected" in more) for value, more in options] == [("", False), ("host", False), ("user", False)]
    assert status == 422
    assert Gate.objects.get(pk=gate.pk).status == "open"


def test_answer_that_breaks_the_contract_is_marked_at_its_field(browser: Client) -> None:
    gate = people.gate(kind="manual", form=people.FORM, allowed=("complete",), proposal={}, agent="", confidence=None)

    status, page = verdict(browser, gate, name="complete", **{"answer.finding": "x"})

    assert status == 422
    assert re.search(r'name="answer.finding"[^>]*aria-invalid="true"', page)


def test_card_and_row_name_the_run_where_the_title_does_not(browser: Client) -> None:
    gate = people.gate(title="Fill in the facts", kind="manual", form=people.FORM, allowed=("complete",), proposal={})
    type(gate.run).objects.filter(pk=gate.run_id).update(title="Leak at Example Bank")

    page = browser.get(at("gate", gate)).content.decode()

    assert '<p class="card-of mute">Leak at Example Bank</p>' in page
    assert "Leak at Example Bank · Oncall" in page


def test_deadline_on_another_day_says_the_day(browser: Client) -> None:
    gate = people.gate(deadline_s=7 * 86400.0)
    due = timezone.localtime(gate.deadline_at)

    page = browser.get(at("gate", gate)).content.decode()

    assert f">{date_format(due, 'j M, H:i')}</time>" in page


def test_person_who_only_looks_sees_everything_and_is_not_told_that_nothing_waits() -> None:
    people.gate(title="Isolate host")
    looker = signed_in(people.person("quinn", sees=people.queue()))

    page = looker.get(reverse("approvals:inbox")).content.decode()

    assert "Isolate host" in page
    assert "For you" not in page
    assert "An administrator can grant it." in page


def test_list_that_is_cut_says_so(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "LIST_LENGTH", 2)
    for title in ("One", "Two", "Three"):
        people.gate(title=title)

    assert "These are the 2 most urgent" in browser.get(reverse("approvals:inbox")).content.decode()


def test_claim_of_ones_own_is_said_as_such_in_the_list(browser: Client, ana: User) -> None:
    services.claim_gate(gate_id=people.gate().pk, by=ana)

    assert "You took it" in browser.get(reverse("approvals:inbox")).content.decode()


def test_output_is_said_in_words_and_not_as_it_is_stored(browser: Client) -> None:
    gate = people.gate(proposal={"summary": "Watch", "is_final": True, "remark": ""})

    page = browser.get(at("gate", gate)).content.decode()

    assert '<p class="output-name" title="is_final">Is final</p>' in page
    said = re.findall(r'<p class="output-value">([^<]*)</p>', page)
    assert set(said[:3]) == {"Watch", "yes", "–"}
