"""Pages of the sealed event log: the floor's live stream and the audit trail, read along the ledger's `pos`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from django.contrib.auth.models import User
from django.urls import reverse

from approvals import blinding, gate_access, permissions
from approvals.models import Queue
from monitoring import wording
from monitoring.forensics import searching
from monitoring.forensics.searching import Filter as Filter
from orchestrator import ledger, queries
from orchestrator.ledger import SealedEvent
from orchestrator.models import Event, Run, Task
from orchestrator.queries import RunRow

STREAM: Final = 30
STREAM_WINDOW: Final = 200  # sealed events looked at to fill the stream
RUNS: Final = 6  # that a search is about, shown above its events


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
class Page:
    """A page of the trail, newest first. `older` continues it; `searched_to` says how far a search looked."""

    lines: list[Line]
    older: int | None
    searched_to: int | None
    runs: list[RunRow]


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
    """One page of the trail before `wanted.before`, narrowed by the filter, and the runs that it is about."""
    found = searching.search(wanted)
    lines = _lines(user, [_sealed(pos, event) for pos, event in found.events])
    return Page(lines, older=found.older, searched_to=found.searched_to, runs=_runs(user, wanted))


def _runs(user: User, wanted: Filter) -> list[RunRow]:
    """Those of the runs that the user may see, each with what it waits for."""
    if wanted.is_empty or wanted.before:
        return []
    visible = permissions.visible_workflows(user)
    ids = searching.runs_of(wanted)[:RUNS]
    runs = queries.listed_runs().filter(pk__in=ids, workflow__in=visible)
    return queries.run_rows(sorted(runs, key=lambda run: ids.index(run.pk)))


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
    hidden = blinding.tasks(user, runs)
    told = [
        replace(event, data=blinding.told(event.kind, event.data)) if event.task_id in hidden else event
        for event in events
    ]
    return [replace(_line(event, runs, tasks, titles), href=_href(user, event)) for event in told]


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
