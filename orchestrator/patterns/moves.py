"""What a pattern is told (a Turn) and what it may answer (a Move)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from agents.types import FailureKind, Json
from orchestrator.definitions.plan import GateSpec, PlanStep


@dataclass(frozen=True, slots=True)
class Result:
    """What one spawned task came to. `output` is {} unless it succeeded; `error` has code and message if it failed."""

    key: str
    status: str  # succeeded | failed | skipped | cancelled
    output: dict[str, Json] = field(default_factory=dict)
    error: dict[str, Json] | None = None
    confidence: float | None = None
    tokens: int = 0
    task: int = 0
    agent: str = ""  # who did it in the end: a fallback, or whom a person chose
    version: int | None = None

    @property
    def succeeded(self) -> bool:
        """Whether there is an output to use."""
        return self.status == "succeeded"

    @property
    def rejection(self) -> str | None:
        """What the person wrote who rejected this question; None if nobody did. Only of a step with `rejected`."""
        error = self.error or {}
        if self.status != "failed" or error.get("code") != "rejected" or "note" not in error:
            return None  # an agent may fail with that code too, but only a person leaves a note
        return str(error["note"] or error.get("message") or "rejected")


@dataclass(frozen=True, slots=True)
class Note:
    """Something a person said to the pattern between two turns."""

    by: str
    text: str
    kind: str = "note"  # note, end, or what else a pattern understands
    data: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Turn:
    """One look at a coordinating task. The first one has number 1, no memory and no results."""

    step: PlanStep
    number: int
    options: dict[str, Json]  # the step's options with expressions worked out
    given: dict[str, Json]  # the step's inputs, likewise
    context: Mapping[str, Any]  # input, steps and what is bound: for expressions that are worked out each turn
    memory: dict[str, Json] = field(default_factory=dict)  # what the last turn kept
    results: Sequence[Result] = ()  # of the tasks that the last turn spawned, in their order
    notes: Sequence[Note] = ()  # what people said since
    shared: Mapping[str, Json] = field(default_factory=dict)  # the run's state under this step's key
    now: float = 0.0  # the database's clock when this turn began, in seconds since 1970
    note: str = ""  # what a reviewer asked to be changed, when the finished step was sent back


@dataclass(frozen=True, slots=True)
class Child:
    """A task to spawn: a whole step, or the body of the coordinating step with something bound.

    `given` is its input, taken literally; without one the step's `inputs` are worked out with what is bound. `after`
    are positions in the same spawn that must end before it.
    """

    key: str
    step: PlanStep | None = None
    given: dict[str, Json] | None = None
    bind: dict[str, Json] = field(default_factory=dict)
    after: tuple[int, ...] = ()
    always: bool = True  # runs however those before it ended; else one of them must have succeeded


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start tasks; look again when all of them have ended, or when `need` of them have succeeded."""

    children: Sequence[Child]
    memory: dict[str, Json] = field(default_factory=dict)
    need: int = -1
    shared: dict[str, Json] = field(default_factory=dict)  # keys of the run's state to write, under this step's key
    facts: dict[str, Json] = field(default_factory=dict)  # small, for the narrative: {"says": one sentence, ...}
    note: str = ""  # what a reviewer asked to be changed, for the agents of these tasks


@dataclass(frozen=True, slots=True)
class Finish:
    """The step has succeeded."""

    output: dict[str, Json]
    confidence: float | None = None
    judged: dict[str, Json] = field(default_factory=dict)  # what others said of it, for its assessment


@dataclass(frozen=True, slots=True)
class Fail:
    """The step has failed; what follows is up to its on_error, or a person is asked."""

    code: str
    message: str
    kind: FailureKind | Literal["ask"] = "permanent"


type Move = Spawn | Finish | Fail


def agent_step(agent: str, *, title: str, timeout: float = 60.0, **more: Any) -> PlanStep:
    """A spawned call of "name" or "name@3", whose failure is a result like any other."""
    name, _, version = agent.partition("@")
    return PlanStep(
        index=-1,
        key="",
        title=title,
        kind="automated",
        agent=name,
        agent_version=int(version) if version else None,
        timeout=timeout,
        on_error="skip",
        **more,
    )


def person_step(
    title: str, *, queue: str, form: dict[str, Json], instructions: str = "", rejected: str = ""
) -> PlanStep:
    """A spawned question to people: what they see is the child's `given`, their answer its output.

    `title` and `instructions` are the pattern's own words; what looks like an expression in them stays text. Who
    rejects the question fails the run, unless the pattern says in `rejected` what follows: then it is told, by
    `Result.rejection`, and people read that sentence.
    """
    told = f"Rejecting this: {rejected}" if rejected else ""
    title, instructions = _literal(title), _literal(f"{instructions} {told}".strip())
    return PlanStep(
        index=-1,
        key="",
        title=title,
        kind="manual",
        form=form,
        instructions=instructions,
        on_error="skip" if rejected else "escalate",
        gate=GateSpec(when="true", queue=queue, title=title, allowed=("complete", "reject", "terminate")),
    )


def _literal(text: str) -> str:
    return text.replace("${", "$${")
