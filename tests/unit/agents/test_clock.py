"""agents.clock: the semantics of `asyncio.timeout` with one timer for all calls of one length."""

import asyncio
from typing import Any

import pytest

from agents.clock import TimeLimit

SHORT, LONG = 0.02, 30.0


async def within(seconds: float, work: Any) -> str:
    """How work ended that has so long."""
    limit = TimeLimit(seconds)
    try:
        with limit:
            await work
    except TimeoutError:
        return "over" if limit.is_over else "its own"
    return "over, and it did not care" if limit.is_over else "in time"


async def test_each_call_of_one_length_ends_at_its_own_time() -> None:
    loop = asyncio.get_running_loop()
    began: list[float] = []
    ended: list[float] = []

    async def one() -> str:
        began.append(loop.time())
        how = await within(SHORT, asyncio.sleep(LONG))
        ended.append(loop.time())
        return how

    async def in_time() -> str:
        return await within(SHORT, asyncio.sleep(0))

    calls = []
    for _ in range(3):
        calls.append(asyncio.create_task(one()))
        assert await in_time() == "in time"  # leaves from between those that wait
        await asyncio.sleep(SHORT / 4)

    assert await asyncio.gather(*calls) == ["over"] * 3
    assert all(end - start >= SHORT * 0.9 for start, end in zip(began, ended, strict=True))
    assert ended == sorted(ended)


async def test_a_timeout_of_the_works_own_is_not_the_limits() -> None:
    async def gives_up() -> None:
        raise TimeoutError

    assert await within(LONG, gives_up()) == "its own"


async def test_work_that_swallows_its_cancellation_is_over_all_the_same() -> None:
    async def stubborn() -> None:
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            return

    assert await within(SHORT, stubborn()) == "over, and it did not care"
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_anybody_elses_cancellation_stays_one() -> None:
    task = asyncio.create_task(within(LONG, asyncio.sleep(LONG)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
