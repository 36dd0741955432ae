"""The agents of the contract-analysis workflow: clauses with quotes, their risk, deviations, one memo to approve."""

import json
from pathlib import Path
from typing import Literal

from pydantic import Field

from agents.context import AgentContext
from agents.errors import Business
from agents.library.compliance import escape
from agents.library.handing_over import file_name
from agents.library.incident_contracts import Evidence, Strict
from agents.library.legal import clauses
from agents.library.legal.clauses import Clause, Level, Position, Use
from agents.library.standing_in import OPEN, Skill, stand_in
from agents.registry import agent
from agents.types import Json

PLAYBOOK_FILE = Path(__file__).parent.parent / "data" / "contract_playbook.json"
_FEWEST = 200  # characters of a text that can be a contract


class Contract(Strict):
    """A legal text and its name."""

    title: str = Field(min_length=1, max_length=200)
    text: str = Field(min_length=1, max_length=100_000)


class ClauseOut(Strict):
    """A verbatim paragraph: characters `start` to `end` of the contract."""

    kind: str
    start: int = Field(ge=0)
    end: int = Field(ge=0)
    quote: str = Field(max_length=2000)


class Extracted(Strict):
    """The clauses in their order. `confidence` is the share of the text that is of a known kind."""

    title: str
    clauses: list[ClauseOut]
    confidence: float = Field(ge=0, le=1)
    in_words: str
    evidence: list[Evidence]


@agent(
    "clause-extractor", title="Clause extractor", input=Contract, output=Extracted,
    capabilities=["contract.extract"], tags=["legal"], timeout=20,
)  # fmt: skip
def extract(given: Contract, ctx: AgentContext) -> Extracted:
    """Finds clauses by the words of their kinds and quotes each with its place."""
    if len(given.text.strip()) < _FEWEST:
        message = f"“{given.title}” has fewer than {_FEWEST} characters; that is no contract. Send its whole text."
        raise Business(message, code="too_short")
    found = clauses.clauses(given.text)
    if not found:
        message = f"No clause of a known kind was found in “{given.title}”; a lawyer has to read it."
        raise Business(message, code="no_clauses")
    share = round(clauses.recognised(given.text, found), 4)
    return Extracted(
        title=given.title,
        clauses=[ClauseOut(kind=one.kind, start=one.start, end=one.end, quote=one.quote) for one in found],
        confidence=share,
        in_words=f"{len(found)} clauses of {len({one.kind for one in found})} kinds in {share:.0%} of the text",
        evidence=[
            Evidence(claim=one.quote, source="contract", quote=one.quote, status="verified") for one in found
        ],
    )  # fmt: skip


class RatingRequest(Strict):
    """Clauses, and what the thing is to be used for."""

    title: str
    clauses: list[ClauseOut] = Field(min_length=1, max_length=2000)
    use: Use


class Rated(Strict):
    """A clause with its risk."""

    kind: str
    level: Level
    reason: str
    start: int
    end: int
    quote: str


class Risks(Strict):
    """Every clause that is not low, worst first, and the highest level."""

    level: Level
    risks: list[Rated]
    low: int


@agent(
    "clause-risk-assessor", title="Clause risk assessor", input=RatingRequest, output=Risks,
    capabilities=["contract.rate"], tags=["legal", "risk"], timeout=20,
)  # fmt: skip
def assess(given: RatingRequest, ctx: AgentContext) -> Risks:
    """Rates each clause by its words and the use that is meant."""
    rated = [(one, clauses.rate(Clause(**one.model_dump()), given.use)) for one in given.clauses]
    risks = [
        Rated(**one.model_dump(), level=rating.level, reason=rating.reason)
        for one, rating in rated
        if rating.level != "low"
    ]
    ordered = sorted(risks, key=lambda one: (-clauses.LEVELS.index(one.level), one.start))
    return Risks(level=ordered[0].level if ordered else "low", risks=ordered, low=len(rated) - len(risks))


class PositionIn(Strict):
    """A house position."""

    name: str = Field(min_length=1, max_length=100)
    kind: str = Field(min_length=1, max_length=100)
    presence: Literal["required", "forbidden", "either"]
    any_of: tuple[str, ...] = Field(default=(), max_length=20)
    none_of: tuple[str, ...] = Field(default=(), max_length=20)
    unless: tuple[str, ...] = Field(default=(), max_length=20)
    ask: str = Field(default="", max_length=500)
    level: Level = "medium"


class PlaybookRequest(Strict):
    """Clauses to hold against a playbook; the house's own if none is given."""

    checked: str
    clauses: list[ClauseOut] = Field(min_length=1, max_length=2000)
    playbook: list[PositionIn] = Field(default_factory=list, max_length=100)


class DeviationOut(Strict):
    """Where the text leaves a position, and what to ask for."""

    position: str
    kind: str
    level: Level
    problem: str
    ask: str
    quote: str


class Deviations(Strict):
    """What deviates, in the playbook's order."""

    positions: int
    deviations: list[DeviationOut]


@agent(
    "playbook-checker", title="Playbook checker", input=PlaybookRequest, output=Deviations,
    capabilities=["contract.compare"], tags=["legal"], timeout=20,
)  # fmt: skip
def check(given: PlaybookRequest, ctx: AgentContext) -> Deviations:
    """Holds the clauses against each house position: missing, forbidden, or worded otherwise."""
    playbook = [Position(**one.model_dump()) for one in given.playbook] or house_playbook()
    unknown = {position.kind for position in playbook} - set(clauses.KINDS)
    if unknown:
        message = f"The playbook speaks of “{min(unknown)}”, a kind of clause that is not looked for."
        raise Business(message, code="unknown_kind")
    found = clauses.deviations([Clause(**one.model_dump()) for one in given.clauses], playbook)
    return Deviations(
        positions=len(playbook),
        deviations=[
            DeviationOut(
                position=one.position.name,
                kind=one.position.kind,
                level=one.position.level,
                problem=one.problem,
                ask=one.position.ask,
                quote=one.clause.quote if one.clause else "",
            )
            for one in found
        ],
    )


def house_playbook() -> list[Position]:
    """The playbook that ships; a workflow's input may bring another."""
    return [Position(**PositionIn(**one).model_dump()) for one in json.loads(PLAYBOOK_FILE.read_text())]


class MemoRequest(Strict):
    """What was found."""

    title: str
    use: Use
    extracted: Extracted
    risks: Risks
    deviations: Deviations


class Memo(Strict):
    """The memo. `advice` follows from the worst deviation and the worst clause, by a rule that the memo states."""

    title: str
    advice: Literal["sign", "negotiate", "do not sign"]
    level: Level
    in_words: str
    confidence: float = Field(ge=0, le=1)
    markdown: str
    evidence: list[Evidence]


@agent(
    "contract-memo-writer", title="Contract memo writer", input=MemoRequest, output=Memo,
    capabilities=["contract.memo"], tags=["legal"], timeout=20,
)  # fmt: skip
def write_memo(given: MemoRequest, ctx: AgentContext) -> Memo:
    """One memo: advice, what to ask for, the risky clauses with quotes, and what was not recognised."""
    deviating = given.deviations.deviations
    high = [one for one in deviating if one.level == "high"]
    if high and given.risks.level == "high":
        advice: Literal["sign", "negotiate", "do not sign"] = "do not sign"
    else:
        advice = "negotiate" if deviating else "sign"
    level: Level = "high" if advice == "do not sign" else "medium" if advice == "negotiate" else given.risks.level
    words = f"{advice}: {len(deviating)} deviations ({len(high)} grave), {len(given.risks.risks)} clauses with risk"
    return Memo(
        title=given.title,
        advice=advice,
        level=level,
        in_words=words,
        confidence=given.extracted.confidence,
        markdown=_memo(given, words),
        evidence=[
            *(Evidence(claim=f"{one.position}: {one.problem}.", source="contract", quote=one.quote)
              for one in deviating),
            *(Evidence(claim=f"{one.kind}: {one.reason}.", source=f"contract, characters {one.start}-{one.end}",
                       quote=one.quote, status="verified") for one in given.risks.risks),
        ][:60],
    )  # fmt: skip


def _memo(given: MemoRequest, words: str) -> str:
    lines = [f"# {escape(given.title)}", "", f"Advice for {given.use} use: **{words}**.", "", "## To ask for", ""]
    lines += [
        f"- **{escape(one.position)}** ({one.level}): {escape(one.problem)}. {escape(one.ask)}"
        for one in given.deviations.deviations
    ]
    lines += ["", "## Clauses with risk", ""]
    for one in given.risks.risks:
        lines += [f"### {one.kind}, {one.level}", "", f"{one.reason} (characters {one.start}-{one.end})", ""]
        lines += [*(f"> {escape(line)}" for line in one.quote.splitlines()), ""]
    how = (
        f"{given.extracted.in_words}; the rest is of no kind that is looked for and was not judged. {given.risks.low} "
        f"clauses are usual of their kind. {given.deviations.positions} positions were held against it. "
        "“Do not sign” means: a grave deviation and a clause of high risk. It was written by rules, not by a lawyer."
    )
    return "\n".join([*lines, "## How this was made", "", how, ""])


class MemoFiling(Strict):
    """A memo as it was approved."""

    approved: Memo


class MemoFiled(Strict):
    """The memo as a file."""

    file_name: str
    markdown: str


@agent(
    "contract-memo-filer", title="Files contract memos", input=MemoFiling, output=MemoFiled,
    capabilities=["contract.file"], tags=["legal"], timeout=20,
)  # fmt: skip
def file_memo(given: MemoFiling, ctx: AgentContext) -> MemoFiled:
    """Hands over exactly what was approved."""
    return MemoFiled(file_name=file_name("memo", given.approved.title), markdown=given.approved.markdown)


_SKILLS = (
    Skill("approved", MemoFiling, file_memo),
    Skill("extracted", MemoRequest, write_memo),
    Skill("checked", PlaybookRequest, check),
    Skill("use", RatingRequest, assess),
    Skill("text", Contract, extract),
)


@agent(
    "contract-generalist", title="Contract generalist", input=OPEN, output=OPEN,
    capabilities=["contract.stand-in"], tags=["legal"], timeout=30,
)  # fmt: skip
def stand_in_for_contracts(given: dict[str, Json], ctx: AgentContext) -> dict[str, Json]:
    """Does any step of a contract's analysis by the same rules."""
    return stand_in(_SKILLS, given, ctx)
