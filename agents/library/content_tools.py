"""The tools of content production, one for each specialist: read a source, ask the house style, measure a draft."""

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from agents.context import AgentContext
from agents.errors import ToolRefused
from agents.library import editorial
from agents.tools.registry import tool
from agents.tools.running import ToolContext

FACTS: Final = "content.facts"
STYLE: Final = "content.style"
MEASURE: Final = "content.measure"
USUAL_WORDS: Final = 90


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SourceText(_Strict):
    """A text to read."""

    text: str = Field(max_length=50_000)


class Found(_Strict):
    """A sentence that carries a fact, by its place."""

    quote: str
    start: int
    end: int
    kind: editorial.FactKind


class Facts(_Strict):
    """The facts of a text in their order."""

    facts: list[Found]


class Nothing(_Strict):
    """It asks nothing."""


class Style(_Strict):
    """How the house writes."""

    words: int
    headline_characters: int


HOUSE: Final = Style(words=USUAL_WORDS, headline_characters=editorial.HEADLINE_LIMIT)


class Draft(_Strict):
    """A copy and what it was made from."""

    copy_text: str = Field(max_length=50_000)
    source: str = Field(max_length=50_000)


class Measures(_Strict):
    """How easily it reads, and what an editor must look at."""

    ease: float
    words: int
    findings: int


@tool(FACTS, title="Facts of a source", input=SourceText, output=Facts, risk="low", data_scopes=["sources"])
def read_facts(given: SourceText, ctx: ToolContext) -> Facts:
    """Finds the sentences that carry a text's facts."""
    return facts_of(given.text)


@tool(STYLE, title="House style", input=Nothing, output=Style, risk="low", data_scopes=["style-guide"])
def house_style(given: Nothing, ctx: ToolContext) -> Style:
    """Says how long a brief and a headline may be."""
    return HOUSE


@tool(MEASURE, title="Measures of a draft", input=Draft, output=Measures, risk="low", data_scopes=["drafts"])
def measure(given: Draft, ctx: ToolContext) -> Measures:
    """Measures how easily a draft reads, and counts what it claims without its source."""
    return measures_of(given.copy_text, given.source)


def facts_of(text: str) -> Facts:
    """The sentences that carry a text's facts."""
    return Facts(
        facts=[
            Found(quote=fact.sentence.text, start=fact.sentence.start, end=fact.sentence.end, kind=fact.kind)
            for fact in editorial.key_facts(text)
        ]
    )


def measures_of(copy: str, source: str) -> Measures:
    """How easily a copy reads, how long it is, and how much of it an editor must look at."""
    measured = editorial.readability(copy)
    return Measures(ease=measured.ease, words=measured.words, findings=len(editorial.findings(copy, source)))


def ask(ctx: AgentContext, name: str, arguments: dict[str, Any]) -> Any:
    """What the tool says; None where no policy lets this agent ask it: it then works by its own means."""
    if name not in [one["name"] for one in ctx.wait_for(ctx.tools.available())]:
        return None
    try:
        return ctx.tools.call_sync(name, arguments)
    except ToolRefused:  # taken away or limited meanwhile
        return None
