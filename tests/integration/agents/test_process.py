"""agents.process: children are reused, killed in time, replaced when they die, and never outlive their worker."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from agents.calling import call
from agents.errors import EffectUnknown
from agents.process import ProcessPool
from agents.types import AgentRequest, Completed, Failed, Json, Outcome
from tests.integration.agents import samples

assert samples  # registers the agents


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


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPool]:
    """One for all tests, as one serves all shifts of a worker; whatever a test kills is replaced."""
    pool = ProcessPool(1)
    yield pool
    pool.close()


async def ask(pool: ProcessPool, agent: str, value: Any = None, *, timeout: float = 30, effects: Any = None) -> Outcome:
    request = AgentRequest(f"sample-{agent}", 1, value or {}, "key-1", 2, timeout, "shorter", "corr", effects)
    with ThreadPoolExecutor(1) as threads:
        return await call(request, threads=threads, processes=pool)


def is_gone(pid: int) -> bool:
    """Ended: collected, or a zombie that its adopted parent has not collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


async def until(condition: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.01)
    return True


async def pid_of(pool: ProcessPool) -> int:
    outcome = await ask(pool, "echo")
    assert isinstance(outcome, Completed)
    pid = outcome.output["pid"]
    assert isinstance(pid, int)
    return pid


async def test_call_runs_in_one_reused_child(pool: ProcessPool) -> None:
    first = await ask(pool, "echo", {"x": "ä"})
    second = await pid_of(pool)

    assert isinstance(first, Completed)
    assert first.output == {"x": "ä", "pid": second, "facts": [2, "shorter", "key-1", "corr"]}
    assert first.version == 1
    assert pool.pids() == [second] != [os.getpid()]


async def test_call_async_agent_runs_and_its_repairs_are_listed(pool: ProcessPool) -> None:
    outcome = await ask(pool, "async")

    assert outcome == Completed(
        {"text": "a\ufffd"}, 0.5, version=1, changes=("text: characters that cannot be stored were replaced",)
    )


def test_pool_outlives_an_event_loop(pool: ProcessPool) -> None:
    assert asyncio.run(pid_of(pool)) == asyncio.run(pid_of(pool))


async def test_call_over_time_kills_child_and_grandchild(pool: ProcessPool, tmp_path: Path) -> None:
    await pid_of(pool)  # a warm child: starting one takes longer than the agent's time
    mark = tmp_path / "mark"

    begun = time.monotonic()
    outcome = await ask(pool, "hang", {"mark": str(mark)}, timeout=1.0)
    took = time.monotonic() - begun

    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.code) == ("transient", "timeout")
    assert took < 1.5
    child, grandchild = map(int, mark.read_text().split())
    assert is_gone(child)
    assert await until(lambda: is_gone(grandchild), 2)
    assert await pid_of(pool) != child


async def test_call_cancelled_kills_the_child_at_once(pool: ProcessPool, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    task = asyncio.create_task(ask(pool, "hang", {"mark": str(mark)}))
    assert await until(mark.exists)
    child = int(mark.read_text().split()[0])

    begun = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert is_gone(child)
    assert time.monotonic() - begun < 0.5


@pytest.mark.parametrize(("how", "status"), [("kill", "SIGKILL"), ("exit", "exit code 3"), ("os_exit", "exit code 0")])
async def test_call_child_that_dies_is_a_transient_failure_and_replaced(
    pool: ProcessPool, how: str, status: str
) -> None:
    outcome = await ask(pool, "misbehave", {"how": how})

    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.code) == ("transient", "process_died")
    assert status in outcome.message
    assert isinstance(await ask(pool, "echo"), Completed)


async def test_call_idle_child_killed_from_outside_is_replaced_unnoticed(pool: ProcessPool) -> None:
    pid = await pid_of(pool)
    os.kill(pid, signal.SIGKILL)
    assert await until(lambda: is_gone(pid))

    assert await pid_of(pool) != pid


@pytest.mark.parametrize(
    ("how", "kind", "code"),
    [
        ("raise", "transient", "unexpected"),
        ("business", "business", "closed"),
        ("nan", "permanent", "output_not_finite"),
        ("nothing", "permanent", "contract_output"),
    ],
)
async def test_call_failure_in_a_child_is_classified_and_the_child_kept(
    pool: ProcessPool, how: str, kind: str, code: str
) -> None:
    pid = await pid_of(pool)

    outcome = await ask(pool, "misbehave", {"how": how})

    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.code) == (kind, code)
    assert "hunter2" not in outcome.message
    assert pool.pids() == [pid]


async def test_call_large_output_passes_the_channel(pool: ProcessPool) -> None:
    outcome = await ask(pool, "misbehave", {"how": "large"})

    assert isinstance(outcome, Completed)
    assert (len(str(outcome.output["text"])), outcome.large) == (3_000_000, True)


async def test_call_without_a_free_child_is_not_the_agents_timeout(pool: ProcessPool, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    hanging = asyncio.create_task(ask(pool, "hang", {"mark": str(mark)}))
    assert await until(mark.exists)

    outcome = await ask(pool, "echo", timeout=0.1)
    hanging.cancel()

    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.code) == ("transient", "pool_busy")
    with pytest.raises(asyncio.CancelledError):
        await hanging


async def test_once_in_a_child_makes_the_effect_once(pool: ProcessPool, tmp_path: Path) -> None:
    effects, log = Remembered(), tmp_path / "log"

    outcomes = [await ask(pool, "once", {"key": "k", "log": str(log)}, effects=effects) for _ in range(2)]

    assert [outcome.output for outcome in outcomes if isinstance(outcome, Completed)] == [
        {"results": [{"id": 7}, {"id": 7}]}
    ] * 2
    assert log.read_text() == "sent\n"


async def test_once_in_a_child_that_raises_keeps_its_own_failure(pool: ProcessPool) -> None:
    effects = Remembered()

    outcome = await ask(pool, "once", {"key": "k", "fails": True}, effects=effects)

    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.code, effects.stored) == ("business", "refused", {})


async def test_once_in_a_child_with_an_unknown_effect_fails_permanently(pool: ProcessPool) -> None:
    outcome = await ask(pool, "once", {"key": "unknown"}, effects=Remembered())

    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.code) == ("permanent", "effect_unknown")


WORKER = """
import asyncio, django
django.setup()
from agents.process import ProcessPool
from tests.integration.agents.test_process import ask
asyncio.run(ask(ProcessPool(1), "hang", {"mark": %r}))
"""


async def test_child_dies_with_its_worker(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", WORKER % str(mark)], env=environment) as worker:
        try:
            assert await until(mark.exists)
        finally:
            worker.kill()
    child, grandchild = map(int, mark.read_text().split())

    assert await until(lambda: is_gone(child), 5)
    os.kill(grandchild, signal.SIGKILL)  # an orphan of the agent's own making: only a live pool can reach it
