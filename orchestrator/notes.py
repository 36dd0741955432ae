"""What people say to a pattern between two of its turns: words, a change of its ledger or findings, or its end."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext

from agents.types import Json
from orchestrator import events, ledger_lines
from orchestrator.engine import coordination, transitions
from orchestrator.engine.plans import step_of
from orchestrator.errors import OrchestratorError, ReasonMissing
from orchestrator.ledger_lines import TaskLines
from orchestrator.models import TASK_BITS, StateEntry, Task
from orchestrator.states import TASK_TERMINAL

KINDS: Final = ("note", "end")
LONGEST: Final = 4_000  # characters
LARGEST: Final = 20_000  # bytes of what comes with the words
MOST: Final = 500  # notes to one task


class NotListening(OrchestratorError):
    """{what}; nothing was said. Only a pattern that has not ended hears what people say."""

    code = "not_listening"


class NoteRefused(OrchestratorError):
    """The note was not kept: {problem}."""

    code = "note_refused"
    status = 422


@transaction.atomic
def say(*, task_id: int, by: User, text: str, kind: str = "note", data: Mapping[str, Json] | None = None) -> StateEntry:
    """Keep a note for the task's next turn and record it.

    `data` is what the pattern understands: changes (of a ledger), set (findings), next (who speaks), disposition.
    Raises ReasonMissing without words, NoteRefused for what is too long or too much, NotListening when the task is no
    pattern or has ended.
    """
    words, more = text.strip(), dict(data or {})
    _check(words, kind, more)
    transitions.lock_run(task_id >> TASK_BITS)
    task = Task.objects.get(pk=task_id)
    actor = f"user:{by.get_username()}"
    version = keep(task, writer=actor, words=words, kind=kind, data=more)
    facts: dict[str, Json] = {"kind": kind, "version": version, "reason": words[:500], "with": [*sorted(more)]}
    events.append("task.noted", actor=actor, run_id=task.run_id, task_id=task.pk, data=facts)
    return _entries(task).get(version=version)


def keep(task: Task, *, writer: str, words: str, kind: str = "note", data: Mapping[str, Json]) -> int:
    """Keep a note for the task's next turn; its number. The caller holds the run's lock and appends the event.

    Raises NoteRefused and NotListening, as `say` does.
    """
    _check(words, kind, data)
    _check_listens(task)
    version = coordination.add_note(task, {**data, "text": words, "kind": kind}, writer=writer, reason=words[:300])
    if version > MOST:
        raise NoteRefused(problem=gettext("%(most)s notes were written to this task already") % {"most": MOST})
    return version


def notes_to(task: Task) -> list[StateEntry]:
    """The newest notes to a task, at most fifty, the oldest of them first."""
    return list(_entries(task).order_by("-version")[:50])[::-1]


@dataclass(frozen=True, slots=True)
class Talk:
    """What a pattern's task card shows beside its tasks."""

    listens: bool
    ledger: TaskLines
    messages: tuple[dict[str, Any], ...]  # author, text, turn, kind
    notes: tuple[tuple[StateEntry, bool], ...]  # and whether a turn has taken it up


def talk_of(task: Task) -> Talk:
    """The newest ledger, the last thirty messages, and what people said."""
    memory = (task.state or {}).get("memory", {})
    seen = (task.state or {}).get("seen", 0)
    return Talk(
        listens=listens(task),
        ledger=ledger_lines.lines_of(task),
        messages=tuple(one for one in memory.get("messages", [])[-30:] if isinstance(one, dict)),
        notes=tuple((note, note.version <= seen or task.status in TASK_TERMINAL) for note in notes_to(task)),
    )


def listens(task: Task) -> bool:
    """Whether people may say something to it now."""
    return task.status not in TASK_TERMINAL and step_of(task).kind == "pattern"


def _entries(task: Task) -> QuerySet[StateEntry]:
    return StateEntry.objects.filter(run_id=task.run_id, key=f"{task.key}.{coordination.NOTES}")


def _check(words: str, kind: str, more: Mapping[str, Json]) -> None:
    if not words:
        raise ReasonMissing(verb="say something to a task")
    if len(words) > LONGEST:
        raise NoteRefused(
            problem=gettext("it has %(count)s characters, at most %(longest)s are allowed")
            % {"count": f"{len(words):,}", "longest": f"{LONGEST:,}"}
        )
    if kind not in KINDS:
        raise NoteRefused(problem=gettext("its kind must be one of %(value)s") % {"value": ", ".join(KINDS)})
    try:
        size = len(orjson.dumps(more))
    except (TypeError, ValueError, RecursionError) as flaw:
        raise NoteRefused(problem=gettext("what comes with it cannot be stored (%(flaw)s)") % {"flaw": flaw}) from flaw
    if size > LARGEST:
        raise NoteRefused(
            problem=gettext("what comes with it takes more than %(largest)s bytes") % {"largest": f"{LARGEST:,}"}
        )


def _check_listens(task: Task) -> None:
    if task.status in TASK_TERMINAL:
        raise NotListening(what=f"{task.key} is {task.status}")
    if not listens(task):
        raise NotListening(what=gettext("%(key)s is no pattern") % {"key": task.key})
