"""The agents of the content-production workflow: research, creation, optimisation. All are extractive."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from agents.context import AgentContext
from agents.library import content_tools, editorial
from agents.library.incident_contracts import Evidence
from agents.library.text import Sentence, is_quote, sentences
from agents.registry import agent

_USUAL_WORDS = content_tools.USUAL_WORDS
_HARD_TO_READ = 40.0  # Flesch reading ease below this is for specialists


class Strict(BaseModel):
    """A contract that names all its fields."""

    model_config = ConfigDict(extra="forbid")


class Source(Strict):
    """A news text and where it is from."""

    text: str = Field(min_length=40, max_length=50_000)
    source: str = Field(min_length=1, max_length=500)


class FactOut(Strict):
    """A verbatim sentence: characters `start` to `end` of the source."""

    quote: str
    start: int
    end: int
    kind: Literal["number", "quotation", "attribution", "statement"]


class Research(Strict):
    """The key facts in their order."""

    facts: list[FactOut]
    evidence: list[Evidence]


@agent(
    "news-researcher",
    title="News researcher",
    input=Source,
    output=Research,
    capabilities=["source.read"],
    tags=["content", "research"],
    timeout=20,
)
def research(given: Source, ctx: AgentContext) -> Research:
    """Finds the sentences that carry a text's facts and keeps each with its place."""
    read = content_tools.ask(ctx, content_tools.FACTS, {"text": given.text})
    found = content_tools.Facts.model_validate(read) if read else content_tools.facts_of(given.text)
    facts = [FactOut.model_validate(fact.model_dump()) for fact in found.facts]
    evidence = [_evidence(fact, given) for fact in facts]
    return Research(facts=facts, evidence=evidence)


class DraftInput(Source):
    """The source and the facts found in it."""

    facts: list[FactOut]


class Copy(Strict):
    """A headline and a brief."""

    headline: str
    brief: str


@agent(
    "brief-writer",
    title="Brief writer",
    input=DraftInput,
    output=Copy,
    capabilities=["copy.write"],
    tags=["content", "creation"],
    timeout=20,
)
def write_brief(given: DraftInput, ctx: AgentContext) -> Copy:
    """Drafts a headline and a brief from the facts, word for word."""
    style = content_tools.Style.model_validate(content_tools.ask(ctx, content_tools.STYLE, {}) or content_tools.HOUSE)
    chosen = editorial.brief(_sentences(given.facts), 2 * style.words)
    return Copy(
        headline=editorial.headline(given.text, style.headline_characters),
        brief=" ".join(sentence.text for sentence in chosen),
    )


class OptimiseInput(DraftInput):
    """The draft with what it was made from."""

    headline: str
    brief: str


class FindingOut(Strict):
    """Something an editor must look at."""

    rule: Literal["banned_claim", "unsupported_number", "not_in_source"]
    text: str
    advice: str


class Optimised(Copy):
    """The copy as proposed for publication, its measures, findings, and what was changed."""

    markdown: str
    reading_ease: float
    words: int
    findings: list[FindingOut]
    changes: list[str]
    confidence: float = Field(
        ge=0, le=1, description="Share of the brief's sentences that stand in the source word for word."
    )
    evidence: list[Evidence]


@agent(
    "copy-optimiser",
    title="Copy optimiser",
    input=OptimiseInput,
    output=Optimised,
    capabilities=["copy.edit"],
    tags=["content", "optimisation"],
    timeout=20,
)
def optimise(given: OptimiseInput, ctx: AgentContext) -> Optimised:
    """Cuts the draft to length, drops sentences with claims nobody can prove, and measures how easily it reads."""
    limit = editorial.word_limit_of(ctx.note, _USUAL_WORDS)
    drafted = [fact for fact in given.facts if limit > _USUAL_WORDS or fact.quote in given.brief]
    sober = [
        fact
        for fact in drafted
        if not any(item.rule == "banned_claim" for item in editorial.findings(fact.quote, given.text))
    ]
    kept = editorial.brief(_sentences(sober or drafted), limit)
    copy = " ".join(sentence.text for sentence in kept)
    asked = content_tools.ask(ctx, content_tools.MEASURE, {"copy_text": copy, "source": given.text})
    measures = content_tools.Measures.model_validate(asked) if asked else content_tools.measures_of(copy, given.text)
    quoted = [_evidence(fact, given) for fact in given.facts if any(fact.start == sentence.start for sentence in kept)]
    return Optimised(
        headline=given.headline,
        brief=copy,
        markdown=f"# {given.headline}\n\n{copy}\n\nSource: {given.source}\n",
        reading_ease=measures.ease,
        words=measures.words,
        findings=[
            FindingOut(rule=item.rule, text=item.text, advice=item.advice)
            for item in editorial.findings(copy, given.text)
        ],
        changes=_changes(given.brief, copy, len(drafted) - len(sober), limit, measures),
        confidence=sum(item.status == "verified" for item in quoted) / max(1, len(quoted)),
        evidence=quoted,
    )


class PublishInput(Copy):
    """Approved copy, and where each of its sentences stands in the source."""

    source: str
    evidence: list[Evidence] = Field(default_factory=list)


class Published(Strict):
    """The article as a file."""

    headline: str
    file_name: str
    markdown: str


@agent(
    "article-publisher",
    version=2,
    title="Article publisher",
    input=PublishInput,
    output=Published,
    capabilities=["copy.publish"],
    tags=["content"],
    timeout=20,
)
def publish(given: PublishInput, ctx: AgentContext) -> Published:
    """Writes the approved headline and brief, as edited, into the article file."""
    slug = "-".join("".join(c if c.isalnum() else " " for c in given.headline.lower()).split()[:8]) or "article"
    return Published(
        headline=given.headline,
        file_name=f"{slug}.md",
        markdown=f"# {given.headline}\n\n{given.brief}\n\nSource: {given.source}\n\n{_provenance(given)}",
    )


def _provenance(given: PublishInput) -> str:
    """The appendix: each published sentence with its place in the source, or that an editor wrote it."""
    places = {" ".join(one.claim.split()): one for one in given.evidence}
    lines = ["## Provenance", ""]
    for sentence in sentences(given.brief):
        known = places.get(" ".join(sentence.text.split()))
        where = f"{known.source} ({known.status})" if known else "not in the source word for word: an editor's words"
        lines.append(f"- “{sentence.text}”: {where}")
    return "\n".join(lines) + "\n"


def _sentences(facts: list[FactOut]) -> list[Sentence]:
    return [Sentence(fact.start, fact.end, fact.quote) for fact in facts]


def _evidence(fact: FactOut, given: Source) -> Evidence:
    return Evidence(
        claim=fact.quote,
        source=f"{given.source}, characters {fact.start}-{fact.end}",
        quote=given.text[fact.start : fact.end],
        status="verified" if is_quote(given.text, fact.quote) else "unsupported",
    )


def _changes(before: str, after: str, dropped: int, limit: int, measured: content_tools.Measures) -> list[str]:
    changes = (
        [f"Cut from {len(before.split())} to {len(after.split())} words (limit {limit})."]
        if len(after) < len(before)
        else []
    )
    if len(after) > len(before):
        changes.append(f"Lengthened from {len(before.split())} to {len(after.split())} words (limit {limit}).")
    if dropped:
        changes.append(f"Dropped {dropped} sentence{'s' if dropped > 1 else ''} with a claim nobody can prove.")
    if measured.ease < _HARD_TO_READ:
        changes.append(f"Reading ease {measured.ease:.0f} is low; consider shorter sentences.")
    return changes or ["Nothing had to change."]
