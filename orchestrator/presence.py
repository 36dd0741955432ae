"""Who does agents' work from outside, and when they were last heard of: workers that fetch calls, and remote agents.

A worker is heard when it asks for work, renews its leases or answers; a remote HTTP agent when it answers. A worker
that is not heard for AGENT_SILENT_SECONDS is silent, a remote agent once it has let a call that it took run out. When
nobody is left who does an agent's work, that is said once: an event and an item. Calls come back by their leases and
their time limits, which this leaves alone.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max, Q
from django.db.models.functions import Now

from agents.lifecycle import items
from agents.models import Agent
from agents.types import Json
from orchestrator import db, events
from orchestrator.models import Presence, RemoteCall

KIND: Final = "silent"  # of the item
KEPT: Final = timedelta(days=7)  # a worker that is silent for so long is forgotten, while others do its agent's work


def bound() -> timedelta:
    """So long a worker may be quiet."""
    return timedelta(seconds=settings.AGENT_SILENT_SECONDS)


def polled(agents: Iterable[Agent], *, worker: str, by: User) -> None:
    """A worker asks for the work of these agents."""
    mine = [Presence(agent=agent, holder=by, worker=worker, polled_at=Now(), heard_at=Now()) for agent in agents]
    was_silent = Presence.objects.filter(holder=by, worker=worker, agent__in=[row.agent_id for row in mine])
    back = set(was_silent.exclude(silent_since=None).values_list("agent_id", flat=True))
    with transaction.atomic():
        Presence.objects.bulk_create(
            sorted(mine, key=lambda row: row.agent_id),
            update_conflicts=True,
            unique_fields=["agent", "holder", "worker"],
            update_fields=["polled_at", "heard_at", "silent_since"],
        )
        _heard_again(back)


def heard(calls: Collection[tuple[int, int]], *, by: User) -> None:
    """A worker keeps, or has answered, these calls (task, attempt)."""
    held = RemoteCall.objects.filter(task_id__in=[task for task, _attempt in calls], holder=by)
    pairs = set(held.values_list("agent_id", "worker"))
    if not pairs:
        return
    mine = Presence.objects.filter(_any(pairs), holder=by)
    back = set(mine.exclude(silent_since=None).values_list("agent_id", flat=True))
    with transaction.atomic():
        ids = list(mine.select_for_update().order_by("pk").values_list("pk", flat=True))
        Presence.objects.filter(pk__in=ids).update(heard_at=Now(), silent_since=None)
        _heard_again(back)


def _any(pairs: Collection[tuple[int, str]]) -> Q:
    return Q(*(Q(agent=agent, worker=worker) for agent, worker in sorted(pairs)), _connector=Q.OR)


@transaction.atomic
def remote_heard(agent: Agent) -> None:
    """A remote agent has answered. It has no row before it is silent for the first time."""
    row = Presence.objects.select_for_update().filter(agent=agent, holder=None, worker="").first()
    if row is not None:
        was_silent = row.silent_since is not None
        Presence.objects.filter(pk=row.pk).update(heard_at=Now(), silent_since=None)
        _heard_again({agent.pk} if was_silent else set())


def remote_silent(call: RemoteCall) -> None:
    """A remote agent has let a call that it took run out. In a transaction."""
    answered = RemoteCall.objects.filter(agent=call.agent, pulled=False, answered_at__gt=call.parked_at)
    if answered.exclude(pk=call.pk).exists():
        return  # it was heard since: this one call got lost
    row, _ = Presence.objects.select_for_update().get_or_create(
        agent=call.agent, holder=None, worker="", defaults={"heard_at": call.parked_at}
    )
    if row.silent_since is None:
        Presence.objects.filter(pk=row.pk).update(silent_since=call.parked_at)
        _tell(call.agent, call.parked_at)


def tend() -> None:
    """Say which workers have fallen silent, and which agents nobody works for any more; forget who is long gone."""
    due = Presence.objects.filter(silent_since=None, heard_at__lt=db.clock() - bound()).exclude(holder=None)
    for agent in sorted(set(due.values_list("agent_id", flat=True))):
        _fall_silent(agent)
    # The last one of an agent stays: it says since when nobody works for it.
    old = Presence.objects.filter(silent_since__lt=db.clock() - KEPT)
    kept = Presence.objects.filter(silent_since=None).values("agent")
    old.filter(agent__in=kept).delete()


@transaction.atomic
def _fall_silent(agent: int) -> None:
    rows = list(Presence.objects.select_for_update().filter(agent=agent).order_by("pk"))
    quiet = [row for row in rows if row.silent_since is None and row.heard_at < db.clock() - bound()]
    for row in quiet:
        Presence.objects.filter(pk=row.pk).update(silent_since=row.heard_at)
    others = [row for row in rows if row.silent_since is None and row not in quiet]
    if quiet and not others:
        _tell(Agent.objects.get(pk=agent), max(row.heard_at for row in rows))


def _tell(agent: Agent, since: datetime) -> None:
    waiting = RemoteCall.objects.filter(agent=agent, answered_at=None, ended_at=None).count()
    facts: dict[str, Json] = {"agent": agent.name, "since": since.isoformat(), "waiting": waiting}
    events.append("agent.silent", actor="engine", data=facts)
    words = f"Silent since {since:%d %B %Y %H:%M} UTC: nobody who does its work was heard of."
    items.open_once(agent, KIND, words, facts)


def _heard_again(agents: Collection[int]) -> None:
    for agent in Agent.objects.filter(pk__in=agents).order_by("pk"):
        closed = items.close(agent, KIND, by="engine", reason="It was heard again.")
        events.append("agent.heard", actor="engine", data={"agent": agent.name, "closed": closed})


def silent_since(agents: Collection[int] | None = None) -> dict[int, datetime]:
    """Agents for whose work nobody was heard of, and since when; of these, or of all."""
    rows = Presence.objects.all() if agents is None else Presence.objects.filter(agent__in=agents)
    speaking = set(rows.filter(silent_since=None).values_list("agent_id", flat=True))
    quiet = rows.exclude(agent__in=speaking).values_list("agent_id").annotate(since=Max("silent_since")).order_by()
    return {agent: since for agent, since in quiet if since is not None}
