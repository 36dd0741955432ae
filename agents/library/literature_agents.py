"""The agents of a literature review: search references, take claims from them word for word, group them by theme.

Each claim keeps where it was published, when it was retrieved, and the sentence it rests on.
"""

import re
from collections import Counter
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field

from agents.context import AgentContext
from agents.library import corpora
from agents.library.corpora import Collection
from agents.library.incident_contracts import Evidence
from agents.library.summary import rank
from agents.library.text import content_words, sentences
from agents.registry import agent

_THEMES = 4
_LABEL = re.compile(r"[A-Z][\w/ ]{2,30}: ")  # how trackers list who and what: not a statement


class Strict(BaseModel):
    """A contract that names all its fields."""

    model_config = ConfigDict(extra="forbid")


class Topic(Strict):
    """What to review, in which collection, and how many sources to read."""

    topic: str = Field(min_length=5, max_length=300)
    collection: Collection
    most: int = Field(default=8, ge=2, le=20)


class SourceOut(Strict):
    """One source as it was retrieved."""

    id: str
    title: str
    address: str
    text: str
    score: float
    retrieved_at: str


class Sources(Strict):
    """The sources, those most like the topic first."""

    sources: list[SourceOut]
    searched: int


@agent(
    "literature-searcher",
    title="Literature searcher",
    input=Topic,
    output=Sources,
    capabilities=["literature.search"],
    tags=["research"],
    config={"pure": True},
    timeout=60,
)
def search(given: Topic, ctx: AgentContext) -> Sources:
    """Finds the sources whose words are most like the topic's (TF-IDF), and notes when."""
    index = corpora.index(given.collection)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    found = [
        SourceOut(
            id=one.document.id,
            title=one.document.title,
            address=one.document.source,
            text=one.document.text[:5000],
            score=min(one.score, 1.0),
            retrieved_at=now,
        )
        for one in index.find(given.topic, given.most)
        if len(one.shared) > 1
    ]
    return Sources(sources=found, searched=len(index.documents))


class ReadInput(Strict):
    """The topic and its sources."""

    topic: str
    sources: list[SourceOut]


class ClaimOut(Strict):
    """One claim: the sentence it rests on, its place, where that was published, and when it was retrieved."""

    claim: str
    quote: str
    start: int
    end: int
    source: str
    address: str
    retrieved_at: str


class Claims(Strict):
    """The claims, in the order of the sources."""

    claims: list[ClaimOut]


@agent(
    "literature-reader",
    title="Literature reader",
    input=ReadInput,
    output=Claims,
    capabilities=["literature.read"],
    tags=["research"],
    config={"pure": True},
    timeout=60,
)
def read(given: ReadInput, ctx: AgentContext) -> Claims:
    """Takes from each source the sentence that is most central to it (LexRank) and shares most words with the topic."""
    claims = [claim for source in given.sources if (claim := _claim(given.topic, source)) is not None]
    return Claims(claims=claims)


class ReviewInput(Strict):
    """The claims to be put together."""

    topic: str
    claims: list[ClaimOut]
    searched: int


class Review(Strict):
    """The review as a document; `themes` say which words hold its groups together."""

    title: str
    file_name: str
    markdown: str
    themes: list[str]
    claims: int
    confidence: float = Field(ge=0, le=1, description="Share of the claims that a second source has words with.")
    evidence: list[Evidence]


@agent(
    "literature-writer",
    title="Literature writer",
    input=ReviewInput,
    output=Review,
    capabilities=["literature.write"],
    tags=["research"],
    config={"pure": True},
    timeout=30,
)
def write(given: ReviewInput, ctx: AgentContext) -> Review:
    """Groups the claims by the words that several of them share, and cites every one of them."""
    groups = _grouped(given)
    together = sum(len(claims) for theme, claims in groups if theme)
    slug = "-".join(content_words(given.topic)[:6]) or "review"
    return Review(
        title=given.topic,
        file_name=f"review-{slug}.md",
        markdown=_document(given, groups),
        themes=[theme for theme, _claims in groups if theme],
        claims=len(given.claims),
        confidence=round(together / max(1, len(given.claims)), 3),
        evidence=[
            Evidence(claim=one.claim, source=f"{one.source} {one.address}", quote=one.quote, status="verified")
            for one in given.claims
        ],
    )


def _claim(topic: str, source: SourceOut) -> ClaimOut | None:
    every = sentences(source.text)
    told = [one for one in every if not _LABEL.match(one.text)]
    found = [one for one in told if one.text.rstrip(".") != source.title.rstrip(".")] or told or every
    if not found:
        return None
    wanted = set(content_words(topic))
    scored = zip(rank(found), found, strict=True)
    best = max(scored, key=lambda pair: pair[0] + len(wanted & set(content_words(pair[1].text))))[1]
    return ClaimOut(
        claim=best.text,
        quote=best.text,
        start=best.start,
        end=best.end,
        source=source.id,
        address=source.address,
        retrieved_at=source.retrieved_at,
    )


def _grouped(given: ReviewInput) -> list[tuple[str, list[ClaimOut]]]:
    """Claims by the commonest word, beside the topic's own, that two or more share; the rest under ""."""
    topic = set(content_words(given.topic))
    words = {number: set(content_words(one.claim)) - topic for number, one in enumerate(given.claims)}
    common = [word for word, count in Counter(w for own in words.values() for w in own).most_common() if count > 1]
    groups: list[tuple[str, list[ClaimOut]]] = []
    left = dict(words)
    for word in sorted(common, key=lambda one: (-sum(one in own for own in words.values()), one)):
        members = [number for number, own in left.items() if word in own]
        if len(members) > 1 and len(groups) < _THEMES:
            groups.append((word, [given.claims[number] for number in members]))
            left = {number: own for number, own in left.items() if number not in members}
    rest = [given.claims[number] for number in left]
    return [*groups, ("", rest)] if rest else groups


def _document(given: ReviewInput, groups: list[tuple[str, list[ClaimOut]]]) -> str:
    number = {id(one): place for place, one in enumerate(given.claims, 1)}
    lines = [
        f"# {given.topic}",
        "",
        f"{len(given.claims)} sources were read of {given.searched} that were searched.",
        "",
    ]
    for theme, claims in groups:
        lines += [f"## On “{theme}”" if theme else "## Beside these", ""]
        lines += [f"- {one.claim} [{number[id(one)]}]" for one in claims] + [""]
    lines += ["## Sources", ""]
    lines += [
        f"{place}. {one.source}, {one.address}, retrieved {one.retrieved_at}: “{one.quote}” "
        f"(characters {one.start}-{one.end})"
        for place, one in enumerate(given.claims, 1)
    ]
    return "\n".join(lines) + "\n"
