"""Policies: read as a whole, decided by default as no, tested before they count, and judged twice."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents.errors import PolicyInvalid
from agents.policies import documents, rules
from agents.policies.fuzz import fuzz
from agents.policies.oracle import Oracle, Unjudged, holds
from agents.policies.rules import Question, Rules

TEXT = """
policy: support
approval: {high: leads}
entitlements:
  - {id: small, agent: refunder, tool: pay.refund, scopes: [money], when: "arguments.amount <= 100 && run.workflow == 'refunds'"}
  - {id: read, agent: refunder, tool: crm.read, scopes: [customers], expires: 2030-01-01}
  - {id: mail, agent: mailer, tool: mail.send, when: "arguments.to.endsWith('@example.org') || size(arguments.to) == 3", queue: leads}
tests:
  - {name: small, agent: refunder, tool: pay.refund, risk: high, scopes: [money], arguments: {amount: 5}, run: {workflow: refunds}, expect: ask}
  - {name: large, agent: refunder, tool: pay.refund, risk: high, scopes: [money], arguments: {amount: 500}, run: {workflow: refunds}, expect: deny}
  - {name: reads, agent: refunder, tool: crm.read, risk: low, scopes: [customers], at: 2029-12-31, expect: allow}
  - {name: too late, agent: refunder, tool: crm.read, risk: low, scopes: [customers], at: 2030-01-01, expect: deny}
  - {name: mails, agent: mailer, tool: mail.send, risk: low, arguments: {to: a@example.org}, expect: ask}
"""  # noqa: E501
RULES = Rules([documents.read(TEXT, number=3)])


def ask(**facts: Any) -> rules.Ruling:
    usual: dict[str, Any] = {
        "agent": "refunder", "tool": "pay.refund", "risk": "high", "scopes": ("money",),
        "arguments": {"amount": 5}, "run": {"workflow": "refunds"},
    }  # fmt: skip
    return RULES.judge(Question(**{**usual, **facts}))


def test_what_is_entitled_is_asked_about_or_allowed() -> None:
    assert ask() == rules.Ruling(True, "leads", "support v3", "small")
    assert ask(risk="low").queue == ""
    assert ask(tool="crm.read", risk="low", scopes=()).allowed


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"agent": "mailer"}, "no_entitlement"),
        ({"agent": "Refunder"}, "no_entitlement"),
        ({"agent": "refunder "}, "no_entitlement"),
        ({"agent": "r\u0435funder"}, "no_entitlement"),
        ({"tool": "pay.refund\u200b"}, "no_entitlement"),
        ({"scopes": ("money", "payroll")}, "scope"),
        ({"arguments": {"amount": 100.001}}, "condition"),
        ({"arguments": {"amount": "5"}}, "policy_error"),
        ({"arguments": {"amount": True}}, "policy_error"),
        ({"arguments": {}}, "policy_error"),
        ({"arguments": {"amount": None}}, "policy_error"),
        ({"run": {}}, "policy_error"),
        ({"run": {"workflow": "refunds "}}, "condition"),
    ],
)
def test_what_is_not_entitled_is_denied_with_a_remedy(facts: dict[str, Any], code: str) -> None:
    ruling = ask(**facts)

    assert (ruling.allowed, ruling.code) == (False, code)
    assert ruling.why
    assert ruling.remedy


def test_an_entitlement_ends_and_can_be_taken_away() -> None:
    end = datetime(2030, 1, 1, tzinfo=UTC)
    read = {"tool": "crm.read", "risk": "low", "scopes": ("customers",)}
    assert ask(**read, at=end - timedelta(seconds=1)).allowed
    assert ask(**read, at=end).code == "expired"
    taken = Rules([documents.read(TEXT)], [("support", "small")])
    assert taken.judge(Question("refunder", "pay.refund", "high", ("money",), {"amount": 5})).code == "revoked"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("when: \"arguments.amount <= 100", "when: \"password <= 100"), "not known"),
        (("when: \"arguments.amount <= 100", "when: \"arguments.amount <= <= 100"), "not CEL"),
        (("id: read", "id: small"), "twice"),
        (("expires: 2030-01-01", "expires: soon"), "not a moment"),
        (("approval: {high: leads}", "approval: {critical: none}"), "always approved by people"),
        (("approval: {high: leads}", "approval: {huge: leads}"), "huge"),
        (("policy: support", "policy: support\npolicy: other"), "twice"),
        (("policy: support", "policy: support\nsurprise: 1"), "surprise"),
        (("policy: support", "policy: &a support\ndescription: *a"), "alias"),
        (("agent: mailer", "agent: '*'"), "does not match"),
    ],
)  # fmt: skip
def test_a_flawed_policy_is_refused_in_words(change: tuple[str, str], words: str) -> None:
    with pytest.raises(PolicyInvalid) as refused:
        documents.read(TEXT.replace(*change, 1))
    assert words in str(refused.value)


def test_a_policy_whose_tests_fail_is_refused() -> None:
    flawed = documents.read(TEXT.replace("<= 100", "<= 1000"))
    with pytest.raises(PolicyInvalid, match="'large' expects deny, and the policy says ask"):
        rules.require_checks(flawed, {}, {})
    rules.require_checks(documents.read(TEXT), {}, {})


def test_fuzzing_finds_no_escalation_in_the_engine() -> None:
    report = fuzz(TEXT, documents.read(TEXT), count=4000, seed=7)

    assert report.escalations == []
    assert report.unjudged == []
    assert report.stricter == 0
    assert 100 < report.allowed < report.calls == 4000


def test_fuzzing_finds_an_escalation_that_is_there() -> None:
    lax = documents.read(TEXT.replace("<= 100", "<= 101"))

    assert fuzz(TEXT, lax, count=4000, seed=7).escalations


def test_fuzzing_knows_what_was_taken_away() -> None:
    report = fuzz(TEXT, documents.read(TEXT), count=1000, seed=7, revoked=frozenset({"small"}))
    assert report.escalations == []


def test_the_oracle_says_what_is_beyond_it() -> None:
    call = {"agent": "a", "tool": "t", "risk": "low", "scopes": [], "version": 1, "run": {}, "arguments": {"x": [1]}}
    with pytest.raises(Unjudged):
        holds("arguments.x.all(y, y > 0)", call)
    assert holds("!(arguments.x[0] == 2) && arguments.x[0] in [1, 2]", call)
    assert not holds("arguments.y == 1", call)
    assert holds("arguments.y == 1 || true", call)
    assert Oracle(TEXT).answer({**call, "agent": "refunder", "tool": "crm.read"}, datetime.now(UTC)) == "allow"


def test_a_condition_may_not_run_away() -> None:
    hostile = "arguments.l.map(a, arguments.l.map(b, arguments.l.map(c, a + b + c))).size() > 0"
    with pytest.raises(PolicyInvalid, match="macro inside a macro"):
        documents.read(TEXT.replace("arguments.amount <= 100", hostile, 1))


def test_rules_are_an_engine() -> None:
    assert asyncio.run(RULES.decide(Question("x", "y", "low"))).code == "no_entitlement"
