"""The task ledger of a magentic step as its next turn will find it: what it holds, and what people asked for since."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import orjson

from orchestrator.engine.coordination import NOTES
from orchestrator.engine.plans import step_of
from orchestrator.models import StateEntry, Task
from orchestrator.patterns import bounds
from orchestrator.patterns.magentic import Magentic, workers_of
from orchestrator.patterns.task_ledger import OPEN, TaskLedger

_SHOWN: Final = {"todo": "ready", "done": "succeeded", "dropped": "cancelled"}  # a line's status as a task's


@dataclass(frozen=True, slots=True)
class Line:
    """One task of a ledger. `asked` says what people have changed in it since the step's last turn."""

    id: str
    title: str
    agent: str
    status: str  # as a task's
    why: str
    by: str
    round: int
    asked: tuple[str, ...]
    may_change: bool
    edit: str = ""  # queries that fill in the forms of the acts
    name: str = ""


@dataclass(frozen=True, slots=True)
class TaskLines:
    """A ledger as a page shows it, with its log: round, by, did, id, why."""

    is_kept: bool
    lines: tuple[Line, ...] = ()
    log: tuple[Mapping[str, Any], ...] = ()


def keeps_ledger(task: Task) -> bool:
    """Whether the task is a step with a ledger."""
    return task.kind == "pattern" and step_of(task).pattern == Magentic.name


def ledger_of(task: Task) -> TaskLedger:
    """The ledger as the step's next turn will find it: as kept, with what people asked for since."""
    memory = _memory(task)
    ledger = TaskLedger(_workers(task), deepcopy(memory.get("entries", [])), deepcopy(memory.get("log", [])))
    ledger.round = int(memory.get("round", 1))
    for note in _unheard(task):
        ledger.hear(bounds.items(bounds.mapping(note.value).get("changes")), by=note.writer)
    return ledger


def newest_note(task: Task) -> int:
    """The number of the last note to the task: two people who change one ledger at once see each other by it."""
    return _notes(task).order_by("-version").values_list("version", flat=True).first() or 0


def lines_of(task: Task) -> TaskLines:
    """For the task's card."""
    if not keeps_ledger(task):
        return TaskLines(is_kept=False)
    ledger, kept = ledger_of(task), len(_memory(task).get("log", []))
    asked: dict[str, list[str]] = {}
    for done in ledger.log[kept:]:
        asked.setdefault(str(done["id"]), []).append(str(done["did"]))
    lines = tuple(_line(entry, tuple(asked.get(str(entry["id"]), ()))) for entry in ledger.entries)
    return TaskLines(is_kept=True, lines=lines, log=tuple(ledger.log[-50:][::-1]))


def _line(entry: Mapping[str, Any], asked: tuple[str, ...]) -> Line:
    status = str(entry["status"])
    filled = {"line": entry["id"], "title": entry["title"], "agent": entry["agent"], "input": entry["input"]}
    return Line(
        id=str(entry["id"]),
        title=str(entry["title"]),
        agent=str(entry["agent"]),
        status=_SHOWN.get(status, status),
        why=str(entry["why"]),
        by=str(entry["by"]).removeprefix("user:"),
        round=int(entry["round"]),
        asked=asked,
        may_change=status in OPEN,
        edit=_query(filled),
        name=_query({"line": entry["id"]}),
    )


def _query(answers: Mapping[str, Any]) -> str:
    return urlencode({"answers": orjson.dumps(dict(answers)).decode()})


def _memory(task: Task) -> dict[str, Any]:
    memory: dict[str, Any] = (task.state or {}).get("memory", {})
    return memory


def _workers(task: Task) -> list[str]:
    return [name for name in workers_of(step_of(task).options) if "${" not in name]


def _notes(task: Task) -> Any:
    return StateEntry.objects.filter(run_id=task.run_id, key=f"{task.key}.{NOTES}")


def _unheard(task: Task) -> list[StateEntry]:
    seen = (task.state or {}).get("seen", 0)
    return list(_notes(task).filter(version__gt=seen).order_by("version"))
