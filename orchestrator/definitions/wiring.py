"""Which step waits for which: groups flattened, keys checked, cycles named, an order found."""

from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from heapq import heapify, heappop, heappush
from itertools import pairwise

from orchestrator.definitions.errors import Problems, did_you_mean
from orchestrator.definitions.load import Definition, StepSource

MAX_EDGES = 100_000
MAX_FAN_OUT = 10_000
MAX_NAMED = 25  # steps named at each end of a cycle


class Wiring:
    """The graph of a definition's steps, by key. `before[key]` are the steps that must end before `key`."""

    def __init__(self, definition: Definition, problems: Problems) -> None:
        self._definition = definition
        self._problems = problems
        self._edges = 0
        self._ancestors: dict[str, int] = {}
        self.sources = {step.key: step for step in definition.steps}
        self.before: dict[str, dict[str, None]] = {key: {} for key in self.sources}
        self.order: list[str] = []

    def connect(self) -> None:
        """Add every edge and find an order; what is wrong is noted in the problems."""
        self._chain_groups()
        self._add_declared()
        for step in self._definition.steps:
            self._add_implied(step)
        self.order = self._sorted()

    def heads(self, key: str) -> list[str]:
        """The steps that start when `key`, a step or a group, starts."""
        return self._ends(key, first=True)

    def precedes(self, earlier: str, later: str) -> bool:
        """True if `earlier` always ends before `later` starts."""
        if earlier in self.before[later]:
            return True
        if not self._ancestors:
            self._find_ancestors()
        return bool(self._ancestors[later] >> self._place[earlier] & 1)

    def after(self) -> dict[str, list[str]]:
        """For each step those that wait for it, in order."""
        after: dict[str, list[str]] = {key: [] for key in self.order}
        for key in self.order:
            for source in self.before[key]:
                after[source].append(key)
        return after

    def _chain_groups(self) -> None:
        for group in self._definition.groups.values():
            if group.type == "sequential":
                for first, second in pairwise(group.children):
                    self._join(self._ends(first, first=False), self.heads(second), group.key)

    def _add_declared(self) -> None:
        for target, sources in self._definition.dependencies.items():
            if not self._is_known(target, "", "dependencies"):
                continue
            heads = self.heads(target)
            for source in sources:
                if self._is_known(source, "", f"dependencies.{target}"):
                    self._join(self._ends(source, first=False), heads, target)

    def _add_implied(self, step: StepSource) -> None:
        if step.type == "approval" and step.fields["subject"] in self.sources:
            self._join([step.fields["subject"]], [step.key], step.key)
        if step.type == "conditional":
            for place, key in branch_targets(step):
                if self._is_known(key, step.key, place):
                    self._join([step.key], self.heads(key), step.key)

    def _is_known(self, key: str, step: str, place: str) -> bool:
        if key in self.sources or key in self._definition.groups:
            return True
        if not self._problems.is_full:
            known = [*self.sources, *self._definition.groups]
            self._problems.add(f'"{key}" is not a step', step=step, field=place, remedy=did_you_mean(key, known))
        return False

    def _ends(self, key: str, *, first: bool) -> list[str]:
        """The steps at the beginning, or the end, of a step or group."""
        group = self._definition.groups.get(key)
        if group is None:
            return [key] if key in self.sources else []
        children: Iterable[str] = group.children
        if group.type == "sequential":
            children = group.children[:1] if first else group.children[-1:]
        return [end for child in children for end in self._ends(child, first=first)]

    def _join(self, sources: list[str], targets: list[str], place: str) -> None:
        self._edges += len(sources) * len(targets)
        if self._edges > MAX_EDGES:
            message = f"makes more than {MAX_EDGES:,} dependencies"
            self._problems.add(message, step=place, remedy="put one step between the two sets of steps")
            self._problems.raise_if_any()
        for target in targets:
            self.before[target].update(dict.fromkeys(sources))

    def _sorted(self) -> list[str]:
        """Kahn's order, earliest written first, so that a plan reads like its file."""
        self._place = {key: place for place, key in enumerate(self.sources)}
        keys = list(self.sources)
        open_edges = [len(self.before[key]) for key in keys]
        after: dict[str, list[str]] = {key: [] for key in keys}
        for key, sources in self.before.items():
            for source in sources:
                after[source].append(key)
        ready = [place for place, count in enumerate(open_edges) if count == 0]
        heapify(ready)
        order: list[str] = []
        while ready:
            key = keys[heappop(ready)]
            order.append(key)
            for target in after[key]:
                place = self._place[target]
                open_edges[place] -= 1
                if open_edges[place] == 0:
                    heappush(ready, place)
        if len(order) < len(keys):
            self._refuse_cycle(set(keys) - set(order))
        self._check_fan_out(after)
        return order

    def _refuse_cycle(self, left: set[str]) -> None:
        inner = {key: [source for source in self.before[key] if source in left] for key in self.sources if key in left}
        try:
            TopologicalSorter(inner).prepare()
        except CycleError as problem:
            cycle: list[str] = problem.args[1]
            line = self.sources[cycle[0]].line
            remedy = "remove one of these dependencies"
            message = f"the steps wait for each other in a cycle: {_way(cycle)}"
            self._problems.add(message, remedy=remedy, line=line)
        self._problems.raise_if_any()

    def _check_fan_out(self, after: dict[str, list[str]]) -> None:
        for key, targets in after.items():
            if len(targets) > MAX_FAN_OUT:
                message = f"{len(targets):,} steps wait for it; at most {MAX_FAN_OUT:,} may"
                self._problems.add(message, step=key, remedy="split them", line=self.sources[key].line)

    def _find_ancestors(self) -> None:
        """Each step's ancestors as a bit set: 10,000 steps take 12 MB at most, and one OR an edge."""
        for key in self.order:
            bits = 0
            for source in self.before[key]:
                bits |= self._ancestors[source] | 1 << self._place[source]
            self._ancestors[key] = bits


def _way(keys: list[str]) -> str:
    """ "a -> b -> a"; the middle of a very long way is counted instead of named."""
    if len(keys) > 2 * MAX_NAMED:
        keys = [*keys[:MAX_NAMED], f"({len(keys) - 2 * MAX_NAMED:,} more)", *keys[-MAX_NAMED:]]
    return " -> ".join(keys)


def branch_targets(step: StepSource) -> Iterator[tuple[str, str]]:
    """The keys that a conditional step chooses from, each with the field that names it."""
    for number, branch in enumerate(step.fields.get("branches", ())):
        for key in branch.get("then", ()):
            yield f"branches[{number}].then", key
    for key in step.fields.get("default", ()):
        yield "default", key
