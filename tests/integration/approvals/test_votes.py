"""Gates that need several people: who counts, what votes add up to, and what makes them start anew."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models.functions import Now

from approvals import desk, queries, services, voting
from approvals.errors import CardNotOpen, GateAlreadySettled, SeparationOfDuties, VotedAlready
from approvals.models import Decision, Gate, Presence, Profile, Vote
from orchestrator.definitions.plan import GateTerms
from orchestrator.errors import IdempotencyConflict
from orchestrator.models import Event, Task
from tests import people

pytestmark = pytest.mark.django_db

TWO = GateTerms(approvals=2)
EDITED = {"summary": "Isolate the host after backup", "amount": 10}


def gate(terms: GateTerms = TWO, **facts: Any) -> Gate:
    return people.gate(terms=terms, **facts)


def voters(*names: str) -> list[User]:
    return [people.person(name, decides=people.queue()) for name in names]


def say(found: Gate, by: User, verdict: str = "approve", **facts: Any) -> Decision | Vote:
    found.refresh_from_db()
    return services.decide(gate_id=found.pk, by=by, verdict=verdict, gate_version=found.version, **facts)


def task_of(found: Gate) -> Task:
    return Task.objects.get(pk=found.task_id)


def test_first_of_two_approvals_is_a_vote_and_the_second_the_one_decision():
    ana, sam = voters("ana", "sam")
    found = gate()

    first = say(found, ana)
    waiting = task_of(found).status
    second = say(found, sam)

    assert isinstance(first, Vote)
    assert waiting == "waiting"
    assert isinstance(second, Decision)
    assert (second.verdict, second.decided_by) == ("approve", sam)
    assert task_of(found).output == people.PROPOSAL
    assert Event.objects.filter(kind="gate.voted", task_id=found.task_id).count() == 2
    assert Event.objects.filter(kind="gate.decided", task_id=found.task_id).count() == 1


def test_one_person_voting_twice_is_refused_and_counts_once():
    (ana,) = voters("ana")
    found = gate()
    say(found, ana)

    with pytest.raises(VotedAlready):
        say(found, ana)

    assert voting.standing(found).missing == 1


def test_one_person_with_two_accounts_counts_once():
    ana, other = voters("ana", "ana-admin")
    Profile.objects.create(user=other, same_as=ana)
    found = gate()
    say(found, ana)

    with pytest.raises(VotedAlready):
        say(found, other)


def test_requesters_other_account_is_refused():
    ana, other = voters("ana", "ana-admin")
    Profile.objects.create(user=other, same_as=ana)

    with pytest.raises(SeparationOfDuties):
        say(people.gate(started_by=ana), other)


def test_one_rejection_decides_unless_more_are_asked_for():
    ana, sam = voters("ana", "sam")

    decision = say(gate(), ana, "reject", note="No.")
    lenient = gate(GateTerms(approvals=2, rejections=2))
    kept = say(lenient, sam, "reject", note="No.")

    assert isinstance(decision, Decision)
    assert isinstance(kept, Vote)
    assert task_of(lenient).status == "waiting"


def test_disagreement_is_decided_by_a_third_person():
    ana, sam, lena = voters("ana", "sam", "lena")
    found = gate(GateTerms(approvals=2, rejections=2))

    assert isinstance(say(found, ana), Vote)
    assert isinstance(say(found, sam, "reject", note="No."), Vote)
    decision = say(found, lena)

    assert isinstance(decision, Decision)
    assert decision.verdict == "approve"


def test_of_those_against_it_the_mildest_verdict_is_carried_out():
    ana, sam = voters("ana", "sam")
    found = gate(GateTerms(approvals=2, rejections=2))
    say(found, ana, "request_changes", note="Cite the log.")

    decision = say(found, sam, "terminate", note="Stop.")

    assert decision.verdict == "request_changes"
    assert task_of(found).status == "ready"


def test_change_makes_votes_start_anew_and_leaves_its_author_out():
    ana, sam, lena, tom = voters("ana", "sam", "lena", "tom")
    found = gate()
    say(found, ana)
    say(found, sam, "edit", edited=EDITED)

    found.refresh_from_db()
    assert (found.version, found.subject["proposal"], voting.standing(found).missing) == (2, EDITED, 2)
    with pytest.raises(SeparationOfDuties, match="You changed what is under review"):
        say(found, sam)
    say(found, lena)
    decision = say(found, tom)

    assert (decision.verdict, decision.before, decision.after) == ("edit", people.PROPOSAL, EDITED)
    assert task_of(found).output == EDITED


def test_voter_before_a_change_may_vote_again_on_what_it_became():
    ana, sam, lena = voters("ana", "sam", "lena")
    found = gate()
    say(found, ana)
    say(found, sam, "edit", edited=EDITED)

    assert isinstance(say(found, ana), Vote)
    assert isinstance(say(found, lena), Decision)


def test_same_key_answers_with_the_same_vote_and_other_words_are_refused():
    (ana,) = voters("ana")
    found = gate()
    first = say(found, ana, idempotency_key="k")

    assert say(found, ana, idempotency_key="k").pk == first.pk
    with pytest.raises(IdempotencyConflict):
        say(found, ana, note="other", idempotency_key="k")


def test_what_one_has_voted_on_leaves_ones_inbox_until_it_changes():
    ana, sam = voters("ana", "sam")
    found = gate()
    say(found, ana)
    waits = [row.gate.pk for row in queries.inbox(ana)], queries.counts(ana).waiting
    say(found, sam, "edit", edited=EDITED)

    assert waits == ([], 0)
    assert [row.gate.pk for row in queries.inbox(ana)] == [found.pk]


def test_votes_survive_an_escalation():
    ana, sam = voters("ana", "sam")
    further = people.queue("lead")
    first = people.queue("first", escalates_to=further)
    for queue in (first, further):
        for by in (ana, sam):
            people.access.grant(to=by, permission="decide_gates", on=queue, by=None)
    ana, sam = (User.objects.get(pk=by.pk) for by in (ana, sam))
    found = gate(queue="first")
    say(found, ana)
    people.deadline(found)

    assert isinstance(say(found, sam), Decision)


def test_late_vote_is_told_who_decided():
    ana, sam, lena = voters("ana", "sam", "lena")
    found = gate()
    say(found, ana)
    say(found, sam)

    with pytest.raises(GateAlreadySettled, match="Sam"):
        say(found, lena)


class TestBlind:
    terms = GateTerms(approvals=2, blind=True)

    def test_second_approver_sees_neither_the_first_nor_the_machine(self):
        ana, sam = voters("ana", "sam")
        found = gate(self.terms, evidence=({"claim": "c", "source": "s", "status": "verified"},), confidence=0.31)
        say(found, ana, note="Looks right to me.")
        services.comment(gate_id=found.pk, by=ana, text="I said yes.")
        found.refresh_from_db()

        seen, own = queries.card(found, sam), queries.card(found, ana)

        assert seen.hidden
        assert not own.hidden
        assert (seen.matched, seen.assessment, seen.comments) == ((), None, ())
        assert "status" not in seen.evidence[0]
        assert len(own.comments) == 1

    def test_output_is_shown_without_what_the_machine_found_of_its_claims(self):
        (ana,) = voters("ana")
        claims = ({"claim": "beacon", "source": "log", "status": "fabricated"},)
        found = gate(self.terms, evidence=claims, proposal={"summary": "x", "evidence": [*claims]})

        opened = desk.desk(queries.get_visible_gate_or_404(ana, found.pk), ana)

        assert [piece.name for piece in opened.output] == ["summary"]
        assert not opened.has_more

    def test_rejection_of_the_first_tells_nothing_before_the_second_has_spoken(self):
        ana, sam = voters("ana", "sam")
        found = gate(self.terms)

        assert isinstance(say(found, ana, "reject", note="No."), Vote)
        event = Event.objects.get(kind="gate.voted", task_id=found.task_id)
        assert "verdict" not in event.data
        decision = say(found, sam)

        assert (decision.verdict, decision.note) == ("reject", "No.")
        assert task_of(found).status == "failed"


class TestTwoKeys:
    terms = GateTerms(approvals=2, two_keys=True)

    def here(self, found: Gate, *users: User) -> None:
        for user in users:
            services.touch_presence(gate_id=found.pk, by=user)

    def test_both_within_the_minute_with_the_card_open_decide(self):
        ana, sam = voters("ana", "sam")
        found = gate(self.terms)
        self.here(found, ana, sam)

        assert isinstance(say(found, ana), Vote)
        assert isinstance(say(found, sam), Decision)

    def test_key_without_the_card_open_is_refused(self):
        (ana,) = voters("ana")
        with pytest.raises(CardNotOpen, match="You have"):
            say(gate(self.terms), ana)

    def test_second_key_is_refused_when_the_first_one_has_left(self):
        ana, sam = voters("ana", "sam")
        found = gate(self.terms)
        self.here(found, ana, sam)
        say(found, ana)
        Presence.objects.filter(user=ana).update(seen_at=found.opened_at - timedelta(minutes=1))

        with pytest.raises(CardNotOpen, match="The other one"):
            say(found, sam)

    def test_key_that_was_turned_alone_lapses_and_may_be_turned_again(self):
        ana, sam = voters("ana", "sam")
        found = gate(self.terms)
        self.here(found, ana, sam)
        with connection.cursor() as cursor:  # as if it had been turned a minute ago
            say(found, ana)
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("ALTER TABLE approvals_vote DISABLE TRIGGER refuse_change")
            Vote.objects.update(lapses_at=Now())
            cursor.execute("ALTER TABLE approvals_vote ENABLE TRIGGER refuse_change")

        assert isinstance(say(found, sam), Vote)
        assert isinstance(say(found, ana), Decision)

    def test_one_against_it_decides_alone_and_from_anywhere(self):
        (ana,) = voters("ana")
        assert isinstance(say(gate(self.terms), ana, "reject", note="No."), Decision)


def test_database_refuses_a_second_vote_of_one_person():
    (ana,) = voters("ana")
    found = gate()
    vote = say(found, ana)

    with pytest.raises(IntegrityError, match="one_vote_per_person"), transaction.atomic():
        Vote.objects.create(
            gate=found, voter=ana, person=ana.pk, verdict="approve", via="api", seal=vote.seal, gate_version=1
        )


def test_database_refuses_a_decision_with_too_few_votes():
    (ana,) = voters("ana")
    found = gate()

    with pytest.raises(DatabaseError, match="needs more people"), transaction.atomic():
        Decision.objects.create(
            gate=found, verdict="approve", decided_by=ana, via="api", gate_version=1, seal=found.seal
        )


def test_database_refuses_to_change_a_vote():
    (ana,) = voters("ana")
    vote = say(gate(), ana)

    with pytest.raises(DatabaseError, match="are only ever added"), transaction.atomic():
        Vote.objects.filter(pk=vote.pk).update(verdict="reject")
