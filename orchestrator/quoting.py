"""What a run's story quotes and tells beside its events: inputs and outputs, tools' calls, models' calls, messages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import F, Func, QuerySet, Value
from django.db.models.fields import TextField
from django.db.models.functions import Left
from django.utils.translation import gettext as _

from agents.models import Message, ModelCall
from agents.tools import calls
from orchestrator.definitions.plan import PlanStep
from orchestrator.happenings import Entry, Quote
from orchestrator.models import TASK_BITS, Attempt, Run, Task
from orchestrator.ports import rights
from orchestrator.replay import STEP_MASK
from orchestrator.run_steps import RunSteps

GLANCE: Final = 900  # characters of a step's input or output; the step's card has all of it
MOST: Final = 300  # calls and messages of one stretch

type Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time; None: no end to it on this side."""

    since: datetime | None
    until: datetime | None

    def cut[M: (ModelCall, Message)](self, rows: QuerySet[M], column: str) -> QuerySet[M]:
        """Those rows that lie in it."""
        if self.since is not None:
            rows = rows.filter(**{f"{column}__gte": self.since})
        return rows.filter(**{f"{column}__lt": self.until}) if self.until is not None else rows


def with_quotes(told: Sequence[tuple[Row, Entry]], runs: Mapping[int, Run], *, everything: bool) -> list[Entry]:
    """The lines with the words below them. Of a long run only tools' words: its steps' inputs are not all read."""
    tools = _tool_calls([row for row, _entry in told], runs)
    steps = _Steps({row[1] for row, entry in told if entry.kind in _QUOTED and row[1]} if everything else set(), runs)
    found = []
    for row, entry in told:
        if entry.kind == "tool.called":
            found.append(replace(entry, quotes=tools.get(str((row[5] or {}).get("seal", "")), ())))
        else:
            found.append(steps.quoted(row, entry) if entry.kind in _QUOTED else entry)
    return found


class _Steps:
    """The words and figures of some tasks. Only the newest line of each is quoted: what is kept is of its last try."""

    def __init__(self, tasks: set[int], runs: Mapping[int, Run]) -> None:
        self._words, self._tries = _words(tasks), _tries(tasks)
        self._steps = {pk: RunSteps(run) for pk, run in runs.items()}
        _load(self._steps, tasks)
        self._seen: set[tuple[int, str]] = set()

    def quoted(self, row: Row, entry: Entry) -> Entry:
        """The line with what its task was given or made, and what that took."""
        task: int | None = row[1]
        if task is None or task not in self._words:
            return entry
        step = self._steps[row[6]][task & STEP_MASK]
        tried = self._tries.get((task, int((row[5] or {}).get("attempt") or 0)))
        about = _about(step, tried, is_named=entry.who == "agent" and entry.name == step.agent)
        if (task, entry.kind) in self._seen:
            return replace(entry, about=about)
        self._seen.add((task, entry.kind))
        return replace(entry, about=about, quotes=_quotes(entry.kind, step, self._words[task]))


_QUOTED: Final = frozenset({"task.started", "task.succeeded", "task.failed"})


def _load(steps: Mapping[int, RunSteps], tasks: set[int]) -> None:
    for pk, found in steps.items():
        found.load([task & STEP_MASK for task in tasks if task >> TASK_BITS == pk])


def _words(tasks: set[int]) -> dict[int, tuple[str, str]]:
    def shown(column: str) -> Left:
        return Left(Func(F(column), function="jsonb_pretty", output_field=TextField()), Value(GLANCE))

    rows = Task.objects.filter(pk__in=tasks).annotate(given=shown("input"), made=shown("output"))
    return {pk: (given or "", made or "") for pk, given, made in rows.values_list("pk", "given", "made")}


def _tries(tasks: set[int]) -> dict[tuple[int, int], Attempt]:
    return {(one.task_id, one.number): one for one in Attempt.objects.filter(task_id__in=tasks).defer("output")}


def _quotes(kind: str, step: PlanStep, words: tuple[str, str]) -> tuple[Quote, ...]:
    if kind == "task.failed":
        return ()
    title, text = (_("What it was given"), words[0]) if kind == "task.started" else (_("What it made"), words[1])
    return (Quote(title, "" if kind == "task.started" else step.agent, _cut(text)),) if text else ()


def _cut(text: str) -> str:
    return f"{text[:-1]}…" if len(text) >= GLANCE else text


def _about(step: PlanStep, tried: Attempt | None, *, is_named: bool) -> str:
    """Which version of the agent did it, and what it took; its name unless the line has it."""
    if tried is None or not step.agent:
        return ""
    parts = [] if is_named else [step.agent]
    if tried.agent_version:
        parts = [" ".join((*parts, f"v{tried.agent_version}"))]
    if tokens := tried.tokens_in + tried.tokens_out:
        parts.append(_("%(count)s tokens") % {"count": f"{tokens:,}"})
    if tried.cost:
        parts.append(f"${tried.cost:.4f}")
    return " · ".join(parts)


def _tool_calls(rows: Sequence[Row], runs: Mapping[int, Run]) -> dict[str, tuple[Quote, ...]]:
    seals = {str((row[5] or {}).get("seal", "")) for row in rows if row[2] == "tool.called"} - {""}
    if not seals:
        return {}
    found: dict[str, tuple[Quote, ...]] = {}
    for correlation_id in {run.correlation_id for run in runs.values()}:
        for seal, call in calls.of(correlation_id, seals).items():
            sides = ((_("What went in"), call.given), (_("What came back"), call.got))
            found[seal] = tuple(Quote(title, "", text) for title, text in sides if text)
    return found


def beside(user: User | AnonymousUser, runs: Sequence[Run], window: Window) -> list[Entry]:
    """Calls of models, and messages if the user may see them, within a stretch of time."""
    correlation_ids = {run.correlation_id for run in runs} - {""}
    told = _model_calls(correlation_ids, window)
    if rights().can(user, "see_messages"):
        told += _messages(correlation_ids, window)
    by_pk = {run.pk: run for run in runs}
    mine = [(task, entry) for task, entry in told if task >> TASK_BITS in by_pk]
    steps = {pk: RunSteps(run) for pk, run in by_pk.items()}
    _load(steps, {task for task, _entry in mine})
    return [_at_step(task, entry, steps) for task, entry in mine]


def _at_step(task: int, entry: Entry, steps: Mapping[int, RunSteps]) -> Entry:
    step = steps[task >> TASK_BITS][task & STEP_MASK]
    return replace(entry, step_key=step.key, step=step.title, run=task >> TASK_BITS)


def _model_calls(correlation_ids: set[str], window: Window) -> list[tuple[int, Entry]]:
    rows = window.cut(ModelCall.objects.filter(correlation_id__in=correlation_ids), "at").order_by("-at")[:MOST]
    return [(_task_of(call.key), _model_line(call)) for call in rows]


def _model_line(call: ModelCall) -> Entry:
    known = {"model": call.model or "?", "prompt": call.prompt, "code": call.failure}
    text = _("asked %(model)s with the prompt %(prompt)s") if call.prompt else _("asked %(model)s")
    if call.failure:
        text = _("asked %(model)s, which failed: %(code)s")
    parts = [_("%(given)s tokens in, %(made)s out") % {"given": f"{call.tokens_in:,}", "made": f"{call.tokens_out:,}"}]
    parts.append(_("price unknown") if call.cost is None else f"${call.cost:.4f}")
    about = " · ".join(parts)
    return Entry(None, call.at, "model.called", "agent", call.agent, text % known, "", "", None, "", "", about=about)


def _messages(correlation_ids: set[str], window: Window) -> list[tuple[int, Entry]]:
    rows = window.cut(Message.objects.filter(correlation_id__in=correlation_ids), "sent_at").order_by("-pk")[:MOST]
    return [(_task_of(row.task_id), _message_line(row)) for row in rows]


def _message_line(row: Message) -> Entry:
    to = row.to or row.topic or row.specialism or _("everybody")
    text = _("sent a message to %(to)s") % {"to": to}
    quote = Quote(row.message_type, row.agent_id, _cut(row.payload[:GLANCE]))
    made = Entry(None, row.sent_at, "message.sent", "agent", row.agent_id, text, "", "", None, "", "")
    return replace(made, quotes=(quote,), message=row.uid)


def _task_of(key: str) -> int:
    """The task in `task-<id>` and `task-<id>-<revision>`; 0 for other keys."""
    number = key.removeprefix("task-").partition("-")[0]
    return int(number) if key.startswith("task-") and number.isdecimal() and len(number) < 19 else 0
