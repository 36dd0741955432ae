"""The policies as one process sees them: compiled once, read again when their number in the database has changed.

A call that changes nothing may be judged by what was in force a second ago; one that has effects asks for the number.
"""

from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any, Final

from django.conf import settings

from agents.policies import store
from agents.policies.rules import PolicyEngine, Rules

SECONDS: Final = 1.0

type InThread = Callable[..., Awaitable[Any]]


class View:
    """One per process."""

    def __init__(self) -> None:
        self.rules = Rules()
        self.limits: dict[str, tuple[bool, bool]] = {}
        self._epoch = -1
        self._read_at = -SECONDS

    async def engine(self, in_thread: InThread, *, fresh: bool) -> PolicyEngine:
        """What decides now: the built-in rules, or the service that the settings name."""
        await self.refresh(in_thread, fresh=fresh)
        return _opa() or self.rules

    async def refresh(self, in_thread: InThread, *, fresh: bool) -> None:
        """Read again what has changed, if it was not looked at within a second, or if it must be `fresh`."""
        if fresh or monotonic() - self._read_at > SECONDS:
            await in_thread(self._read)

    def _read(self) -> None:
        at = monotonic()
        now = store.epoch()  # before the rules: a change between the two is read again next time
        if now != self._epoch:
            self.rules = store.load()
        self.limits = store.limits()
        self._epoch, self._read_at = now, at

    def forget(self) -> None:
        """Read all of it again at the next look: for tests, and after this process has changed something."""
        self._epoch, self._read_at = -1, -SECONDS


default = View()


def _opa() -> PolicyEngine | None:
    url = settings.POLICY_OPA_URL
    if not url:
        return None
    from agents.policies.opa import Opa  # noqa: PLC0415 - an HTTP client that nobody else in a worker needs

    return Opa(url, timeout=settings.POLICY_OPA_SECONDS, token=settings.POLICY_OPA_TOKEN)
