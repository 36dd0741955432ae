"""How long working records are kept: assessments, counted tool uses, model calls, what models were told of tagged data.

The event log keeps what was decided; these rows serve pages, calibration and billing, and go when their time is over,
a bounded batch at a time. A hold is a query over the same rows (`HOLDS`, and the module that settings name for legal
holds): what it names stays, however old.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import import_module
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Model, QuerySet
from django.db.models.functions import Now

from agents import event_log
from agents.models import Assessment, MemoryItem, ModelCall, ModelHistory, PartialText, ToolCall, ToolUse
from agents.models_used import STALE
from agents.types import Json

BATCH: Final = 1_000  # rows in one transaction
MOST_BATCHES: Final = 100  # in one go; the next one goes on

type Hold = Callable[[], QuerySet[Model]]
HOLDS: dict[str, list[Hold]] = {}  # kind -> queries of rows that stay


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of record: `age` is what its time is counted from. Words that are passing tell no event.

    `only` narrows it to some of the rows; `days` names the setting that its time comes from, else its own kind does.
    """

    kind: str
    model: type[Model]
    age: str
    told: bool = True
    only: Mapping[str, object] = field(default_factory=dict)
    days: str = ""


RULES: Final = (
    Rule("assessments", Assessment, "assessed_at"),
    Rule("tool_uses", ToolUse, "hour"),
    Rule("model_calls", ModelCall, "at"),
    Rule("tool_calls", ToolCall, "at"),
    # Data of high sensitivity: it goes after 30 days, and the log keeps that it was there.
    Rule("tagged_memories", MemoryItem, "created_at", only={"tags__len__gt": 0}, days="sensitive"),
    Rule("model_histories", ModelHistory, "kept_at", days="sensitive"),
    Rule("streamed_words", PartialText, "updated_at", told=False),
)


def lifetime(kind: str) -> timedelta:
    """For how long rows of a kind are kept: as the operator says, in days; streamed words as long as they are shown."""
    days: dict[str, int] = settings.RETENTION_DAYS
    name = next((rule.days for rule in RULES if rule.kind == kind and rule.days), kind)
    return timedelta(days=days[name]) if name in days else STALE


def forget() -> dict[str, int]:
    """Delete what is too old and held by nobody; how many rows of each kind. Safe to lose, repeat or run twice."""
    return {rule.kind: _forget(rule) for rule in RULES}


def _forget(rule: Rule) -> int:
    total = 0
    for _ in range(MOST_BATCHES):
        count = _batch(rule)
        total += count
        if count < BATCH:
            break
    return total


@transaction.atomic
def _batch(rule: Rule) -> int:
    """One batch with its event."""
    old: QuerySet[Model] = rule.model._default_manager.filter(**{f"{rule.age}__lt": Now() - lifetime(rule.kind)})
    old = old.filter(**rule.only)
    for kept in _held(rule.kind):
        old = old.exclude(pk__in=kept.values("pk"))
    rows = old.select_for_update(skip_locked=True).order_by(rule.age).values_list("pk", flat=True)[:BATCH]
    count = rule.model._default_manager.filter(pk__in=list(rows)).delete()[0]
    if count and rule.told:
        facts: dict[str, Json] = {"what": rule.kind, "count": count, "days": lifetime(rule.kind).days}
        event_log.record("retention.applied", actor="engine", data=facts)
    return count


def _held(kind: str) -> Iterator[QuerySet[Model]]:
    yield from (hold() for hold in HOLDS.get(kind, ()))
    legal: QuerySet[Model] | None = import_module(settings.LEGAL_HOLDS).kept(kind)
    if legal is not None:
        yield legal
