"""Where a run's time went: one bar a step, split into waiting for a worker, work and waiting for people. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

type Share = Literal["queue", "work", "human", "pause"]

WIDTH = 100  # a bar's units: percent
MIN_WIDTH = 0.4  # anything that happened can be seen
MAX_ROWS = 120
NOTICED = 1.0  # seconds between a task's last try and its end that are more than bookkeeping


@dataclass(frozen=True, slots=True)
class Lived:
    """One task's times: since when it was ready, each try (start, end), each time with people (from, until)."""

    key: str
    title: str
    status: str
    ready_at: datetime | None
    ended_at: datetime | None
    tries: Sequence[tuple[datetime, datetime | None]] = ()
    gates: Sequence[tuple[datetime, datetime | None]] = ()
    before: Sequence[str] = ()  # keys of the steps that it waits for
    is_planned: bool = True  # false: started by another step, within which its time lies
    budget_s: float = 0.0  # in which a try is to be done; 0: nobody has said


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a bar: what the time was spent on, where it lies in the bar, and how long it took."""

    share: Share
    x: float
    width: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One step's line."""

    key: str
    title: str
    status: str
    segments: tuple[Segment, ...]
    seconds: float
    is_critical: bool = False
    budget_s: float = 0.0
    slowest_s: float = 0.0  # its longest try

    @property
    def is_over(self) -> bool:
        """Whether a try took longer than the step may."""
        return 0 < self.budget_s < self.slowest_s


@dataclass(frozen=True, slots=True)
class Timeline:
    """All bars in the order in which the steps began, how much each share took in all, and what was left out."""

    bars: tuple[Bar, ...]
    path: tuple[str, ...]  # titles of the steps that decided when the run ended, or would end, in their order
    seconds: float
    shares: dict[Share, float]
    path_shares: dict[Share, float]  # of the steps on the path alone: what would make the run shorter
    ticks: tuple[tuple[float, float], ...]
    hidden: int


def timeline(tasks: Iterable[Lived], *, start: datetime, end: datetime) -> Timeline:
    """The run's bars between two moments. A try or a gate that is still open lasts until `end`."""
    span = max((end - start).total_seconds(), 0.001)
    begun = sorted((task for task in tasks if _began(task)), key=lambda task: (_began(task), task.key))
    path = _critical(begun, end)
    keys = {task.key for task in path}
    bars = tuple(_bar(task, start=start, end=end, span=span, is_critical=task.key in keys) for task in begun[:MAX_ROWS])
    on_path = [_bar(task, start=start, end=end, span=span, is_critical=True) for task in path]
    titles, hidden = tuple(task.title for task in path), max(0, len(begun) - MAX_ROWS)
    return Timeline(bars, titles, span, _shares(bars), _shares(on_path), _ticks(span), hidden)


def _shares(bars: Iterable[Bar]) -> dict[Share, float]:
    """How much each share took in all of these."""
    shares: dict[Share, float] = {"queue": 0.0, "work": 0.0, "human": 0.0, "pause": 0.0}
    for bar in bars:
        for segment in bar.segments:
            shares[segment.share] += segment.seconds
    return shares


def _critical(begun: Sequence[Lived], end: datetime) -> list[Lived]:
    """Back from the step that ended last, each time to that of the steps before it which it waited for longest.

    None of them could have ended later without the run ending later. One step alone is no path.
    """
    planned = {task.key: task for task in begun if task.is_planned}
    at = max(planned.values(), key=lambda task: (task.ended_at or end, task.key), default=None)
    path: list[Lived] = []
    while at is not None and at not in path:
        path.append(at)
        before = [planned[key] for key in at.before if key in planned]
        at = max(before, key=lambda task: (task.ended_at or end, task.key), default=None)
    return path[::-1] if len(path) > 1 else []


def _began(task: Lived) -> datetime | None:
    times = [task.ready_at, *(start for start, _ in task.tries), *(start for start, _ in task.gates)]
    return min((time for time in times if time is not None), default=None)


def _bar(task: Lived, *, start: datetime, end: datetime, span: float, is_critical: bool) -> Bar:
    segments = [_segment(share, first, last, start=start, span=span) for share, first, last in _spans(task, end)]
    slowest = max((segment.seconds for segment in segments if segment.share == "work"), default=0.0)
    whole = sum(segment.seconds for segment in segments)
    return Bar(task.key, task.title, task.status, tuple(segments), whole, is_critical, task.budget_s, slowest)


def _spans(task: Lived, end: datetime) -> list[tuple[Share, datetime, datetime]]:
    """What the task did when. A gap before a try is the queue; between two tries, or after the last one of a task that
    still waits, or waited before it ended, it is a pause: for a retry, a moment, a signal, another run."""
    busy: list[tuple[datetime, datetime, Share]] = [(first, last or end, "work") for first, last in task.tries]
    busy += [(first, last or end, "human") for first, last in task.gates]
    busy.sort(key=lambda item: item[0])
    found: list[tuple[Share, datetime, datetime]] = []
    free, before = _began(task), ""
    for first, last, share in busy:
        if free is not None and first > free and share == "work":
            found.append(("pause" if before == "work" else "queue", free, first))
        found.append((share, first, max(first, last)))
        free, before = max(last, free or last), share
    if task.status == "ready" and free is not None and end > free:
        found.append(("queue", free, end))
    until = end if task.status == "waiting" else task.ended_at
    if busy and free is not None and until is not None and (until - free).total_seconds() > NOTICED:
        found.append(("pause", free, until))
    return found


def _segment(share: Share, first: datetime, last: datetime, *, start: datetime, span: float) -> Segment:
    seconds = max(0.0, (last - first).total_seconds())
    x = min(WIDTH - MIN_WIDTH, max(0.0, (first - start).total_seconds() / span * WIDTH))
    width = min(WIDTH - x, max(MIN_WIDTH, seconds / span * WIDTH))
    return Segment(share, round(x, 2), round(width, 2), seconds)


def _ticks(span: float) -> tuple[tuple[float, float], ...]:
    """Four to eight round moments on the axis, as (place, seconds)."""
    for step in (0.1, 0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400):
        if span / step <= 7:
            break
    else:
        step = span / 6
    return tuple((round(n * step / span * WIDTH, 2), n * step) for n in range(int(span / step) + 1))
