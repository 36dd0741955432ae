"""What went into calls of tools and what came back, for a run's story: masked and cut, kept in memory until written.

A call that is lost with its process is still an event; only these words of it are gone.
"""

import json
import threading
from collections.abc import Collection, Mapping
from typing import Any, Final

from django.utils import timezone

from agents.cleaning import storable
from agents.guardrails import detectors, masking
from agents.models import ToolCall
from agents.tools import secrets

LONGEST: Final = 2_000  # characters of each side
MOST: Final = 2_000  # calls that wait to be written; what is more is not kept


class Notebook:
    """One per process. `note` is cheap enough for every call that is told; `drain` may run in another thread."""

    def __init__(self) -> None:
        self._calls: list[ToolCall] = []
        self._lock = threading.Lock()

    def note(self, seal: str, key: str, correlation_id: str, *, given: Any, got: Any, ms: float) -> None:
        """Keep one call for the next writing."""
        call = ToolCall(
            seal=seal[:16],
            key=key[:200],
            correlation_id=correlation_id[:200],
            given=shown(given),
            got=shown(got),
            ms=ms,
            at=timezone.now(),
        )
        with self._lock:
            if len(self._calls) < MOST:
                self._calls.append(call)

    def drain(self) -> list[ToolCall]:
        """What was noted since the last time."""
        with self._lock:
            calls, self._calls = self._calls, []
        return calls


default = Notebook()


def shown(value: Any) -> str:
    """A value as it is kept: indented JSON, or its own text, without secrets and personal data, and not too long."""
    text = _text(secrets.mask_json(value))[: 4 * LONGEST]  # looked through is a little more than what is kept
    text = masking.mask_text(text, detectors.find(text))
    return storable(text if len(text) <= LONGEST else text[: LONGEST - 1] + "…")


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, indent=2, default=str)
    except (TypeError, ValueError, RecursionError):
        return ""  # what is wrong with it is the answer's business, not its glance's


def write_down() -> None:
    """Write what this process has noted."""
    if calls := default.drain():
        ToolCall.objects.bulk_create(calls)


def of(correlation_id: str, seals: Collection[str]) -> Mapping[str, ToolCall]:
    """What is kept of these calls, by the beginnings of their seals; of two alike the later."""
    found = ToolCall.objects.filter(correlation_id=correlation_id, seal__in=list(seals)).order_by("pk")
    return {call.seal: call for call in found}
