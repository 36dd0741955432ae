"""What goes into an agent and what comes out: plain values, no Django, no runs."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
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
class CallApproval:
    """People approved a call of a tool; `arguments`: in place of its own, if they edited them."""

    arguments: dict[str, Json] | None = None


class ToolHost(Protocol):
    """What calls of tools need of whoever runs the attempt: threads for the database, memory, people's approvals."""

    def facts(self) -> dict[str, Json]:
        """What policies may read of the run: workflow, step, attempt ..."""
        ...

    async def in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a database function in a thread."""
        ...

    async def approval(self, seal: str) -> "CallApproval | None":
        """What people have approved of the very call that `seal` stands for, for this task; None if they have not."""
        ...

    async def tell(self, kind: str, facts: dict[str, Json]) -> None:
        """Record what happened to a call: `tool.called`, `tool.asked`, `tool.refused`."""
        ...

    def note(self, kind: str, facts: dict[str, Json]) -> None:
        """The same, recorded when the attempt ends: for calls that change nothing."""
        ...


class Tools(Protocol):
    """`ctx.tools`."""

    async def call(
        self, name: str, arguments: Any = None, *, scopes: Sequence[str] | None = None, label: str = ""
    ) -> Json:
        """Call a tool. Raises subclasses of agents.errors.ToolRefused."""
        ...

    @property
    def made(self) -> dict[str, int]:
        """How often each call was made in this attempt: tells calls apart that are otherwise the same."""
        ...

    def go_on_from(self, made: Mapping[str, int]) -> None:
        """This attempt goes on where an earlier one had made so many calls."""
        ...

    async def available(self) -> list[dict[str, Json]]:
        """The tools that this agent may call in some way: name, description, input schema, risk."""
        ...


class Veil(Protocol):
    """What stands between a model elsewhere and people's data, for the length of one call."""

    def reveal(self, value: Json) -> Json:
        """What the model says, with what its tokens stand for."""
        ...

    def conceal(self, value: Json) -> Json:
        """What the model is about to be told, with tokens."""
        ...

    def kept(self) -> dict[str, str]:
        """Original: token. To be kept with what was said in tokens, and no less secret."""
        ...

    def adopt(self, kept: Mapping[str, str]) -> None:
        """Know an earlier call's tokens, too."""
        ...


class ModelDesk(Protocol):
    """What a call of a language model tells, and asks of, whoever made it."""

    async def tier(self) -> str:
        """Which models may be used now: "standard", or "economy" when the budget is nearly spent."""
        ...

    async def words(self, text: str) -> None:
        """What the model has written so far: a glance for those who watch."""
        ...

    async def recall(self, about: str) -> dict[str, Any] | None:
        """What was said before people were asked, if it was about the same; else None."""
        ...

    async def remember(self, about: str, said: dict[str, Any]) -> None:
        """Keep what was said so far: the call waits for people."""
        ...

    async def forget(self) -> None:
        """What was said before people were asked is not gone on from any more."""
        ...

    async def ended(self, usage: "Usage", failure: str, seconds: float = 0.0) -> None:
        """The call is over; `failure` is its code, or empty."""
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
    host: ToolHost | None = None
    desk: ModelDesk | None = None
    veil: Veil | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What one call consumed. `cost` in US dollars."""

    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0
    model: str = ""  # of a language model's call: which one answered, of which tier, to which version of which prompt
    tier: str = ""
    prompt: str = ""  # name@number
    price: str | None = None  # the exact cost as a decimal number; None: nobody knows a price for this model


@dataclass(frozen=True, slots=True)
class Completed:
    """The agent's cleaned and validated output. `confidence` is 0-1 or None when the agent claims none."""

    output: dict[str, Json]
    confidence: float | None = None
    usage: Usage = field(default_factory=Usage)
    version: int = 0
    changes: tuple[str, ...] = ()  # what cleaning repaired, "summary: characters that cannot be stored were replaced"
    large: bool = False  # belongs in content-addressed storage
    guard: dict[str, Json] | None = None  # what guardrails stripped, masked and flagged: places and kinds, no data


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
    call: dict[str, Json] | None = None  # of a tool, as `agents.tools` sealed it; never what an agent returns
    guard: dict[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class Deferred:
    """The answer comes later, from outside: the task waits for it and holds no place. For adapters, not for agents.

    `pulled`: an external worker fetches the call; else whoever took it answers at the call's signed address.
    """

    pulled: bool
    version: int = 0
    usage: Usage = field(default_factory=Usage)
    guard: dict[str, Json] | None = None
    # What the worker that fetches it gets: as the agent's guard lets it.
    given: dict[str, Json] = field(default_factory=dict)
    note: str = ""
    approvals: tuple[Approval, ...] = ()


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
    guard: dict[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class Awaits:
    """The agent waits for a message and is to be called again, from its beginning, when that is there."""

    serial: int  # the how manyth wait of this call
    within: float  # seconds
    version: int = 0
    usage: Usage = field(default_factory=Usage)
    guard: dict[str, Json] | None = None


type Outcome = Completed | NeedsApproval | Failed | Awaits | Deferred
type AgentFunction = Callable[..., Any]
