"""What follows when steps end: the same rules as `advance_runs_v1`, worked out without writing. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Node:
    """A task as the rules see it, by its index in the run."""

    status: str
    pending: int
    fed: int
    need: int
    successors: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Consequences:
    """Indexes of the tasks that become ready, and of those that are skipped because nothing feeds them."""

    ready: tuple[int, ...]
    skipped: tuple[int, ...]


def follow(nodes: Mapping[int, Node], ended: Iterable[tuple[int, bool]]) -> Consequences:
    """What becomes of the others when these tasks end; each with whether it feeds its successors."""
    found = dict(nodes)
    wave = list(ended)
    for index, _feeds in wave:
        found[index] = replace(found[index], status="ended")
    became: dict[str, list[int]] = {"blocked": [], "ready": [], "skipped": []}
    while wave:
        moved = [(index, _counted_down(found[index], hit)) for index, hit in sorted(_hits(found, wave).items())]
        moved = [(index, node) for index, node in moved if found[index].status == "blocked"]
        for index, node in moved:
            found[index] = node
            became[node.status].append(index)
        wave = [(index, False) for index, node in moved if node.status == "skipped"]
    return Consequences(tuple(became["ready"]), tuple(became["skipped"]))


def _hits(found: Mapping[int, Node], wave: Iterable[tuple[int, bool]]) -> dict[int, tuple[int, int]]:
    """For each successor, how many of the tasks before it have ended now, and how many of these feed it."""
    hits: dict[int, tuple[int, int]] = {}
    for index, feeds in wave:
        for successor in found[index].successors:
            count, fed = hits.get(successor, (0, 0))
            hits[successor] = (count + 1, fed + feeds)
    return hits


def _counted_down(node: Node, hit: tuple[int, int]) -> Node:
    node = replace(node, pending=node.pending - hit[0], fed=node.fed + hit[1])
    return replace(node, status=_status(node))


def _status(node: Node) -> str:
    if node.need > 0 and node.fed >= node.need:
        return "ready"
    if node.pending > 0:
        return "blocked"
    return "ready" if node.need < 0 or node.fed >= max(node.need, 1) else "skipped"
