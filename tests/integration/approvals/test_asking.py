"""A question to the agent behind a gate: durable, answered once, and never a change of what is sealed."""

from datetime import timedelta

import orjson
import pytest
from django.db.models.functions import Now

from agents import answering, registry
from agents.registry import Registry
from agents.specs import build_spec
from agents.types import Json
from approvals import asking, cards, replying, services
from approvals.errors import NotPermitted, QuestionRefused
from approvals.models import Decision, Gate, Question
from orchestrator import services as engine
from orchestrator.definitions.plan import GateTerms
from orchestrator.models import Event
from tests import api, people, toolbox

pytestmark = pytest.mark.django_db(transaction=True)  # the agent's own threads read the database


def _assess(given: dict[str, Json], ctx) -> dict[str, Json]:
    if ctx.note == "fail":
        ctx.once_sync("mail", lambda: None)
    amount = 99 if ctx.note == "again?" else 12.5
    return {
        "summary": f"{given['host']}: {ctx.note}" if ctx.note == "why?" else people.PROPOSAL["summary"],
        "amount": amount,
    }


@pytest.fixture
def agent(monkeypatch):
    made = Registry()
    made.add(
        build_spec("assessor", _assess, takes={"type": "object"}, gives=people.CONTRACT, facts={"isolation": "thread"})
    )
    monkeypatch.setattr(registry, "default", made)
    monkeypatch.setattr(answering.call, "__kwdefaults__", {"registry": made})


@pytest.fixture
def ana():
    return people.person("ana", decides=people.queue())


def test_answer_arrives_with_what_it_would_put_out_now_and_the_seal_stays(agent, ana):
    gate = people.gate()
    asked = [asking.ask(gate_id=gate.pk, by=ana, text=text) for text in ("why?", "again?", "fail")]

    assert replying.answer_all() == 3
    assert replying.answer_all() == 0

    first, second, third = Question.objects.filter(pk__in=[one.pk for one in asked])
    assert (first.state, first.answer) == ("answered", "fin-db-02: why?")
    assert second.differs == {**people.PROPOSAL, "amount": 99}
    assert (third.state, "only asked" in third.answer) == ("failed", True)  # nothing was done in its name
    after = Gate.objects.get(pk=gate.pk)
    assert (after.seal, after.version, after.subject) == (gate.seal, gate.version, gate.subject)
    services.decide(gate_id=gate.pk, by=ana, verdict="approve", gate_version=1)
    assert Decision.objects.get().before == people.PROPOSAL
    assert Event.objects.filter(kind="gate.asked").count() == 3
    assert Event.objects.filter(kind="gate.answered", actor="engine").count() == 3


def test_who_may_not_decide_or_must_vote_first_may_not_ask_and_it_is_bounded(ana):
    looker = people.person("eva", sees=people.queue())
    gate = people.gate()
    with pytest.raises(NotPermitted):
        asking.ask(gate_id=gate.pk, by=looker, text="why?")
    blind = people.gate(terms=GateTerms(approvals=2, blind=True))
    with pytest.raises(QuestionRefused):
        asking.ask(gate_id=blind.pk, by=ana, text="why?")
    assert cards.card(blind, ana).questions == ()
    with pytest.raises(QuestionRefused):
        asking.ask(gate_id=gate.pk, by=ana, text="x" * 2001)
    for text in ("one", "two", "three"):
        asking.ask(gate_id=gate.pk, by=ana, text=text)
    with pytest.raises(QuestionRefused):
        asking.ask(gate_id=gate.pk, by=ana, text="four")


def test_a_lost_answerer_is_followed_by_another_and_a_late_answer_changes_nothing(agent, ana):
    gate = people.gate()
    asking.ask(gate_id=gate.pk, by=ana, text="why?")
    first = replying._take()
    assert first is not None
    assert not asking.is_due()
    Question.objects.update(taken_until=Now() - timedelta(seconds=1))

    assert replying.answer_all() == 1

    replying._note(first, answering.Reply(text="late"))
    assert Question.objects.get().answer == "fin-db-02: why?"


def test_stopped_agent_is_not_called(agent, ana):
    gate = people.gate()
    asking.ask(gate_id=gate.pk, by=ana, text="why?")
    engine.stop(scope="everything", ref=None, by=people.person("sue", is_superuser=True), reason="tests")

    replying.answer_all()

    assert Question.objects.get().state == "failed"


class TestRehearsal:
    """What would happen, by the dry run of the tool that the definition names: before anybody approves."""

    terms = GateTerms(rehearse="test.pay")

    def answered(self, **facts) -> Question:
        gate = people.gate(terms=self.terms, **facts)
        replying.answer_all()
        found = asking.rehearsal(gate)
        assert found is not None
        return found

    def test_dry_run_of_the_action_is_on_the_card_and_nothing_is_done(self, ana):
        before = list(toolbox.done)
        found = self.answered(action={"to": "Ada", "amount": 50})

        card = cards.card(found.gate, ana)

        assert (found.state, found.tool, orjson.loads(found.answer)) == ("answered", "test.pay", {"would_pay": 50})
        assert card.rehearsal == found
        reader = people.person("lou", "Auditor")
        told = api.as_user(reader).get(f"/gates/{found.gate_id}").json()["dry_run"]
        assert (told["tool"], told["state"], told["says"]) == ("test.pay", "answered", found.answer)
        assert card.questions == ()
        assert toolbox.done == before
        assert Gate.objects.get(pk=found.gate_id).seal == found.seal

    def test_action_that_the_tool_does_not_take_and_a_tool_without_one_say_so(self, ana):
        wrong = self.answered(action={"isolate": "fin-db-02"})
        self.terms = GateTerms(rehearse="test.nothing-like-it")
        unknown = self.answered(step=1)

        assert (wrong.state, "is not what tool test.pay takes" in wrong.answer) == ("failed", True)
        assert (unknown.state, "Nobody here knows tool" in unknown.answer) == ("failed", True)

    def test_gate_without_one_has_none(self, ana):
        gate = people.gate()

        assert cards.card(gate, ana).rehearsal is None
        assert not Question.objects.exists()
