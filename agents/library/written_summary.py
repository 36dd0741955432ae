"""A summary in a language model's words, held against the sentences it was written from.

The writer is registered where WATCHKEEPER_LLM names a model; nothing is imported for it elsewhere. The check is by
words: it finds what the source does not mention, not a wrong relation between things that it does.
"""

import os
import re
from collections import Counter
from typing import TYPE_CHECKING

from pydantic import Field

from agents.context import AgentContext
from agents.library.incident_contracts import Evidence, Quote, Strict, Summary, TextInput
from agents.library.text import content_words, sentences
from agents.registry import agent

if TYPE_CHECKING:
    from pydantic_ai.settings import ModelSettings

VARIABLE = "WATCHKEEPER_LLM"
INSTRUCTIONS = (
    "You summarise security incidents. Use only facts and words of the text; add nothing. "
    "Write one or two short sentences. Answer in JSON."
)
_REPEATS = 3  # a small model that loses the thread says one word again and again
SETTINGS: "ModelSettings" = {"temperature": 0.1, "max_tokens": 220}
_NEW_WORDS = 8  # one word in so many may be the writer's own
_LITERAL = re.compile(r"\d[\w.,:%-]*\w|\d|(?!\A)\b[A-Z][\w-]*")  # a number, or a name: capital inside a sentence
_NEGATION = re.compile(r"\b(?:no|not|never|none|nobody|nothing|without|cannot|neither|nor)\b|n['’]t\b", re.IGNORECASE)


class Written(Strict):
    """What the model writes."""

    summary: str = Field(min_length=20, max_length=900)


class WrittenOrNot(Strict):
    """The sentences to hold it against, and what the model wrote; "" when it wrote nothing usable."""

    quotes: Summary
    written: str = Field(default="", max_length=900)


class CheckedSummary(Strict):
    """`summary` is the model's sentences that the quotes support, or the quotes themselves; `remark` says which."""

    summary: str
    written_by: str
    remark: str
    flagged: int
    evidence: list[Evidence]


@agent(
    "written-summary-checker",
    title="Written-summary checker",
    input=WrittenOrNot,
    output=CheckedSummary,
    capabilities=["text.verify"],
    tags=["security"],
    timeout=20,
)
def check_summary(given: WrittenOrNot, ctx: AgentContext) -> CheckedSummary:
    """Holds every sentence of a written summary against the quotes; what they do not support is flagged."""
    quotes = given.quotes.sentences
    claims = [_claim(sentence.text, quotes) for sentence in sentences(given.written)] if quotes else []
    kept = [claim.claim for claim in claims if claim.status != "unsupported"]
    flagged = len(claims) - len(kept)
    return CheckedSummary(
        summary=" ".join(kept) or given.quotes.summary,
        written_by=_model() if kept else "",
        remark=_remark(written=bool(claims), kept=len(kept), flagged=flagged),
        flagged=flagged,
        evidence=[*claims, *given.quotes.evidence],
    )


def _claim(sentence: str, quotes: list[Quote]) -> Evidence:
    """The sentence beside the quote it is most like: "computed" if the quotes have its words, else "unsupported"."""
    said = set(content_words(sentence))
    nearest = max(quotes, key=lambda quote: len(said & set(content_words(quote.text))))
    source = f"written by {_model()} from the incident text, characters {nearest.start}-{nearest.end}"
    unfounded = _unfounded(sentence, " ".join(quote.text for quote in quotes))
    if not unfounded and bool(_NEGATION.search(sentence)) != bool(_NEGATION.search(nearest.text)):
        unfounded = "its yes or no"
    if unfounded:
        return Evidence(claim=sentence, source=f"{source}, which does not say: {unfounded}", status="unsupported")
    return Evidence(claim=sentence, source=source, quote=nearest.text)


def _unfounded(sentence: str, source: str) -> str:
    """What the sentence says beyond the source: numbers, names, or too many words of its own."""
    known = source.lower()
    if invented := [item for item in _LITERAL.findall(sentence) if not _mentions(known, item)]:
        return ", ".join(invented)
    said, sources = content_words(sentence), set(content_words(source))
    if not said:
        return "anything"
    word, times = Counter(said).most_common(1)[0]
    if times > _REPEATS:
        return f"{word} {times} times over"
    own = [word for word in said if word not in sources]
    return ", ".join(own) if len(own) * _NEW_WORDS > len(said) else ""


def _mentions(known: str, item: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(item.lower())}(?!\w)", known) is not None


def _remark(*, written: bool, kept: int, flagged: int) -> str:
    if not written:
        return "The model gave no usable answer; these are the incident's own sentences."
    if not kept:
        return "The quotes support nothing of what the model wrote; these are the incident's own sentences."
    left_out = f" Left out as unsupported: {flagged} of {kept + flagged} sentences." if flagged else ""
    return f"In a model's words, each found in the quoted sentences; likeness of wording, not proof.{left_out}"


def _model() -> str:
    return os.environ.get(VARIABLE, "").partition("@")[0] or "a model"


def register_writer() -> None:
    """Register the agent that writes. Importing what it needs costs a second and 60 MB, so only where it is wanted."""
    from agents.llm import llm_agent  # noqa: PLC0415 - see above

    llm_agent(
        "threat-summary-writer",
        title="Threat-summary writer",
        model=f"openai-compatible:@{VARIABLE}",
        instructions=INSTRUCTIONS,
        prompt="Text:\n{text}",
        input=TextInput,
        output=Written,
        capabilities=["text.summarise"],
        tags=["security"],
        timeout=90,
        max_concurrency=2,
        settings=SETTINGS,
    )


if os.environ.get(VARIABLE):
    register_writer()
