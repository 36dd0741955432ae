"""An output before it is used: checked, watched by guardians, scored and written down; held for people where it fails.

A guardian is called without effects and memory, and of what it answers only the verdict is read: it may raise and
hold, and nothing else. One that gives no verdict holds: silence is not consent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction

from agents.models import Assessment
from agents.quality import accuracy
from agents.quality.assessing import Material, assess, weight_of
from agents.quality.store import trust
from agents.quality.types import Component, Finding, QualitySpec, Report
from agents.types import Completed, Json
from orchestrator import events
from orchestrator.definitions import expressions
from orchestrator.engine.assignment import Assignment
from orchestrator.models import TASK_BITS

RUN_INPUT: Final = "the run's input"
VERDICTS: Final = ("pass", "raise", "hold", "pause")


@dataclass(frozen=True, slots=True)
class Watched:
    """What one guardian said: pass, raise (people are told), hold (they decide), pause (and the run stands still)."""

    agent: str
    verdict: str
    reason: str

    def as_json(self) -> dict[str, Json]:
        """As it is stored."""
        return {"agent": self.agent, "verdict": self.verdict, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Producer:
    """Whose output it is."""

    agent: str
    version: int | None


@dataclass(frozen=True, slots=True)
class Judgement:
    """An assessed output: the report, whose it is, what the other sides said, and whether the run must stand still."""

    report: Report
    producer: Producer
    sides: tuple[dict[str, Any], ...] = ()
    pauses: str = ""  # the guardian that wants the run to stand still


def judge(
    job: Assignment, given: dict[str, Json], outcome: Completed, told: Mapping[str, Any], watched: list[Watched]
) -> Judgement:
    """Assess an output and write it down with its event; in a thread. Raises ExpressionError."""
    asked = job.step.quality
    assert asked is not None
    producer = Producer(str(told.get("agent") or job.step.agent), told.get("version") or outcome.version or None)
    material = Material(given, _sources(asked, job, given, outcome), _earlier(job))
    report = assess(asked, outcome.output, material, others=_others(asked, told, watched))
    consensus = told.get("consensus")
    _keep(job, producer, report, outcome.confidence, told, watched)
    pauses = next((one.agent for one in watched if one.verdict == "pause"), "")
    sides = tuple(consensus["sides"]) if isinstance(consensus, dict) else ()
    return Judgement(report, producer, sides, pauses)


def for_expressions(judgement: Judgement) -> dict[str, Json]:
    """What a gate's rule may read as `quality`."""
    return {"score": judgement.report.score, "passed": judgement.report.passed}


def _sources(asked: QualitySpec, job: Assignment, given: dict[str, Json], outcome: Completed) -> dict[str, str]:
    if not asked.sources:
        return accuracy.sources_of(given)
    known = expressions.resolve(dict(asked.sources), {**job.context, "output": outcome.output})
    assert isinstance(known, dict)
    inside = accuracy.sources_of(known)
    whole = {name: "\n".join(text for path, text in inside.items() if path.startswith(name)) for name in known}
    return {**inside, **{name: text for name, text in whole.items() if text}}


def _earlier(job: Assignment) -> dict[str, Any]:
    return {RUN_INPUT: job.context.get("input", {}), **job.context.get("steps", {})}


def _others(asked: QualitySpec, told: Mapping[str, Any], watched: list[Watched]) -> list[Component]:
    found: list[Component] = []
    faults: tuple[Finding, ...]
    if isinstance(consensus := told.get("consensus"), dict):
        enough = consensus["agreeing"] >= consensus["agree"]
        message = f"{consensus['agreeing']} of {consensus['of']} agree, {consensus['agree']} are needed."
        faults = () if enough else (Finding("consensus", "", message),)
        share = consensus["agreeing"] / consensus["of"]
        found.append(Component("consensus", share, weight_of(asked, "consensus"), enough, faults))
    if isinstance(verifier := told.get("verifier"), dict):
        faults = tuple(Finding("verifier", "", reason, source=verifier["agent"]) for reason in verifier["reasons"])
        weight = weight_of(asked, "verifier")
        found.append(Component("verifier", verifier["score"], weight, verifier["passed"], faults))
    for one in watched:
        fine = one.verdict in {"pass", "raise"}
        faults = () if one.verdict == "pass" else (Finding("guardian", "", one.reason, source=one.agent),)
        found.append(Component(f"guardian {one.agent}", float(fine), 0.0, fine, faults))
    return found


@transaction.atomic
def _keep(
    job: Assignment, producer: Producer, report: Report, claimed: float | None, told: Mapping[str, Any],
    watched: list[Watched],
) -> None:  # fmt: skip
    claimed_job, asked, verifier = job.claimed, job.step.quality, told.get("verifier")
    assert asked is not None
    worth = trust(producer.agent, claimed)
    Assessment.objects.update_or_create(
        task=claimed_job.id,
        attempt=claimed_job.attempt,
        defaults={
            "run": claimed_job.id >> TASK_BITS, "workflow": job.plan.name, "step": job.step.key,
            "agent": producer.agent, "agent_version": producer.version,
            "verifier": verifier["agent"] if verifier else "", "score": report.score, "passed": report.passed,
            "zero_tolerance": asked.zero_tolerance, "reasons": list(report.reasons),
            "components": [component.as_json() for component in report.components], "consensus": told.get("consensus"),
            "guardians": [one.as_json() for one in watched], "claimed": claimed, "calibrated": worth.value,
            "calibration": worth.why[:300],
        },
    )  # fmt: skip
    place: dict[str, Any] = {"run_id": claimed_job.id >> TASK_BITS, "task_id": claimed_job.id}
    facts: dict[str, Json] = {"attempt": claimed_job.attempt, "score": report.score, "passed": report.passed}
    reasons: list[Json] = [reason[:300] for reason in report.reasons[:10]]
    events.append(
        "quality.assessed", actor="engine", data={**facts, **({"reasons": reasons} if reasons else {})}, **place
    )
    for one in watched:
        if one.verdict != "pass":
            kind = "guardian.raised" if one.verdict == "raise" else "guardian.held"
            data: dict[str, Json] = {"verdict": one.verdict, "reason": one.reason}
            events.append(kind, actor=f"agent:{one.agent}", data=data, **place)


def evidence(report: Report) -> list[dict[str, Json]]:
    """Claims with their sources and every other fault, in the form that a card shows."""
    claims: list[dict[str, Json]] = [
        {
            "claim": claim.text, "source": claim.source or "no source", "quote": claim.quote, "status": claim.status,
        }
        for component in report.components
        for claim in component.claims
    ]  # fmt: skip
    faults: list[dict[str, Json]] = [
        {
            "claim": f"{finding.check}: {finding.message}", "source": finding.source or finding.path,
            "quote": " / ".join(words for words in (finding.quote, finding.other) if words), "status": "fault",
        }
        for finding in report.findings
        if finding.check != accuracy.NAME or not claims
    ]  # fmt: skip
    return [*faults, *claims][:100]


def alternatives(sides: tuple[dict[str, Any], ...]) -> list[dict[str, Json]]:
    """The sides of a vote, dissent included, as a card shows options."""
    return [
        {
            "option": expressions_text(side["value"]),
            "note": f"for it: {', '.join(side['writers'])}; confidence x authority {side['weight']:.2f}",
        }
        for side in sides
    ]


def expressions_text(value: Any) -> str:
    """A compared value in a line."""
    if isinstance(value, dict):
        return ", ".join(f"{name}: {inner}" for name, inner in list(value.items())[:8])[:500]
    return str(value)[:500]
