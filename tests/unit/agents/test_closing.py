"""Whatever is registered is closed before a loop ends, also after something that would not close."""

import pytest

from agents import closing


async def test_close_all_goes_on_after_one_that_will_not_close(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = []

    async def stuck() -> None:
        raise OSError("will not close")

    async def close() -> None:
        closed.append("it")

    monkeypatch.setattr(closing, "_closers", [])
    closing.before_loop_ends(stuck)
    closing.before_loop_ends(close)

    await closing.close_all()

    assert closed == ["it"]
