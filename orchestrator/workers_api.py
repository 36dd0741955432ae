"""REST v1 for external workers: programs in any language that do the work of registered agents."""

import asyncio
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest
from ninja import Router, Schema
from ninja.responses import Status
from pydantic import Field, StringConstraints

from agents.adapters.answers import AnswerIn
from agents.models import Agent
from agents.specs import Facts
from agents.types import Failed, NeedsApproval, Outcome
from orchestrator import presence, workers
from orchestrator.api_errors import ERRORS, ErrorOut, Forbidden, Id, Line, Text, caller
from orchestrator.models import RemoteCall
from orchestrator.ports import rights

routes = Router(tags=["Workers"])
fetching = Router(tags=["Workers"])  # waits without holding a thread
answers = Router(tags=["Workers"])

LONGEST_WAIT: Final = 30.0  # seconds that a fetch may be held
MOST_HELD: Final = 500  # fetches held at once by this process; more are answered at once
_FIRST_LOOK, _SLOWEST_LOOK = 0.05, 1.0
_TELL_EVERY: Final = 10.0  # seconds between two notes that a worker which is held is there

AgentName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,99}$")]
Attempt = Annotated[int, Field(ge=1, le=32_767)]
CallId = Annotated[int, Field(ge=1, le=2**63 - 1)]


class AgentIn(Schema):
    """One version of an agent whose work you do. A recorded version never changes."""

    name: AgentName
    version: int = Field(1, ge=1, le=10_000)
    title: Line = ""
    description: Text = ""
    input: dict[str, Any] = Field(description="JSON Schema of what it takes.")
    output: dict[str, Any] = Field(description="JSON Schema of what it gives.")
    capabilities: list[Line] = Field([], max_length=50)
    tags: list[Line] = Field([], max_length=20)
    timeout: float = Field(60, gt=0, le=30 * 86400, description="Seconds, for steps that name none.")
    max_concurrency: int | None = Field(None, ge=1, le=1_000_000)
    rate_per_minute: int | None = Field(None, ge=1, le=1_000_000)
    budget: dict[str, float] | None = Field(None, description="For one run, by resource; else the installation's.")


class RegisteredOut(Schema):
    """The version as it is recorded."""

    name: str
    version: int
    digest: str
    lease_seconds: int = Field(description="Renew your leases at least this often; a third of it is a good interval.")


_AWAY = Field(ge=10, le=workers.LONGEST_LEASE, description="Seconds that your link may be away; left out: as usual.")
Lease = Annotated[float | None, _AWAY]


class FetchIn(Schema):
    """What you want to work on, and how long to wait for it."""

    agents: list[AgentName] = Field(min_length=1, max_length=50)
    worker: Line = Field(min_length=1, max_length=200, description="What you call yourself; people see it.")
    limit: int = Field(1, ge=1, le=workers.MOST_CALLS)
    wait: float = Field(0, ge=0, le=LONGEST_WAIT, description="Seconds to wait for the first call.")
    lease: Lease = None


class ApprovalOut(Schema):
    """What people agreed to, when an earlier attempt of this call asked."""

    action: dict[str, Any]
    answer: dict[str, Any]
    decided_by: str


class CallOut(Schema):
    """One call, leased to you."""

    id: int
    attempt: int
    agent: str
    version: int
    input: dict[str, Any]
    key: str = Field(description="Stable across attempts: send it as the idempotency key of what you do outside.")
    note: str = Field(description="What a reviewer asked to be changed.")
    approvals: list[ApprovalOut]
    correlation_id: str
    traceparent: str = Field("", description="W3C Trace Context: send it on, and your spans lie in the run's trace.")
    timeout: float = Field(description="Seconds from now.")
    lease_until: datetime

    @staticmethod
    def of(call: RemoteCall) -> "CallOut":
        """From a leased row."""
        return CallOut(**workers.facts_of(call))


class FetchOut(Schema):
    """What there is to do; nothing is not an error."""

    calls: list[CallOut]


class HeldIn(Schema):
    """A call that you work on."""

    id: CallId
    attempt: Attempt


class HeartbeatIn(Schema):
    """All calls that you work on."""

    calls: list[HeldIn] = Field(max_length=1000)
    lease: Lease = None


class StandingOut(Schema):
    """What to do about one of them."""

    id: int
    attempt: int
    state: Literal["go_on", "cancelled", "stopped", "over"] = Field(description="Anything but go_on: stop, drop it.")
    lease_until: datetime | None


class HeartbeatOut(Schema):
    """One standing for each call, in your order."""

    calls: list[StandingOut]


class SettleIn(AnswerIn):
    """The same, with the attempt that it ends."""

    attempt: Attempt


class SettledOut(Schema):
    """What your answer was judged to be: an output that breaks the contract is a failure."""

    outcome: Literal["completed", "asked", "failed"]
    code: str = ""
    message: str = ""

    @staticmethod
    def of(outcome: Outcome) -> "SettledOut":
        """From the judged outcome."""
        match outcome:
            case Failed(code=code, message=message):
                return SettledOut(outcome="failed", code=code, message=message)
            case NeedsApproval(reason=reason):
                return SettledOut(outcome="asked", message=reason)
        return SettledOut(outcome="completed")


class ReleaseIn(Schema):
    """The attempt that you give back."""

    attempt: Attempt


@routes.post("/agents", response={201: RegisteredOut, **ERRORS}, summary="Register an agent")
def register(request: HttpRequest, wanted: AgentIn) -> Status[RegisteredOut]:
    """Record a version of an agent whose work you do. The same again is no error; a changed one needs a new version."""
    user = caller(request)
    known = Agent.objects.filter(name=wanted.name).first()
    may = rights().can(user, workers.VERB, known) if known else rights().can(user, workers.VERB)
    if not may:
        raise Forbidden(verb="work as this agent")
    row = workers.register(name=wanted.name, takes=wanted.input, gives=wanted.output, facts=_facts(wanted), by=user)
    lease = settings.WORKER_LEASE_SECONDS
    return Status(201, RegisteredOut(name=wanted.name, version=row.number, digest=row.digest, lease_seconds=lease))


@fetching.post("/calls", response={200: FetchOut, **ERRORS}, summary="Fetch calls")
async def fetch(request: HttpRequest, wanted: FetchIn) -> FetchOut:
    """Lease calls to do. Waits up to `wait` seconds for the first one and answers at once when there is any."""
    user = caller(request)
    agents = await sync_to_async(workers.agents_of)(user, wanted.agents)
    until = time.monotonic() + (wanted.wait if _held.count < MOST_HELD else 0)
    pause, told = _FIRST_LOOK, float("-inf")
    with _held:
        while True:
            if time.monotonic() - told > _TELL_EVERY:
                await sync_to_async(presence.polled)(agents, worker=wanted.worker, by=user)
                told = time.monotonic()
            calls = await sync_to_async(_fetched)(agents, wanted, user)
            left = until - time.monotonic()
            if calls or left <= 0:
                return FetchOut(calls=calls)
            await asyncio.sleep(min(pause, left))
            pause = min(pause * 1.5, _SLOWEST_LOOK)


@routes.post("/heartbeat", response={200: HeartbeatOut, **ERRORS}, summary="Renew leases")
def heartbeat(request: HttpRequest, held: HeartbeatIn) -> HeartbeatOut:
    """Keep your calls, and hear which were cancelled, stopped or handed to somebody else."""
    user = _worker(request)
    found = workers.renew(calls=[(call.id, call.attempt) for call in held.calls], by=user, lease=held.lease)
    return HeartbeatOut(
        calls=[
            StandingOut(id=one.task, attempt=one.attempt, state=one.state, lease_until=one.lease_until) for one in found
        ]
    )


@routes.post("/calls/{call}/settle", response={200: SettledOut, **ERRORS}, summary="Settle a call")
def settle(request: HttpRequest, call: Id, how: SettleIn) -> SettledOut:
    """Say how a call ended: its output, a failure, or a question to people. 409 when it is no longer yours."""
    user = _worker(request)
    return SettledOut.of(workers.settle(task_id=call, attempt=how.attempt, said=how.said(), by=user))


@routes.post("/calls/{call}/release", response={204: None, **ERRORS}, summary="Give a call back")
def release(request: HttpRequest, call: Id, what: ReleaseIn) -> Status[None]:
    """You are shutting down: somebody else gets it, and nobody is blamed."""
    workers.release(task_id=call, attempt=what.attempt, by=_worker(request))
    return Status(204, None)


@answers.post("/{token}", response={200: SettledOut, **ERRORS, 413: ErrorOut}, summary="Answer a remote call")
def answer(request: HttpRequest, token: str, how: AnswerIn) -> SettledOut:
    """For remote HTTP agents that took a call with 202. The signed address is the permission: it works once."""
    return SettledOut.of(workers.answer_late(token=token, said=how.said()))


class _Held:
    """How many fetches this process holds."""

    count = 0

    def __enter__(self) -> None:
        self.count += 1

    def __exit__(self, *_: object) -> None:
        self.count -= 1


_held: Final = _Held()


def _fetched(agents: list[Agent], wanted: FetchIn, user: Any) -> list[CallOut]:
    calls = workers.fetch(agents=agents, worker=wanted.worker, limit=wanted.limit, by=user, lease=wanted.lease)
    return [CallOut.of(call) for call in calls]


def _worker(request: HttpRequest) -> Any:
    user = caller(request)
    if not rights().can_somewhere(user, workers.VERB):
        raise Forbidden(verb="work as an agent")
    return user


def _facts(wanted: AgentIn) -> Facts:
    given: Mapping[str, Any] = wanted.dict(exclude={"name", "input", "output"}, exclude_none=True)
    facts: Facts = {}
    facts.update(given)  # type: ignore[typeddict-item]
    return facts
