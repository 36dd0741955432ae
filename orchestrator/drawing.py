"""A plan's picture with what its tasks do now: nodes with status and a line of detail, ready for an SVG. Pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.utils.translation import gettext as _

from orchestrator.definitions.graph import Edge, Layout, Node

LINE_LENGTH: Final = 18  # characters that fit into one of the two lines of a title
DETAIL_LENGTH: Final = 22
BAR_WIDTH: Final = 128

# Of a folded family, what needs a person or went wrong decides how the box looks; then what is busy.
_LOUDEST: Final = ("failed", "waiting", "running", "ready", "blocked", "cancelled", "skipped", "succeeded")
_ENDED: Final = frozenset({"succeeded", "failed", "skipped", "cancelled"})


@dataclass(frozen=True, slots=True)
class Mark:
    """What one task does now, as much of it as a box shows."""

    status: str
    wait_for: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    attempt: int = 0
    spawned: Counter[str] | None = None  # how the tasks do that it started, by status

    @property
    def looks(self) -> str:
        """A task that waits for those it started looks like the one of them that matters most."""
        if self.status != "blocked" or not self.spawned:
            return self.status
        return next((name for name in ("waiting", "running", "ready") if self.spawned[name]), "running")


@dataclass(frozen=True, slots=True)
class Box:
    """A box of the picture. `done` of `count` drives the progress bar of a folded family."""

    node: Node
    status: str
    lines: tuple[str, ...]  # the title, on one line or two
    detail: str
    label: str  # everything in words, for those who do not see the picture
    count: int
    done: int
    fill: float

    @property
    def key(self) -> str:
        """What a link to it names: its step, or with `~` the family that it stands for."""
        return f"~{self.node.key}" if self.node.is_folded else self.node.key


@dataclass(frozen=True, slots=True)
class Line:
    """An edge; `active` ones lead from an ended step into one that is going on."""

    path: str
    active: bool
    taken: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """The whole graph in its own pixels."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


def picture(layout: Layout, marks: Mapping[int, Mark], *, now: datetime) -> Picture:
    """Draw a run: `marks` by the index of each task's step. Without marks it is the plan alone."""
    boxes = tuple(_box(node, [marks[i] for i in node.indexes if i in marks], now=now) for node in layout.nodes)
    lines = tuple(_line(edge, boxes) for edge in layout.edges)
    return Picture(layout.width, layout.height, boxes, lines)


def _box(node: Node, marks: list[Mark], *, now: datetime) -> Box:
    counts = Counter(mark.looks for mark in marks)
    status = next((name for name in _LOUDEST if counts[name]), "")
    parts = marks[0].spawned if len(marks) == 1 and marks[0].spawned else counts
    count = parts.total() if parts is not counts else len(node.indexes)
    done = sum(parts[name] for name in _ENDED)
    detail = _family(node, parts, done, count) if count > 1 else _single(node, marks[0] if marks else None, now=now)
    label = f"{node.title}: {_word(status, marks)}, {detail}" if marks else f"{node.title}: {detail}"
    fill = BAR_WIDTH * done / count if marks else 0.0
    return Box(node, status, _lines(node.title), _cut(detail, DETAIL_LENGTH), label, count, done, fill)


def _single(node: Node, mark: Mark | None, *, now: datetime) -> str:
    if mark is None:
        return node.agent or kind_word(node.kind)
    match mark.looks:
        case "waiting":
            return waiting_for(mark.wait_for)
        case "running" if mark.started_at:
            return _("running for %(span)s") % {"span": span(_seconds(mark.started_at, now))}
        case "succeeded" | "failed" if mark.started_at:
            tries = _(", attempt %(number)d") % {"number": mark.attempt} if mark.attempt > 1 else ""
            return span(_seconds(mark.started_at, mark.ended_at or now)) + tries
        case "succeeded":
            return _("done")
    return _word(mark.status, [mark])


def waiting_for(wait_for: str) -> str:
    """What a waiting task waits for, in a few words."""
    words = {
        "retry": _("will be tried again"), "timer": _("waits for its time"), "event": _("waits for a signal"),
        "callback": _("waits for a call back"), "run": _("waits for a run"), "breaker": _("agent out of service"),
        "budget": _("waits for a budget"), "agent": _("waits for an agent"), "gate": _("waits for a person"),
        "quarantine": _("waits for a person"),
    }  # fmt: skip
    return words.get(wait_for) or _("waits")


def _family(node: Node, counts: Counter[str], done: int, count: int) -> str:
    if not counts:
        return node.agent or kind_word(node.kind)
    text = _("%(done)d of %(count)d") % {"done": done, "count": count}
    return text + _(", %(count)d failed") % {"count": counts["failed"]} if counts["failed"] else text


def _line(edge: Edge, boxes: tuple[Box, ...]) -> Line:
    source, target = boxes[edge.source], boxes[edge.target]
    taken = source.status == "succeeded" and target.status not in ("", "skipped", "cancelled")
    return Line(edge.path, taken and target.status in {"running", "waiting", "ready"}, taken)


def _word(status: str, marks: list[Mark]) -> str:
    words = {
        "blocked": _("not yet"), "ready": _("ready"), "running": _("running"), "waiting": _("waiting"),
        "succeeded": _("succeeded"), "failed": _("failed"), "skipped": _("skipped"), "cancelled": _("cancelled"),
    }  # fmt: skip
    return words.get(status, status)


def kind_word(kind: str) -> str:
    """What people call a kind of step."""
    kinds = {
        "automated": _("agent"),
        "manual": _("a person's work"),
        "approval": _("approval"),
        "conditional": _("branch"),
        "hybrid": _("agent, then a person"),
        "timer": _("timer"),
        "wait_event": _("waits for a signal"),
        "wait_callback": _("waits for a call back"),
        "subworkflow": _("another run"),
        "map": _("for each item"),
        "loop": _("again and again"),
        "pattern": _("agents together"),
        "assured": _("agent, verified"),
        "rollback": _("sets the run back"),
    }
    return kinds.get(kind, kind)


def _seconds(start: datetime | None, end: datetime) -> float:
    return max(0.0, (end - start).total_seconds()) if start else 0.0


def span(seconds: float) -> str:
    """A span as it reads in a box: 15 ms, 0.2 s, 4 min 11 s, 3 h 5 min."""
    if seconds < 0.1:
        return _("%(n)d ms") % {"n": round(seconds * 1000)}
    if seconds < 10:
        return _("%(n).1f s") % {"n": seconds}
    if seconds < 60:
        return _("%(n)d s") % {"n": seconds}
    if seconds < 3600:
        return _("%(m)d min %(s)d s") % {"m": seconds // 60, "s": seconds % 60}
    if seconds < 172_800:
        return _("%(h)d h %(m)d min") % {"h": seconds // 3600, "m": seconds % 3600 // 60}
    return _("%(d)d days") % {"d": seconds // 86_400}


def _lines(title: str) -> tuple[str, ...]:
    """The title on one line or two: broken between words, or within one where all of it fits only so."""
    if len(title) <= LINE_LENGTH:
        return (title,)
    at = title.rfind(" ", 0, LINE_LENGTH + 1)
    if at < 1 or LINE_LENGTH < len(title) - at - 1 < 2 * LINE_LENGTH - at:
        at = LINE_LENGTH
    return (title[:at].rstrip(), _cut(title[at:].lstrip(), LINE_LENGTH))


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
