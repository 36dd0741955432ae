"""What goes into an agent and what comes out: plain values, no Django, no runs."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

type Json = bool | int | float | str | list[Json] | dict[str, Json] | None
type Isolation = Literal["loop", "thread", "process"]
type FailureKind = Literal["transient", "permanent", "business"]


class Effects(Protocol):
    """Remembers side effects by key, so that a second attempt does not repeat a completed one."""

    async def once(
        self, key: str, call: Callable[[], Awaitable[Json]], *, reconcile: Callable[[], Awaitable[Json]] | None = None
    ) -> Json:
        """Run `call` unless `key` is already confirmed for this task; return the stored result.

        `reconcile` asks the provider about an effect that may have arrived: its result, or None if it did not.
        Raises agents.errors.EffectUnknown when an earlier attempt sent it and nobody knows whether it arrived.
        """
        ...


class Memory(Protocol):
    """What a call may read of its run's shared state, and what it asks to be written there. One verb at a time."""

    async def ask(self, verb: str, given: dict[str, Json]) -> Json:
        """Carry out `verb` (see agents.memory) for the attempt behind this call.

        Raises agents.errors.StateStale, StateRefused and AttemptOver.
        """
        ...


@dataclass(frozen=True, slots=True)
class Approval:
    """People agreed to an action that the agent asked about; `answer` is its proposal, as they left or edited it."""

    action: dict[str, Json]
    answer: dict[str, Json]
    decided_by: str = ""


@dataclass(frozen=True, slots=True)
class AgentRequest:
    """One call to an agent. `key` is stable across attempts: use it as the idempotency key of outside calls."""

    agent: str
    version: int | None  # None: the newest this process knows
    input: Mapping[str, Json]
    key: str
    attempt: int
    timeout: float  # seconds
    note: str = ""  # what a reviewer asked to be changed
    correlation_id: str = ""
    effects: Effects | None = None
    memory: Memory | None = None
    approvals: tuple[Approval, ...] = ()  # what people said to this agent's own questions about this task
    answer_to: Callable[[], str] | None = None  # makes the signed address at which an answer may come later


@dataclass(frozen=True, slots=True)
class Usage:
    """What one call consumed. `cost` in US dollars."""

    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Completed:
    """The agent's cleaned and validated output. `confidence` is 0-1 or None when the agent claims none."""

    output: dict[str, Json]
    confidence: float | None = None
    usage: Usage = field(default_factory=Usage)
    version: int = 0
    changes: tuple[str, ...] = ()  # what cleaning repaired, "summary: characters that cannot be stored were replaced"
    large: bool = False  # belongs in content-addressed storage


@dataclass(frozen=True, slots=True)
class NeedsApproval:
    """The agent will not go on without a person: `action` is what it wants to do, from its arguments.

    Approved, the task ends with `output`; or, with `resume`, the agent is called again and finds the answer in
    `ctx.approval(action)`, where `output` is what it proposes and need not keep its contract.
    """

    action: dict[str, Json]
    reason: str
    output: dict[str, Json] = field(default_factory=dict)
    confidence: float | None = None
    version: int = 0
    usage: Usage = field(default_factory=Usage)
    resume: bool = False


@dataclass(frozen=True, slots=True)
class Deferred:
    """The answer comes later, from outside: the task waits for it and holds no place. For adapters, not for agents.

    `pulled`: an external worker fetches the call; else whoever took it answers at the call's signed address.
    """

    pulled: bool
    version: int = 0
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True)
class Failed:
    """The call failed. transient: try again; permanent: trying again cannot help; business: the world says no."""

    kind: FailureKind
    code: str  # stable, e.g. "timeout", "contract_output"
    message: str  # one sentence for a person
    version: int = 0
    retry_after: float | None = None  # seconds
    usage: Usage = field(default_factory=Usage)  # a model's answer that breaks its contract has been paid for
    error_class: str = ""  # what was raised, for those who may see details
    stack: str = ""  # where it was raised: files, lines and functions, without messages or values


type Outcome = Completed | NeedsApproval | Failed | Deferred
type AgentFunction = Callable[..., Any]
