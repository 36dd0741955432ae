"""Waits are opened in batches; whoever is cancelled meanwhile takes nobody along."""

import asyncio
from collections.abc import Callable
from typing import Any

from orchestrator.engine.opener import Opener
from orchestrator.waits_db import Opening


def test_cancelling_whoever_came_first_leaves_those_who_came_meanwhile_their_turn() -> None:
    sent: list[list[int]] = []

    async def scene() -> None:
        under_way, may_end = asyncio.Event(), asyncio.Event()

        async def in_thread(function: Callable[..., Any], shift: int, openings: list[Opening]) -> None:
            under_way.set()
            await may_end.wait()
            sent.append([opening.task for opening in openings])

        opener = Opener(1, in_thread)
        first = asyncio.create_task(opener.open(Opening(1, 1, {})))
        await under_way.wait()
        second = asyncio.create_task(opener.open(Opening(2, 1, {})))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        may_end.set()
        await asyncio.wait_for(second, 2)

    asyncio.run(scene())

    assert sent == [[1], [2]]
