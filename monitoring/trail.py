"""Pages of the sealed event log: the floor's live stream and the audit trail, read along the ledger's `pos`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.urls import reverse

from approvals import gate_access, permissions
from approvals.models import Queue
from monitoring import wording
from orchestrator import ledger
from orchestrator.ledger import SealedEvent
from orchestrator.models import Event, LedgerEntry, Run, Task

PAGE: Final = 50
STREAM: Final = 30
STREAM_WINDOW: Final = 200  # sealed events looked at to fill the stream
SEARCH_WINDOW: Final = 200_000  # positions one search of the trail looks back over
ID_SLACK: Final = 10_000  # ids are handed out before they are sealed: the two orders differ by a little


@dataclass(frozen=True, slots=True)
class Line:
    """One sealed event in words."""

    pos: int
    at: datetime
    kind: str
    tone: str
    title: str
    actor: str
    by: str  # the actor as recorded
    run_id: int | None
    run_title: str
    task: str
    detail: str
    href: str


@dataclass(frozen=True, slots=True)
class Filter:
    """What the audit trail is searched for; empty fields do not narrow."""

    person: str = ""
    run: str = ""
    kind: str = ""
    correlation: str = ""
    before: int | None = None

    @property
    def is_empty(self) -> bool:
        """Whether everything is asked for."""
        return not (self.person or self.run or self.kind or self.correlation)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the trail, newest first. `older` continues it; `searched_to` says how far a search looked."""

    lines: list[Line]
    older: int | None
    searched_to: int | None


def stream(user: User, family: str = "") -> list[Line]:
    """The newest events of runs that the user may see, for the floor."""
    head = ledger.head()
    events = ledger.after(max(head - STREAM_WINDOW, 0), limit=STREAM_WINDOW)
    visible = _visible_runs(user, events)
    shown = [event for event in reversed(events) if _is_shown(event, visible, family)]
    return _lines(user, shown[:STREAM])


def _is_shown(event: SealedEvent, visible: set[int], family: str) -> bool:
    if family and not event.kind.startswith(f"{family}."):
        return False
    if event.run_id is None:
        return event.kind.startswith(("stop.", "agent.", "workflow."))
    return event.run_id in visible and (bool(family) or event.kind not in _NOISE)


def audit_page(user: User, wanted: Filter) -> Page:
    """One page of the trail before `wanted.before`, narrowed by the filter."""
    top = wanted.before or ledger.head() + 1
    entries = LedgerEntry.objects.filter(pos__lt=top).order_by("-pos")
    floor = 0
    if not wanted.is_empty:
        floor = max(top - SEARCH_WINDOW, 0)
        entries = entries.filter(pos__gt=floor, event_id__in=_matching(wanted, floor, top))
    found = list(entries.values_list("pos", "event_id")[: PAGE + 1])
    events = Event.objects.in_bulk([event_id for _pos, event_id in found[:PAGE]])
    lines = _lines(user, [_sealed(pos, events[event_id]) for pos, event_id in found[:PAGE] if event_id in events])
    if len(found) > PAGE:
        return Page(lines, older=found[PAGE - 1][0], searched_to=None)
    return Page(lines, older=floor + 1 if floor else None, searched_to=floor + 1 if floor else None)


def _matching(wanted: Filter, floor: int, top: int) -> QuerySet[Event, int]:
    """The ids of events that match; bounded by id as well, for an actor has no index."""
    window = LedgerEntry.objects.filter(pos__in=(floor + 1, top - 1)).values_list("event_id", flat=True)
    ids = list(window)
    events = Event.objects.filter(pk__gte=min(ids, default=0) - ID_SLACK, pk__lte=max(ids, default=0) + ID_SLACK)
    if wanted.person:
        events = events.filter(Q(actor__in=(wanted.person, f"user:{wanted.person}")) | Q(data__user=wanted.person))
    if wanted.run:
        events = events.filter(run_id=int(wanted.run))
    if wanted.kind:
        events = events.filter(kind__startswith=wanted.kind)
    if wanted.correlation:
        events = events.filter(run_id__in=Run.objects.filter(correlation_id=wanted.correlation).values("pk"))
    return events.values_list("pk", flat=True)


def _sealed(pos: int, event: Event) -> SealedEvent:
    return SealedEvent(pos, event.pk, event.run_id, event.task_id, event.kind, event.at, event.actor, event.data)


def _lines(user: User, events: Sequence[SealedEvent]) -> list[Line]:
    runs = dict(
        Run.objects.filter(pk__in={event.run_id for event in events if event.run_id}).values_list("pk", "title")
    )
    tasks = dict(
        Task.objects.filter(pk__in={event.task_id for event in events if event.task_id}).values_list("pk", "key")
    )
    titles = dict(Queue.objects.values_list("name", "title")) if any(event.kind in _ASKING for event in events) else {}
    return [replace(_line(event, runs, tasks, titles), href=_href(user, event)) for event in events]


def _line(event: SealedEvent, runs: Mapping[int, str], tasks: Mapping[int, str], titles: Mapping[str, str]) -> Line:
    facts = dict(event.data or {})
    if isinstance(queue := facts.get("queue"), str):
        facts["queue"] = titles.get(queue, queue)
    return Line(
        pos=event.pos,
        at=event.at,
        kind=event.kind,
        tone=wording.tone(event.kind, facts),
        title=wording.title(event.kind),
        actor=wording.actor(event.actor),
        by=event.actor,
        run_id=event.run_id,
        run_title=runs.get(event.run_id or 0, ""),
        task=tasks.get(event.task_id or 0, ""),
        detail=wording.detail(facts),
        href="",
    )


def _href(user: User, event: SealedEvent) -> str:
    """The card, for who may see it; else the run."""
    gate = (event.data or {}).get("gate")
    if isinstance(gate, int) and gate_access.may_see(user, gate):
        return reverse("approvals:gate", args=[gate])
    return reverse("orchestrator:run", args=[event.run_id]) if event.run_id else ""


def _visible_runs(user: User, events: Sequence[SealedEvent]) -> set[int]:
    ids = {event.run_id for event in events if event.run_id}
    visible = permissions.visible_workflows(user)
    return set(Run.objects.filter(pk__in=ids, workflow__in=visible).values_list("pk", flat=True))


_ASKING: Final = frozenset({"gate.opened", "gate.escalated", "gate.decided"})  # they name a queue
_NOISE: Final = frozenset({"task.started", "task.released", "task.skipped", "gate.commented", "gate.released"})
