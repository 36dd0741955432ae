"""The generalists answer in the shape of whoever they stand in for, and a rehearsal lets the pure ones answer."""

from typing import Any

from agents.context import AgentContext
from agents.library import generalists
from agents.library.incident_contracts import Indicators, Severity, Summary, Techniques
from agents.types import AgentRequest

TEXT = "Ransomware encrypted the files of Acme. The attackers used CVE-2026-1234. Nobody was hurt. It is over."
CONTEXT = AgentContext(AgentRequest(agent="a", version=1, input={}, key="k", attempt=1, timeout=5))


def fields(of: Any, found: dict[str, Any]) -> Any:
    return of(**{name: found[name] for name in of.model_fields})


def test_reading_keeps_the_contracts_of_the_three_that_read() -> None:
    found = generalists.stand_in_for_incident({"text": TEXT}, CONTEXT)

    assert fields(Summary, found).sentences[0].text in TEXT
    assert all(TEXT[quote.start : quote.end] == quote.text for quote in fields(Summary, found).sentences)
    assert fields(Techniques, found).techniques == []
    assert "CVE-2026-1234" in {item.value for item in fields(Indicators, found).indicators}


def test_severity_is_stated_without_confidence() -> None:
    found = Severity(**generalists.stand_in_for_incident({"text": TEXT, "category": "other"}, CONTEXT))

    assert (found.level, found.confidence) == ("high", 0.0)


def test_facts_are_quotes() -> None:
    found: Any = generalists.stand_in_for_editors({"text": TEXT, "source": "wire"}, CONTEXT)

    assert [fact["quote"] for fact in found["facts"]] == [TEXT[fact["start"] : fact["end"]] for fact in found["facts"]]
