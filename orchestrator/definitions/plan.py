"""A compiled definition: what the engine and its workers read. Plain values, stored as JSON beside the version."""

from dataclasses import dataclass, field
from typing import Any, Final, Literal

from agents.quality.types import QualitySpec
from agents.types import Json

type StepKind = Literal[
    "automated",
    "manual",
    "approval",
    "conditional",
    "hybrid",
    "map",
    "loop",
    "pattern",
    "assured",  # an automated step whose agent is asked several times, or whose output another one verifies
    "rollback",  # the engine's own: no definition has it
    "subworkflow",
    "timer",
    "wait_event",
    "wait_callback",
]
COORDINATING = frozenset(
    {"map", "loop", "pattern", "assured"}
)  # kinds whose tasks spawn others and go on when those have ended


@dataclass(frozen=True, slots=True)
class Retry:
    """Full jitter: wait uniform(0, min(cap, base * 2**failures)) seconds; at most `attempts` tries in all."""

    attempts: int = 6
    base: float = 1.0
    cap: float = 60.0


@dataclass(frozen=True, slots=True)
class GateTerms:
    """Who must agree before a gate settles, and how. It is sealed with what people see."""

    approvals: int = 1  # so many different people must approve
    rejections: int = 1  # so many who are against it decide
    blind: bool = False  # nobody sees what others or the machine said before they have said their own
    two_keys: bool = False  # both approvals within a minute, with the card open
    skills: tuple[str, ...] = ()  # what whoever is suggested should know
    purpose: str = ""  # strategic | compliance: never by time, never by chance
    checklist: tuple[str, ...] = ()  # points that whoever approves has ticked
    remind_s: tuple[float, ...] = ()  # people are reminded so long before each deadline
    business_hours: bool = False  # deadlines count the working hours of the queue's calendar
    escalation: tuple[str, ...] = ()  # queues that are asked one after the other, each for a deadline
    rounds: int = 1  # how often all of them are asked, the first queue included
    mitigations: tuple[str, ...] = ()  # what softens the risk, in its author's words
    feedback: str = ""  # on_change: who changes or refuses it names a root cause | always: and everybody rates it
    runway_s: float | None = None  # a verdict can be taken back so long before it takes effect; None: as its risk says
    rehearse: str = ""  # tool whose dry run with the gate's action is shown


@dataclass(frozen=True, slots=True)
class GateSpec:
    """When and whom to ask. `when` is CEL over input, steps, output, confidence; "true" always asks."""

    when: str
    queue: str
    title: str  # literal text with ${CEL} parts
    risk: str = "medium"  # a level, or one ${CEL} that yields a level
    deadline_s: float = 7 * 86400.0
    on_timeout: str = "escalate"  # escalate | reject | remind | hold | approve
    escalate_to: str = ""
    allowed: tuple[str, ...] = ("approve", "edit", "request_changes", "reject", "terminate")
    consequence: str = ""  # literal text with ${CEL} parts: what happens if approved
    action: dict[str, Json] = field(default_factory=dict)  # like `inputs`: the exact arguments of what will be done
    evidence: str = ""  # one ${CEL} that yields a list of {claim, source, quote, status}
    alternatives: str = ""  # one ${CEL} that yields a list of {option, cost, impact, success, note}
    revisions: int = 3  # how often it may be sent back
    sample: float = 0.0  # this share of what the rule lets pass is asked about all the same
    terms: GateTerms = field(default_factory=GateTerms)


@dataclass(frozen=True, slots=True)
class Branch:
    """One way out of a conditional step: the steps (by index) that run when `when` holds."""

    when: str  # CEL; "" is the default branch
    then: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class WaitSpec:
    """What a step waits for outside the engine, for how long, and what happens when it does not come."""

    duration: str = ""  # timer: "90d", or one ${CEL} that yields such a text or seconds
    until: str = ""  # timer: one ${CEL} that yields a timestamp in ISO 8601
    event: str = ""  # wait_event: the signal's name
    key: str = ""  # wait_event: correlation, literal text with ${CEL} parts
    match: str = ""  # wait_event: CEL over `event`
    schema: dict[str, Json] = field(default_factory=dict)  # JSON Schema of what arrives
    deadline_s: float = 7 * 86400.0
    on_deadline: Literal["fail", "skip", "ask"] = "fail"


@dataclass(frozen=True, slots=True)
class MapSpec:
    """A step for each item of a list. The body sees `item` and `at` (0-based)."""

    over: str  # one ${CEL} that yields a list
    batch: int = 1  # items a task; with more than one, `item` is a list
    at_once: int = 0  # tasks alive at a time; 0: all
    tolerate: float = 0.0  # share of the tasks that may fail without failing the step
    most: int = 10_000


@dataclass(frozen=True, slots=True)
class LoopSpec:
    """The body again and again. It sees `previous` (its last output, or {}) and `round` (1-based)."""

    until: str  # CEL over input, steps, output, round: true ends the loop
    most: int = 10
    on_bound: Literal["fail", "ask", "finish"] = "ask"


@dataclass(frozen=True, slots=True)
class Compensation:
    """What undoes a step that succeeded: an agent's call that sees `output` and the step's own `given`."""

    agent: str
    agent_version: int | None = None
    inputs: dict[str, Json] = field(default_factory=dict)
    timeout: float = 60.0
    retry: Retry = field(default_factory=Retry)


@dataclass(frozen=True, slots=True)
class ConflictSpec:
    """Fields of what the steps before put out that must agree, and what decides where they do not."""

    fields: tuple[str, ...]  # names, or paths with dots
    rule: Literal["ask", "first", "last", "highest_confidence", "majority", "weighted"] = "ask"
    queue: str = "operations"  # ask: the people
    authority: dict[str, str] = field(default_factory=dict)  # weighted: step key: level of authority


@dataclass(frozen=True, slots=True)
class Selection:
    """Which agents may do a step that names none: the engine picks one by fit, room, load, cost and quality."""

    capability: str = ""
    tags: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()  # only among these, if any are named


# A plan never changes, so its steps share what they leave out: ten thousand of them would hold seven objects each.
_NOTHING: Final[dict[str, Json]] = {}
_NO_ESTIMATES: Final[dict[str, float]] = {}
_NO_MOVES: Final[dict[str, str]] = {}
_USUAL_RETRY: Final = Retry()


def _nothing() -> dict[str, Json]:
    return _NOTHING


def _no_estimates() -> dict[str, float]:
    return _NO_ESTIMATES


def _no_moves() -> dict[str, str]:
    return _NO_MOVES


def _usual_retry() -> Retry:
    return _USUAL_RETRY


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
    inputs: dict[str, Json] = field(default_factory=_nothing)  # values: literals, or "${CEL}" strings at any depth
    needs: tuple[int, ...] = ()  # steps whose outputs inputs, when or gate refer to
    needs_run_input: bool = False
    when: str = ""  # CEL; false skips the step
    branches: tuple[Branch, ...] = ()  # conditional
    subject: int | None = None  # approval: the step whose output is reviewed
    form: dict[str, Json] = field(default_factory=_nothing)  # manual: JSON Schema of the answer
    instructions: str = ""  # manual: literal text with ${CEL} parts
    gate: GateSpec | None = None  # automated: after its output; approval and manual: the gate itself
    timeout: float = 60.0
    retry: Retry = field(default_factory=_usual_retry)
    on_error: Literal["escalate", "fail", "skip", "ask"] = "escalate"  # after the last try: see engine.policy
    optional: bool = False  # the run's result does not need it: its failure makes no partial success
    impact: str = ""  # what its failure means for the result, in one sentence
    deliver: dict[str, Json] = field(
        default_factory=_nothing
    )  # {"name": "report.md", "media_type", "content": "${CEL}"}
    publishes: dict[str, Json] = field(
        default_factory=_nothing
    )  # {"signal": "order.sent", "key": "${CEL}", "data": {...}}
    need: int = 0  # join: so many dependencies must succeed; 0: all must have ended and one of them succeeded
    cancel_rest: bool = False  # join: cancel the other branches once enough have succeeded
    body: "PlanStep | None" = None  # map, loop: what each spawned task does
    map: MapSpec | None = None
    loop: LoopSpec | None = None
    pattern: str = ""  # name of a registered pattern
    options: dict[str, Json] = field(default_factory=_nothing)  # pattern: its settings; values may be expressions
    workflow: str = ""  # subworkflow: its name; inputs are the run's input
    wait: WaitSpec | None = None
    select: Selection | None = None  # automated without an agent
    fallback: str = ""  # agent ("name" or "name@3") that does it when the first one cannot
    cache_s: float = 0.0  # seconds that an output may be used again for the same input; 0: never
    compensate: Compensation | None = None
    shares: tuple[str, ...] = ()  # names in the run's shared state that its agent may write
    checkpoint: str = ""  # name of the save point made when it has succeeded
    moves: dict[str, str] = field(default_factory=_no_moves)  # lifecycle: its state from the beginning of this step on
    conflicts: ConflictSpec | None = None
    effort: dict[str, float] = field(default_factory=_no_estimates)  # estimate a call by resource, reserved before it
    quality: QualitySpec | None = None  # what its output is held against before it is used
    category: str = ""  # kind of task that its agent must have the authority for; "": any agent may
    p95_s: float = 0.0  # in this time 95 of 100 tries are to be done; 0: nobody has said


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
    deadline_s: float = 0.0  # a run alive after so long is put before people; 0: never
    escalation_queue: str = ""  # who decides about it then
    on_failure: Literal["stop", "compensate"] = "stop"  # what follows when a step fails the run
    business_queue: str = ""  # people who are told of business errors and compensation
    budgets: dict[str, float] = field(default_factory=dict)  # for a run, by resource
    lifecycles: dict[str, dict[str, Any]] = field(
        default_factory=dict
    )  # by name: {"start", "moves": {state: [following]}}
    shares: dict[str, float] = field(default_factory=dict)  # of the run's budget, by agent; they sum to 1.0
