"""Searches the sealed log by person, run, incident, agent, correlation id and kind, newest first.

What is indexed (`indexing`) is found at once however long ago it was. What is not, a kind alone or something that acted
and is no person, is looked for in stretches: the page says how far it looked, and a link looks on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from django.db.models import F, Q, QuerySet

from monitoring.models import Mention, MentionCursor
from orchestrator import ledger
from orchestrator.models import Event, LedgerEntry, Run, Task, task_id

PAGE: Final = 50
WINDOW: Final = 200_000  # positions one search looks back over where nothing is indexed
ID_SLACK: Final = 10_000  # ids are handed out before they are sealed: the two orders differ by a little
MOST_RUNS: Final = 100  # of an agent, an incident or a correlation id, the newest: their events are read together
_BATCH: Final = 200
_MOST_READ: Final = 10_000  # events of one person that a narrower search looks at


@dataclass(frozen=True, slots=True)
class Filter:
    """What the audit trail is searched for; empty fields do not narrow."""

    person: str = ""
    run: str = ""
    kind: str = ""
    correlation: str = ""
    incident: str = ""
    agent: str = ""
    before: int | None = None

    @property
    def is_empty(self) -> bool:
        """Whether everything is asked for."""
        return not (self.person or self.kind or self.is_about_runs)

    @property
    def is_about_runs(self) -> bool:
        """Whether it names runs in one way or another."""
        return bool(self.run or self.correlation or self.incident or self.agent)


@dataclass(frozen=True, slots=True)
class Found:
    """A page of events with their positions. `older` continues it; `searched_to` says how far a search looked."""

    events: list[tuple[int, Event]]
    older: int | None = None
    searched_to: int | None = None


def search(wanted: Filter) -> Found:
    """One page before `wanted.before`."""
    top = wanted.before or ledger.head() + 1
    if wanted.is_empty:
        positions = LedgerEntry.objects.filter(pos__lt=top).order_by("-pos").values_list("pos", "event_id")
        return _page(_loaded(list(positions[: PAGE + 1])))
    if wanted.is_about_runs:
        return _of_runs(wanted, top)
    if wanted.person and _is_indexed(wanted.person):
        return _of_person(wanted, top)
    return _in_stretch(wanted, top)


def runs_of(wanted: Filter) -> list[int]:
    """The runs that a search is about, the newest first."""
    top = wanted.before or ledger.head() + 1
    if wanted.is_about_runs:
        return _run_ids(wanted, top)
    if wanted.person:
        mentions = _mentions("person", _name(wanted.person), top).exclude(run_id=None)
        found = mentions.values_list("run_id", flat=True)[:_BATCH]
        return list(dict.fromkeys(run for run in found if run is not None))
    return []


def _of_runs(wanted: Filter, top: int) -> Found:
    """Events of runs, along the log's index by run; and of an agent also what was said of it outside any run."""
    runs = _run_ids(wanted, top)
    events = Event.objects.filter(_acted(wanted), run_id__in=runs)
    if wanted.agent:
        events = events.filter(task_id__in=_tasks_of(wanted.agent, runs))
    if (bound := _event_before(top)) is not None:
        events = events.filter(pk__lt=bound)
    # Ordered by a sum, so that the index by run is taken: along that by id half the log would be read for a few runs.
    newest = list(events.order_by((F("id") + 0).desc())[: PAGE + 1])
    positions = dict(
        LedgerEntry.objects.filter(event_id__in=[event.pk for event in newest]).values_list("event_id", "pos")
    )
    found = [(positions[event.pk], event) for event in newest if event.pk in positions]
    if wanted.agent and not (wanted.run or wanted.correlation or wanted.incident):
        apart = _mentions("agent", wanted.agent, top).filter(run_id=None).values_list("pos", flat=True)[: PAGE + 1]
        found = sorted([*found, *_at(list(apart), wanted)], key=lambda one: -one[0])
    return _page(found)


def _run_ids(wanted: Filter, top: int) -> list[int]:
    """Those that everything that is said of runs holds for."""
    sets: list[list[int]] = []
    if wanted.run:
        sets.append([int(wanted.run)])
    if wanted.correlation:
        about = Run.objects.filter(correlation_id=wanted.correlation).order_by("-pk")
        sets.append(list(about.values_list("pk", flat=True)[:MOST_RUNS]))
    for kind, name in (("incident", wanted.incident), ("agent", wanted.agent)):
        if name:
            mentions = _mentions(kind, name, top).filter(run_id__isnull=False)
            if sets:
                mentions = mentions.filter(run_id__in=sets[-1])
            sets.append([run for run in mentions.values_list("run_id", flat=True)[:MOST_RUNS] if run is not None])
    common = set(sets[0]).intersection(*sets[1:])
    return [run for run in sets[0] if run in common]


def _tasks_of(agent: str, runs: Sequence[int]) -> list[int]:
    """An agent's tasks in these runs, by the ranges of their ids."""
    ranges = Q()
    for run in runs:
        ranges |= Q(id__gte=task_id(run, 0), id__lt=task_id(run + 1, 0))
    return list(Task.objects.filter(ranges, agent__name=agent).values_list("pk", flat=True)) if runs else []


def _of_person(wanted: Filter, top: int) -> Found:
    """Events by or about a person; what is too new to be indexed is looked for in the log itself."""
    indexed = MentionCursor.objects.values_list("pos", flat=True).first() or 0
    fresh = _scan(wanted, floor=max(indexed, top - WINDOW), top=top) if top > indexed + 1 else []
    known = _known_of(wanted, min(top, indexed + 1))
    return _page([*fresh, *islice(known, PAGE + 1)][: PAGE + 1])


def _known_of(wanted: Filter, top: int) -> Iterator[tuple[int, Event]]:
    for _turn in range(_MOST_READ // _BATCH):
        positions = list(_mentions("person", _name(wanted.person), top).values_list("pos", flat=True)[:_BATCH])
        if not positions:
            return
        yield from _at(positions, wanted)
        top = positions[-1]


def _in_stretch(wanted: Filter, top: int) -> Found:
    """What no index helps with, in the last so many positions."""
    floor = max(top - WINDOW, 0)
    found = _scan(wanted, floor=floor, top=top)
    if len(found) > PAGE:
        return _page(found)
    return Found(found, older=floor + 1 if floor else None, searched_to=floor + 1 if floor else None)


def _scan(wanted: Filter, *, floor: int, top: int) -> list[tuple[int, Event]]:
    entries = LedgerEntry.objects.filter(pos__gt=floor, pos__lt=top).order_by("-pos")
    entries = entries.filter(event_id__in=_between(wanted, floor, top))
    return _loaded(list(entries.values_list("pos", "event_id")[: PAGE + 1]))


def _between(wanted: Filter, floor: int, top: int) -> QuerySet[Event, int]:
    """The ids of events that match; bounded by id as well, for an actor has no index."""
    ids = list(LedgerEntry.objects.filter(pos__in=(floor + 1, top - 1)).values_list("event_id", flat=True))
    span = Q(pk__gte=min(ids, default=0) - ID_SLACK, pk__lte=max(ids, default=0) + ID_SLACK)
    return Event.objects.filter(span & _acted(wanted)).values_list("pk", flat=True)


def _acted(wanted: Filter) -> Q:
    """The parts of a filter that an event itself shows."""
    found = Q()
    if wanted.person:
        name = _name(wanted.person)
        found &= Q(actor__in=(name, f"user:{name}")) | Q(data__user=name)
    if wanted.kind:
        found &= Q(kind__startswith=wanted.kind)
    return found


def _at(positions: Sequence[int], wanted: Filter) -> list[tuple[int, Event]]:
    """The events at these positions, those of the wanted kind."""
    rows = LedgerEntry.objects.filter(pos__in=positions).order_by("-pos").values_list("pos", "event_id")
    return [(pos, event) for pos, event in _loaded(list(rows)) if event.kind.startswith(wanted.kind)]


def _loaded(rows: Sequence[tuple[int, int]]) -> list[tuple[int, Event]]:
    events = _events([event for _pos, event in rows])
    return [(pos, events[event]) for pos, event in rows if event in events]


def _events(ids: Sequence[int]) -> dict[int, Event]:
    """By a range as well as by number: the months that lie outside are not opened row by row."""
    if not ids:
        return {}
    return {event.pk: event for event in Event.objects.filter(pk__in=ids, pk__gte=min(ids), pk__lte=max(ids))}


def _page(found: list[tuple[int, Event]]) -> Found:
    more = len(found) > PAGE
    return Found(found[:PAGE], older=found[PAGE - 1][0] if more else None)


def _event_before(top: int) -> int | None:
    """The id of the first event that no longer belongs to the page; None where all do."""
    return LedgerEntry.objects.filter(pos=top).values_list("event_id", flat=True).first()


def _mentions(kind: str, name: str, top: int) -> QuerySet[Mention]:
    return Mention.objects.filter(kind=kind, name=name, pos__lt=top).order_by("-pos")


def _is_indexed(person: str) -> bool:
    return Mention.objects.filter(kind="person", name=_name(person)).exists()


def _name(person: str) -> str:
    return person.removeprefix("user:")
