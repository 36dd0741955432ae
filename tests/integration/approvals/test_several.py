"""Several people at gates of every kind: what adds up, and how many a queue asks for at least."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, transaction

from approvals import deadlines, queries, services, voting
from approvals.accounts import queues
from approvals.accounts.risk import Why
from approvals.errors import InvalidAnswer, SecondPersonNeeded, SeparationOfDuties
from approvals.models import Decision, Gate, Queue, Vote
from orchestrator.definitions.plan import GateTerms
from orchestrator.models import Event, Task
from tests import people

pytestmark = pytest.mark.django_db

TWO = GateTerms(approvals=2)
WAIT = {"option": "wait", "cost": 1, "output": {"summary": "Wait for the backup", "amount": 1}}
ASK = {"option": "ask the owner", "cost": 0}


def voters(*names: str) -> list[User]:
    return [people.person(name, decides=people.queue()) for name in names]


def say(found: Gate, by: User, verdict: str = "approve", **facts: Any) -> Decision | Vote:
    found.refresh_from_db()
    return services.decide(gate_id=found.pk, by=by, verdict=verdict, gate_version=found.version, **facts)


def choose(found: Gate, by: User, at: int) -> Decision | Vote:
    return say(found, by, "choose", edited={"alternative": at})


def weighed(terms: GateTerms = TWO) -> Gate:
    return people.gate(terms=terms, alternatives=(WAIT, ASK))


def asks_two(risk: str = "high") -> Queue:
    queue = people.queue()
    queues.set_quorum(queue=queue, quorum={risk: 2}, by=None)
    return queue


def test_two_who_choose_the_same_alternative_decide_and_the_run_goes_on_with_it():
    ana, sam = voters("ana", "sam")
    found = weighed()

    assert isinstance(choose(found, ana, 0), Vote)
    decision = choose(found, sam, 0)

    assert isinstance(decision, Decision)
    assert (decision.verdict, decision.after) == ("choose", {"alternative": 0, "option": WAIT})
    assert Task.objects.get(pk=found.task_id).output == WAIT["output"]


def test_votes_for_different_ways_do_not_add_up_and_a_third_person_decides():
    ana, sam, lena = voters("ana", "sam", "lena")
    found = weighed()

    assert isinstance(say(found, ana), Vote)
    assert isinstance(choose(found, sam, 0), Vote)
    assert voting.standing(found).missing == 1
    decision = choose(found, lena, 0)

    assert isinstance(decision, Decision)
    assert decision.after["option"] == WAIT


def test_alternative_of_words_alone_goes_back_to_the_agent_when_two_choose_it():
    ana, sam = voters("ana", "sam")
    found = weighed()
    choose(found, ana, 1)

    decision = choose(found, sam, 1)

    found.refresh_from_db()
    assert (decision.verdict, found.status) == ("choose", "returned")
    assert "ask the owner" in Task.objects.get(pk=found.task_id).note


def test_alternatives_are_offered_where_several_decide_and_their_choosers_are_told_apart():
    ana, sam = voters("ana", "sam")
    found = weighed(GateTerms(approvals=2, blind=True))
    choose(found, ana, 0)

    seen = queries.card(queries.get_visible_gate_or_404(sam, found.pk), sam)

    assert [choice.verdict for choice in seen.choices] == list(people.ALL)
    assert seen.hidden
    with pytest.raises(InvalidAnswer):
        choose(found, sam, 7)


def test_database_refuses_a_choice_that_too_few_have_made():
    ana, sam = voters("ana", "sam")
    found = weighed()
    say(found, ana)
    choose(found, sam, 0)

    for verdict, after in (("choose", {"alternative": 0, "option": WAIT}), ("approve", None)):
        with pytest.raises(DatabaseError, match="needs more people"), transaction.atomic():
            Decision.objects.create(
                gate=found, verdict=verdict, decided_by=ana, via="api", gate_version=1, seal=found.seal, after=after
            )


@pytest.mark.parametrize("kind", ["exception", "quarantine", "tool", "approval"])
def test_queue_asks_for_two_people_whatever_kind_of_gate_comes_there(kind):
    asks_two()
    ana, sam = voters("ana", "sam")
    first = "approve" if kind in ("tool", "approval") else "retry"
    found = people.gate(kind=kind, risk="high", allowed=(first, "skip", "reject"), action={"seal": "s"})

    kept = say(found, ana, first)
    decision = say(found, sam, first)

    assert found.approvals == 2
    assert isinstance(kept, Vote)
    assert (decision.verdict, decision.decided_by) == (first, sam)


def test_retry_and_skip_are_two_ways_and_do_not_add_up():
    asks_two()
    ana, sam, lena = voters("ana", "sam", "lena")
    found = people.gate(kind="exception", risk="high", allowed=("retry", "skip", "reject"))
    say(found, ana, "retry")

    assert isinstance(say(found, sam, "skip"), Vote)
    decision = say(found, lena, "skip")

    assert decision.verdict == "skip"


def test_other_risks_work_by_one_person_and_more_that_a_definition_asks_stay_as_they_are():
    asks_two()

    assert people.gate(risk="medium").approvals == 1
    assert people.gate(risk="high", terms=GateTerms(approvals=3)).approvals == 3
    assert people.gate(risk="high", kind="manual", allowed=("complete",)).approvals == 1


def test_edit_of_a_failed_steps_output_needs_the_very_same_edit_twice():
    asks_two()
    ana, sam, lena = voters("ana", "sam", "lena")
    found = people.gate(kind="exception", risk="high", allowed=("retry", "edit", "skip"))
    mine, other = {"summary": "done by hand"}, {"summary": "done otherwise"}
    say(found, ana, "edit", edited=mine)

    assert isinstance(say(found, sam, "edit", edited=other), Vote)
    decision = say(found, lena, "edit", edited=mine)

    assert (decision.verdict, decision.after) == ("edit", mine)


def test_lowering_a_quorum_takes_two_people_and_raising_it_one():
    queue = asks_two()
    adam, eve = people.person("adam", "Administrator"), people.person("eve", "Administrator")

    queues.set_quorum(queue=queue, quorum={"high": 3}, by=adam)
    with pytest.raises(SecondPersonNeeded):
        queues.set_quorum(queue=queue, quorum={"high": 1}, by=adam)
    queues.set_quorum(queue=queue, quorum={"high": 1}, by=adam, why=Why("fewer people", eve))

    assert Queue.objects.get(pk=queue.pk).quorum == {}
    assert Event.objects.filter(kind="queue.changed", data__what="quorum").count() == 3


def test_whoever_had_a_hand_in_it_counts_nowhere():
    asks_two()
    ana, sam = voters("ana", "sam")
    found = people.gate(kind="exception", risk="high", allowed=("retry", "reject"), started_by=ana)

    with pytest.raises(SeparationOfDuties):
        say(found, ana, "retry")
    assert isinstance(say(found, sam, "retry"), Vote)


@pytest.fixture
def passed_on() -> Gate:
    """A high risk for one person in its first queue, gone on to one that asks for two."""
    lead = people.queue("lead")
    queues.set_quorum(queue=lead, quorum={"high": 2}, by=None)
    people.queue("first", escalates_to=lead)
    found = people.gate(queue="first", risk="high")
    people.deadline(found)
    found.refresh_from_db()
    return found


def test_queue_that_a_gate_goes_on_to_asks_for_its_own_number_of_people(passed_on):
    lena, luis = (people.person(name, decides=people.queue("lead")) for name in ("lena", "luis"))

    assert (passed_on.queue.name, passed_on.approvals) == ("lead", 2)
    assert Event.objects.get(kind="gate.escalated").data["approvals"] == 2
    assert isinstance(say(passed_on, lena), Vote)
    assert Task.objects.get(pk=passed_on.task_id).status == "waiting"
    assert isinstance(say(passed_on, luis), Decision)
    assert voting.terms_of(passed_on).approvals == 2


def test_votes_that_were_given_before_it_went_on_still_count():
    lead = people.queue("lead")
    queues.set_quorum(queue=lead, quorum={"high": 3}, by=None)
    first = people.queue("first", escalates_to=lead)
    ana = people.person("ana", decides=first)
    found = people.gate(queue="first", risk="high", terms=TWO)
    assert isinstance(say(found, ana), Vote)
    people.deadline(found)
    found.refresh_from_db()

    standing = voting.standing(found)

    assert (standing.approving, standing.missing) == (1, 2)


def test_what_happens_if_nobody_acts_is_foretold_with_the_raised_number():
    lead = people.queue("lead")
    queues.set_quorum(queue=lead, quorum={"medium": 2}, by=None)
    people.queue("first")
    terms = GateTerms(escalation=("lead",))
    found = people.gate(queue="first", risk="medium", terms=terms, on_timeout="approve")

    fate = deadlines.stages(found, list(Queue.objects.all()))

    assert [one.outcome for one in fate] == ["escalate", "stays_open"]  # time approves nothing that needs two
