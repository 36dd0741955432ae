"""The agents of the business-intelligence workflow: three analysts, each entitled to other data, and their editor.

Every analyst says for or against, and how sure it is: the lower bound of the share of months that agree with it. One
that may not read its figures says so instead of guessing. No analyst sees a value later than the brief's month.
"""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, Literal

from pydantic import Field

from agents.context import AgentContext
from agents.errors import Business, ToolRefused
from agents.library.business import figures
from agents.library.business.figures import Agreement
from agents.library.business.series import READ, Series
from agents.library.compliance import escape
from agents.library.handing_over import file_name
from agents.library.incident_contracts import Evidence, Strict
from agents.library.standing_in import OPEN, Skill, stand_in
from agents.registry import agent
from agents.types import Json

type Stance = Literal["for", "against", "no figures"]
type Analyst = Literal["competition", "market", "performance"]

MONTH = r"^\d{4}-(0[1-9]|1[0-2])$"
DECISIVE = 0.3  # of the weights: below it the brief advises to wait


class Question(Strict):
    """What is to be decided, about which company, as of when. `months` is how far back is looked."""

    analyst: Analyst
    company: str = Field(min_length=1, max_length=10)
    peers: list[str] = Field(default_factory=list, max_length=9)
    sector: str = Field(default="", max_length=50)
    as_of: str = Field(pattern=MONTH)
    months: int = Field(ge=6, le=60)


class Provenance(Strict):
    """Where a section's figures are from, and how they were made."""

    source: str
    sha256: str
    licence: str
    period: str
    values: int
    method: str


class Section(Strict):
    """One analyst's contribution."""

    analyst: Analyst
    stance: Stance
    confidence: float = Field(ge=0, le=1)
    text: str
    caution: str
    evidence: list[Evidence]
    provenance: list[Provenance]


@agent(
    "performance-analyst", title="Performance analyst", input=Question, output=Section,
    capabilities=["business.performance"], authority=["performance"], tags=["business"], timeout=20,
)  # fmt: skip
def performance(given: Question, ctx: AgentContext) -> Section:
    """The company's own growth, worst fall and scatter; sure as far as months point the same way."""
    found = _read(ctx, "stocks", [given.company], given, scope="own-figures")
    if found is None:
        return _nothing(given)
    values = _window(found, given.company, given)
    grew, agreement = figures.growth(values), figures.beats(values, [0.0] * (len(values) - 1))
    fall, scatter = figures.worst_fall(values), figures.scatter(values)
    return _section(
        given, found, grew > 0, agreement,
        text=f"{given.company} {_moved(grew)} in {given.months} months",
        caution=f"on the way it fell by {fall:.1%}, and it scatters by {scatter:.1%} a year",
        method="last over first value; share of months with a rise, Wilson's lower bound at 95 %",
    )  # fmt: skip


@agent(
    "competition-analyst", title="Competition analyst", input=Question, output=Section,
    capabilities=["business.competition"], authority=["competition"], tags=["business"], timeout=20,
)  # fmt: skip
def competition(given: Question, ctx: AgentContext) -> Section:
    """The company against the median of its peers, month by month."""
    if not given.peers or given.company in given.peers:
        raise Business(f"Name peers of {given.company} other than itself.", code="no_peers")
    found = _read(ctx, "stocks", [given.company, *given.peers], given, scope="competitors")
    if found is None:
        return _nothing(given)
    values = _window(found, given.company, given)
    peers = {name: _window(found, name, given) for name in given.peers}
    ahead = figures.beats(values, figures.middle_path(peers))
    grew = {name: figures.growth(of) for name, of in peers.items()}
    best = max(grew, key=lambda name: grew[name])
    lead = figures.growth(values) > median(grew.values())
    return _section(
        given, found, lead, ahead,
        text=f"{given.company} {_moved(figures.growth(values))}; of its peers {best} did best and {_moved(grew[best])}",
        caution=f"it beat the median of {', '.join(given.peers)} in {ahead.k} of {ahead.n} months",
        method="growth against the peers' median; share of months above it, Wilson's lower bound at 95 %",
    )  # fmt: skip


@agent(
    "market-analyst", title="Market analyst", input=Question, output=Section,
    capabilities=["business.market"], authority=["market"], tags=["business"], timeout=20,
)  # fmt: skip
def market(given: Question, ctx: AgentContext) -> Section:
    """Employment in the company's sector against the whole country's, month by month."""
    found = _read(ctx, "us-employment", [given.sector, "nonfarm"], given, scope="market")
    if found is None:
        return _nothing(given)
    sector, whole = _window(found, given.sector, given), _window(found, "nonfarm", given)
    ahead = figures.beats(sector, figures.changes(whole))
    grew, all_grew = figures.growth(sector), figures.growth(whole)
    return _section(
        given, found, grew > all_grew, ahead,
        text=f"employment in {given.sector.replace('_', ' ')} {_moved(grew)}, in all the country it {_moved(all_grew)}",
        caution=f"it did better than the country in {ahead.k} of {ahead.n} months; employment is not revenue",
        method="growth against all nonfarm employment; share of months above it, Wilson's lower bound at 95 %",
    )  # fmt: skip


def _read(ctx: AgentContext, dataset: str, names: Sequence[str], given: Question, *, scope: str) -> Series | None:
    """The series, or None where no entitlement lets this agent read them."""
    arguments = {"dataset": dataset, "series": list(names), "until": given.as_of}
    try:
        found = Series.model_validate(ctx.tools.call_sync(READ, arguments, scopes=[scope]))
    except ToolRefused:
        return None
    if found.unknown:
        raise Business(f"{dataset} has no series “{found.unknown[0][:50]}”.", code="unknown_series")
    return found


def _window(found: Series, name: str, given: Question) -> list[float]:
    values = [point.value for point in found.series[name]][-(given.months + 1) :]
    if len(values) <= given.months:
        message = f"{name} has {len(values)} values until {given.as_of}; {given.months} months need one more than that."
        raise Business(message, code="too_few_values")
    return values


def _section(
    given: Question, found: Series, is_for: bool, ahead: Agreement, **words: str
) -> Section:  # fmt: skip
    agreeing = ahead if is_for else Agreement(ahead.n - ahead.k, ahead.n)
    values = {name: points[-(given.months + 1) :] for name, points in found.series.items()}
    months = [points[0].month for points in values.values()]
    return Section(
        analyst=given.analyst,
        stance="for" if is_for else "against",
        confidence=agreeing.confidence,
        text=words["text"],
        caution=words["caution"],
        evidence=[
            Evidence(claim=f"{words['text'][0].upper()}{words['text'][1:]}.", source=found.source),
            Evidence(claim=f"{agreeing.k} of {agreeing.n} months agree with that.", source=found.source),
            Evidence(claim=f"{words['caution'][0].upper()}{words['caution'][1:]}.", source=found.source),
        ],
        provenance=[
            Provenance(
                source=f"{found.source}: {', '.join(values)}",
                sha256=found.sha256,
                licence=found.licence,
                period=f"{min(months)} to {given.as_of}",
                values=sum(len(points) for points in values.values()),
                method=words["method"],
            )
        ],
    )


def _nothing(given: Question) -> Section:
    text = f"the {given.analyst} analyst may not read its figures: no entitlement in force lets it"
    return Section(analyst=given.analyst, stance="no figures", confidence=0.0, text=text, caution="nothing was read",
                   evidence=[Evidence(claim=f"T{text[1:]}.", source="policies")], provenance=[])  # fmt: skip


def _moved(share: float) -> str:
    return f"{'rose' if share >= 0 else 'fell'} by {abs(share):.1%}"


class BriefRequest(Strict):
    """The question and what the three say to it."""

    question: str = Field(min_length=10, max_length=500)
    company: str
    as_of: str = Field(pattern=MONTH)
    competition: Section
    market: Section
    performance: Section


class Voice(Strict):
    """Who says what, and how sure they are."""

    analyst: Analyst
    stance: Stance
    confidence: float
    text: str
    caution: str


class Brief(Strict):
    """One brief. `confidence` is the mean of the three analysts', where whoever does not agree counts as 0."""

    question: str
    company: str
    as_of: str
    recommendation: Literal["proceed", "do not proceed", "wait"]
    because: str
    confidence: float = Field(ge=0, le=1)
    voices: list[Voice]
    dissent: list[Voice]
    missing: list[Analyst]
    evidence: list[Evidence]
    provenance: list[Provenance]


@agent(
    "brief-editor", title="Brief editor", input=BriefRequest, output=Brief,
    capabilities=["business.brief"], tags=["business"], timeout=20,
)  # fmt: skip
def edit(given: BriefRequest, ctx: AgentContext) -> Brief:
    """Weighs each analyst by its confidence; whoever says otherwise is kept, word for word, as dissent."""
    sections = [given.competition, given.market, given.performance]
    voices = [Voice(**one.model_dump(include=set(Voice.model_fields))) for one in sections]
    weights = {"for": 0.0, "against": 0.0, "no figures": 0.0}
    for voice in voices:
        weights[voice.stance] += voice.confidence
    recommendation, agreeing = _weigh(weights, voices)
    dissent = [voice for voice in voices if voice.stance not in {agreeing, "no figures"}]
    heard = [voice for voice in voices if voice.stance != "no figures"]
    return Brief(
        question=given.question,
        company=given.company,
        as_of=given.as_of,
        recommendation=recommendation,
        because=f"{len(heard)} analysts weigh {weights['for']:.2f} for and {weights['against']:.2f} against",
        confidence=round(weights.get(agreeing, 0.0) / len(voices), 4),
        voices=voices,
        dissent=dissent,
        missing=[voice.analyst for voice in voices if voice.stance == "no figures"],
        evidence=[claim for one in sections for claim in one.evidence],
        provenance=[origin for one in sections for origin in one.provenance],
    )


def _weigh(
    weights: Mapping[str, float], voices: Sequence[Voice]
) -> tuple[Literal["proceed", "do not proceed", "wait"], str]:
    """The recommendation and the stance that carries it. An analyst who was not heard makes it wait."""
    lead = weights["for"] - weights["against"]
    if abs(lead) < DECISIVE or any(voice.stance == "no figures" for voice in voices):
        return "wait", ""
    return ("proceed", "for") if lead > 0 else ("do not proceed", "against")


class Publishing(Strict):
    """A brief as people approved or edited it."""

    brief: Brief


class Document(Strict):
    """The client's document."""

    file_name: str
    markdown: str


@agent(
    "brief-publisher", title="Brief publisher", input=Publishing, output=Document,
    capabilities=["business.publish"], tags=["business"], timeout=20,
)  # fmt: skip
def publish(given: Publishing, ctx: AgentContext) -> Document:
    """The brief as a document: recommendation, dissent, analysts, and where each figure is from."""
    brief = given.brief
    advice = f"**{brief.recommendation.capitalize()}**: {brief.because} (confidence {brief.confidence:.2f})."
    lines = [
        f"# {escape(brief.company)}: {brief.recommendation}", "", escape(brief.question), "",
        f"As of {brief.as_of}. {advice}", "", "## Dissent", "", *_dissent(brief), "", "## What the analysts say", "",
        *(f"- **{one.analyst.capitalize()}** ({one.stance}, {one.confidence:.2f}): {_in_words(one)}."
          for one in brief.voices),
        "", "Share prices and employment tell what investors and employers did, not whether a product fits.",
        "", "## Appendix: provenance", "", *_provenance(brief), "",
    ]  # fmt: skip
    return Document(file_name=file_name("brief", f"{brief.company}-{brief.as_of}"), markdown="\n".join(lines))


def _in_words(voice: Voice) -> str:
    return f"{escape(voice.text)}; {escape(voice.caution)}"


def _dissent(brief: Brief) -> list[str]:
    lines = [f"- The {one.analyst} analyst says {one.stance}: {_in_words(one)}." for one in brief.dissent]
    lines += [f"- The {name} analyst was not heard: it may not read its figures." for name in brief.missing]
    if lines:
        return lines
    weakest = min(brief.voices, key=lambda one: one.confidence)
    return [f"No analyst dissents. The least sure is {weakest.analyst} ({weakest.confidence:.2f}): {weakest.caution}."]


def _provenance(brief: Brief) -> list[str]:
    rows = [
        f"| {escape(one.source)} | {one.period} | {one.values} | {one.method} | {one.licence} | `{one.sha256}` |"
        for one in brief.provenance
    ]
    head = ["| Source | Period | Values | Method | Licence | SHA-256 of the file |", "|---|---|---|---|---|---|"]
    claims = [f"- {escape(one.claim)} ({escape(one.source)})" for one in brief.evidence]
    return [*(head + rows if rows else ["No source was read."]), "", "### Every figure", "", *claims]


def _analyse(given: Question, ctx: AgentContext) -> Section:
    return {"competition": competition, "market": market, "performance": performance}[given.analyst](given, ctx)


_SKILLS = (
    Skill("brief", Publishing, publish),
    Skill("competition", BriefRequest, edit),
    Skill("analyst", Question, _analyse),
)


@agent(
    "business-generalist", title="Business generalist", input=OPEN, output=OPEN, capabilities=["business.stand-in"],
    authority=["competition", "market", "performance"], tags=["business"], timeout=30,
)  # fmt: skip
def stand_in_for_business(given: dict[str, Any], ctx: AgentContext) -> dict[str, Json]:
    """Does any step of a brief by the same rules. It is entitled to no figures of its own, so an analysis says so."""
    return stand_in(_SKILLS, given, ctx)
