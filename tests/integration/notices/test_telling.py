"""Who is told what: from the sealed log, once, and taken back when there is nothing left to do."""

from datetime import timedelta

import psycopg
import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from agents.prompts import services as prompts
from approvals import access, delegation, handing, services, stranded
from approvals.accounts import changes
from approvals.models import Channel, Delivery, Gate, Notice, NoticeCursor, Profile
from approvals.notices import queries, telling
from approvals.notices import services as notices
from orchestrator import db, events, ledger
from orchestrator.ports import GateTerms
from tests import people
from tests.hands import seal

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def begun() -> None:
    """Reading starts at the end of what is there."""
    telling.tell()


def tell() -> int:
    seal()
    return telling.tell()


def kinds(user: User) -> list[str]:
    return list(Notice.objects.filter(recipient=user, withdrawn_at=None).order_by("id").values_list("kind", flat=True))


def decide(gate: Gate, by: User, verdict: str = "approve") -> None:
    services.decide(gate_id=gate.pk, by=by, verdict=verdict, gate_version=gate.version, note="why")


def test_deciders_of_the_queue_are_told_and_nobody_else():
    ana = people.person("ana", decides=people.queue())
    looks = people.person("lou", sees=people.queue())
    coordinator = people.person("cleo", "Human Oversight Coordinator")
    gate = people.gate(title="Isolate host", risk="high")

    assert tell() == 2  # ana, and the queue's own channels

    told = Notice.objects.get(recipient=ana)
    assert (told.kind, told.risk, told.gate_id, told.path) == ("decide", "high", gate.pk, f"/inbox/{gate.pk}/")
    assert kinds(looks) == kinds(coordinator) == []


def test_queue_without_deciders_of_its_own_asks_those_who_may_decide_everywhere():
    cleo = people.person("cleo", "Human Oversight Coordinator")
    people.gate(queue=people.queue("nobodys").name)

    tell()

    assert kinds(cleo) == ["decide"]


def test_nobody_is_asked_about_their_own_request():
    ana = people.person("ana", "Workflow Orchestration Manager", decides=people.queue())
    people.gate(started_by=ana)

    tell()

    assert kinds(ana) == []


def test_inactive_people_are_not_told():
    people.person("ana", decides=people.queue(), is_active=False)
    people.gate()

    tell()

    assert not Notice.objects.filter(recipient__isnull=False).exists()


def test_each_event_tells_once_however_often_it_is_read():
    ana = people.person("ana", decides=people.queue())
    people.gate()
    tell()

    assert tell() == 0
    assert kinds(ana) == ["decide"]
    assert NoticeCursor.objects.get().pos == ledger.head()


def test_long_log_is_read_in_stretches(monkeypatch):
    monkeypatch.setattr(telling, "STRETCH", 3)
    ana = people.person("ana", decides=people.queue())
    for at in range(4):
        people.gate(title=f"Gate {at}")

    tell()

    assert len(kinds(ana)) == 4
    assert NoticeCursor.objects.get().pos == ledger.head()


def test_what_is_decided_is_withdrawn_from_everybody_and_told_to_who_asked():
    ana, bob = (people.person(name, decides=people.queue()) for name in ("ana", "bob"))
    starter = people.person("stan", "Workflow Orchestration Manager")
    gate = people.gate(started_by=starter)
    tell()
    assert (kinds(ana), kinds(bob), queries.unread(bob)) == (["decide"], ["decide"], 1)

    decide(gate, ana)
    tell()

    assert (kinds(ana), kinds(bob), queries.unread(bob)) == ([], [], 0)
    told = Notice.objects.get(recipient=starter)
    assert (told.kind, told.facts, told.path) == (
        "decided",
        {"verdict": "approve", "by": "ana"},
        f"/runs/{gate.run_id}/",
    )
    assert queries.newest(starter, limit=1)[0].sentence == "Approved by ana."


def test_gate_that_opened_and_was_settled_before_anybody_read_the_log_asks_nobody():
    ana = people.person("ana", decides=people.queue())
    decide(people.gate(), ana)

    tell()

    assert kinds(ana) == []


def test_gate_that_passes_on_tells_the_next_queue_and_frees_the_first():
    lead = people.queue("lead")
    ana = people.person("ana", decides=people.queue(escalates_to=lead))
    boss = people.person("boss", decides=lead)
    gate = people.gate()
    tell()

    people.deadline(gate)
    tell()

    assert (kinds(ana), kinds(boss)) == ([], ["passed_on"])
    assert "Nobody decided in time; it came to Lead" in queries.newest(boss, limit=1)[0].sentence


def test_end_of_the_chain_asks_the_same_people_again():
    ana = people.person("ana", decides=people.queue())
    gate = people.gate()
    tell()

    people.deadline(gate)
    tell()

    assert kinds(ana) == ["decide", "still_open"]


def test_comment_reaches_who_took_part_but_not_its_author():
    ana, bob, eve = (people.person(name, decides=people.queue()) for name in ("ana", "bob", "eve"))
    gate = people.gate()
    services.comment(gate_id=gate.pk, by=ana, text="Is that the right host?")
    tell()

    services.comment(gate_id=gate.pk, by=bob, text="It is.")
    tell()

    assert (kinds(ana), kinds(bob), kinds(eve)) == (["decide", "commented"], ["decide"], ["decide"])


def test_flood_is_one_line(monkeypatch):
    monkeypatch.setattr(telling, "MOST_AT_ONCE", 3)
    ana = people.person("ana", decides=people.queue())
    for at, risk in enumerate(("low", "critical", "low", "medium")):
        people.gate(title=f"Gate {at}", risk=risk)

    tell()

    (told,) = Notice.objects.filter(recipient=ana)
    assert (told.kind, told.risk, told.facts["count"], told.path) == ("many", "critical", 4, "/inbox/?queue=oncall")
    assert queries.newest(ana, limit=1)[0].title == "4 decisions wait in Oncall."


def test_second_reader_at_the_same_time_leaves_it_to_the_first():
    people.person("ana", decides=people.queue())
    people.gate()
    seal()
    with psycopg.connect(**db.connection_parameters()) as other, other.transaction():
        other.execute("SELECT * FROM approvals_noticecursor FOR UPDATE")
        assert telling.tell() == 0

    assert telling.tell() == 2


def test_channel_hears_from_its_least_risk_on():
    ana = people.person("ana", decides=people.queue())
    loud = Channel.objects.create(owner=ana, kind="service", name="all", least_risk="low")
    grave = Channel.objects.create(owner=ana, kind="service", name="grave", least_risk="high")
    team = Channel.objects.create(queue=people.queue(), kind="service", name="team")
    people.gate(risk="medium")

    tell()

    assert set(Delivery.objects.values_list("channel", flat=True)) == {loud.pk, team.pk}
    assert not Delivery.objects.filter(channel=grave).exists()


def test_what_has_not_left_when_it_is_decided_never_leaves():
    ana = people.person("ana", decides=people.queue())
    Channel.objects.create(owner=ana, kind="service", name="mail", pace="daily")
    gate = people.gate()
    tell()

    decide(gate, ana)
    tell()

    assert list(Delivery.objects.values_list("status", flat=True)) == ["withdrawn"]


def test_reading_the_card_reads_the_notice():
    ana, bob = (people.person(name, decides=people.queue()) for name in ("ana", "bob"))
    gate = people.gate()
    tell()

    assert notices.mark_gate_read(by=ana, gate_id=gate.pk) == 1

    assert (queries.unread(ana), queries.unread(bob)) == (0, 1)


def test_nobody_marks_what_others_were_told():
    ana, bob = (people.person(name, decides=people.queue()) for name in ("ana", "bob"))
    people.gate()
    tell()
    theirs = Notice.objects.get(recipient=bob)

    assert notices.mark_read(by=ana, ids=[theirs.pk]) == 0
    assert queries.unread(bob) == 1


def test_stop_of_everything_wakes_those_who_may_lift_it():
    cleo = people.person("cleo", "Human Oversight Coordinator")
    mia = people.person("mia", "Workflow Orchestration Manager")
    events.append("stop.set", actor="user:mia", data={"scope": "everything", "stop": 1, "reason": "Wrong hosts"})
    events.append("stop.set", actor="user:mia", data={"scope": "run", "ref": 5, "stop": 2, "reason": "one run"})

    tell()

    (told,) = Notice.objects.filter(recipient=cleo)
    assert (told.kind, told.risk, told.title) == ("stopped", "critical", "Wrong hosts")
    assert kinds(mia) == []


def test_who_is_away_is_not_told_but_who_stands_in_is():
    ana, bob = (people.person(name, decides=people.queue()) for name in ("ana", "bob"))
    now = timezone.now()
    delegation.make(delegator=ana, delegate=bob, starts=now, ends=now + timedelta(days=2), by=ana)
    people.gate()

    tell()

    assert (kinds(ana), kinds(bob)) == ([], ["decide"])


def test_who_is_handed_a_gate_is_told_by_whom_and_why():
    ana, bob = (people.person(name, decides=people.queue()) for name in ("ana", "bob"))
    gate = people.gate()
    tell()

    handing.hand(gate_id=gate.pk, by=ana, to=bob, reason="You know the host")
    tell()

    assert (kinds(ana), kinds(bob)) == (["decide"], ["decide", "handed"])
    assert queries.newest(bob, limit=1)[0].sentence == "ana put it before you. “You know the host”"


def test_who_gave_a_vote_is_asked_no_more_and_the_others_are():
    ana, bob, eve = (people.person(name, decides=people.queue()) for name in ("ana", "bob", "eve"))
    gate = people.gate(terms=GateTerms(approvals=2))
    tell()

    decide(gate, ana)
    tell()

    assert (kinds(ana), kinds(bob), kinds(eve)) == ([], ["decide"], ["decide"])


def test_reminder_and_void_votes_ask_again():
    ana = people.person("ana", decides=people.queue())
    gate = people.gate()
    tell()
    for kind in ("gate.reminded", "gate.amended"):
        events.append(kind, actor="engine", run_id=gate.run_id, task_id=gate.task_id, data={"gate": gate.pk})

    tell()

    assert kinds(ana) == ["decide", "reminded", "amended"]


def test_gate_without_people_is_put_before_administrators():
    boss = people.person("boss", "Administrator")
    people.gate()
    stranded.look()

    tell()

    (told,) = Notice.objects.filter(recipient=boss)
    assert told.kind == "stranded"
    assert queries.newest(boss, limit=1)[0].sentence.startswith("Nobody can decide it: 0 of 1")


def test_comment_is_not_told_to_who_may_no_longer_see_the_gate():
    ana, bob = (people.person(name, decides=people.queue()) for name in ("ana", "bob"))
    gate = people.gate()
    services.comment(gate_id=gate.pk, by=ana, text="Is that the right host?")
    access.revoke(of=ana, permission="decide_gates", on=people.queue(), by=None)
    tell()

    services.comment(gate_id=gate.pk, by=bob, text="It is.")
    tell()

    assert "commented" not in kinds(ana)


def test_who_changed_it_is_asked_no_more_and_the_others_are():
    ana, bob = (people.person(name, decides=people.queue()) for name in ("ana", "bob"))
    gate = people.gate(terms=GateTerms(approvals=2))
    tell()

    edited = {**people.PROPOSAL, "amount": 5}
    services.decide(gate_id=gate.pk, by=ana, verdict="edit", gate_version=gate.version, note="less", edited=edited)
    tell()

    assert (kinds(ana), kinds(bob)) == ([], ["decide", "amended"])


class TestSecondPeople:
    """What waits for a second person besides gates reaches those who could be that person."""

    def test_change_of_access_is_told_to_those_who_can_confirm_it_until_somebody_has(self):
        adam, eve = (people.person(name, "Administrator") for name in ("adam", "eve"))
        other = people.person("adam-two", "Administrator")
        Profile.objects.create(user=other, same_as=adam)
        change = changes.propose(
            act="give-role", answers={"person": "zoe", "role": "Administrator"}, lines=["Zoe becomes Administrator."],
            risk="grave", reason="holidays", by=adam,
        )  # fmt: skip
        tell()

        assert (kinds(eve), kinds(adam), kinds(other)) == (["access_waits"], [], [])
        told = queries.newest(eve, limit=1)[0]
        assert (told.title, told.action) == ("Zoe becomes Administrator.", "Look and confirm")
        assert told.sentence.startswith("adam asks for this change of access")
        assert told.notice.path == f"/access/changes/#change-{change.pk}"

        changes.settle(change, outcome="refused", by=eve, note="No.")
        tell()
        assert (kinds(eve), queries.unread(eve)) == ([], 0)

    def test_prompt_is_told_to_its_reviewers_but_to_nobody_who_wrote_in_it(self):
        dora, quinn = (
            people.person("dora", "Agent Development Specialist"),
            people.person("quinn", "Quality Assurance Lead"),
        )
        version = prompts.create(
            name="greeting", title="Greeting", by=dora, text=prompts.Text(template="Hello", docs_link="/docs")
        )
        prompts.submit(version.pk, by=dora)
        tell()

        assert (kinds(quinn), kinds(dora)) == (["prompt_waits"], [])
        told = queries.newest(quinn, limit=1)[0]
        assert told.sentence == "dora asks for a review of version 1 of the prompt greeting."
        assert told.notice.path == "/agents/prompts/greeting/"

        prompts.send_back(version.pk, seen=version.digest, note="Say who speaks.", by=quinn)
        tell()
        assert kinds(quinn) == []

    def test_what_was_answered_within_one_reading_leaves_nothing_open(self):
        adam, eve = (people.person(name, "Administrator") for name in ("adam", "eve"))
        change = changes.propose(act="give-role", answers={}, lines=["x"], risk="r", reason="y", by=adam)
        changes.settle(change, outcome="refused", by=adam, note="")
        tell()

        assert kinds(eve) == []
