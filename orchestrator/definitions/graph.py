"""Where a plan's steps are drawn: a layered, left-to-right layout in whole pixels, for the pages that show a graph."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from orchestrator.definitions.plan import Plan, PlanStep

NODE_WIDTH, NODE_HEIGHT = 172, 62
COLUMN_GAP, ROW_GAP = 38, 20
MARGIN = 20
MAX_SIBLINGS = 60  # more steps of one agent in one group and layer than this are drawn as one box
MAX_BOXES = 300  # as many as a browser draws at once, and somebody can look at
MAX_STRETCHES = 40
MAX_EDGES = 4000
SWEEPS = 6
MAX_BENDS = 10  # an edge over more layers than this is drawn straight


@dataclass(frozen=True, slots=True)
class Node:
    """One box. `indexes` are the steps it stands for: one, or a folded family of siblings."""

    indexes: tuple[int, ...]
    key: str
    title: str
    kind: str
    agent: str
    group: str
    x: int
    y: int
    w: int = NODE_WIDTH
    h: int = NODE_HEIGHT

    @property
    def is_folded(self) -> bool:
        """True if the box stands for several steps."""
        return len(self.indexes) > 1


@dataclass(frozen=True, slots=True)
class Edge:
    """One line between two boxes, by position in `Layout.nodes`; `path` is an SVG path."""

    source: int
    target: int
    path: str


@dataclass(frozen=True, slots=True)
class Layout:
    """A drawn plan. `nodes` are in reading order: layer by layer, top to bottom."""

    width: int
    height: int
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


@dataclass(slots=True)
class _Box:
    """A box being placed; a box without steps is a bend of a long edge."""

    layer: int
    indexes: tuple[int, ...] = ()
    row: float = 0.0
    x: int = 0
    y: int = 0


def layout(plan: Plan) -> Layout:
    """Place every step: layers by longest path, order within a layer by the mean place of its neighbours."""
    layers = _layers(plan.steps)
    boxes, box_of = _fold(plan.steps, layers)
    pairs = sorted({(box_of[step.index], box_of[successor]) for step in plan.steps for successor in step.successors})
    pairs = [(source, target) for source, target in pairs if boxes[source].layer < boxes[target].layer][:MAX_EDGES]
    chains = [_bend(boxes, source, target) for source, target in pairs]
    columns = _columns(boxes)
    _order(boxes, columns, chains)
    _place(boxes, columns)
    return _draw(plan, boxes, columns, chains)


def _layers(steps: Sequence[PlanStep]) -> list[int]:
    """Each step's layer: the number of steps on the longest way to it."""
    layers: list[int] = []
    for step in steps:
        layers.append(1 + max((layers[dependency] for dependency in step.dependencies), default=-1))
    return layers


def _fold(steps: Sequence[PlanStep], layers: Sequence[int]) -> tuple[list[_Box], list[int]]:
    """One box a step, or one for a family of steps; and which box each step is in.

    Families are those of more than MAX_SIBLINGS alike. Where that leaves more boxes than anybody can look at, steps of
    one layer and group are one box, and at last everything in a stretch of layers.
    """
    alike = [(layers[step.index], step.kind, step.agent, step.group) for step in steps]
    boxes, box_of = _boxes(alike, layers, least=MAX_SIBLINGS + 1)
    if len(boxes) > MAX_BOXES:
        beside = [(layers[step.index], step.group) for step in steps]
        boxes, box_of = _boxes(beside, layers, least=2)
    if len(boxes) > MAX_BOXES:
        stretch = -(-(max(layers) + 1) // MAX_STRETCHES)
        boxes, box_of = _boxes(
            [(layer // stretch,) for layer in layers], [layer // stretch for layer in layers], least=2
        )
    return boxes, box_of


def _boxes(family: Sequence[Hashable], layers: Sequence[int], *, least: int) -> tuple[list[_Box], list[int]]:
    """Families of at least so many steps are one box each."""
    sizes = Counter(family)
    boxes: list[_Box] = []
    box_of: list[int] = []
    folded: dict[Hashable, int] = {}
    members: list[list[int]] = []
    for index, name in enumerate(family):
        if sizes[name] < least or name not in folded:
            folded[name] = len(boxes)
            boxes.append(_Box(layer=layers[index]))
            members.append([])
        box_of.append(folded[name])
        members[folded[name]].append(index)
    for box, indexes in zip(boxes, members, strict=True):
        box.indexes = tuple(indexes)
    return boxes, box_of


def _bend(boxes: list[_Box], source: int, target: int) -> list[int]:
    """The boxes an edge runs through: its two ends, and a bend in each layer that it crosses."""
    first, last = boxes[source].layer, boxes[target].layer
    if last - first > MAX_BENDS:
        return [source, target]
    chain = [source]
    for layer in range(first + 1, last):
        chain.append(len(boxes))
        boxes.append(_Box(layer=layer))
    return [*chain, target]


def _columns(boxes: Sequence[_Box]) -> list[list[int]]:
    columns: list[list[int]] = [[] for _ in range(1 + max((box.layer for box in boxes), default=-1))]
    for number, box in enumerate(boxes):
        box.row = len(columns[box.layer])
        columns[box.layer].append(number)
    return columns


def _order(boxes: list[_Box], columns: list[list[int]], chains: Iterable[list[int]]) -> None:
    """Sweep right, then left, sorting each column by the mean row of its neighbours in the one before."""
    before: dict[int, list[int]] = defaultdict(list)
    after: dict[int, list[int]] = defaultdict(list)
    for chain in chains:
        for left, right in pairwise(chain):
            before[right].append(left)
            after[left].append(right)
    for sweep in range(SWEEPS):
        forward = sweep % 2 == 0
        neighbours = before if forward else after
        for column in columns if forward else reversed(columns):
            _sort(boxes, column, neighbours)


def _sort(boxes: list[_Box], column: list[int], neighbours: dict[int, list[int]]) -> None:
    def mean(number: int) -> float:
        near = neighbours.get(number)
        return sum(boxes[other].row for other in near) / len(near) if near else boxes[number].row

    column.sort(key=mean)
    for row, number in enumerate(column):
        boxes[number].row = row


def _place(boxes: list[_Box], columns: list[list[int]]) -> None:
    """Give each box its pixels; columns are centred on the tallest one."""
    tallest = max((len(column) for column in columns), default=0)
    pitch = NODE_HEIGHT + ROW_GAP
    for layer, column in enumerate(columns):
        top = MARGIN + (tallest - len(column)) * pitch // 2
        for row, number in enumerate(column):
            boxes[number].x = MARGIN + layer * (NODE_WIDTH + COLUMN_GAP)
            boxes[number].y = top + row * pitch


def _draw(plan: Plan, boxes: list[_Box], columns: list[list[int]], chains: list[list[int]]) -> Layout:
    drawn = [number for column in columns for number in column if boxes[number].indexes]
    position = {number: place for place, number in enumerate(drawn)}
    nodes = tuple(_node(plan.steps, boxes[number]) for number in drawn)
    edges = tuple(
        Edge(position[chain[0]], position[chain[-1]], _path([boxes[number] for number in chain])) for chain in chains
    )
    tallest = max((len(column) for column in columns), default=0)
    width = 2 * MARGIN + max(0, len(columns) * (NODE_WIDTH + COLUMN_GAP) - COLUMN_GAP)
    height = 2 * MARGIN + max(0, tallest * (NODE_HEIGHT + ROW_GAP) - ROW_GAP)
    return Layout(width, height, nodes, edges)


def _node(steps: Sequence[PlanStep], box: _Box) -> Node:
    first, count = steps[box.indexes[0]], len(box.indexes)
    title = first.title if count == 1 else f"{_family_name(steps, box)} ×{count}"
    return Node(box.indexes, first.key, title, first.kind, first.agent, first.group, box.x, box.y)


def _family_name(steps: Sequence[PlanStep], box: _Box) -> str:
    """What its steps have in common: group, agent or kind; of a mixture the first one stands for all."""
    first, last = steps[box.indexes[0]], steps[box.indexes[-1]]
    if (first.group, first.agent, first.kind) != (last.group, last.agent, last.kind):
        return f"{first.title} …"
    return (first.group.rpartition("/")[2] or first.agent or first.kind).replace("_", " ").capitalize()


def _path(chain: Sequence[_Box]) -> str:
    """A smooth line from the right edge of the first box through the bends to the left edge of the last."""
    middle = NODE_HEIGHT // 2
    x, y = chain[0].x + NODE_WIDTH, chain[0].y + middle
    path = [f"M{x},{y}"]
    for box in chain[1:]:
        path.append(_curve(x, y, box.x, box.y + middle))
        x, y = box.x, box.y + middle
        if not box.indexes:
            x += NODE_WIDTH
            path.append(f"H{x}")
    return " ".join(path)


def _curve(x: int, y: int, to_x: int, to_y: int) -> str:
    half = (to_x - x) // 2
    return f"C{x + half},{y} {to_x - half},{to_y} {to_x},{to_y}"
