"""The verifier and the guardian that come with the product."""

from typing import Any

import pytest

from agents.context import AgentContext
from agents.library.quality_agents import Judged, guard_tone, verify_citations
from agents.types import AgentRequest

CONTEXT = AgentContext(AgentRequest("citation-verifier", 1, {}, "k", 1, 1.0))
TEXT = "The tunnel was closed on 3 March 2026 after an inspection found cracks in 14 segments."


@pytest.mark.parametrize(
    ("evidence", "verdict", "score"),
    [
        ([{"claim": "An inspection found cracks in 14 segments.", "source": "text"}], "pass", 1.0),
        ([{"claim": "An inspection found cracks in 40 segments.", "source": "text"}], "fail", 0.0),
        ([{"claim": "An inspection found cracks.", "source": "the press"}], "fail", 0.0),
        ([], "fail", 0.0),
    ],
    ids=["right", "wrong-figure", "fabricated", "no-claim"],
)
def test_verifier_holds_claims_against_the_input(evidence: list[Any], verdict: str, score: float) -> None:
    found = verify_citations(Judged(output={"evidence": evidence}, input={"text": TEXT}), CONTEXT)

    assert (found.verdict, found.score) == (verdict, score)
    assert bool(found.reasons) is (verdict == "fail")


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("Your refund is on its way.", "pass"),
        ("We guarantee that this never happens again.", "raise"),
        ("Only an idiot would ask.", "hold"),
        ("You should hurt yourself.", "pause"),
    ],
)
def test_guardian_of_tone(text: str, verdict: str) -> None:
    found = guard_tone(Judged(output={"reply": {"text": text}}), CONTEXT)

    assert found.verdict == verdict
    assert bool(found.reason) is (verdict != "pass")
