"""Memory of side effects, so that a second attempt does not repeat a completed one.

An effect is written before it happens: prepared -> sent -> confirmed. Found *sent* by a later attempt, nobody knows
whether it arrived: it becomes *unknown* and a person (or the provider, through `reconcile`) is asked; it is never
blindly repeated.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from agents.errors import EffectUnknown
from agents.types import Json
from orchestrator.models import Effect

type InThread = Callable[..., Awaitable[Any]]


class TaskEffects:
    """The effects of one attempt at one task."""

    __slots__ = ("_attempt", "_in_thread", "_task_id", "was_used")

    def __init__(self, *, task_id: int, attempt: int, in_thread: InThread) -> None:
        self._task_id = task_id
        self._attempt = attempt
        self._in_thread = in_thread
        self.was_used = False  # the agent makes side effects: what it says is not to be used again

    async def once(
        self, key: str, call: Callable[[], Awaitable[Json]], *, reconcile: Callable[[], Awaitable[Json]] | None = None
    ) -> Json:
        """Run `call` unless `key` is confirmed for this task; return the stored result.

        `reconcile` asks the provider about an effect that may have arrived: its result, or None if it did not.
        Raises EffectUnknown when nobody knows.
        """
        self.was_used = True
        status, known = await self._in_thread(_prepare, self._task_id, key, self._attempt)
        if status == "confirmed":
            confirmed: Json = known
            return confirmed
        if status == "unknown":
            if reconcile is None:
                raise EffectUnknown(key=key)
            found = await reconcile()
            if found is not None:
                await self._in_thread(_confirm, self._task_id, key, found)
                return found
        await self._in_thread(_mark_sent, self._task_id, key, self._attempt)
        result = await call()
        await self._in_thread(_confirm, self._task_id, key, result)
        return result


@transaction.atomic
def _prepare(task_id: int, key: str, attempt: int) -> tuple[str, Json]:
    effect, _ = Effect.objects.select_for_update().get_or_create(
        task_id=task_id, key=key, defaults={"status": "prepared", "attempt": attempt}
    )
    if effect.attempt >= attempt or effect.status == "confirmed":
        return effect.status, effect.result
    status = "prepared" if effect.status == "prepared" else "unknown"
    Effect.objects.filter(pk=effect.pk).update(status=status, attempt=attempt, updated_at=Now())
    return status, None


def _mark_sent(task_id: int, key: str, attempt: int) -> None:
    """Only the latest attempt may send: one that was replaced while it stood still must not repeat its successor."""
    mine = Effect.objects.filter(task_id=task_id, key=key, attempt=attempt).exclude(status="confirmed")
    if not mine.update(status="sent", updated_at=Now()):
        raise EffectUnknown(key=key)


def _confirm(task_id: int, key: str, result: Json) -> None:
    Effect.objects.filter(task_id=task_id, key=key).update(status="confirmed", result=result, updated_at=Now())
