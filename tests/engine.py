"""The engine under test: agents that do as told, definitions in a line, and a real shift in a thread."""

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import uvloop
from django.db import connection, connections
from django.test import override_settings

from agents.budgets import AMPLE
from agents.errors import AgentsError, Permanent, StateStale, Transient
from agents.models import Agent
from agents.registry import Registry, agent, specs, sync
from agents.types import Completed, Json, NeedsApproval
from orchestrator import services
from orchestrator.engine import sweep
from orchestrator.engine.shift import Shift
from orchestrator.models import Breaker, Run, Task, WorkflowVersion
from orchestrator.states import RUN_TERMINAL

OPEN = {"type": "object"}
_LONGEST_PAUSE = 0.25  # seconds between two looks at timers
PATIENCE = 90  # seconds: long, because it only matters when a claim is false or the machine is busy
calls: list[tuple[str, int]] = []  # (what, attempt) of each call of the agents below, in this process
gates_open = threading.Event()  # `patient` waits for it


@agent(name="test-echo", version=1, title="Echo", input=OPEN, output=OPEN, capabilities=[], budget=AMPLE)
async def echo(input: dict[str, Json], ctx: Any) -> Completed:
    """Give back what came in, with the confidence it names."""
    calls.append((str(input.get("what", "echo")), ctx.attempt))
    confidence = input.get("confidence")
    return Completed(
        output={**input, "note": ctx.note, "attempt": ctx.attempt},
        confidence=float(confidence) if isinstance(confidence, int | float) else None,
    )


@agent(name="test-flaky", version=1, title="Flaky", input=OPEN, output=OPEN, capabilities=[], budget=AMPLE)
async def flaky(input: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """Fail transiently `times` times, or permanently."""
    calls.append(("flaky", ctx.attempt))
    if input.get("permanent"):
        raise Permanent("this cannot work", code="hopeless")
    if ctx.attempt <= input.get("times", 0):
        raise Transient("not yet", code="busy", retry_after=0.01)
    return {"attempt": ctx.attempt}


@agent(name="test-patient", version=1, title="Patient", input=OPEN, output=OPEN, capabilities=[], budget=AMPLE)
async def patient(input: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """Wait until told to go on."""
    calls.append(("patient", ctx.attempt))
    while not gates_open.is_set():
        await asyncio.sleep(0.005)
    return {"waited": True}


@agent(name="test-asker", version=1, title="Asker", input=OPEN, output=OPEN, capabilities=[], budget=AMPLE)
async def asker(input: dict[str, Any], ctx: Any) -> NeedsApproval:
    """Ask before going on."""
    return NeedsApproval(action={"delete": "everything"}, reason="it is risky", output={"would": "delete"})


@agent(name="test-payer", version=1, title="Payer", input=OPEN, output=OPEN, capabilities=[], budget=AMPLE)
async def payer(input: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """Pay once, then fail on the first attempt."""

    async def pay() -> Json:
        calls.append(("paid", ctx.attempt))
        return {"receipt": 1}

    receipt = await ctx.once("payment", pay)
    if ctx.attempt == 1:
        raise Transient("lost the line", retry_after=0.01)
    return {"receipt": receipt}


@agent(
    name="test-sleeper",
    version=1,
    title="Sleeper",
    input=OPEN,
    output=OPEN,
    capabilities=[],
    isolation="thread",
    budget=AMPLE,
)
def sleeper(input: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """Block a thread for `seconds`."""
    time.sleep(float(input.get("seconds", 0.01)))
    return {"slept": True}


@agent(name="test-huge", version=1, title="Huge", input=OPEN, output=OPEN, capabilities=[], budget=AMPLE)
async def huge(input: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """An output too large for its row."""
    return {"text": "x" * int(input["size"])}


def publish(steps: str, *, name: str = "flow", rest: str = "") -> WorkflowVersion:
    """Publish a workflow from its `steps` lines; first the agents it may come to are synced."""
    source = f"metadata: {{name: {name}, title: Flow}}\nsteps:\n{steps}\n{rest}"
    sync(spoken_of(source, file=_text(sys._getframe(1).f_code.co_filename)))
    spare_breakers()
    return services.publish(
        source=source,
        file="t.yaml",
        by=None,
        make_queues=True,
    )


def spoken_of(definition: str, file: str) -> Registry:
    """This module's agents, those that a definition names, or a capability of, and those that a test's file names.

    Writing down all that any test registers takes longer than most tests do.
    """
    found = Registry()
    for spec in specs():
        ours = spec.entrypoint.startswith(__name__)
        can = any(capability in definition for capability in spec.capabilities)
        if ours or can or spec.name in definition or spec.name in file:
            found.add(spec)
    return found


@cache
def _text(path: str) -> str:
    return Path(path).read_text()


def spare_breakers(names: str = "^(test|contract)-") -> None:
    """Agents above fail on purpose: none of them is taken out of service, but where a test is about that."""
    unguarded = Agent.objects.filter(name__regex=names, breaker=None)
    Breaker.objects.bulk_create(Breaker(agent=agent, threshold=1000) for agent in unguarded)


def start(name: str = "flow", **given: Any) -> Run:
    """Start a run."""
    return services.start_run(workflow=name, input=given, by=None, actor="feed")


@contextmanager
def shift(*, capacity: int = 200, lease: float = 15, pool: str = "default") -> Iterator[Shift]:
    """A real shift in a thread of its own, drained at the end."""
    leaving = threading.Event()
    with override_settings(POOL=pool):
        yield from _shift(Shift(capacity=capacity, seconds=600, lease=lease, draining=leaving.is_set), leaving)


def _shift(made: Shift, leaving: threading.Event) -> Iterator[Shift]:

    def run() -> None:
        uvloop.run(made.run())
        connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield made
    finally:
        leaving.set()
        notify("wk_ready")
        thread.join(40)
        assert not thread.is_alive(), "the shift did not end"


def notify(channel: str, payload: str = "") -> None:
    """Send a signal to whoever listens."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [channel, payload])


def eventually(claim: Callable[[], object], *, seconds: float = PATIENCE, timers: bool = True) -> None:
    """Wait until `claim()` is true, firing timers meanwhile; AssertionError when it does not become true at all.

    Firing is a dozen statements: it is left alone four times as long as it took, or who waits would hold up, in the
    database and in this process, what is waited for. Not longer: it may have taken seconds only to wait for a lock.
    """
    until = time.monotonic() + seconds
    fires_at = 0.0
    while not claim():
        now = time.monotonic()
        assert now < until, "it did not happen in time"
        if timers and now >= fires_at:
            sweep.fire_timers()
            fires_at = time.monotonic() + min(4 * (time.monotonic() - now), _LONGEST_PAUSE)
        time.sleep(0.01)


def finished(run: Run) -> bool:
    """Whether the run has ended; refreshes it."""
    run.refresh_from_db()
    return run.status in RUN_TERMINAL


def statuses(run: Run) -> dict[str, str]:
    """Step key -> status of a run's tasks."""
    return dict(Task.objects.of_run(run.pk).values_list("key", "status"))


def task(run: Run, key: str) -> Task:
    """One task of a run."""
    return Task.objects.of_run(run.pk).get(key=key)


@agent(name="test-keeper", version=1, title="Keeper", input=OPEN, output=OPEN, capabilities=[])
async def keeper(input: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """Do to the run's state what `do` says: [verb, key, value, expected] ...; what was refused is in the output."""
    refused: list[Json] = []
    for verb, *rest in input.get("do", ()):
        try:
            await _keep(ctx, verb, *rest)
        except AgentsError as problem:
            refused.append(problem.code)
            if input.get("fails"):
                raise
    if ctx.attempt <= input.get("times", 0):
        raise Transient("not yet", code="busy", retry_after=0.01)
    last = await ctx.last_checkpoint()
    return {"refused": refused, "resumed": last["name"] if last else None, "attempt": ctx.attempt}


async def _keep(ctx: Any, verb: str, *rest: Any) -> None:
    match verb:
        case "discover":
            await ctx.discover(rest[0], confidence=rest[1])
        case "put":
            key, value, *expected = rest
            await ctx.state.put(key, value, expected=expected[0] if expected else None)
        case "add":
            found = await ctx.state.get(rest[0])
            await ctx.state.put(rest[0], (found.value if found else 0) + 1, expected=found.version if found else 0)
        case "delete":
            await ctx.state.delete(rest[0])
        case "checkpoint":
            await ctx.checkpoint(rest[0], **(rest[1] if len(rest) > 1 else {}))
        case "wait":
            while not gates_open.is_set():
                await asyncio.sleep(0.005)


@agent(name="test-apart", version=1, title="Apart", input=OPEN, output=OPEN, capabilities=[], isolation="process")
def apart(input: dict[str, Any], ctx: Any) -> dict[str, Json]:
    """The same from a process of its own."""
    ctx.wait_for(ctx.state.put("kept", 1, expected=0))
    try:
        ctx.wait_for(ctx.state.put("kept", 2, expected=0))
    except StateStale as stale:
        number = ctx.wait_for(ctx.checkpoint("half way", findings=[{"finding": "it works"}]))
        return {"version": stale.facts["version"], "checkpoint": number}
    return {}
