"""What a run's events say its state is. Pure: steps and events in, statuses and attempt numbers out.

Cut the events off anywhere and the result is the run as it was then. `ready` and `blocked` are not recorded as events:
they follow from what the steps before have come to.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from agents.types import Json
from orchestrator.states import RUN_TERMINAL, TASK_TERMINAL, RunStatus, TaskStatus

STEP_MASK: Final = (1 << 20) - 1


type GraphOf = Callable[[int], tuple[Sequence[Sequence[int]], Sequence[int]]]  # by a version's id


class Fact(NamedTuple):
    """The part of an event that state is made of."""

    kind: str
    task_id: int | None
    data: Mapping[str, Json]


@dataclass(slots=True)
class TaskState:
    """One task so far. `status` None: nothing recorded, follows from its dependencies."""

    status: str | None = None
    attempt: int = 0
    retrying: bool = False  # waits for its retry, or became ready by it: the timer's firing is no event


class KeyState(NamedTuple):
    """The newest version of one key of the run's state, by the digest of its stored text."""

    version: int
    sha256: str
    deleted: bool


@dataclass(slots=True)
class GateState:
    """One gate so far: `verdict` is empty while it is open, `withdrawn` when its task went away."""

    task_id: int | None  # None: about the whole run
    verdict: str = ""


@dataclass(slots=True)
class RunState:
    """One run so far. `anomalies` are events that should not have been possible."""

    dependencies: list[Sequence[int]]
    needs: list[int]  # join rules: 0 and -1 wait for all, n for so many that succeeded
    status: str | None = None
    tasks: list[TaskState] = field(default_factory=list)
    anomalies: list[str] = field(default_factory=list)
    keys: dict[str, KeyState] = field(default_factory=dict)
    gates: dict[int, GateState] = field(default_factory=dict)
    checkpoints: dict[int, str] = field(default_factory=dict)  # number: name
    reopened: bool = False  # tasks were named that are done again; the retry itself follows
    planned: list[tuple[Sequence[int], int]] = field(default_factory=list)  # dependencies and needs before any spawn
    steps: int = 0  # of its version; what these have started comes after them

    def status_of(self, index: int) -> str:
        """A task's status, recorded or derived."""
        recorded = self.tasks[index].status
        if recorded is not None:
            return recorded
        return TaskStatus.READY if self.may_start(index) else TaskStatus.BLOCKED

    def may_start(self, index: int) -> bool:
        """Whether everything before a task has ended, or as much of it has succeeded as its join asks for."""
        before, need = self.dependencies[index], self.needs[index]
        if need > 0 and before:
            return sum(self.tasks[other].status == TaskStatus.SUCCEEDED for other in before) >= need
        return all(self.tasks[before].status in TASK_TERMINAL for before in before)

    def agrees(self, index: int, stored: str) -> bool:
        """Whether a stored status is what the events say."""
        if self.tasks[index].retrying:
            return stored in (TaskStatus.WAITING, TaskStatus.READY)
        return stored == self.status_of(index)


def replay(
    dependencies: Sequence[Sequence[int]],
    facts: Iterable[Fact],
    *,
    needs: Sequence[int] | None = None,
    graph_of: GraphOf | None = None,
) -> RunState:
    """Apply a run's facts, in order, to a run whose steps have these dependencies (indexes of steps) and join rules.

    They are those of the version that the run was started with; `graph_of` gives those that it was migrated to.
    """
    run = RunState(
        list(dependencies), list(needs or [0] * len(dependencies)), tasks=[TaskState() for _ in dependencies]
    )
    run.planned = list(zip(run.dependencies, run.needs, strict=True))
    run.steps = len(run.planned)
    for fact in facts:
        if fact.kind == "run.migrated" and graph_of is not None:
            _migrate(run, *graph_of(int(str(fact.data["version"]))))
        else:
            _apply(run, fact)
        if fact.kind in _MEMORY:
            _MEMORY[fact.kind](run, fact)
    return run


def first_version(facts: Sequence[Fact], now: int) -> int:
    """The id of the version that a run with these facts was started with; `now` is the one that it has."""
    known = facts[0].data.get("version") if facts and facts[0].kind == "run.started" else None
    return known if isinstance(known, int) else now


def _apply(run: RunState, fact: Fact) -> None:
    if fact.kind in _RUN_STATUS:
        _apply_to_run(run, fact)
    elif fact.kind == "task.cancelled":
        _cancel_live(run, fact.data.get("only"))
    elif fact.kind == "task.spawned" and fact.task_id is not None:
        _spawn(run, fact.task_id & STEP_MASK, fact.data)
    elif fact.kind == "task.rolled_back" and fact.task_id is not None:
        _roll_back(run, fact.task_id & STEP_MASK)
    elif fact.task_id is not None and fact.kind in _TASK_MOVES:
        _apply_to_task(run, fact, fact.task_id & STEP_MASK)


_RUN_STATUS: Final[Mapping[str, str]] = {
    "run.started": RunStatus.RUNNING,
    "run.paused": RunStatus.PAUSED,
    "run.resumed": RunStatus.RUNNING,
    "run.cancelled": RunStatus.CANCELLED,
    "run.queued": RunStatus.PENDING,
    "run.admitted": RunStatus.RUNNING,
    "run.compensating": RunStatus.COMPENSATING,
    "run.succeeded": RunStatus.SUCCEEDED,
    "run.partly_succeeded": RunStatus.PARTIAL,
    "run.failed": RunStatus.FAILED,
    "run.retried": RunStatus.RUNNING,
    "run.rolled_back": RunStatus.RUNNING,
}


def _apply_to_run(run: RunState, fact: Fact) -> None:
    if fact.kind == "run.compensating":
        _undo(run, fact.data)
    elif fact.kind == "run.retried":
        _retry(run)
    elif run.status in RUN_TERMINAL and fact.kind != "run.rolled_back":
        run.anomalies.append(f"{fact.kind} after the run was {run.status}")
    run.status = _RUN_STATUS[fact.kind]


def _retry(run: RunState) -> None:
    """What is done again is named by `task.reopened`; earlier releases meant all that had failed or been cancelled."""
    if not run.reopened:
        for task in run.tasks:
            if task.status in (TaskStatus.FAILED, TaskStatus.CANCELLED):
                task.status = None
    run.reopened = False


def _undo(run: RunState, data: Mapping[str, Any]) -> None:
    """The tasks that undo the run, one after the other, and the one that tells people or rolls back."""
    first, count = data["first"], data["undo"]
    if first != len(run.tasks):
        run.anomalies.append(f"the run undoes from task {first} on when it had {len(run.tasks)}")
    chain: list[list[int]] = [[first + place - 1] if place else [] for place in range(count)]
    chain += [[]] if data.get("told") else []
    chain += [list(range(first, first + count))] if data.get("checkpoint") else []  # it rolls back when all have ended
    run.tasks += [TaskState() for _ in chain]
    run.dependencies += chain
    run.needs += [-1] * len(chain)
    run.planned += [(before, -1) for before in chain]


def _reopen(run: RunState, data: Mapping[str, Any]) -> None:
    """A person lets tasks that had ended be done again."""
    run.reopened = True
    for index in data["tasks"]:
        if index < len(run.tasks):
            run.tasks[index].status, run.tasks[index].retrying = None, False
    for index in data.get("anew", ()):  # what they had started is no longer what they wait for
        run.dependencies[index], run.needs[index] = run.planned[index]


def _cancel_live(run: RunState, only: Json = None) -> None:
    """All that lives, or those of the indexes in `only`."""
    for index, task in enumerate(run.tasks):
        if task.status not in TASK_TERMINAL and (not isinstance(only, list) or index in only):
            task.status, task.retrying = TaskStatus.CANCELLED, False


def _migrate(run: RunState, dependencies: Sequence[Sequence[int]], needs: Sequence[int]) -> None:
    """What has begun keeps its place, and so does what it has started; all else is as the other version has it."""
    steps = len(dependencies)
    kept = len(run.tasks) if steps == run.steps else steps
    begun = [task.status is not None or task.attempt > 0 for task in run.tasks]
    lost = [index for index in range(kept, len(run.tasks)) if begun[index]]
    if lost:
        run.anomalies.append(f"the run was migrated to a version that does not have its tasks {lost}")
    ways = list(zip(run.dependencies, run.needs, strict=True))
    own = {at: way for at, way in enumerate(ways[:kept]) if at >= steps or way[0] != run.planned[at][0]}
    run.tasks = [task if at >= steps or begun[at] else TaskState() for at, task in enumerate(run.tasks[:kept])]
    run.tasks += [TaskState() for _ in range(kept - len(run.tasks))]
    run.planned = [*zip(dependencies, needs, strict=True), *run.planned[steps:kept]]
    run.dependencies = [own.get(at, way)[0] for at, way in enumerate(run.planned)]
    run.needs = [own.get(at, way)[1] for at, way in enumerate(run.planned)]
    run.steps = steps


def _spawn(run: RunState, parent: int, data: Mapping[str, Any]) -> None:
    """The parent waits for its new tasks and for nothing else; each of these for the siblings named in `after`."""
    first, count, after = data["first"], data["count"], data.get("after", {})
    if first != len(run.tasks):
        run.anomalies.append(f"task {parent} spawned task {first} when the run had {len(run.tasks)}")
    run.tasks += [TaskState() for _ in range(count)]
    run.dependencies += [[first + place for place in after.get(str(at), ())] for at in range(count)]
    run.needs += [-1] * count
    run.planned += zip(run.dependencies[-count:], run.needs[-count:], strict=True) if count else ()
    run.dependencies[parent] = range(first, first + count)
    run.needs[parent] = data["need"]
    run.tasks[parent].status, run.tasks[parent].retrying = None, False


def _roll_back(run: RunState, index: int) -> None:
    """The task starts anew: what it had spawned is no longer what it waits for."""
    task = run.tasks[index]
    task.status, task.retrying = None, False
    run.dependencies[index], run.needs[index] = run.planned[index]


def _write_key(run: RunState, fact: Fact) -> None:
    data: Mapping[str, Any] = fact.data
    key, version = data["key"], data["version"]
    before = run.keys[key].version if key in run.keys else 0
    if version != before + 1:
        run.anomalies.append(f"state {key} went from version {before} to {version}")
    run.keys[key] = KeyState(version, data["sha256"], bool(data.get("deleted")))


def _open_gate(run: RunState, fact: Fact) -> None:
    gate = fact.data.get("gate")
    if isinstance(gate, int):
        run.gates[gate] = GateState(fact.task_id)


def _settle_gate(run: RunState, fact: Fact) -> None:
    gate = fact.data.get("gate")
    if isinstance(gate, int) and gate in run.gates:
        run.gates[gate].verdict = str(fact.data.get("verdict", "withdrawn"))


def _make_checkpoint(run: RunState, fact: Fact) -> None:
    data: Mapping[str, Any] = fact.data
    run.checkpoints[data["checkpoint"]] = data["name"]


_MEMORY: Final[Mapping[str, Callable[[RunState, Fact], None]]] = {
    "task.reopened": lambda run, fact: _reopen(run, fact.data),
    "state.written": _write_key,
    "gate.opened": _open_gate,
    "gate.decided": _settle_gate,
    "gate.withdrawn": _settle_gate,
    "checkpoint.made": _make_checkpoint,
}


def _apply_to_task(run: RunState, fact: Fact, index: int) -> None:
    if index >= len(run.tasks):
        run.anomalies.append(f"{fact.kind} for step {index}, which the run does not have")
        return
    task = run.tasks[index]
    if fact.kind == "task.started":
        _check_start(run, index, fact)
    status = _TASK_MOVES[fact.kind](fact.data)
    if status == _UNCHANGED:
        return
    task.retrying = fact.kind == "task.retry_scheduled"
    if fact.kind == "task.let_go":
        run.dependencies[index] = ()  # it waits for nothing any more
    task.status = status


def _check_start(run: RunState, index: int, fact: Fact) -> None:
    task, attempt = run.tasks[index], fact.data.get("attempt")
    if not run.may_start(index):
        run.anomalies.append(f"task {index} started before everything it depends on had ended")
    if task.status in (TaskStatus.RUNNING, *TASK_TERMINAL):
        run.anomalies.append(f"task {index} started again while it was {task.status}")
    if attempt != task.attempt + 1:
        run.anomalies.append(f"task {index} started attempt {attempt} after attempt {task.attempt}")
    task.attempt = attempt if isinstance(attempt, int) else task.attempt + 1


type _Move = Callable[[Mapping[str, Json]], str | None]
_UNCHANGED: Final = "unchanged"


def _to(status: str) -> _Move:
    return lambda data: status


_TASK_MOVES: Final[Mapping[str, _Move]] = {
    "task.started": _to(TaskStatus.RUNNING),
    "task.succeeded": _to(TaskStatus.SUCCEEDED),
    "task.skipped": _to(TaskStatus.SKIPPED),
    "task.failed": _to(TaskStatus.FAILED),
    "task.retry_scheduled": _to(TaskStatus.WAITING),
    "task.waiting": _to(TaskStatus.WAITING),
    "task.lost": lambda data: TaskStatus.WAITING if data.get("quarantined") else TaskStatus.READY,
    "task.released": _to(TaskStatus.READY),
    "task.returned": _to(TaskStatus.READY),
    "task.revised": _to(TaskStatus.READY),
    "task.restarted": _to(TaskStatus.READY),
    "task.copied": lambda data: str(data["status"]),
    "task.edited": lambda data: TaskStatus.READY if data.get("again") else _UNCHANGED,
    "task.redirected": lambda data: TaskStatus.READY if data.get("again") else _UNCHANGED,
    "task.held_back": _to(TaskStatus.WAITING),
    "task.let_go": _to(TaskStatus.READY),
    "task.fell_back": _to(TaskStatus.READY),
    # An approval that sends back the step before it waits for that step again; the step's own event follows.
    "gate.decided": lambda data: None if data.get("verdict") == "request_changes" else _UNCHANGED,
}
