"""The agents of the due-diligence workflow: value, incidents and papers side by side, then one register of flags."""

from typing import Any, Literal

from pydantic import Field

from agents.context import AgentContext
from agents.errors import Business, ToolRefused
from agents.library import named_incidents
from agents.library.business import figures
from agents.library.business.series import READ, Series
from agents.library.compliance import escape
from agents.library.handing_over import file_name
from agents.library.incident_contracts import Evidence, Strict
from agents.library.legal import clauses
from agents.library.legal.clauses import Level, Use
from agents.library.standing_in import OPEN, Skill, stand_in
from agents.registry import agent
from agents.types import Json

type Area = Literal["value", "incidents", "papers"]

DAY = r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$"
MONTH = r"^\d{4}-(0[1-9]|1[0-2])$"
_HALVED, _WILD = 0.5, 0.4  # a fall of half its price; a scatter of 40 % a year


class Flag(Strict):
    """Something that speaks against the deal, with its source and, where it is a text, its words."""

    area: Area
    level: Level
    text: str
    source: str
    quote: str = ""


class Examined(Strict):
    """What one examiner found, what it could not find, and what it looked at."""

    area: Area
    flags: list[Flag]
    open: list[str]
    summary: str
    sources: list[str]


class ValueRequest(Strict):
    """A listed company, and the months to look back from a month."""

    symbol: str = Field(default="", max_length=10)
    value_until: str = Field(pattern=MONTH)
    months: int = Field(default=60, ge=12, le=120)


@agent(
    "value-examiner", title="Value examiner", input=ValueRequest, output=Examined,
    capabilities=["diligence.value"], tags=["business", "finance"], timeout=20,
)  # fmt: skip
def examine_value(given: ValueRequest, ctx: AgentContext) -> Examined:
    """Growth, worst fall and scatter of the target's price; without a symbol or entitlement it says what is open."""
    if not given.symbol:
        return _unread("the target is not listed, so its accounts have to be asked for")
    try:
        arguments = {"dataset": "stocks", "series": [given.symbol], "until": given.value_until}
        found = Series.model_validate(ctx.tools.call_sync(READ, arguments, scopes=["own-figures"]))
    except ToolRefused:
        return _unread("no entitlement in force lets the examiner read prices")
    if found.unknown:
        return _unread(f"there are no prices of {given.symbol}")
    points = found.series[given.symbol][-(given.months + 1) :]
    if len(points) < 13:
        return _unread(f"{given.symbol} has only {len(points)} prices until {given.value_until}")
    values = [point.value for point in points]
    grew, fall, scatter = figures.growth(values), figures.worst_fall(values), figures.scatter(values)
    period = f"{found.source}: {given.symbol}, {points[0].month} to {points[-1].month}"
    flags = [
        *([_value("medium", f"the price fell by {-grew:.1%} in {len(values) - 1} months", period)] if grew < 0 else []),
        *([_value("high", f"at worst the price fell by {fall:.1%} from its height", period)] if fall > _HALVED else []),
        *([_value("medium", f"the price scatters by {scatter:.1%} a year", period)] if scatter > _WILD else []),
    ]
    summary = f"{given.symbol} moved by {grew:+.1%}, fell by {fall:.1%} at worst, scatters by {scatter:.1%} a year"
    return Examined(area="value", flags=flags, open=[], summary=summary, sources=[f"{period}, SHA-256 {found.sha256}"])


def _value(level: Level, text: str, source: str) -> Flag:
    return Flag(area="value", level=level, text=text, source=source)


def _unread(why: str) -> Examined:
    return Examined(area="value", flags=[], open=[f"Value: {why}."], summary="no prices were read", sources=[])


class IncidentRequest(Strict):
    """The names of the target and its products, and the days between which incidents count."""

    aliases: list[str] = Field(min_length=1, max_length=20)
    since: str = Field(pattern=DAY)
    until: str = Field(pattern=DAY)


@agent(
    "incident-examiner", title="Incident examiner", input=IncidentRequest, output=Examined,
    capabilities=["diligence.incidents"], tags=["business", "security"], timeout=30,
)  # fmt: skip
def examine_incidents(given: IncidentRequest, ctx: AgentContext) -> Examined:
    """Real AI incidents that name the target: how many, how grave, and the gravest with their references."""
    if any(len(alias.strip()) < 3 for alias in given.aliases):
        raise Business("A name of fewer than three letters would be found everywhere.", code="name_too_short")
    found = named_incidents.naming(given.aliases, since=given.since, until=given.until)
    counted = named_incidents.count(found)
    flags = [
        Flag(
            area="incidents",
            level="high" if one.severity == "critical" else "medium",
            text=f"{one.severity} incident of {one.date}",
            source=f"{one.id}, {one.reference or 'no reference'}",
            quote=one.title[:300],
        )
        for one in counted.gravest
        if one.severity in {"critical", "high"}
    ]
    severe = ", ".join(f"{counted.by_severity.get(name, 0)} {name}" for name in named_incidents.SEVERITIES)
    return Examined(
        area="incidents",
        flags=flags,
        open=[],
        summary=f"{counted.total} incidents name {', '.join(given.aliases)} ({given.since} to {given.until}): {severe}",
        sources=[named_incidents.SOURCE],
    )


class Paper(Strict):
    """A document of the data room."""

    kind: str = Field(min_length=1, max_length=50)
    name: str = Field(min_length=1, max_length=200)
    text: str = Field(min_length=1, max_length=60_000)


class PaperRequest(Strict):
    """The data room, the kinds of paper that must be in it, and what the target's product is to be used for."""

    papers: list[Paper] = Field(max_length=20)
    required: list[str] = Field(default_factory=list, max_length=20)
    use: Use


@agent(
    "paper-examiner", title="Paper examiner", input=PaperRequest, output=Examined,
    capabilities=["diligence.papers"], tags=["business", "legal"], timeout=30,
)  # fmt: skip
def examine_papers(given: PaperRequest, ctx: AgentContext) -> Examined:
    """The gravest clause of each kind in each paper, with its words, and the papers that are missing."""
    flags = [flag for paper in given.papers for flag in _of_paper(paper, given.use)]
    there = {paper.kind for paper in given.papers}
    missing = [kind for kind in given.required if kind not in there]
    return Examined(
        area="papers",
        flags=flags,
        open=[f"Papers: no {kind} is in the data room." for kind in missing],
        summary=f"{len(given.papers)} papers read, {len(missing)} of {len(given.required)} required kinds are missing",
        sources=[f"{paper.name} ({len(paper.text)} characters)" for paper in given.papers],
    )


def _of_paper(paper: Paper, use: Use) -> list[Flag]:
    worst: dict[str, Flag] = {}
    for clause in clauses.clauses(paper.text):
        rating = clauses.rate(clause, use)
        flag = Flag(area="papers", level=rating.level, text=f"{clause.kind}: {rating.reason}", quote=clause.quote,
                    source=f"{paper.name}, characters {clause.start}-{clause.end}")  # fmt: skip
        known = worst.get(clause.kind)
        if known is None or clauses.LEVELS.index(flag.level) > clauses.LEVELS.index(known.level):
            worst[clause.kind] = flag
    return [flag for flag in worst.values() if flag.level != "low"]


class RegisterRequest(Strict):
    """What the three found."""

    target: str = Field(min_length=1, max_length=200)
    value: Examined
    incidents: Examined
    papers: Examined


class Register(Strict):
    """Every flag, worst first, and the advice that follows by rule: grave flags in two areas of three mean stop."""

    target: str
    advice: Literal["go on", "go on with conditions", "stop"]
    level: Level
    flags: list[Flag]
    open: list[str]
    in_words: str
    markdown: str
    evidence: list[Evidence]


@agent(
    "diligence-reporter", title="Diligence reporter", input=RegisterRequest, output=Register,
    capabilities=["diligence.report"], tags=["business"], timeout=20,
)  # fmt: skip
def report(given: RegisterRequest, ctx: AgentContext) -> Register:
    """One register of flags with their sources, the questions that stay open, and advice by a rule that it states."""
    parts = (given.value, given.incidents, given.papers)
    flags = sorted((flag for part in parts for flag in part.flags), key=lambda one: -clauses.LEVELS.index(one.level))
    left = [question for part in parts for question in part.open]
    grave = sum(flag.level == "high" for flag in flags)
    areas = {flag.area for flag in flags if flag.level == "high"}
    advice: Literal["go on", "go on with conditions", "stop"] = (
        "stop" if len(areas) > 1 else "go on with conditions" if grave or left else "go on"
    )
    words = f"{advice}: {len(flags)} flags ({grave} grave), {len(left)} questions open"
    return Register(
        target=given.target,
        advice=advice,
        level="high" if grave else "medium" if flags or left else "low",
        flags=flags,
        open=left,
        in_words=words,
        markdown=_document(given, flags, left, words),
        evidence=[Evidence(claim=f"{one.area}: {one.text}.", source=one.source, quote=one.quote) for one in flags],
    )


def _document(given: RegisterRequest, flags: list[Flag], left: list[str], words: str) -> str:
    parts = (given.value, given.incidents, given.papers)
    lines = [
        f"# Due diligence of {escape(given.target)}",
        "",
        f"**{words[0].upper()}{words[1:]}.**",
        "",
        "## Flags",
        "",
    ]
    for flag in flags:
        lines.append(f"- **{flag.level}** ({flag.area}): {escape(flag.text)}. Source: {escape(flag.source)}.")
        lines += [f"  > {escape(line)}" for line in flag.quote.splitlines()]
    lines += ["" if flags else "None.", "## Open questions", "", *([f"- {escape(one)}" for one in left] or ["None."])]
    lines += ["", "## What was looked at", "", *(f"- {escape(part.summary)}" for part in parts)]
    lines += ["", *(f"- {escape(source)}" for part in parts for source in part.sources)]
    rule = "grave flags in two areas mean stop, a grave flag or an open question means conditions"
    return "\n".join([*lines, "", f"The rule of the advice: {rule}.", ""])


class RegisterFiling(Strict):
    """A register as it was approved."""

    approved: Register


class RegisterFiled(Strict):
    """The register as a file."""

    file_name: str
    markdown: str


@agent(
    "diligence-filer", title="Files due diligence", input=RegisterFiling, output=RegisterFiled,
    capabilities=["diligence.file"], tags=["business"], timeout=20,
)  # fmt: skip
def file_register(given: RegisterFiling, ctx: AgentContext) -> RegisterFiled:
    """Hands over exactly what was approved."""
    return RegisterFiled(file_name=file_name("due-diligence", given.approved.target), markdown=given.approved.markdown)


_SKILLS = (
    Skill("approved", RegisterFiling, file_register),
    Skill("target", RegisterRequest, report),
    Skill("papers", PaperRequest, examine_papers),
    Skill("aliases", IncidentRequest, examine_incidents),
    Skill("value_until", ValueRequest, examine_value),
)


@agent(
    "diligence-generalist", title="Diligence generalist", input=OPEN, output=OPEN,
    capabilities=["diligence.stand-in"], tags=["business"], timeout=30,
)  # fmt: skip
def stand_in_for_diligence(given: dict[str, Any], ctx: AgentContext) -> dict[str, Json]:
    """Does any step of a due diligence by the same rules. It is entitled to no prices, so value stays open."""
    return stand_in(_SKILLS, given, ctx)
