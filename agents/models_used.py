"""What calls of language models used, and what those under way have written: rows of this app, in short transactions.

Keys and correlation ids are the caller's; this app knows no runs.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Final

from django.db import transaction
from django.db.models import BigIntegerField, Count, Func, Q, Sum, Value
from django.db.models.functions import Cast, Now

from agents import event_log, glimpse
from agents.cleaning import storable
from agents.models import ModelCall, ModelTier, PartialText
from agents.types import Json, Usage

STALE: Final = timedelta(minutes=2)  # a call whose worker died leaves its words for so long at most


@dataclass(frozen=True, slots=True)
class CallOf:
    """Whose call it is."""

    key: str
    correlation_id: str
    attempt: int
    agent: str


@dataclass(frozen=True, slots=True)
class Spent:
    """What calls used together. `unpriced` of them have no known price: they are not in `cost`."""

    calls: int
    tokens: int
    cost: Decimal
    unpriced: int
    currency: str = "USD"


@transaction.atomic
def keep(call: CallOf, usage: Usage, *, failure: str, ms: float | None = None) -> None:
    """Record one ended call, and drop what it had written so far."""
    PartialText.objects.filter(key=call.key).delete()
    ModelCall.objects.create(
        key=call.key,
        correlation_id=call.correlation_id,
        attempt=call.attempt,
        agent=call.agent,
        model=usage.model[:200],
        tier=usage.tier or "standard",
        prompt=usage.prompt,
        tokens_in=usage.tokens_in,
        tokens_out=usage.tokens_out,
        cost=Decimal(usage.price) if usage.price is not None else None,
        failure=failure[:50],
        ms=ms,
    )


def show(words: Sequence[tuple[CallOf, str]]) -> None:
    """Replace what these calls have written so far; words that nobody replaced for two minutes go."""
    rows = [
        PartialText(
            key=call.key,
            correlation_id=call.correlation_id,
            agent=call.agent,
            attempt=call.attempt,
            text=storable(glimpse.shown(text)),
            updated_at=Now(),
        )
        for call, text in words
    ]
    changed = ["text", "attempt", "updated_at"]
    PartialText.objects.bulk_create(rows, update_conflicts=True, unique_fields=["key"], update_fields=changed)
    PartialText.objects.filter(updated_at__lt=Now() - STALE).delete()


def shown(correlation_id: str, keys: str) -> list[PartialText]:
    """What calls under way with keys that begin with `keys` have written, the newest first."""
    found = PartialText.objects.filter(correlation_id=correlation_id, key__startswith=keys)
    return list(found.filter(updated_at__gt=Now() - STALE).order_by("-updated_at")[:20])


def spent(**which: object) -> Spent:
    """The sum over calls: by `correlation_id`, `agent` or `key__in`."""
    found = ModelCall.objects.filter(**which).aggregate(
        calls=Count("id"),
        t_in=Sum("tokens_in"),
        t_out=Sum("tokens_out"),
        money=Sum("cost"),
        unpriced=Count("id", filter=Q(cost=None)),
    )
    tokens = (found["t_in"] or 0) + (found["t_out"] or 0)
    return Spent(found["calls"], tokens, found["money"] or Decimal(0), found["unpriced"])


def unpriced(correlation_id: str, first: int, end: int) -> int:
    """How many calls of tasks from `first` to before `end` (keys `task-<id>-...`) have no known price."""
    number = Cast(Func("key", Value("-"), Value(2), function="split_part"), BigIntegerField())
    found = ModelCall.objects.filter(correlation_id=correlation_id, cost=None).annotate(task=number)
    return found.filter(task__gte=first, task__lt=end).count()


@transaction.atomic
def note_tiers(agent: str, remaining: Mapping[str, float], *, below: float) -> str:
    """The tier that budgets leave, by their names and the share that remains. What changes is recorded as an event."""
    tight = {name for name, share in remaining.items() if share < below}
    known = set(ModelTier.objects.filter(ref__in=list(remaining)).values_list("ref", flat=True))
    for name in sorted(tight - known):
        _, fresh = ModelTier.objects.get_or_create(ref=name, defaults={"agent": agent})
        if fresh:
            _tell("model.downgraded", agent, name, remaining[name])
    _restore(agent, known - tight, remaining)
    return "economy" if tight else "standard"


def _restore(agent: str, names: Iterable[str], remaining: Mapping[str, float]) -> None:
    for name in sorted(names):
        gone, _ = ModelTier.objects.filter(ref=name).delete()
        if gone:
            _tell("model.restored", agent, name, remaining[name])


def _tell(kind: str, agent: str, budget: str, share: float) -> None:
    facts: dict[str, Json] = {"agent": agent, "budget": budget, "remaining": round(share, 4)}
    event_log.record(kind, actor="engine", data=facts)
