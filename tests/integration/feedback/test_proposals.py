"""Changes of gates that the figures speak for: made once, answered by whoever may, carried out, undone and measured."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from agents.registry import sync
from approvals import access, services
from approvals.errors import NotPermitted, ProposalNeedsAnother, ProposalOutdated, ProposalSettled, ReasonNeeded
from approvals.feedback import measuring, proposals, proposing
from approvals.feedback.models import Lesson, Proposal
from approvals.models import Gate
from orchestrator import acts, publishing
from orchestrator import services as engine_services
from orchestrator.acts import Target
from orchestrator.models import Workflow
from orchestrator.past import plan_of
from tests import engine, people
from tests.integration.feedback.conftest import EDITED, learn

pytestmark = pytest.mark.django_db

MANAGER = "Workflow Orchestration Manager"
REAL = (proposing.AUTO_LEAST, proposing.AUTO_SHARE)
SOURCE = """# The refunds of the shop.
metadata: {name: refunds, title: Refunds}
steps:
  - key: check
    type: automated
    agent: test-echo
    gate: {when: "RULE", queue: oncall, risk: RISK, title: Refund?}   # people look
"""


def workflow(*, rule: str = "confidence < 0.8", risk: str = "medium") -> Workflow:
    assert engine.OPEN  # the agents of tests/engine.py are registered
    sync()
    people.queue()
    source = SOURCE.replace("RULE", rule).replace("RISK", risk)
    return engine_services.publish(source=source, file="refunds.yaml", by=None).workflow


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bounds, small enough to reach; what they really are is asserted below."""
    monkeypatch.setattr(proposing, "AUTO_LEAST", 10)
    monkeypatch.setattr(proposing, "THRESHOLD_LEAST", 6)
    monkeypatch.setattr(proposing, "ROUTING_LEAST", 5)
    monkeypatch.setattr(proposing, "SAMPLED_LEAST", 6)


def decide(ana: User, made: Workflow, verdict: str = "approve", count: int = 1, **facts: Any) -> None:
    usual = {"rule": "confidence < 0.8", "confidence": 0.7, **facts}
    for _ in range(count):
        gate = people.gate(of=people.run(of=made), **usual)
        said = {"edited": EDITED} if verdict == "edit" else {}
        services.decide(gate_id=gate.pk, by=ana, verdict=verdict, gate_version=1, note="why", **said)


def look(made: Workflow) -> list[Proposal]:
    learn()
    made = Workflow.objects.get(pk=made.pk)
    proposals.look_at(made)
    proposals.look_at(made)  # a second beat makes no second one
    return list(Proposal.objects.order_by("pk"))


def test_auto_approve_is_proposed_once_and_answered_by_whoever_may_publish(ana):
    made = workflow()
    decide(ana, made, count=10)
    found = look(made)
    assert REAL == (200, 0.98)
    assert [(one.kind, one.change) for one in found] == [("auto_approve", {"when": "false", "sample": 0.1})]
    proposal = found[0]
    assert (proposal.data["n"], proposal.data["approved"], proposal.four_eyes) == (10, 10, False)
    assert proposal.data["backtest"]["slipped"] == 0

    with pytest.raises(NotPermitted):
        proposals.accept(proposal.pk, by=people.person("lena", "Quality Assurance Lead"), reason="yes")
    with pytest.raises(ReasonNeeded):
        proposals.accept(proposal.pk, by=people.person("max", MANAGER), reason=" ")
    made.refresh_from_db()
    assert made.current_version is not None
    assert made.current_version.number == 1


def test_accepted_proposal_is_published_measured_and_can_be_undone(ana):
    made, manager = workflow(), people.person("max", MANAGER)
    decide(ana, made, count=10)
    proposal = look(made)[0]

    accepted, done = proposals.accept(proposal.pk, by=manager, reason="They are all fine.")

    made.refresh_from_db()
    current = made.current_version
    assert current is not None
    assert (accepted.status, accepted.version, current.number) == ("accepted", 2, 2)
    gate = plan_of(current.pk).steps[0].gate
    assert gate is not None
    assert (gate.when, gate.sample) == ("false", 0.1)
    assert "# people look" in current.source

    told = measuring.measured(accepted, manager)
    assert told is not None
    assert told.otherwise is not None
    assert (told.before.asked, told.before.judged, told.before.stood) == (10, 10, 10)
    assert (told.after.asked, told.is_early) == (0, True)

    assert done is not None
    assert done.undo is not None
    target = Target("workflow", made)
    acts.perform(acts.find("workflow", done.undo.name), target, by=manager, reason="no", answers=done.undo.answers)
    made.refresh_from_db()
    assert made.current_version is not None
    assert made.current_version.number == 1


@pytest.mark.parametrize(
    ("wrong", "facts", "definition"),
    [
        (1, {}, {}),  # 10 of 11 is no more than 98 %
        (0, {"risk": "high"}, {}),
        (0, {}, {"risk": "high"}),
        (0, {}, {"risk": "critical"}),
    ],
)
def test_auto_approve_is_never_proposed_for_high_risk_or_too_many_changes(ana, wrong, facts, definition):
    made = workflow(**definition)
    decide(ana, made, count=10, **facts)
    decide(ana, made, "edit", count=wrong, **facts)

    assert not [one for one in look(made) if one.kind == "auto_approve"]


def test_auto_approve_of_a_risk_that_is_worked_out_still_asks_where_it_is_high(ana):
    made = workflow(risk="\"${output.amount > 50.0 ? 'high' : 'low'}\"")
    decide(ana, made, count=10, risk="low")

    proposal = look(made)[0]

    assert proposal.change["when"] == "!((output.amount > 50.0 ? 'high' : 'low') in [\"low\", \"medium\"])"
    assert proposal.data["backtest"]["unknown"] == 0
    assert proposal.four_eyes is True


def test_threshold_is_lowered_to_where_the_outputs_stood(ana):
    made = workflow()
    decide(ana, made, count=8, confidence=0.7)
    decide(ana, made, "reject", count=4, confidence=0.4)

    proposal = look(made)[0]

    assert (proposal.kind, proposal.change) == ("threshold", {"when": "confidence < 0.45"})
    assert (proposal.data["n"], proposal.data["backtest"]["slipped"]) == (8, 0)


def test_routing_goes_to_where_the_work_ends_up(ana):
    made, lead = workflow(), people.queue("lead")
    access.grant(to=ana, permission="decide_gates", on=lead, by=None)
    decide(ana, made, "reject", count=5)
    Gate.objects.update(queue=lead, trail=[people.queue().pk])

    proposal = look(made)[0]

    assert (proposal.kind, proposal.change, proposal.data["moved"]) == ("routing", {"queue": "lead"}, 5)


def test_gate_is_tightened_where_the_sample_was_wrong(ana):
    made = workflow()
    rule = "sample of 10.000%, where this does not hold: confidence < 0.8"
    decide(ana, made, "reject", count=4, rule=rule, confidence=0.9)
    decide(ana, made, count=2, rule=rule, confidence=0.9)

    proposal = look(made)[0]

    assert (proposal.kind, proposal.change) == ("gate", {"when": "true", "sample": 0})


def test_four_eyes_need_two_people_and_what_has_moved_is_outdated(ana):
    made, lead = workflow(risk="high"), people.queue("lead")
    access.grant(to=ana, permission="decide_gates", on=lead, by=None)
    decide(ana, made, "reject", count=5, risk="high")
    Gate.objects.update(queue=lead, trail=[people.queue().pk])
    proposal = look(made)[0]
    assert proposal.four_eyes is True
    first, second = people.person("max", MANAGER), people.person("mia", MANAGER)

    assert proposals.accept(proposal.pk, by=first, reason="yes")[1] is None
    made.refresh_from_db()
    assert made.current_version is not None
    assert made.current_version.number == 1
    with pytest.raises(ProposalNeedsAnother):
        proposals.accept(proposal.pk, by=first, reason="yes again")
    source = made.current_version.source.replace("queue: oncall", "queue: lead")
    publishing.publish(source=source, file="refunds.yaml", by=None)
    with pytest.raises(ProposalOutdated):
        proposals.accept(proposal.pk, by=second, reason="yes")
    proposal.refresh_from_db()
    assert proposal.status == "outdated"


def test_what_was_declined_is_not_proposed_again_at_once(ana):
    made = workflow()
    decide(ana, made, count=10)
    proposal = look(made)[0]
    with pytest.raises(ReasonNeeded):
        proposals.decline(proposal.pk, by=people.person("mia", MANAGER), reason="")
    declined = proposals.decline(proposal.pk, by=people.person("max", MANAGER), reason="Not yet.")
    assert (declined.status, declined.reason) == ("declined", "Not yet.")
    with pytest.raises(ProposalSettled):
        proposals.accept(proposal.pk, by=people.person("moe", MANAGER), reason="still")

    assert len(look(made)) == 1
    Proposal.objects.update(decided_at=timezone.now() - timedelta(days=31))
    assert len(look(made)) == 2
    assert Lesson.objects.count() == 10
