"""What speaks for an attack is found with its place, and weighed; each rule names a technique that ATT&CK has."""

from typing import Any

import pytest

from agents.library import attack, triage
from agents.library import triage_agents as agents

CONTEXT: Any = None
MAIL = "Your mailbox is full. Verify your account within 24 hours: hxxps://mail.examp1e.test. Click the link."


def test_every_rule_names_a_technique_of_attack() -> None:
    known = attack.index().by_id

    assert [rule.technique for rules in triage.RULES.values() for rule in rules if rule.technique not in known] == []


def test_signals_are_quoted_with_their_place() -> None:
    found = agents.assess(agents.TriageInput(kind="phishing", text=MAIL), CONTEXT)

    assert found.disposition == "attack"
    assert {"asks for credentials", "writes a digit for a letter"} <= {one.signal for one in found.signals}
    assert all(MAIL[one.start : one.end] == one.quote for one in found.signals)
    assert all(one.status == "verified" for one in found.evidence)
    assert found.techniques[0].score == max(one.weight for one in found.signals)


@pytest.mark.parametrize("kind", ["phishing", "malware", "insider"])
def test_harmless_text_is_benign(kind: triage.Kind) -> None:
    found = agents.assess(agents.TriageInput(kind=kind, text="Shall we have lunch on Thursday?"), CONTEXT)

    assert (found.disposition, found.score, found.signals) == ("benign", 0.0, [])


def test_independent_signals_add_up_and_none_makes_certain() -> None:
    one = triage.signals("malware", "Malware was found.")
    two = triage.signals("malware", "Malware was found. Data was stolen.")

    assert triage.score(one) == 0.55
    assert triage.score(two) == pytest.approx(1 - 0.45 * 0.65, abs=0.001)
    assert triage.disposition(triage.score(two)) == "suspicious"
