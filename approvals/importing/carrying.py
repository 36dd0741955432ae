"""Give the answers of a file to the steps that wait for them, each as if a person or the other side had given it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from agents.types import Json
from approvals import answers, forms, permissions, services
from approvals.errors import InvalidAnswer
from approvals.importing.reading import Line
from approvals.models import Gate, GateStatus
from orchestrator import acts
from orchestrator.errors import OrchestratorError
from orchestrator.models import Run, Task, Wait

type State = Literal["done", "fits", "refused"]
_BY_ACT: Mapping[str, str] = {"callback": "answer", "event": "deliver"}  # what a step waits for: the act that gives it
_YES = frozenset({"1", "on", "true", "x", "yes", "ja"})
_NO = frozenset({"", "0", "off", "false", "no", "nein"})


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one line, in one sentence. `run` and `task` where this person may open them."""

    line: Line
    state: State
    words: str
    run: int | None = None
    task: int | None = None


class Unanswerable(OrchestratorError):
    """{why}"""

    code = "unanswerable"
    status = 409


def carry_out(lines: list[Line], *, by: User, reason: str, only_check: bool = False) -> list[Result]:
    """Give each answer by itself: one that is refused keeps no other from its step.

    Manual work goes through the door of decisions, calls back and signals through their acts: schema, rights and
    separation of duties are theirs, and a step that has its answer refuses a second one, so a file may be sent twice.
    With `only_check` all of it happens, and is taken back in the same transaction.
    """
    return [_one(line, by, reason, only_check) for line in lines]


def _one(line: Line, by: User, reason: str, only_check: bool) -> Result:
    task: Task | None = None
    try:
        task = _task_of(line, by)
        words = _tried(task, line, by, reason) if only_check else _give(task, line, by, reason)
    except OrchestratorError as refusal:
        return Result(line, "refused", str(refusal), *_link(task, by))
    return Result(line, "fits" if only_check else "done", words, *_link(task, by))


def _link(task: Task | None, by: User) -> tuple[int | None, int | None]:
    return (task.run_id, task.pk) if task and permissions.can(by, "see_runs", task.run) else (None, None)


def _tried(task: Task, line: Line, by: User, reason: str) -> str:
    with transaction.atomic():
        _give(task, line, by, reason)
        transaction.set_rollback(True)
    return _("It fits.")


def _task_of(line: Line, by: User) -> Task:
    """The one step that the line means, if its run exists for this person."""
    runs = Run.objects.filter(pk=line.run) if line.run is not None else Run.objects.all()
    if line.correlation_id:
        runs = runs.filter(correlation_id=line.correlation_id)
    named = Task.objects.select_related("run", "workflow").filter(run__in=runs[:500], key=line.step)
    found = [task for task in named[:500] if _is_visible(task, by)]
    waiting = [task for task in found if task.status == "waiting"]
    match waiting or found:
        case []:
            raise Unanswerable(why=_("There is no such step of a run that you may see."))
        case [task]:
            return task
    raise Unanswerable(why=_("Several runs have such a step; name the run by its number."))


def _is_visible(task: Task, by: User) -> bool:
    if any(permissions.can(by, verb, task.run) for verb in ("see_runs", "steer_run")):
        return True
    # Also by work that is done: who did it is told so, and not that there was none.
    return any(permissions.can(by, "see_gate", gate) for gate in _works(task))


def _gate_of(task: Task) -> Gate | None:
    return next((gate for gate in _works(task) if gate.status == GateStatus.OPEN), None)


def _works(task: Task) -> list[Gate]:
    gates = Gate.objects.select_related("run", "workflow", "queue").filter(task=task)
    return [gate for gate in gates if "complete" in gate.allowed]


def _give(task: Task, line: Line, by: User, reason: str) -> str:
    if (gate := _gate_of(task)) is not None:
        given = _typed(line, answers.schema_of(gate))
        services.decide(
            gate_id=gate.pk, by=by, verdict="complete", gate_version=gate.version, note=reason, edited=given, via="file"
        )
        return _("The work is done; the run goes on.")
    name = _BY_ACT.get(task.wait_for) if task.status == "waiting" else None
    wait = Wait.objects.filter(task=task, ended_at=None).first()
    if name is None or wait is None:
        raise Unanswerable(why=_("It waits for no answer: it has one, has not come so far, or is not of that kind."))
    return _act(name, task, _typed(line, wait.schema), by, reason)


def _act(name: str, task: Task, data: dict[str, Json], by: User, reason: str) -> str:
    act, target = acts.find("task", name), acts.of("task", task.pk)
    if not act.permits(by, target):
        raise Unanswerable(why=_("You may see this run but not steer it; ask somebody who may."))
    return acts.perform(act, target, by=by, reason=reason, answers={"data": data}).words


def _typed(line: Line, schema: Mapping[str, Any]) -> dict[str, Json]:
    """The answer; cells are read as the fields of the schema that they stand for, an empty one is none."""
    if line.typed is None:
        return line.answer
    fields = forms.fields_of(schema, {})
    known = {field.name: field for field in fields}
    if strange := next((name for name, cell in line.typed.items() if cell and name not in known), None):
        raise InvalidAnswer(path=strange, problem=_("the step knows no such field"))
    posted = {known[name].control: _cell(known[name], cell) for name, cell in line.typed.items() if name in known}
    reading = forms.read(fields, {}, posted, is_work=True)
    if wrong := next((field for field in reading.fields if field.problem), None):
        raise InvalidAnswer(path=wrong.name, problem=wrong.problem)
    return reading.document


def _cell(field: forms.Field, cell: str) -> str:
    if field.kind != "yes_no":
        return cell
    word = cell.strip().lower()
    if word not in _YES | _NO:
        raise InvalidAnswer(path=field.name, problem=_("it is neither yes nor no"))
    return "on" if word in _YES else ""
