"""The agents of the regulatory-compliance workflow: what incidents call for, what controls cover, and the gaps."""

from datetime import date, timedelta
from typing import Any

from pydantic import Field

from agents.context import AgentContext
from agents.errors import Business
from agents.library import named_incidents
from agents.library.compliance import escape
from agents.library.handing_over import file_name
from agents.library.incident_contracts import Evidence, Strict
from agents.library.legal import regulation
from agents.library.legal.regulation import Basis, Control, Level, Obligation, State
from agents.library.standing_in import OPEN, Skill, stand_in
from agents.registry import agent
from agents.types import Json

_DAYS: dict[Level, int] = {"high": 30, "medium": 90, "low": 180}


class ExposureRequest(Strict):
    """The kinds of attack that a system is open to, and the days between which incidents count."""

    categories: list[str] = Field(min_length=1, max_length=20)
    since: date
    until: date


class Example(Strict):
    """An incident, with where it is reported."""

    id: str
    title: str
    date: str
    severity: str
    reference: str


class ObligationOut(Strict):
    """A framework's item, and the incidents that call for it."""

    id: str
    framework: str
    basis: Basis
    incidents: int
    severe: int
    examples: list[Example]


class Exposure(Strict):
    """What is called for. `confidence` is the share of incidents whose own source lists a framework's item."""

    incidents: int
    obligations: list[ObligationOut]
    confidence: float = Field(ge=0, le=1)
    source: str


@agent(
    "exposure-mapper", title="Exposure mapper", input=ExposureRequest, output=Exposure,
    capabilities=["compliance.map"], tags=["legal", "security"], timeout=30,
)  # fmt: skip
def map_exposure(given: ExposureRequest, ctx: AgentContext) -> Exposure:
    """Counts the real incidents of the given kinds and the framework items that their sources list."""
    if unknown := sorted(set(given.categories) - named_incidents.categories()):
        raise Business(f"No incident is of the kind “{unknown[0][:50]}”.", code="unknown_category")
    found = named_incidents.of_categories(given.categories, since=f"{given.since}", until=f"{given.until}")
    if not found:
        message = f"No incident of these kinds lies between {given.since} and {given.until}; widen the dates."
        raise Business(message, code="no_incidents")
    return Exposure(
        incidents=len(found),
        obligations=[_obligation_out(one) for one in regulation.obligations(found, given.categories)],
        confidence=round(regulation.reported_share(found), 4),
        source=named_incidents.SOURCE,
    )


def _obligation_out(one: Obligation) -> ObligationOut:
    examples = [
        Example(id=i.id, title=i.title[:200], date=i.date, severity=i.severity, reference=i.reference)
        for i in one.examples
    ]
    return ObligationOut(id=one.id, framework=one.framework, basis=one.basis, incidents=one.incidents,
                         severe=one.severe, examples=examples)  # fmt: skip


class ControlIn(Strict):
    """What a system's owners say that they do, with its evidence and the day of its last test."""

    id: str = Field(min_length=1, max_length=50)
    title: str = Field(min_length=1, max_length=200)
    covers: list[str] = Field(min_length=1, max_length=40)
    evidence: str = Field(default="", max_length=1000)
    owner: str = Field(default="", max_length=100)
    tested_on: date | None = None


class ControlsRequest(Strict):
    """The controls, judged as of a day."""

    controls: list[ControlIn] = Field(max_length=200)
    as_of: date


class Coverage(Strict):
    """How one framework's item is covered."""

    id: str
    state: State
    control: str
    owner: str
    why: str


class Covered(Strict):
    """Every item that some control names, and those controls that name nothing known."""

    coverage: list[Coverage]
    controls: int


@agent(
    "control-examiner", title="Control examiner", input=ControlsRequest, output=Covered,
    capabilities=["compliance.controls"], tags=["legal"], timeout=20,
)  # fmt: skip
def examine_controls(given: ControlsRequest, ctx: AgentContext) -> Covered:
    """What each control covers: tested within a year, longer ago, or only declared."""
    if len({one.id for one in given.controls}) < len(given.controls):
        raise Business("Two controls have one id; give each its own.", code="control_twice")
    controls = [Control(**{**one.model_dump(), "covers": tuple(one.covers)}) for one in given.controls]
    ids = dict.fromkeys(id_ for control in controls for id_ in control.covers)
    return Covered(coverage=[_coverage(id_, controls, given.as_of) for id_ in ids], controls=len(controls))


def _coverage(id_: str, controls: list[Control], today: date) -> Coverage:
    found, control = regulation.state(id_, controls, today)
    assert control is not None
    tested = f"last tested on {control.tested_on}" if control.tested_on else "never tested"
    why = {"covered": tested, "stale": tested}.get(found, "no evidence is named")
    return Coverage(id=id_, state=found, control=f"{control.id} {control.title}", owner=control.owner, why=why)


class GapsRequest(Strict):
    """What is called for, and what is covered."""

    system: str = Field(min_length=1, max_length=200)
    as_of: date
    exposure: Exposure
    covered: Covered


class Gap(Strict):
    """An item that is called for and not covered by something tested, with its sources."""

    id: str
    framework: str
    level: Level
    state: State
    why: str
    control: str
    owner: str
    basis: Basis
    incidents: int
    severe: int
    due: date
    sources: list[Example]


class GapRegister(Strict):
    """The gaps, most urgent first, and the plan to close them."""

    system: str
    level: Level
    gaps: list[Gap]
    covered: list[str]
    confidence: float = Field(ge=0, le=1)
    in_words: str
    evidence: list[Evidence]


@agent(
    "compliance-gap-assessor", title="Compliance gap assessor", input=GapsRequest, output=GapRegister,
    capabilities=["compliance.gaps"], tags=["legal", "risk"], timeout=20,
)  # fmt: skip
def assess_gaps(given: GapsRequest, ctx: AgentContext) -> GapRegister:
    """Holds what incidents call for against what is covered; each gap has incidents as its sources and a day."""
    covered = {one.id: one for one in given.covered.coverage}
    gaps = [_gap(one, covered.get(one.id), given.as_of) for one in given.exposure.obligations
            if one.id not in covered or covered[one.id].state != "covered"]  # fmt: skip
    order = ("high", "medium", "low")
    gaps.sort(key=lambda gap: (order.index(gap.level), -gap.severe, gap.id))
    high = sum(gap.level == "high" for gap in gaps)
    kept = [one.id for one in given.exposure.obligations if one.id in covered and covered[one.id].state == "covered"]
    return GapRegister(
        system=given.system,
        level=gaps[0].level if gaps else "low",
        gaps=gaps,
        covered=kept,
        confidence=given.exposure.confidence,
        in_words=f"{len(gaps)} gaps ({high} grave), {len(kept)} items covered",
        evidence=[_evidence(gap, source) for gap in gaps for source in gap.sources[:1]],
    )


def _gap(one: ObligationOut, found: Coverage | None, today: date) -> Gap:
    state: State = found.state if found else "none"
    plain = Obligation(one.id, one.framework, one.basis, one.incidents, one.severe, ())
    level = regulation.level(plain, state)
    return Gap(
        id=one.id, framework=one.framework, level=level, state=state, why=found.why if found else "no control names it",
        control=found.control if found else "", owner=found.owner if found else "", basis=one.basis,
        incidents=one.incidents, severe=one.severe, due=today + timedelta(days=_DAYS[level]), sources=one.examples,
    )  # fmt: skip


def _evidence(gap: Gap, source: Example) -> Evidence:
    claim = f"{gap.id} ({gap.state}): {gap.severe} severe of {gap.incidents} incidents, {gap.basis}; {gap.why}."
    return Evidence(claim=claim, source=f"{source.id}, {source.reference or 'no reference'}", quote=source.title)


class GapFiling(Strict):
    """A register as people approved or edited it."""

    adopted: GapRegister


class GapFiled(Strict):
    """The register as a file."""

    file_name: str
    markdown: str


@agent(
    "compliance-register-filer", title="Files compliance registers", input=GapFiling, output=GapFiled,
    capabilities=["compliance.file"], tags=["legal"], timeout=20,
)  # fmt: skip
def file_register(given: GapFiling, ctx: AgentContext) -> GapFiled:
    """The register as a document: each gap with its day, its owner and the incidents behind it."""
    register = given.adopted
    lines = [f"# Compliance of {escape(register.system)}", "", f"{register.in_words}.", ""]
    for gap in register.gaps:
        lines += [f"## {escape(gap.id)} ({gap.framework}), {gap.level}", "", f"- State: {gap.state}, {escape(gap.why)}"]
        lines += [f"- Control: {escape(gap.control)}"] if gap.control else []
        lines += [f"- To be closed by {gap.due} by {escape(gap.owner) or 'nobody yet'}"]
        lines += [f"- {gap.severe} severe of {gap.incidents} incidents call for it ({gap.basis})"]
        lines += [
            *(f"- {one.id}, {one.date}: {escape(one.title)} ({escape(one.reference)})" for one in gap.sources),
            "",
        ]
    lines += ["## Covered", "", ", ".join(register.covered) or "Nothing.", ""]
    return GapFiled(file_name=file_name("compliance", register.system), markdown="\n".join(lines))


_SKILLS = (
    Skill("adopted", GapFiling, file_register),
    Skill("exposure", GapsRequest, assess_gaps),
    Skill("controls", ControlsRequest, examine_controls),
    Skill("categories", ExposureRequest, map_exposure),
)


@agent(
    "compliance-generalist", title="Compliance generalist", input=OPEN, output=OPEN,
    capabilities=["compliance.stand-in"], tags=["legal"], timeout=30,
)  # fmt: skip
def stand_in_for_compliance(given: dict[str, Any], ctx: AgentContext) -> dict[str, Json]:
    """Does any step of a compliance review by the same rules."""
    return stand_in(_SKILLS, given, ctx)
