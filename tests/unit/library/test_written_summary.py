"""What a model wrote is held against the quotes; the variant of the workflow differs only in who words the summary."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from agents.context import AgentContext
from agents.library.incident_agents import summarise_threat
from agents.library.incident_contracts import TextInput
from agents.library.written_summary import CheckedSummary, WrittenOrNot, check_summary
from agents.types import AgentRequest
from tests.unit.library.walk import FOLDER

TEXT = (
    "A chatbot of Acme Bank disclosed account balances of 412 customers on March 3. "
    "The bank did not inform the regulator. The chatbot was taken offline after two hours."
)
CTX = AgentContext(AgentRequest(agent="a", version=None, input={}, key="k", attempt=1, timeout=5))


def _check(written: str) -> CheckedSummary:
    return check_summary(WrittenOrNot(quotes=summarise_threat(TextInput(text=TEXT), CTX), written=written), CTX)


@pytest.mark.parametrize(
    ("sentence", "status"),
    [
        ("Acme Bank's chatbot disclosed balances of 412 customers.", "computed"),
        ("Customers' account balances were disclosed by the chatbot.", "computed"),
        ("The chatbot disclosed balances of 413 customers.", "unsupported"),
        ("The chatbot of Globex Bank disclosed balances of customers.", "unsupported"),
        ("The attackers stole passwords and demanded a ransom.", "unsupported"),
        ("It was of the.", "unsupported"),
        ("The bank's chatbot, chatbot, chatbot, chatbot disclosed balances.", "unsupported"),
    ],
    ids=["same words", "other order", "other number", "other name", "invented", "says nothing", "stutters"],
)
def test_check_summary_flags_what_the_quotes_do_not_say(sentence: str, status: str) -> None:
    claim = _check(sentence).evidence[0]

    assert (claim.claim, claim.status) == (sentence, status)


def test_check_summary_flags_a_negation_that_the_quotes_do_not_make() -> None:
    plain = TextInput(text="The chatbot disclosed account balances.")
    quotes = summarise_threat(plain, CTX)

    checked = check_summary(WrittenOrNot(quotes=quotes, written="The chatbot disclosed no account balances."), CTX)

    assert checked.flagged == 1


def test_check_summary_keeps_supported_sentences_and_shows_the_flagged_and_every_quote() -> None:
    checked = _check("Acme Bank's chatbot disclosed balances of 412 customers. The attackers demanded a ransom.")

    assert checked.summary == "Acme Bank's chatbot disclosed balances of 412 customers."
    assert checked.flagged == 1
    assert "Left out as unsupported: 1 of 2" in checked.remark
    assert [item.status for item in checked.evidence] == ["computed", "unsupported", *["verified"] * 3]
    assert "attacker, demand, ransom" in checked.evidence[1].source
    assert checked.evidence[0].quote in TEXT


@pytest.mark.parametrize(
    ("written", "remark"),
    [("", "no usable answer"), ("The attackers demanded a ransom.", "support nothing")],
    ids=["nothing written", "nothing supported"],
)
def test_check_summary_without_supported_words_gives_the_quotes_and_says_so(written: str, remark: str) -> None:
    checked = _check(written)

    assert checked.summary == TEXT
    assert checked.written_by == ""
    assert remark in checked.remark


def test_variant_with_a_model_differs_only_in_who_words_the_summary() -> None:
    plain, variant = (_definition(FOLDER / name) for name in ("incident-response.yaml", "llm/incident-response.yaml"))
    group, words = plain["steps"][1], variant["steps"][1]

    assert [step["key"] for step in words["steps"][:3]] == ["quotes", "words", "summary"]
    words["steps"][:3] = group["steps"][:1]
    assert variant["steps"][-1]["inputs"].pop("summary")["summary"] == "${steps.quotes.summary}"
    plain["steps"][-1]["inputs"].pop("summary")
    assert [variant["dependencies"].pop(key) for key in ("words", "summary")] == [["quotes"], ["quotes", "words"]]
    variant["configuration"]["outputs"].pop("summary")
    assert variant["monitoring"].pop("promise") != plain["monitoring"].pop("promise")
    assert variant == plain


def _definition(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(file.read_text())
    return content
