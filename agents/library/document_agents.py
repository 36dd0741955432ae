"""The agents of document question and answer: find passages by words and meaning, answer in the documents' words.

They write no sentence of their own: an answer is a quotation with its place, or the statement that there is none.
"""

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field

from agents.context import AgentContext
from agents.library import corpora
from agents.library.corpora import Collection, Passage
from agents.library.incident_contracts import Evidence
from agents.library.text import is_quote
from agents.memory import embedding
from agents.registry import agent

_DOCUMENTS = 12  # found by their words
_SENTENCES = 8  # of these, compared by meaning: an embedding takes 20-400 ms, by length and by how busy the machine is
_QUOTED = 2
# Below either, no sentence answers. Measured on tests/unit/library/test_documents.py's questions, with and without one.
ENOUGH_WORDS = 0.6
ENOUGH_MEANING = 0.8
_FIGURE = re.compile(r"\d[\d.,]*\d|\d")
NO_ANSWER = "The documents do not answer this."


class Strict(BaseModel):
    """A contract that names all its fields."""

    model_config = ConfigDict(extra="forbid")


class Question(Strict):
    """What is asked, and of which documents."""

    question: str = Field(min_length=5, max_length=500)
    collection: Collection


class PassageOut(Strict):
    """A verbatim sentence: characters `start` to `end` of the document, and how well it fits."""

    id: str
    quote: str
    start: int
    end: int
    source: str
    context: str
    coverage: float = Field(ge=0, le=1, description="Share of the question's words, weighed by rarity.")
    meaning: float = Field(ge=-1, le=1, description="Cosine of the two embeddings; 0 where no model is installed.")


class Retrieved(Strict):
    """The passages, best first."""

    passages: list[PassageOut]
    searched: int
    retrieved_at: str


@agent(
    "document-retriever",
    title="Document retriever",
    input=Question,
    output=Retrieved,
    capabilities=["documents.search"],
    tags=["research"],
    config={"pure": True},
    timeout=60,
)
def retrieve(given: Question, ctx: AgentContext) -> Retrieved:
    """Finds documents by their words (TF-IDF) and orders their sentences by meaning (multilingual-e5-small)."""
    index = corpora.index(given.collection)
    candidates = index.passages(given.question, index.find(given.question, _DOCUMENTS), _SENTENCES)
    meaning = meanings(given.question, [one.sentence.text for one in candidates])
    ranked = sorted(zip(candidates, meaning, strict=True), key=lambda pair: -(pair[0].coverage + pair[1]))
    return Retrieved(
        passages=[_passage(one, close) for one, close in ranked],
        searched=len(index.documents),
        retrieved_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


class AnswerInput(Strict):
    """The question and what was found."""

    question: str
    passages: list[PassageOut]
    retrieved_at: str


class Answered(Strict):
    """The answer in the documents' own words; not `answered` when no passage fits."""

    answered: bool
    answer: str
    confidence: float = Field(ge=0, le=1, description="The smaller of the best passage's two measures.")
    evidence: list[Evidence]
    markdown: str


@agent(
    "document-answerer",
    title="Document answerer",
    input=AnswerInput,
    output=Answered,
    capabilities=["documents.answer"],
    tags=["research"],
    config={"pure": True},
    timeout=20,
)
def answer(given: AnswerInput, ctx: AgentContext) -> Answered:
    """Quotes the passages that fit the question, each with its document and place; says so when none does."""
    figures = set(_FIGURE.findall(given.question))
    good = {
        one.quote: one for one in reversed(given.passages) if fits(one) and figures <= set(_FIGURE.findall(one.context))
    }
    fitting = [one for one in given.passages if good.get(one.quote) is one][:_QUOTED]
    best = max((min(one.coverage, one.meaning or one.coverage) for one in given.passages), default=0.0)
    said = " ".join(one.quote for one in fitting) if fitting else NO_ANSWER
    return Answered(
        answered=bool(fitting),
        answer=said,
        confidence=round(max(0.0, min(1.0, best)), 3),
        evidence=[_evidence(one) for one in fitting],
        markdown=_markdown(given, fitting, said),
    )


def fits(passage: PassageOut) -> bool:
    """Whether a passage answers: enough of the question's words and, where a model is installed, of its meaning."""
    return passage.coverage >= ENOUGH_WORDS and (not passage.meaning or passage.meaning >= ENOUGH_MEANING)


def meanings(question: str, texts: list[str]) -> list[float]:
    """The cosine of each text with the question; 0 for all where no model is installed."""
    if not embedding.has_model() or not texts:
        return [0.0] * len(texts)
    asked = embedding.asked(question)
    return [round(_cosine(row, asked), 4) if row else 0.0 for row in embedding.passages(texts)]


def _cosine(left: Sequence[float], right: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True)) / (math.hypot(*left) * math.hypot(*right))


def _passage(found: Passage, meaning: float) -> PassageOut:
    sentence, document = found.sentence, found.document
    return PassageOut(
        id=document.id,
        quote=sentence.text,
        start=sentence.start,
        end=sentence.end,
        source=document.source,
        context=document.text[:5000],
        coverage=min(found.coverage, 1.0),
        meaning=meaning,
    )


def _evidence(passage: PassageOut) -> Evidence:
    return Evidence(
        claim=passage.quote,
        source=passage.id,
        quote=passage.quote,
        status="verified" if is_quote(passage.context, passage.quote) else "unsupported",
    )


def _markdown(given: AnswerInput, fitting: list[PassageOut], said: str) -> str:
    lines = [f"# {given.question}", "", said, "", "## Sources", ""]
    lines += [
        f"{number}. “{one.quote}” ({one.source}, characters {one.start}-{one.end}; retrieved {given.retrieved_at})"
        for number, one in enumerate(fitting, 1)
    ]
    return "\n".join(lines if fitting else [*lines, "None."]) + "\n"
