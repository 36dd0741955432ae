"""Places and releases legal holds, and answers for `agents.retention` what they keep (settings name this module).

Each act is an event in the transaction that does it. The event log itself is never shortened, so no hold concerns it.
"""

from collections.abc import Callable
from typing import Final

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Model, Q, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext

from agents.models import Assessment, MemoryItem, ModelCall, ModelHistory, ToolCall
from agents.types import Json
from monitoring.models import LegalHold, Mention
from orchestrator import events, failpoints
from orchestrator.events import EventKind
from orchestrator.models import Run


class HoldRefused(Exception):
    """A hold cannot be placed or released as asked; the message says why."""


def place(*, what: str, name: str, reason: str, by: User) -> LegalHold:
    """Keep what is recorded about these runs from now on. Raises HoldRefused."""
    name, reason = name.strip().lstrip("#"), _reason(reason)
    if what not in LegalHold.What.values or not name or len(name) > 200:
        raise HoldRefused(gettext("Say which run, incident or correlation id is to be kept."))
    if what == LegalHold.What.RUN and not (name.isascii() and name.isdigit() and len(name) < 15):
        raise HoldRefused(gettext("A run is named by its number."))
    if what == LegalHold.What.RUN and not Run.objects.filter(pk=int(name)).exists():
        raise HoldRefused(gettext("There is no run with the number %(number)s.") % {"number": name})
    try:
        with transaction.atomic():
            hold = LegalHold.objects.create(what=what, name=name, reason=reason, placed_by=by)
            _record(EventKind.RETENTION_HELD, hold, by, reason)
    except IntegrityError:
        raise HoldRefused(gettext("It is held already.")) from None
    return hold


@transaction.atomic
def release(hold_id: int, *, reason: str, by: User) -> LegalHold:
    """What it kept goes when its time is over. Raises HoldRefused."""
    hold = LegalHold.objects.select_for_update().get(pk=hold_id)
    why = _reason(reason)
    if hold.released_at is not None:
        raise HoldRefused(gettext("It has been released already."))
    LegalHold.objects.filter(pk=hold_id).update(released_by=by, released_at=Now(), why_released=why)
    _record(EventKind.RETENTION_RELEASED, hold, by, why)
    hold.refresh_from_db()
    return hold


def kept(kind: str) -> QuerySet[Model] | None:
    """The rows of a kind of record that a hold in force names; None where there is no hold, or none that could."""
    if kind not in _KEPT or not _in_force().exists():
        return None
    return _KEPT[kind]()


def _in_force() -> QuerySet[LegalHold]:
    return LegalHold.objects.filter(released_at=None)


def _runs() -> QuerySet[Run]:
    """Those that a hold in force is about, as a query: it is part of the statement that deletes."""
    names: dict[str, list[str]] = {what: [] for what in LegalHold.What.values}
    for what, name in _in_force().values_list("what", "name"):
        names[what].append(name)
    about = Mention.objects.filter(kind=Mention.Kind.INCIDENT, name__in=names[LegalHold.What.INCIDENT])
    numbers = [int(name) for name in names[LegalHold.What.RUN]]
    return Run.objects.filter(
        Q(pk__in=numbers) | Q(correlation_id__in=names[LegalHold.What.CORRELATION]) | Q(pk__in=about.values("run_id"))
    )


_KEPT: Final[dict[str, Callable[[], QuerySet[Model]]]] = {
    "assessments": lambda: Assessment.objects.filter(run__in=_runs().values("pk")),
    "model_calls": lambda: ModelCall.objects.filter(correlation_id__in=_runs().values("correlation_id")),
    "tool_calls": lambda: ToolCall.objects.filter(correlation_id__in=_runs().values("correlation_id")),
    "tagged_memories": lambda: MemoryItem.objects.filter(run__in=_runs().values("pk")),
    # Not known by run: while anything is held, all of them stay.
    "model_histories": ModelHistory.objects.all,
}


def _reason(text: str) -> str:
    if not text.strip():
        raise HoldRefused(gettext("Say why."))
    return text.strip()[:1000]


def _record(kind: EventKind, hold: LegalHold, by: User, reason: str) -> None:
    failpoints.hit("audit.record")
    facts: dict[str, Json] = {"hold": hold.pk, "what": hold.what, "name": hold.name, "reason": reason}
    events.append(kind, actor=f"user:{by.get_username()}", data=facts)
