"""A compiled definition: what the engine and its workers read. Plain values, stored as JSON beside the version."""

from dataclasses import dataclass, field
from typing import Literal

from agents.types import Json

type StepKind = Literal["automated", "manual", "approval", "conditional"]


@dataclass(frozen=True, slots=True)
class Retry:
    """Full jitter: wait uniform(0, min(cap, base * 2**failures)) seconds; at most `attempts` tries."""

    attempts: int = 5
    base: float = 1.0
    cap: float = 60.0


@dataclass(frozen=True, slots=True)
class GateSpec:
    """When and whom to ask. `when` is CEL over input, steps, output, confidence; "true" always asks."""

    when: str
    queue: str
    title: str  # literal text with ${CEL} parts
    risk: str = "medium"  # a level, or one ${CEL} that yields a level
    deadline_s: float = 7 * 86400.0
    on_timeout: Literal["escalate", "reject"] = "escalate"
    escalate_to: str = ""
    allowed: tuple[str, ...] = ("approve", "edit", "request_changes", "reject", "terminate")
    consequence: str = ""  # literal text with ${CEL} parts: what happens if approved
    action: dict[str, Json] = field(default_factory=dict)  # like `inputs`: the exact arguments of what will be done
    evidence: str = ""  # one ${CEL} that yields a list of {claim, source, quote, status}
    alternatives: str = ""  # one ${CEL} that yields a list of {option, cost, impact, success, note}
    revisions: int = 3  # how often it may be sent back


@dataclass(frozen=True, slots=True)
class Branch:
    """One way out of a conditional step: the steps (by index) that run when `when` holds."""

    when: str  # CEL; "" is the default branch
    then: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One step, with its place in the graph as indexes into the plan."""

    index: int
    key: str
    title: str
    kind: StepKind
    dependencies: tuple[int, ...] = ()
    successors: tuple[int, ...] = ()
    lane: str = "default"
    group: str = ""  # path of the enclosing parallel/sequential groups, "enrichment/attack"
    agent: str = ""
    agent_version: int | None = None
    inputs: dict[str, Json] = field(default_factory=dict)  # values: literals, or "${CEL}" strings at any depth
    needs: tuple[int, ...] = ()  # steps whose outputs inputs, when or gate refer to
    needs_run_input: bool = False
    when: str = ""  # CEL; false skips the step
    branches: tuple[Branch, ...] = ()  # conditional
    subject: int | None = None  # approval: the step whose output is reviewed
    form: dict[str, Json] = field(default_factory=dict)  # manual: JSON Schema of the answer
    instructions: str = ""  # manual: literal text with ${CEL} parts
    gate: GateSpec | None = None  # automated: after its output; approval and manual: the gate itself
    timeout: float = 60.0
    retry: Retry = field(default_factory=Retry)
    on_error: Literal["fail", "skip", "ask"] = "fail"
    deliver: dict[str, Json] = field(default_factory=dict)  # {"name": "report.md", "media_type", "content": "${CEL}"}


@dataclass(frozen=True, slots=True)
class Plan:
    """All steps in topological order of their index, and what belongs to the run as a whole."""

    name: str
    steps: tuple[PlanStep, ...]
    input_schema: dict[str, Json] = field(default_factory=dict)
    outputs: dict[str, Json] = field(default_factory=dict)
    title: str = ""  # literal text with ${CEL} parts over input: a run's title
    priority: int = 0
    weight: int = 1
