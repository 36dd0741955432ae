"""What agents hold open on a shift's event loop, such as connections to a model; the shift closes it before it ends."""

from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger(__name__)
_closers: list[Callable[[], Awaitable[None]]] = []


def before_loop_ends(close: Callable[[], Awaitable[None]]) -> None:
    """Have `close` awaited on every loop that ends. Modules register themselves, so nobody else has to import them."""
    _closers.append(close)


async def close_all() -> None:
    """Close what the running loop holds. A connection that will not close must not keep a shift from leaving."""
    for close in _closers:
        try:
            await close()
        except Exception:
            log.warning("not_closed", what=close.__qualname__, exc_info=True)
