"""What a step asks of its output: read, checked for the author, and turned into the work that it takes."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from agents.quality.agreement import AUTHORITY
from agents.quality.formats import FORMATS
from agents.quality.types import WEIGHTS, ConsensusSpec, QualitySpec
from orchestrator.definitions import contracts
from orchestrator.definitions.agents import Agents, name_and_version
from orchestrator.definitions.load import Definition, StepSource
from orchestrator.definitions.plan import PlanStep
from orchestrator.definitions.wiring import Wiring

type Flaw = tuple[str, str, str]  # field, what is wrong, what to do

EARLIER: Final = 50  # steps before that an output is compared with, the nearest first
_SAYING: Final = frozenset(
    {"automated", "manual", "hybrid", "map", "loop", "pattern"}
)  # kinds whose outputs state facts
_NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "completeness": ("required", "sections"), "format": ("schema", "formats"), "accuracy": ("claims",),
    "consistency": (),
}  # fmt: skip


def spec_of(step: StepSource, configuration: Mapping[str, Any]) -> QualitySpec | None:
    """What is asked of a step's output, its guardians included; None if nothing is."""
    written = step.fields.get("quality")
    guardians = tuple(_guardians(step, configuration))
    if step.type != "automated" or (written is None and not guardians):
        return None
    fields = dict(written or {})
    consensus = fields.pop("consensus", None)
    lists = {name: tuple(fields.pop(name)) for name in ("required", "sections", "facts") if name in fields}
    fields |= {"checks": tuple(fields.get("checks") or _implied(written or {})), "guardians": guardians, **lists}
    fields["queue"] = fields.get("queue") or step.fields.get("gate", {}).get("queue") or configuration.get("queue", "")
    if consensus:
        named = {name: tuple(consensus.get(name, ())) for name in ("fields", "agents")}
        fields["consensus"] = ConsensusSpec(**{**consensus, **named})
    return QualitySpec(**fields)


def _implied(written: Mapping[str, Any]) -> Iterator[str]:
    """The checks that enough is said about; consistency where facts are named."""
    for check, needs in _NEEDS.items():
        if any(name in written for name in needs) or (check == "consistency" and "facts" in written):
            yield check


def _guardians(step: StepSource, configuration: Mapping[str, Any]) -> Iterator[str]:
    for guardian in configuration.get("guardians", ()):
        if step.type == "automated" and step.key in guardian.get("steps", (step.key,)):
            yield guardian["agent"]


def earlier(key: str, wiring: Wiring) -> list[str]:
    """The steps that always come before and state facts, the nearest first."""
    found: dict[str, None] = {}
    wave = list(wiring.before[key])
    while wave and len(found) < EARLIER:
        for before in wave:
            found[before] = None
        wave = [further for before in wave for further in wiring.before[before] if further not in found]
    return [before for before in found if wiring.sources[before].type in _SAYING][:EARLIER]


def assured(step: PlanStep) -> PlanStep:
    """A step that is verified, or must find consensus, coordinates the calls of its agent instead of being one."""
    asked = step.quality
    if asked is None or not (asked.verifier or asked.consensus):
        return step
    body = replace(
        step, quality=None, gate=None, deliver={}, publishes={}, checkpoint="", conflicts=None, when="",
        compensate=None, on_error="skip", optional=False, impact="",
    )  # fmt: skip
    return replace(
        step, kind="assured", agent="", agent_version=None, select=None, fallback="", category="", cache_s=0.0,
        effort={}, shares=(), body=body,
    )  # fmt: skip


def flaws(step: StepSource, agents: Agents, definition: Definition, wiring: Wiring) -> Iterator[Flaw]:
    """What would make a step's quality settings useless, contradictory or dishonest."""
    if step.type != "automated":
        return
    producers = _producers(step)
    for number, guardian in enumerate(definition.configuration.get("guardians", ())):
        yield from _guardian_flaws(f"configuration.guardians[{number}]", step, guardian, producers, agents, wiring)
    written = step.fields.get("quality")
    if written is None:
        return
    yield from _check_flaws(written)
    yield from _verifier_flaws(written, producers, agents)
    yield from _consensus_flaws(written, agents)
    if not (written.get("queue") or step.fields.get("gate", {}).get("queue") or definition.configuration.get("queue")):
        yield "quality.queue", "nobody is asked when a check fails", "name a queue here or in configuration.queue"


def _producers(step: StepSource) -> set[str]:
    """Everybody who may produce the step's output, by name."""
    fields = step.fields
    consensus = fields.get("quality", {}).get("consensus") or {}
    named = [fields.get("agent", ""), fields.get("fallback", ""), *consensus.get("agents", ())]
    return {name.partition("@")[0] for name in (*named, *fields.get("select", {}).get("agents", ())) if name}


def _check_flaws(written: Mapping[str, Any]) -> Iterator[Flaw]:
    checks = list(written.get("checks") or _implied(written))
    if not checks and not (written.get("verifier") or written.get("consensus")):
        yield "quality", "asks for nothing", "name checks, a verifier or a consensus"
    for check in checks:
        if _NEEDS[check] and not any(written.get(name) for name in _NEEDS[check]):
            yield f"quality.checks.{check}", "is told nothing to check", f"give it {' or '.join(_NEEDS[check])}"
    yield from _named_flaws(written)


def _named_flaws(written: Mapping[str, Any]) -> Iterator[Flaw]:
    for path, name in written.get("formats", {}).items():
        if name not in FORMATS:
            yield f"quality.formats.{path}", f"{name!r:.40} is not a form", f"use one of {', '.join(FORMATS)}"
    for name, weight in written.get("weights", {}).items():
        if name not in WEIGHTS:
            yield f"quality.weights.{name}", "is not a component", f"use {', '.join(WEIGHTS)}"
        elif isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight <= 1000:
            yield f"quality.weights.{name}", "must be a number from 0 to 1000", ""


def _verifier_flaws(written: Mapping[str, Any], producers: set[str], agents: Agents) -> Iterator[Flaw]:
    verifier: str = written.get("verifier", "")
    if not verifier:
        return
    if name_and_version(verifier)[0] in producers:
        yield "quality.verifier", f'"{verifier}" produces what it would verify', "name another agent"
    yield from _judge_flaws("quality.verifier", verifier, agents)


def _judge_flaws(field: str, judge: str, agents: Agents) -> Iterator[Flaw]:
    """A verifier or guardian takes `output` and `input` and answers with a `verdict`."""
    contract = agents.contract(judge)
    if contract is None:
        yield field, f'"{judge}" is not an agent', "register it first"
        return
    takes = contracts.properties(contract.input_schema)
    if takes is not None and not {"output", "input"} <= set(takes):
        yield field, f'"{judge}" does not take output and input', "name an agent whose contract does"
    gives = contract.output_schema.get("properties")
    if isinstance(gives, dict) and "verdict" not in gives:
        yield field, f'"{judge}" gives no verdict', "name an agent whose output has one"


def _consensus_flaws(written: Mapping[str, Any], agents: Agents) -> Iterator[Flaw]:
    consensus = written.get("consensus")
    if not consensus or "of" not in consensus or "agree" not in consensus:
        return
    if not consensus["of"] / 2 < consensus["agree"] <= consensus["of"]:
        remedy = "ask for more than half of them, at most all"
        yield "quality.consensus.agree", f"{consensus['agree']} of {consensus['of']} is no consensus", remedy
    for name in consensus.get("agents", ()):
        if agents.contract(name) is None:
            yield "quality.consensus.agents", f'"{name}" is not an agent', "register it first"
    if len(consensus.get("agents", ())) > consensus["of"]:
        yield "quality.consensus.agents", "names more agents than are asked", "raise of, or name fewer"
    for name, level in consensus.get("authority", {}).items():
        if level not in AUTHORITY:
            yield f"quality.consensus.authority.{name}", f"{level!r:.40} is not a level", f"use {', '.join(AUTHORITY)}"


def _guardian_flaws(
    field: str, step: StepSource, guardian: Mapping[str, Any], producers: set[str], agents: Agents, wiring: Wiring
) -> Iterator[Flaw]:
    watched = guardian.get("steps", (step.key,))
    if step.key not in watched:
        return
    name = guardian.get("agent", "")
    if name_and_version(name)[0] in producers:
        yield field, f'"{name}" produces what it would watch', "name another agent, or other steps"
    yield from _judge_flaws(f"{field}.agent", name, agents)
    for key in watched:
        source = wiring.sources.get(key)
        inside = source.fields.get("body", {}).get("type") if source is not None else None
        if source is None or "automated" not in (source.type, inside):
            yield f"{field}.steps", f'"{key}" is not an automated step', "name steps whose agents give an output"
