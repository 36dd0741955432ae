"""What helps a reviewer through many cards: look-alikes, cards put aside, saved views, a stretch of time, own keys."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from approvals import batches, desk, key_map, queries, saved_views, services, snoozing
from approvals.errors import BatchRefused, EscalationRefused, KeysRefused, NoteMissing, SnoozeRefused, ViewRefused
from approvals.models import Comment, Decision, Gate, Presence, SavedView, Snooze
from orchestrator.definitions.plan import GateTerms
from orchestrator.models import Event
from tests import people

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana() -> User:
    return people.person("ana", decides=people.queue())


def refund(amount: float, **facts: object) -> Gate:
    proposal = {"summary": "Pay it back", "amount": amount}
    return people.gate(title=f"Refund {amount}", action={"operation": "refund"}, proposal=proposal, **facts)


def titles(user: User, **wanted: object) -> list[str]:
    return [row.gate.title for row in desk.inbox(user, desk.Wanted(**wanted)).rows]


def test_look_alikes_are_decided_each_by_itself_and_the_odd_one_stays(ana):
    gates = [refund(amount) for amount in (10, 12, 11, 12.5, 900)]
    refund(10, risk="high")
    other = people.gate(title="Isolate", action={"operation": "isolate"})

    found = batches.alike(gates[0], ana)

    assert [row.gate.title for row in found.odd] == ["Refund 900"]
    assert "Amount is 900" in found.odd[0].odd[0]
    assert len(found.alike) == 4
    for seen in ({gates[4].pk: 1}, {other.pk: 1}, {}):
        with pytest.raises(BatchRefused):
            batches.decide(first=gates[0], by=ana, sent=batches.Sent(seen, "approve"))
    assert not Decision.objects.exists()
    stale = {gates[0].pk: 1, gates[1].pk: 1, gates[2].pk: 9}
    result = batches.decide(first=gates[0], by=ana, sent=batches.Sent(stale, "approve", "usual", "k"))
    assert [gate.pk for gate in result.decided] == [gates[0].pk, gates[1].pk]
    assert [gate.pk for gate, _why in result.refused] == [gates[2].pk]
    assert {(one.seal, one.note) for one in Decision.objects.all()} == {
        (gates[0].seal, "usual"),
        (gates[1].seal, "usual"),
    }


@pytest.mark.parametrize("facts", [{"risk": "high"}, {"terms": GateTerms(approvals=2)}, {"kind": "exception"}])
def test_what_is_grave_is_never_decided_together(ana, facts):
    gates = [refund(10, **facts) for _ in range(3)]

    with pytest.raises(BatchRefused):
        batches.alike(gates[0], ana)


def test_card_put_aside_leaves_ones_own_list_and_comes_back_in_time(ana):
    sam = people.person("sam", decides=people.queue())
    gate = people.gate(deadline_s=3600.0, terms=GateTerms(remind_s=(1200.0,)))
    row = snoozing.snooze(gate_id=gate.pk, by=ana, until=timezone.now() + timedelta(days=3), on_news=True)

    assert row.until == gate.deadline_at - timedelta(seconds=1200)
    assert (titles(ana), titles(ana, aside=True), titles(sam)) == ([], [gate.title], [gate.title])
    assert (queries.counts(ana).waiting, desk.inbox(ana, desk.Wanted()).aside) == (0, 1)
    services.comment(gate_id=gate.pk, by=sam, text="news")
    assert titles(ana) == [gate.title]
    snoozing.snooze(gate_id=gate.pk, by=ana, until=timezone.now() + timedelta(minutes=5))
    services.comment(gate_id=gate.pk, by=sam, text="more")
    assert titles(ana) == []  # until its time, whatever happens
    Snooze.objects.update(until=Now())
    assert titles(ana) == [gate.title]
    Gate.objects.update(deadline_at=Now() + timedelta(minutes=10))
    with pytest.raises(SnoozeRefused):
        snoozing.snooze(gate_id=gate.pk, by=ana, until=timezone.now() + timedelta(minutes=5))


def test_escalation_by_hand_passes_it_on_with_its_reason(ana):
    lead = people.queue("lead")
    queue = people.queue("oncall")
    queue.escalates_to = lead
    queue.save()
    gate = people.gate()
    with pytest.raises(NoteMissing):
        services.escalate(gate_id=gate.pk, by=ana, gate_version=1, why=" ")

    moved = services.escalate(gate_id=gate.pk, by=ana, gate_version=1, why="beyond me")

    assert (moved.queue, moved.version, moved.status) == (lead, 2, "open")
    assert Comment.objects.get().text == "beyond me"
    event = Event.objects.get(kind="gate.escalated")
    assert (event.actor, event.data["reason"]) == ("user:ana", "beyond me")
    boss = people.person("boss", decides=lead)
    with pytest.raises(EscalationRefused):
        services.escalate(gate_id=gate.pk, by=boss, gate_version=2, why="further")


def test_views_are_shared_by_name_and_hold_nothing_but_a_filter(ana):
    sam = people.person("sam", decides=people.queue())
    kept = saved_views.keep(by=ana, name=" Grave  ones ", query="?risk=high&order=oldest&next=//evil", shared=True)
    saved_views.keep(by=ana, name="Mine", query="?q=fin", shared=False)

    assert (kept.name, kept.query) == ("Grave ones", "risk=high&order=oldest")
    assert [view.row.name for view in saved_views.of(sam, "?risk=high&order=oldest")] == ["Grave ones"]
    assert not saved_views.remove(by=sam, pk=kept.pk)
    with pytest.raises(ViewRefused):
        saved_views.keep(by=ana, name=" ", query="", shared=False)
    people.gate(title="Grave", risk="high")
    people.gate(title="Plain")
    assert titles(ana, risk="high") == ["Grave"]
    assert titles(ana, order="newest") == ["Plain", "Grave"]
    assert SavedView.objects.count() == 2


def test_search_finds_what_stands_in_the_middle_of_a_word(ana):
    people.gate(title="One", proposal={"summary": "host fin-db-02xyz9"})
    people.gate(title="Two")

    assert titles(ana, search="02xyz") == ["One"]
    assert titles(ana, search="b-02xyz9 host") == ["One"]
    assert titles(ana, search="02xyz nothing") == []


def test_sitting_takes_what_fits_by_how_long_such_cards_took(ana):
    sam = people.person("sam", decides=people.queue())
    for _ in range(3):
        done = people.gate()
        Presence.objects.create(gate=done, user=sam, first_at=Now() - timedelta(minutes=6))
        services.decide(gate_id=done.pk, by=sam, verdict="approve", gate_version=1)
    people.gate(title="Long", risk="high")  # six minutes, as measured for its step
    people.gate(title="Also long")
    people.gate(title="Short", step=2, kind="manual", risk="low", form=people.FORM, allowed=("complete",))

    found = desk.inbox(ana, desk.Wanted(till=int(timezone.now().timestamp()) + 8 * 60))

    assert [row.gate.title for row in found.rows] == ["Long", "Short"]
    assert (found.sitting.cards, found.sitting.minutes) == (2, 7)


def test_keys_are_kept_where_each_does_one_thing(ana):
    for wrong in ({"a": "?"}, {"a": "ab"}, {"a": "r"}):
        with pytest.raises(KeysRefused):
            key_map.keep(by=ana, given=wrong)

    key_map.keep(by=ana, given={"a": "y", "r": "", "zz": "q"})

    assert key_map.of(ana) == {"a": "y"}


def test_pages_of_the_desk_answer_and_say_what_is_wrong(ana):
    browser = Client()
    browser.force_login(ana, backend="django.contrib.auth.backends.ModelBackend")
    gates = [refund(amount) for amount in (10, 12, 11)]
    lone = people.gate(title="Lone", risk="high")

    page = browser.get(f"/inbox/{gates[0].pk}/alike/")
    sent = browser.post(
        f"/inbox/{gates[0].pk}/alike/", {"gate": [f"{one.pk}:1" for one in gates], "verdict": "approve"}
    )

    assert (page.status_code, '<th scope="col">Title</th>' in page.text) == (200, True)
    assert (sent.status_code, Decision.objects.count()) == (302, 3)
    assert "one by one" in browser.get(f"/inbox/{lone.pk}/alike/").text
    assert browser.get("/inbox/keys/").status_code == 200
    assert browser.post("/inbox/keys/", {"key.a": "y"}).status_code == 302
    assert "data-keys" in browser.get("/inbox/").text
    assert browser.get("/inbox/sit/?minutes=12").url.startswith("/inbox/?till=")
    assert browser.post("/inbox/views/", {"name": "Mine", "query": "?q=x"}).url == "/inbox/?q=x"
    assert browser.post(f"/inbox/{lone.pk}/snooze/", {"for": "15m"}).status_code == 302


def test_search_within_words_asks_for_what_its_index_holds(ana):
    people.gate(proposal={"summary": "host Fin-DB-02xyz9"})
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_indexdef('gate_search_within'::regclass)")
        held = cursor.fetchone()[0]

    with CaptureQueriesContext(connection) as asked:
        found = titles(ana, search="db-02XYZ")

    assert "upper((subject)::text)" in held
    assert any(
        'upper(("approvals_gate"."subject")::text)::text LIKE' in query["sql"] for query in asked.captured_queries
    )
    assert found == ["Isolate host"]
