"""The agents of incident triage: weigh what speaks for an attack, and report it with the reason for each statement."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from agents.context import AgentContext
from agents.library import attack, triage
from agents.library.incident_contracts import Evidence, Remediation, TechniqueMatch
from agents.registry import agent


class Strict(BaseModel):
    """A contract that names all its fields."""

    model_config = ConfigDict(extra="forbid")


class TriageInput(Strict):
    """A report, and what it may be a report of."""

    kind: Literal["phishing", "malware", "insider"]
    text: str = Field(min_length=1, max_length=25_000)


class SignalOut(Strict):
    """A rule that matched and the sentence where, verbatim."""

    signal: str
    weight: float
    technique: str
    quote: str
    start: int
    end: int


class Triage(Strict):
    """The disposition, the score behind it, its signals, and the ATT&CK techniques that they point to."""

    disposition: Literal["attack", "suspicious", "benign"]
    score: float = Field(ge=0, le=1, description="Noisy-or of the signals' weights: a rule of thumb.")
    in_words: str
    signals: list[SignalOut]
    techniques: list[TechniqueMatch]
    evidence: list[Evidence]


@agent(
    "triage-assessor",
    title="Triage assessor",
    input=TriageInput,
    output=Triage,
    capabilities=["incident.triage"],
    tags=["security"],
    config={"pure": True},
    timeout=30,
)
def assess(given: TriageInput, ctx: AgentContext) -> Triage:
    """Looks for the signals of one kind of attack, adds their weights up, and names the ATT&CK technique of each."""
    found = triage.signals(given.kind, given.text)
    value = triage.score(found)
    verdict = triage.disposition(value)
    named = ", ".join(one.rule.name for one in found) or "no signal"
    return Triage(
        disposition=verdict,
        score=value,
        in_words=f"{verdict} ({value:.2f}): {named}",
        signals=[
            SignalOut(
                signal=one.rule.name,
                weight=one.rule.weight,
                technique=one.rule.technique,
                quote=one.quote,
                start=one.start,
                end=one.end,
            )
            for one in found
        ],
        techniques=_techniques(found),
        evidence=[
            Evidence(
                claim=one.quote,
                source=f"incident text, characters {one.start}-{one.end}",
                quote=given.text[one.start : one.end],
                status="verified" if given.text[one.start : one.end] == one.quote else "unsupported",
            )
            for one in found
        ],
    )


class TriageReportInput(Strict):
    """Everything the report says."""

    id: str
    title: str
    reference: str
    triage: Triage
    remediation: Remediation | None
    decided: str


class TriageReport(Strict):
    """The report as a document."""

    file_name: str
    markdown: str
    disposition: str


@agent(
    "triage-reporter",
    title="Triage reporter",
    input=TriageReportInput,
    output=TriageReport,
    capabilities=["report.write"],
    tags=["security"],
    config={"pure": True},
    timeout=20,
)
def report(given: TriageReportInput, ctx: AgentContext) -> TriageReport:
    """Writes what was found, where it stands in the report, and which containment was approved."""
    found = given.triage
    lines = [f"# {given.id}: {given.title}", "", f"Disposition: {found.in_words}.", "", "## Signals", ""]
    lines += [
        f"- {one.signal} ({one.technique}, weight {one.weight}): “{one.quote}” (characters {one.start}-{one.end})"
        for one in found.signals
    ] or ["- none"]
    lines += ["", "## Containment", "", given.decided]
    if given.remediation is not None:
        lines += [f"- {one.title} ({one.kind}), from {one.url}" for one in given.remediation.actions]
    lines += ["", f"Reported by: {given.reference or 'no reference given'}", ""]
    name = "".join(c if c.isalnum() or c in "-_" else "_" for c in given.id)
    return TriageReport(file_name=f"{name}-triage.md", markdown="\n".join(lines), disposition=found.disposition)


def _techniques(found: list[triage.Signal]) -> list[TechniqueMatch]:
    """The techniques of the signals as ATT&CK has them, the heaviest first, each once."""
    index, weights = attack.index(), dict[str, float]()
    for one in sorted(found, key=lambda signal: -signal.rule.weight):
        weights.setdefault(one.rule.technique, one.rule.weight)
    return [
        TechniqueMatch(
            id=known.id,
            name=known.name,
            tactics=list(known.tactics),
            url=known.url,
            score=weight,
            shared=[one.rule.name for one in found if one.rule.technique == id_],
        )
        for id_, weight in weights.items()
        if (known := index.by_id.get(id_)) is not None
    ]
