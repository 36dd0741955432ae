"""agents.calling on the loop and in threads: every way a call can end has one typed outcome."""

import asyncio
import contextvars
import functools
import math
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pydantic import BaseModel, field_validator

from agents.calling import call
from agents.errors import Business, EffectUnknown, Permanent, Transient
from agents.process import ProcessPool
from agents.registry import Registry, agent
from agents.types import AgentRequest, Completed, Failed, Json, NeedsApproval, Outcome, Usage

OBJECT: dict[str, Any] = {"type": "object"}
type Caller = Callable[..., Awaitable[Outcome]]


class Even(BaseModel):
    n: int

    @field_validator("n")
    @classmethod
    def _even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("must be even")
        return value


class Remembered:
    """An engine's effects in a dictionary."""

    def __init__(self) -> None:
        self.stored: dict[str, Json] = {}

    async def once(self, key: str, call: Callable[[], Awaitable[Json]], *, reconcile: object = None) -> Json:
        if key == "unknown":
            raise EffectUnknown(key=key)
        if key not in self.stored:
            self.stored[key] = await call()
        return self.stored[key]


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture
def calling(threads: ThreadPoolExecutor) -> Caller:
    """Register one function and call it."""

    async def run(
        function: Any, value: Any = None, *, timeout: float = 10, effects: Any = None, **facts: Any
    ) -> Outcome:
        registry = Registry()
        agent("a", **{"input": OBJECT, "output": OBJECT, "registry": registry, **facts})(function)
        request = AgentRequest("a", None, value or {}, "key-1", 2, timeout, "shorter", "corr", effects)
        return await call(request, threads=threads, processes=ProcessPool(), registry=registry)

    return run


def raising(error: BaseException) -> Any:
    async def function(value: Any, ctx: Any) -> Any:
        raise error

    return function


def returning(value: Any) -> Any:
    async def function(given: Any, ctx: Any) -> Any:
        return value

    return function


async def test_call_passes_input_and_facts_and_returns_the_output(calling: Caller) -> None:
    async def function(value: Any, ctx: Any) -> Any:
        return {**value, "facts": [ctx.attempt, ctx.note, ctx.key, ctx.correlation_id]}

    outcome = await calling(function, {"x": 1}, version=4)

    assert outcome == Completed({"x": 1, "facts": [2, "shorter", "key-1", "corr"]}, version=4)


async def test_call_model_contract_hands_over_an_instance(calling: Caller) -> None:
    async def function(value: Even, ctx: Any) -> Even:
        return Even(n=value.n + 2)

    outcome = await calling(function, {"n": 2}, input=Even, output=Even)

    assert isinstance(outcome, Completed)
    assert outcome.output == {"n": 4}


async def test_call_agent_cannot_change_the_callers_input(calling: Caller) -> None:
    async def function(value: Any, ctx: Any) -> Any:
        value["list"].append(1)
        return value

    given: dict[str, Any] = {"list": []}
    await calling(function, given)

    assert given == {"list": []}


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        pytest.param({"confidence": 0.7}, Completed({"confidence": 0.7}, 0.7, version=1), id="claimed in the output"),
        pytest.param({"confidence": 7}, Completed({"confidence": 7}, None, version=1), id="not a confidence"),
        pytest.param(
            Completed({"a": 1}, 0.5, Usage(1, 2, 0.1)), Completed({"a": 1}, 0.5, Usage(1, 2, 0.1), 1), id="completed"
        ),
        pytest.param('{"a": 1}', Completed({"a": 1}, version=1), id="text"),
        pytest.param(
            {"a": "\x00"},
            Completed({"a": "\ufffd"}, version=1, changes=("a: characters that cannot be stored were replaced",)),
            id="repaired",
        ),
        pytest.param(
            NeedsApproval({"pay": (1, 2)}, "large\x00", {"a": 1}, 0.2),
            NeedsApproval({"pay": [1, 2]}, "large\ufffd", {"a": 1}, 0.2, 1),
            id="needs approval",
        ),
        pytest.param(
            Failed("business", "closed", "The account is closed.", retry_after=math.nan),
            Failed("business", "closed", "The account is closed.", 1),
            id="failed",
        ),
    ],
)
async def test_call_returned_value_becomes_an_outcome(calling: Caller, returned: Any, expected: Outcome) -> None:
    assert await calling(returning(returned)) == expected


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        pytest.param(Transient("Busy.", code="busy", retry_after=3), "transient", "busy", id="transient"),
        pytest.param(Permanent("No."), "permanent", "permanent", id="permanent"),
        pytest.param(Business("Closed.", code="closed"), "business", "closed", id="business"),
        pytest.param(ConnectionRefusedError(), "transient", "connection", id="connection"),
        pytest.param(TimeoutError(), "transient", "timeout", id="inner timeout"),
        pytest.param(EffectUnknown(key="k"), "permanent", "effect_unknown", id="effect"),
        pytest.param(ValueError("password=hunter2"), "transient", "unexpected", id="unexpected"),
        pytest.param(SystemExit(3), "transient", "unexpected", id="exit"),
        pytest.param(RecursionError(), "transient", "unexpected", id="recursion"),
        pytest.param(asyncio.CancelledError(), "transient", "unexpected", id="cancelled itself"),
    ],
)
async def test_call_exception_is_classified(calling: Caller, error: BaseException, kind: str, code: str) -> None:
    outcome = await calling(raising(error))

    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.code, outcome.version) == (kind, code, 1)
    assert "hunter2" not in outcome.message
    assert outcome.retry_after == getattr(error, "retry_after", None)


@pytest.mark.parametrize(
    ("facts", "returned", "kind", "code"),
    [
        pytest.param({"output": Even}, {"n": "x"}, "permanent", "contract_output", id="schema"),
        pytest.param({"output": Even}, {"n": 3}, "permanent", "contract_output", id="model's own validator"),
        pytest.param(
            {"output": Even}, Even.model_construct(n="x"), "permanent", "contract_output", id="unchecked model"
        ),
        pytest.param({"output": Even, "kind": "llm"}, {"n": "x"}, "transient", "contract_output", id="llm"),
        pytest.param({}, [1], "permanent", "contract_output", id="not an object"),
        pytest.param({}, None, "permanent", "contract_output", id="nothing"),
        pytest.param({}, Completed({}, 1.5), "permanent", "contract_output", id="confidence"),
        pytest.param({}, Completed({}, math.nan), "permanent", "contract_output", id="confidence nan"),
        pytest.param({}, Completed({}, None, Usage(cost=math.inf)), "permanent", "contract_output", id="cost"),
        pytest.param({}, {"a": math.nan}, "permanent", "output_not_finite", id="nan"),
        pytest.param({}, {"a": 10**200}, "permanent", "output_number_too_large", id="10**200"),
        pytest.param({}, {"a": "x" * 20_000_000}, "permanent", "output_too_large", id="20 MB"),
        pytest.param({}, "[" * 100_000, "permanent", "output_too_deep", id="100k deep"),
        pytest.param({}, '{"a":1,"a":2}', "permanent", "output_duplicate_key", id="duplicate key"),
        pytest.param({}, object(), "permanent", "output_not_json", id="object"),
    ],
)
async def test_call_bad_output_fails_with_a_typed_code(
    calling: Caller, facts: dict[str, Any], returned: Any, kind: str, code: str
) -> None:
    outcome = await calling(returning(returned), **facts)

    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.code) == (kind, code)


@pytest.mark.parametrize("value", [{}, {"n": "x"}, {"n": 3}, {"n": math.nan}, {"n": 10**200}])
async def test_call_bad_input_fails_before_the_agent_runs(calling: Caller, value: Any) -> None:
    ran = []

    outcome = await calling(lambda given, ctx: ran.append(1), value, input=Even)

    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.code, ran) == ("permanent", "contract_input", [])


async def test_call_unknown_agent_may_be_known_by_another_worker(threads: ThreadPoolExecutor) -> None:
    request = AgentRequest("nobody", 3, {}, "k", 1, 1.0)

    outcome = await call(request, threads=threads, processes=ProcessPool(), registry=Registry())

    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.code) == ("transient", "agent_not_found")


async def test_call_over_time_on_the_loop_is_stopped(calling: Caller) -> None:
    stopped = []

    async def function(value: Any, ctx: Any) -> Any:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            stopped.append(1)
            raise

    outcome = await calling(function, timeout=0.05)

    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.code, stopped) == ("transient", "timeout", [1])


async def test_call_that_answers_after_its_time_is_a_timeout(calling: Caller) -> None:
    async def function(value: Any, ctx: Any) -> Any:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return {"late": True}

    outcome = await calling(function, timeout=0.05)

    assert isinstance(outcome, Failed)
    assert outcome.code == "timeout"


@pytest.mark.parametrize("swallows", [False, True])
async def test_call_cancelled_stops_a_loop_agent(calling: Caller, swallows: bool) -> None:
    started = asyncio.Event()

    async def function(value: Any, ctx: Any) -> Any:
        started.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            if not swallows:
                raise
        return {}

    task = asyncio.ensure_future(calling(function))
    await started.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_call_sync_function_runs_in_a_thread_with_the_callers_context(calling: Caller) -> None:
    variable = contextvars.ContextVar("variable", default="unset")
    variable.set("set")

    def function(value: Any, ctx: Any) -> Any:
        return {"main": threading.current_thread() is threading.main_thread(), "variable": variable.get()}

    outcome = await calling(function)

    assert isinstance(outcome, Completed)
    assert outcome.output == {"main": False, "variable": "set"}


async def test_call_thread_over_time_is_abandoned_and_its_answer_lost(calling: Caller) -> None:
    release = threading.Event()

    def function(value: Any, ctx: Any) -> Any:
        release.wait(10)
        return {"late": True}

    begun = time.monotonic()
    outcome = await calling(function, timeout=0.1)
    took = time.monotonic() - begun
    release.set()

    assert isinstance(outcome, Failed)
    assert (outcome.code, took < 5) == ("timeout", True)


async def test_call_without_a_free_thread_is_not_the_agents_timeout(
    calling: Caller, threads: ThreadPoolExecutor
) -> None:
    release = threading.Event()
    threads.submit(release.wait, 10)

    outcome = await calling(lambda value, ctx: {}, timeout=0.1)
    release.set()

    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.code) == ("transient", "pool_busy")


async def test_call_thread_raising_stop_iteration_does_not_break_the_loop(calling: Caller) -> None:
    outcome = await calling(lambda value, ctx: next(iter(())))

    assert isinstance(outcome, Failed)
    assert outcome.code == "unexpected"


async def test_context_once_repeats_no_effect(calling: Caller) -> None:
    effects, made = Remembered(), []

    async def send() -> Json:
        made.append(1)
        return {"id": 7}

    async def function(value: Any, ctx: Any) -> Any:
        return {"first": await ctx.once("k", send), "second": await ctx.once("k", send)}

    outcome = await calling(function, effects=effects)

    assert isinstance(outcome, Completed)
    assert outcome.output == {"first": {"id": 7}, "second": {"id": 7}}
    assert made == [1]


async def test_context_once_sync_works_in_a_thread(calling: Caller) -> None:
    effects, made = Remembered(), []

    def send() -> Json:
        made.append(1)
        return 7

    def function(value: Any, ctx: Any) -> Any:
        return {"ids": [ctx.once_sync("k", send), ctx.once_sync("k", send)]}

    outcome = await calling(function, effects=effects)

    assert isinstance(outcome, Completed)
    assert (outcome.output, made) == ({"ids": [7, 7]}, [1])


async def test_context_unknown_effect_fails_permanently(calling: Caller) -> None:
    def function(value: Any, ctx: Any) -> Any:
        return ctx.once_sync("unknown", lambda: 1)

    outcome = await calling(function, effects=Remembered())

    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.code) == ("permanent", "effect_unknown")


async def test_context_once_sync_on_the_loop_is_refused_not_deadlocked(calling: Caller) -> None:
    def function(value: Any, ctx: Any) -> Any:
        return ctx.once_sync("k", lambda: 1)

    outcome = await calling(function, effects=Remembered(), isolation="loop")

    assert isinstance(outcome, Failed)
    assert outcome.code == "unexpected"


async def test_call_no_op_agent_costs_microseconds(threads: ThreadPoolExecutor) -> None:
    registry = Registry()
    agent("a", input=OBJECT, output=OBJECT, registry=registry)(returning({"i": 1, "ok": True}))
    once = functools.partial(
        call,
        AgentRequest("a", None, {"i": 1}, "k", 1, 60.0),
        threads=threads,
        processes=ProcessPool(),
        registry=registry,
    )

    best = math.inf
    for _ in range(10):
        begun = time.perf_counter()
        for _ in range(200):
            await once()
        best = min(best, (time.perf_counter() - begun) / 200)

    assert best < 40e-6
