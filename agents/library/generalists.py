"""The generalists: each can do every step of one workflow when the specialist for it cannot.

They are plainer than those they stand in for, and say so. What only a specialist can judge they leave to people: an
incident's severity is stated without confidence, so that its gate asks.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from agents.context import AgentContext
from agents.library import (
    campaign,
    content_agents,
    document_agents,
    editorial,
    incident_agents,
    literature_agents,
    planning,
    refund_agents,
    teamwork,
    triage_agents,
)
from agents.library.campaign import ChatTurn, Outcome
from agents.library.content_agents import DraftInput, OptimiseInput, PublishInput, Source
from agents.library.incident_contracts import Alert, Evidence, Quote, Remediation, ReportInput, Severity, TextInput
from agents.library.refund_agents import Payment, RefundRequest
from agents.library.text import Sentence, key_phrases, sentences
from agents.library.written_summary import WrittenOrNot, check_summary
from agents.registry import agent
from agents.types import Json

OPEN: Final[dict[str, Json]] = {"type": "object"}
PURE: Final = {"pure": True}  # it touches nothing, so a rehearsal lets it answer itself
NOT_ASSESSED: Final = "not assessed: the specialist was not available"

type Given = Mapping[str, Any]


@agent(
    "incident-generalist",
    title="Incident generalist",
    input=OPEN,
    output=OPEN,
    capabilities=["incident.stand-in"],
    config=PURE,
    tags=["security"],
    timeout=30,
)
def stand_in_for_incident(given: dict[str, Any], ctx: AgentContext) -> dict[str, Json]:
    """Does any step of an incident by its input's fields. It looks nothing up and grades nothing."""
    for field, do in _INCIDENT:
        if field in given:
            return do(given, ctx)
    return _read(given, ctx)


def _intake(given: Given, ctx: AgentContext) -> dict[str, Json]:
    return incident_agents.intake(Alert(**given), ctx).model_dump()


def _report(given: Given, ctx: AgentContext) -> dict[str, Json]:
    return incident_agents.write_report(ReportInput(**given), ctx).model_dump()


def _check_written(given: Given, ctx: AgentContext) -> dict[str, Json]:
    return check_summary(WrittenOrNot(**given), ctx).model_dump()


def _no_plan(given: Given, ctx: AgentContext) -> dict[str, Json]:
    return Remediation(
        actions=[],
        containment=False,
        confidence=float(given["confidence"]),
        in_words="no action is proposed: the specialist was not available",
        changes=[],
        alternatives=[],
        evidence=[Evidence(**one) for one in given.get("evidence", [])],
    ).model_dump()


def _no_grade(given: Given, ctx: AgentContext) -> dict[str, Json]:
    """High and without confidence: below every limit that lets an incident pass by itself."""
    return Severity(
        level="high",
        confidence=0.0,
        critical=1.0,
        probabilities={},
        reasons=[],
        in_words=f"high, {NOT_ASSESSED}",
        evidence=[Evidence(claim=f"Severity was {NOT_ASSESSED}.", source="incident-generalist")],
    ).model_dump()


def _no_triage(given: Given, ctx: AgentContext) -> dict[str, Json]:
    """Suspicious and without a signal: people look at it."""
    claim = Evidence(claim=f"It was {NOT_ASSESSED}.", source="incident-generalist")
    return triage_agents.Triage(
        disposition="suspicious",
        score=0.0,
        in_words=f"suspicious, {NOT_ASSESSED}",
        signals=[],
        techniques=[],
        evidence=[claim],
    ).model_dump()


def _triage_report(given: Given, ctx: AgentContext) -> dict[str, Json]:
    return triage_agents.report(triage_agents.TriageReportInput(**given), ctx).model_dump()


def _read(given: Given, ctx: AgentContext) -> dict[str, Json]:
    """The first three sentences word for word, and what the text names; techniques are not looked up."""
    text = TextInput(**given).text
    quotes = [Quote(text=one.text, start=one.start, end=one.end, score=0.0) for one in sentences(text)[:3]]
    return {
        "summary": " ".join(quote.text for quote in quotes),
        "sentences": [quote.model_dump() for quote in quotes],
        "key_phrases": list(key_phrases(text)),
        "evidence": [_quoted(quote) for quote in quotes],
        "techniques": [],
        "remark": "Not looked up: the specialist was not available.",
        **incident_agents.extract_indicators(TextInput(text=text), ctx).model_dump(),
    }


def _quoted(quote: Quote) -> dict[str, Json]:
    place = f"incident text, characters {quote.start}-{quote.end}"
    return Evidence(claim=quote.text, source=place, quote=quote.text, status="verified").model_dump()


def _lead(given: Given, ctx: AgentContext) -> dict[str, Json]:
    return teamwork.divide(teamwork.Supervised(**given), ctx).model_dump()


def _combine(given: Given, ctx: AgentContext) -> dict[str, Json]:
    return teamwork.combine(teamwork.Findings(**given), ctx).model_dump()


def _manage(given: Given, ctx: AgentContext) -> dict[str, Json]:
    return teamwork.manage(teamwork.LedgerView(**given), ctx).model_dump()


def _plan(given: Given, ctx: AgentContext) -> dict[str, Json]:
    return planning.plan_by_rules(planning.PlanRequest(**given), ctx).model_dump()


# The field that tells a step's input from the others', looked for in this order.
_INCIDENT: Final[tuple[tuple[str, Callable[[Given, AgentContext], dict[str, Json]]], ...]] = (
    ("triage", _triage_report),
    ("kind", _no_triage),
    ("remediation", _report),
    ("written", _check_written),
    ("target", _no_plan),
    ("title", _intake),
    ("category", _no_grade),
    ("specialists", _lead),
    ("findings", _combine),
    ("ledger", _manage),
    ("most", _plan),
)


@agent(
    "editorial-generalist",
    title="Editorial generalist",
    input=OPEN,
    output=OPEN,
    capabilities=["copy.stand-in"],
    config=PURE,
    tags=["content"],
    timeout=20,
)
def stand_in_for_editors(given: dict[str, Any], ctx: AgentContext) -> dict[str, Json]:
    """Does any step of content production: quotes in their order, nothing weighed; an editor publishes anyway."""
    if "facts" not in given and "brief" in given:
        return content_agents.publish(PublishInput(**given), ctx).model_dump()
    if "facts" not in given:
        return _first_facts(Source(**given))
    if "brief" in given:
        return content_agents.optimise(OptimiseInput(**given), ctx).model_dump()
    return _first_words(DraftInput(**given))


def _first_facts(given: Source) -> dict[str, Json]:
    found = [one for one in sentences(given.text) if one.text.strip()][:8]
    facts: list[Json] = [{"quote": one.text, "start": one.start, "end": one.end, "kind": "statement"} for one in found]
    evidence = [
        Evidence(
            claim=one.text,
            source=f"{given.source}, characters {one.start}-{one.end}",
            quote=given.text[one.start : one.end],
            status="verified" if given.text[one.start : one.end] == one.text else "unsupported",
        ).model_dump()
        for one in found
    ]
    return {"facts": [*facts], "evidence": [*evidence]}


def _first_words(given: DraftInput) -> dict[str, Json]:
    quotes = [Sentence(fact.start, fact.end, fact.quote) for fact in given.facts]
    chosen = editorial.brief(quotes, 90)
    return {"headline": editorial.headline(given.text), "brief": " ".join(one.text for one in chosen)}


@agent(
    "refund-generalist",
    title="Refund generalist",
    input=OPEN,
    output=OPEN,
    capabilities=["refund.stand-in"],
    tags=["refunds"],
    timeout=30,
)
async def stand_in_for_refunds(given: dict[str, Any], ctx: AgentContext) -> dict[str, Json]:
    """Checks or pays a refund by the same rules and the same provider, which knows a payment by its key."""
    if "paid_cents" in given:
        return refund_agents.check_refund(RefundRequest(**given), ctx).model_dump()
    return (await refund_agents.pay_refund(Payment(**given), ctx)).model_dump()


@agent(
    "campaign-generalist",
    title="Campaign generalist",
    input=OPEN,
    output=OPEN,
    capabilities=["text.stand-in"],
    config=PURE,
    tags=["marketing"],
    timeout=20,
)
def stand_in_for_campaign(given: dict[str, Any], ctx: AgentContext) -> dict[str, Json]:
    """Approves what compliance would; in the chat it offers the claim as it would be written, or agrees to it."""
    if "outcome" in given:
        return campaign.approve_claim(Outcome(**given), ctx).model_dump()
    turn = ChatTurn(**given)
    offered = any(message.position for message in turn.messages)
    return (campaign.read_closely if offered else campaign.write_claim)(turn, ctx).model_dump()


@agent(
    "research-generalist",
    title="Research generalist",
    input=OPEN,
    output=OPEN,
    capabilities=["research.stand-in"],
    config=PURE,
    tags=["research"],
    timeout=60,
)
def stand_in_for_research(given: dict[str, Any], ctx: AgentContext) -> dict[str, Json]:
    """Does any step of document question and answer and of a literature review by its input's fields."""
    field = next((name for name in _RESEARCH if name in given), "topic")
    done: dict[str, Json] = _RESEARCH[field](given, ctx).model_dump()
    return done


# As above: a field that tells a step's input from the others', in the order in which they are looked for.
_RESEARCH: Final[dict[str, Callable[[Given, AgentContext], Any]]] = {
    "passages": lambda given, ctx: document_agents.answer(document_agents.AnswerInput(**given), ctx),
    "question": lambda given, ctx: document_agents.retrieve(document_agents.Question(**given), ctx),
    "claims": lambda given, ctx: literature_agents.write(literature_agents.ReviewInput(**given), ctx),
    "sources": lambda given, ctx: literature_agents.read(literature_agents.ReadInput(**given), ctx),
    "topic": lambda given, ctx: literature_agents.search(literature_agents.Topic(**given), ctx),
}
