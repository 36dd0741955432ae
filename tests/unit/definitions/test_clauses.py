"""Which clauses of a rule hold, and how they are said."""

from typing import Any

import pytest

from approvals.wording import clause_words
from orchestrator.definitions.clauses import matched

CONTEXT: dict[str, Any] = {
    "steps": {"severity": {"level": "high", "critical": 0.5, "confidence": 0.31}},
    "output": {"containment": True, "plan": None, "text": "a || b"},
    "confidence": 0.31,
}


def words(rule: str) -> list[str]:
    return [clause_words(clause) or str(clause["clause"]) for clause in matched(rule, CONTEXT)]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("steps.severity.level == 'critical' || confidence < 0.42", ["confidence is 0.31, below 0.42"]),
        ("steps.severity.critical >= 0.35 || output.containment",
         ["critical is 0.5, at least 0.35", "containment is yes"]),
        ("steps.severity.level in ['critical', 'high'] || confidence > 0.9", ["level is high"]),
        ("confidence < 0.42 && output.containment", ["confidence is 0.31, below 0.42", "containment is yes"]),
        ("(confidence > 0.9 || output.containment) && confidence < 0.4",
         ["containment is yes", "confidence is 0.31, below 0.4"]),
        ("(confidence < 0.42 && output.containment) || false",
         ["confidence is 0.31, below 0.42", "containment is yes"]),
        # One half of an alternative holds, and the alternative does not: nothing of it is told.
        ("(output.containment && confidence > 0.9) || confidence < 0.42", ["confidence is 0.31, below 0.42"]),
        ("output.text == 'a || b' || confidence > 1.0", ["text is a || b"]),
        ("size(output.text) > 3 || confidence > 1.0", ["size(output.text) > 3"]),
        ("output.missing == 1 || confidence < 0.42", ["confidence is 0.31, below 0.42"]),
        ("confidence < 0.1 ? false : output.containment || true",
         ["confidence < 0.1 ? false : output.containment || true"]),
        ("confidence > 0.9", []),
        ("true", []),
    ],
)  # fmt: skip
def test_only_what_holds_is_told(rule: str, said: list[str]) -> None:
    assert words(rule) == said


def test_a_long_value_is_not_told_but_its_clause_is() -> None:
    context = {**CONTEXT, "output": {"text": "x" * 5000}}

    assert matched("output.text != 'y'", context) == ({"clause": "output.text != 'y'"},)
