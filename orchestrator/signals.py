"""Signals: facts from outside, published under a name, kept for a while so that a wait that opens later finds them.

A signal is data and hostile: it is cleaned and bounded here, and reaches only what its sender may start runs of.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from orchestrator import events, waits_db
from orchestrator.engine import announcing, waits
from orchestrator.errors import SignalConflict
from orchestrator.models import ConsumerGroup, Signal, Timer
from orchestrator.ports import rights
from orchestrator.services import actor_of

FIRED: Final = timedelta(days=7)  # how long fired timers are kept
KEPT: Final = int(announcing.RETENTION.total_seconds()) // 60  # minutes, unless its sender says less
CHUNK: Final = 5_000  # rows forgotten in one statement


@transaction.atomic
def publish(  # noqa: PLR0913 - what a signal is
    *,
    name: str,
    data: Mapping[str, Any],
    key: str = "",
    sender_id: str | None = None,
    keep_minutes: int = KEPT,
    by: User | None,
    actor: str = "",
) -> tuple[Signal, bool]:
    """Record one signal, handed out once it has committed; a sender's own `sender_id` again returns that, and False.

    Raises SignalRefused for what cannot be stored, SignalConflict when `sender_id` was used for other contents.
    """
    cleaned = announcing.cleaned(name, key, sender_id or "", data)
    waits_db.lock_signal(name)
    sender = actor or actor_of(by)
    before = Signal.objects.filter(name=name, dedup=sender_id, sent_by=sender).first() if sender_id else None
    if before is not None:
        if (before.key, before.data) != (key, cleaned):
            raise SignalConflict(name=name, id=sender_id)
        return before, False
    signal = Signal.objects.create(
        name=name,
        key=key,
        data=cleaned,
        dedup=sender_id or None,
        sent_by=sender,
        expires_at=Now() + timedelta(minutes=min(max(keep_minutes, 1), KEPT)),
    )
    signal.refresh_from_db(fields=["sent_at", "expires_at"])
    waits.set_timer("signal", signal.pk)
    events.append("signal.published", actor=sender, data={"signal": signal.pk, "name": name, "key": key})
    return signal, True


def visible_to(user: User) -> QuerySet[Signal]:
    """The signals that somebody may read: what they may send to every workflow, or sent, or see start runs."""
    if rights().can(user, "start_run"):
        return Signal.objects.all()
    heard = ConsumerGroup.objects.filter(workflow__in=rights().visible_workflows(user)).values("signal")
    return Signal.objects.filter(Q(sent_by=actor_of(user)) | Q(name__in=heard))


def forget_old() -> None:
    """Remove signals whose time is over, but none that a group has still to hand on, and timers fired long ago."""
    behind = ConsumerGroup.objects.filter(signal=OuterRef("name"), enabled=True, position__lt=OuterRef("pk"))
    old = Signal.objects.filter(~Exists(behind), expires_at__lte=Now()).order_by("expires_at")
    fired = Timer.objects.filter(fired_at__lte=Now() - FIRED).order_by("fired_at")
    for rows in (old, fired):
        while _forget(rows):
            continue


def _forget(rows: Any) -> bool:
    chunk = list(rows.values_list("pk", flat=True)[:CHUNK])
    rows.model.objects.filter(pk__in=chunk).delete()
    return len(chunk) == CHUNK
