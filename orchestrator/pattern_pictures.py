"""A small drawing of each pattern, for the gallery: who works, who leads, what is shared, and which way it goes."""

from dataclasses import dataclass
from math import cos, hypot, pi, sin
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

WIDTH: Final = 132
HEIGHT: Final = 60
_RADIUS: Final = 7.0
_GAP: Final = 3.0

type Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Node:
    """One mark: `worker`, `leader`, `choice` (a diamond) or `shared` (a box)."""

    x: float
    y: float
    kind: str = "worker"

    @property
    def diamond(self) -> str:
        """Corners of a choice."""
        return f"{self.x},{self.y - 8} {self.x + 8},{self.y} {self.x},{self.y + 8} {self.x - 8},{self.y}"


@dataclass(frozen=True, slots=True)
class Line:
    """From one mark to another, with the two strokes of its head; `is_faint` for ways back and ways not taken."""

    path: str
    is_faint: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """What the template draws."""

    label: str | Promise
    nodes: tuple[Node, ...]
    lines: tuple[Line, ...]
    width: int = WIDTH
    height: int = HEIGHT


def picture_of(name: str) -> Picture | None:
    """The drawing of a pattern of ours; None for a plug-in's."""
    return _PICTURES.get(name)


def _line(start: Point, end: Point, *, faint: bool = False, head: bool = True) -> Line:
    """A straight line that leaves room for the marks at its ends."""
    (x, y), (to_x, to_y) = start, end
    length = hypot(to_x - x, to_y - y) or 1.0
    step_x, step_y = (to_x - x) / length, (to_y - y) / length
    cut = _RADIUS + _GAP
    x, y, to_x, to_y = x + step_x * cut, y + step_y * cut, to_x - step_x * cut, to_y - step_y * cut
    path = f"M{x:.1f} {y:.1f}L{to_x:.1f} {to_y:.1f}"
    if head:
        for side in (1, -1):
            tip_x = to_x - 4 * step_x + side * 3 * step_y
            tip_y = to_y - 4 * step_y - side * 3 * step_x
            path += f"M{to_x:.1f} {to_y:.1f}L{tip_x:.1f} {tip_y:.1f}"
    return Line(path, faint)


def _drawn(label: str | Promise, nodes: str, lines: str) -> Picture:
    """From `a:x,y` (with `!` leader, `?` choice, `#` shared) and `a>b` (with `-` no head, `~` faint)."""
    kinds = {"!": "leader", "?": "choice", "#": "shared"}
    marks: dict[str, Node] = {}
    for word in nodes.split():
        name, _colon, place = word.partition(":")
        x, _comma, y = place.strip("!?#").partition(",")
        marks[name] = Node(float(x), float(y), kinds.get(place[-1], "worker"))
    drawn = []
    for word in lines.split():
        faint, plain = "~" in word, "-" in word
        start, _sign, end = word.replace("~", "").replace("-", ">").partition(">")
        one, other = marks[start], marks[end]
        drawn.append(_line((one.x, one.y), (other.x, other.y), faint=faint, head=not plain))
    return Picture(label, tuple(marks.values()), tuple(drawn))


def _ring(count: int) -> str:
    words = []
    for number in range(count):
        angle = 2 * pi * number / count - pi / 2
        words.append(f"n{number}:{66 + 40 * cos(angle):.0f},{30 + 21 * sin(angle):.0f}")
    return " ".join(words)


_PICTURES: Final = {
    "sequential": _drawn(
        gettext_lazy("One after the other"), "a:14,30 b:48,30 c:84,30 d:118,30", "a>b b>c c>d"
    ),
    "parallel": _drawn(
        gettext_lazy("Side by side, then together"),
        "a:16,30 b:66,10 c:66,30 d:66,50 e:116,30",
        "a>b a>c a>d b>e c>e d>e",
    ),
    "conditional": _drawn(
        gettext_lazy("One of several ways"), "a:14,30 b:54,30? c:110,14 d:110,46", "a>b b>c ~b>d"
    ),
    "saga": _drawn(
        gettext_lazy("Forward, and back if one fails"),
        "a:22,14 b:66,14 c:110,14! d:22,46 e:66,46",
        "a>b b>c ~c>e ~e>d",
    ),
    "choreography": _drawn(
        gettext_lazy("Each reacts to the same fact"),
        "s:20,30# a:66,10 b:66,30 c:66,50 d:112,10 e:112,50",
        "~s>a ~s>b ~s>c a>d c>e",
    ),
    "concurrent_sync": _drawn(
        gettext_lazy("Side by side, meeting after each round"),
        "a:16,12 b:16,48 s:49,30# c:82,12 d:82,48 t:116,30#",
        "a>s b>s s>c s>d c>t d>t",
    ),
    "hierarchy": _drawn(
        gettext_lazy("A lead and its specialists"), "a:66,11! b:22,48 c:66,48 d:110,48", "a>b a>c a>d"
    ),
    "group_chat": _drawn(
        gettext_lazy("Everybody hears everybody"),
        _ring(5),
        "n0-n1 n1-n2 n2-n3 n3-n4 n4-n0 ~n0-n2 ~n1-n3 ~n2-n4 ~n3-n0 ~n4-n1",
    ),
    "magentic": _drawn(
        gettext_lazy("A manager, its ledger and those who do the work"),
        "l:16,30# m:58,30! a:110,10 b:110,30 c:110,50",
        "m>l m>a m>b m>c",
    ),
    "refinement": _drawn(
        gettext_lazy("Broad, then closer at less"),
        "a:16,8 b:16,23 c:16,38 d:16,52 e:66,20 f:66,42 g:116,30!",
        "a>e ~b-e c>f ~d-f e>g ~f-g",
    ),
    "planner": _drawn(
        gettext_lazy("A plan, then its tasks"),
        "p:16,30! a:54,14 b:54,46 c:88,30 d:120,30",
        "p>a p>b a>c b>c c>d",
    ),
    "supervised_planner": _drawn(
        gettext_lazy("A conversation that somebody watches"),
        "s:66,11! p:28,46 w:104,46",
        "p-w ~s>p ~s>w",
    ),
    "planner_state_machine": _drawn(
        gettext_lazy("Declared states, and talk where it is unclear"),
        "a:14,30# b:54,30? t:84,10 c:114,30#",
        "a>b b>c ~b>t ~t>c",
    ),
    "swarm": _drawn(
        gettext_lazy("Many around a shared memory"),
        f"{_ring(6)} m:66,30#",
        "n0-m n1-m n2-m n3-m n4-m n5-m",
    ),
}  # fmt: skip
