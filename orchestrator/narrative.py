"""A run's story, or that of everything with its correlation id: sentences, the newest first, with others' words below.

What is told are events. Calls of models and messages between agents are no events of a run: they are told beside them,
by their time. What a step was given and made, and what went into a tool and came back, is quoted.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from django.contrib.auth.models import AnonymousUser, User

from agents.types import Json
from orchestrator import quoting, unbiased
from orchestrator.happenings import Entry, Happening
from orchestrator.models import TASK_BITS, Event, LedgerEntry, Run
from orchestrator.ports import GateFact, gatekeeper, rights
from orchestrator.queries import full_name
from orchestrator.quoting import Window
from orchestrator.replay import STEP_MASK
from orchestrator.run_steps import RunSteps
from orchestrator.snapshots import Happened
from orchestrator.story import ROUTINE, tell

LENGTH: Final = 150
SHORT_RUN: Final = 40  # tasks: the whole story of a short run is shown at once
JUDGEMENTS: Final = ("quality.assessed", "guardian.raised", "guardian.held")  # what machines think of outputs
LATEST: Final = 6  # lines of the story below the graph
MOST_RUNS: Final = 50  # with one correlation id
_COLUMNS: Final = ("id", "task_id", "kind", "at", "actor", "data", "run_id")


@dataclass(frozen=True, slots=True)
class Story:
    """One stretch of the narrative, the newest first; `older` is the cursor of the next stretch."""

    entries: tuple[Entry, ...]
    older: int | None
    is_short: bool  # routine lines were left out


def related(user: User | AnonymousUser, run: Run) -> list[Run]:
    """The other runs with the same correlation id that the user may see, the newest first."""
    if not run.correlation_id:
        return []
    found = Run.objects.select_related("workflow").filter(correlation_id=run.correlation_id).exclude(pk=run.pk)
    return [other for other in found.order_by("-pk")[:MOST_RUNS] if rights().can(user, "see_runs", other)]


def story(
    run: Run, *, before: int | None = None, everything: bool = False, length: int = LENGTH, user: User | None = None
) -> Story:
    """The run's events as sentences. Of a long run routine lines are left out unless asked for."""
    rows, older, short = _rows([run], before, everything, length, user)
    return Story(tuple(replace(entry, run=None) for _row, entry in _told_rows(rows, [run])), older, short)


def narrative(
    user: User | AnonymousUser, runs: Sequence[Run], *, before: int | None = None, everything: bool = False
) -> Story:
    """The story of these runs with calls, messages and words. With several runs each line says whose it is."""
    rows, older, short = _rows(runs, before, everything, LENGTH, user)
    told = _told_rows(rows, runs)
    entries = quoting.with_quotes(told, {run.pk: run for run in runs}, everything=not short)
    until = Event.objects.filter(pk=before).values_list("at", flat=True).first() if before is not None else None
    window = Window(since=rows[-1][3] if older is not None and rows else None, until=until)
    beside = quoting.beside(user, runs, window) if not short else []
    merged = list(_merged(entries, beside))
    if len(runs) < 2:
        merged = [replace(entry, run=None) for entry in merged]
    return Story(tuple(merged), older, short)


def events_told(
    run: Run, events: Sequence[Happened], *, hidden: frozenset[int] = frozenset()
) -> list[tuple[Happened, Entry]]:
    """These events of a run, each with its sentence; of `hidden` tasks without what machines think of them."""
    found = Event.objects.filter(pk__in=[event.id for event in events], run_id=run.pk)
    rows = {row[0]: row for row in _without_opinions(found.values_list(*_COLUMNS), hidden)}
    told = _told([(rows[event.id], event.pos) for event in events], [run])
    return list(zip(events, told, strict=True))


def _rows(
    runs: Sequence[Run], before: int | None, everything: bool, length: int, user: User | AnonymousUser | None
) -> tuple[list[tuple[Any, ...]], int | None, bool]:
    short = any(run.total > SHORT_RUN for run in runs) and not everything
    ids = [run.pk for run in runs]
    events = Event.objects.filter(run_id__in=ids)
    # Whoever is yet to judge an output for themselves is not told what machines think of it.
    hidden = gatekeeper().hidden_tasks(user, ids) if isinstance(user, User) else frozenset()
    if hidden:
        events = events.exclude(task_id__in=hidden, kind__in=JUDGEMENTS)
    if short:
        events = events.exclude(kind__in=ROUTINE)
    if before is not None:
        events = events.filter(id__lt=before)
    rows = _without_opinions(events.order_by("-id").values_list(*_COLUMNS)[: length + 1], hidden)
    shown = rows[:length]
    return shown, shown[-1][0] if len(rows) > length else None, short


def _without_opinions(rows: Iterable[tuple[Any, ...]], hidden: frozenset[int]) -> list[tuple[Any, ...]]:
    """Rows of `_COLUMNS`; those of hidden tasks do not say how sure an agent is."""
    return [(*row[:5], unbiased.without(row[5]), *row[6:]) if row[1] in hidden else row for row in rows]


def _told_rows(rows: list[tuple[Any, ...]], runs: Sequence[Run]) -> list[tuple[tuple[Any, ...], Entry]]:
    places = dict(LedgerEntry.objects.filter(event_id__in=[row[0] for row in rows]).values_list("event_id", "pos"))
    return list(zip(rows, _told([(row, places.get(row[0])) for row in rows], runs), strict=True))


def _told(rows: Sequence[tuple[tuple[Any, ...], int | None]], runs: Sequence[Run]) -> list[Entry]:
    """Each event's line, with queues and people called as people call them."""
    gates = {gate.id: gate for gate in gatekeeper().gates_of([run.pk for run in runs], only_open=False)}
    steps = steps_of(runs, [row[1] for row, _pos in rows])
    titles = gatekeeper().queue_titles() if any(row[2].startswith("gate.") for row, _pos in rows) else {}
    found = [_happening(row, pos, gates, steps) for row, pos in rows]
    told = [tell(replace(event, facts=_with_titles(event.facts, titles))) for event in found]
    return _named([replace(entry, run=row[6]) for entry, (row, _pos) in zip(told, rows, strict=True)])


def steps_of(runs: Sequence[Run], tasks: Iterable[int | None]) -> dict[int, RunSteps]:
    """The steps of each run, those of these tasks already read."""
    steps = {run.pk: RunSteps(run) for run in runs}
    wanted: dict[int, list[int]] = defaultdict(list)
    for task in tasks:
        if task is not None:
            wanted[task >> TASK_BITS].append(task & STEP_MASK)
    for pk, indexes in wanted.items():
        if pk in steps:
            steps[pk].load(indexes)
    return steps


def _with_titles(facts: Mapping[str, Json], titles: Mapping[str, str]) -> Mapping[str, Json]:
    queue = facts.get("queue")
    return {**facts, "queue": titles.get(queue, queue)} if isinstance(queue, str) else facts


def _named(entries: list[Entry]) -> list[Entry]:
    """The same entries with people called by their full names."""
    people = User.objects.in_bulk({entry.name for entry in entries if entry.who == "person"}, field_name="username")
    return [
        replace(entry, name=full_name(people[entry.name])) if entry.who == "person" and entry.name in people else entry
        for entry in entries
    ]


def _happening(
    row: tuple[Any, ...], pos: int | None, gates: Mapping[int, GateFact], steps: Mapping[int, RunSteps]
) -> Happening:
    _id, task, kind, at, actor, data, run = row
    facts: dict[str, Json] = data if isinstance(data, dict) else {}
    number = facts.get("gate")
    gate = gates.get(number) if isinstance(number, int) and kind.startswith("gate.") else None
    step = steps[run][task & STEP_MASK] if task is not None else None
    return Happening(
        pos, at, kind, actor, facts,
        step_key=step.key if step else "",
        step=step.title if step else "",
        gate=gate.id if gate else None,
        gate_title=gate.title if gate else "",
        note=(gate.note or "") if gate and kind == "gate.decided" else "",
    )  # fmt: skip


def _merged(told: Sequence[Entry], beside: Sequence[Entry]) -> Iterator[Entry]:
    """Both, the newest first. Events keep their order, which is that of the log; the others go by their time."""
    waiting = sorted(beside, key=lambda entry: entry.at, reverse=True)
    at = 0
    for entry in told:
        while at < len(waiting) and waiting[at].at > entry.at:
            yield waiting[at]
            at += 1
        yield entry
    yield from waiting[at:]
