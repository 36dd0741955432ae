"""The terms of a gate as a definition says them, and what publishing refuses."""

import pytest

from orchestrator.definitions.plan import GateTerms
from orchestrator.definitions.serialise import plan_from_json, plan_to_json

STEPS = """
steps:
  - {{key: draft, type: automated, agent: reader, inputs: {{text: hello}}}}
  - {{key: ask, type: approval, subject: draft, queue: default, {terms}}}
"""


@pytest.mark.parametrize(
    ("terms", "meaning"),
    [
        ("approvals: 2, rejections: 2", GateTerms(approvals=2, rejections=2)),
        ("blind: true", GateTerms(approvals=2, blind=True)),
        ("two_keys: true, risk: critical", GateTerms(approvals=2, two_keys=True)),
        ("purpose: compliance, checklist: [Read it]", GateTerms(purpose="compliance", checklist=("Read it",))),
        (
            "remind: [10m, 2h], business_hours: true, escalation: [lead, board], rounds: 2",
            GateTerms(remind_s=(7200.0, 600.0), business_hours=True, escalation=("lead", "board"), rounds=2),
        ),
        ("rehearse: bank.pay, action: {amount: 1}", GateTerms(rehearse="bank.pay")),
        ("purpose: strategic, skills: [law]", GateTerms(purpose="strategic", skills=("law",))),
    ],
)
def test_terms_are_compiled_and_survive_storage(compiled, terms, meaning):
    plan = compiled(STEPS.format(terms=terms))

    assert next(step for step in plan.steps if step.key == "ask").gate.terms == meaning
    assert plan_from_json(plan_to_json(plan)) == plan


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ("two_keys: true, approvals: 3", "two keys are turned by two people"),
        ("two_keys: true, blind: true", "who turns a key sees the other one"),
        ("blind: true, approvals: 1", "nobody can be blind"),
        ("rejections: 2", "one person decides here"),
        ("purpose: compliance", "has points to tick"),
        ("rounds: 2", "no chain to walk again"),
        ("escalation: [lead], escalate_to: lead", "says already who is asked"),
        ("on_timeout: approve, risk: high", "of high risk is not approved by time"),
        ("on_timeout: approve, approvals: 2", "is not approved by time"),
        ("remind: [soon]", "is not a list of durations"),
        ("rehearse: bank.pay", "needs the arguments of what will be done"),
        ("approvals: 10", "from 1 to 9"),
    ],
)
def test_terms_that_cannot_be_kept_are_refused(refusal, terms, said):
    assert said in refusal(STEPS.format(terms=terms))


def test_strategic_gate_always_asks(refusal):
    text = """
steps:
  - {key: draft, type: automated, agent: reader, inputs: {text: hello}}
  - {key: ask, type: approval, subject: draft, queue: default, gate: {when: "output.n > 1", purpose: strategic}}
"""
    assert "a strategic gate always asks" in refusal(text)
