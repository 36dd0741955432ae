"""Acts on the task ledger of a magentic step: add, change, drop and move a line; its next turn takes them up."""

from abc import abstractmethod
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, ClassVar, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.types import Json
from orchestrator import ledger_lines, notes
from orchestrator.acts.core import Act, Performing, Plan, Scope, Target, Undo, register
from orchestrator.acts.refusals import ActImpossible
from orchestrator.patterns.task_ledger import OPEN, TaskLedger
from orchestrator.states import RunStatus

END: Final = "(the end)"
FIELDS: Final = ("title", "agent", "input")


class LedgerAct(Act):
    """One change of a ledger, kept as a note; the pattern itself makes it, and has the last word."""

    scopes: ClassVar[tuple[Scope, ...]] = ("task",)
    does: ClassVar[str]
    hint = gettext_lazy("The step's next turn takes it up. Your reason stands in the ledger.")

    def why_not(self, target: Target) -> str:
        """Only a magentic step that has not ended keeps a ledger."""
        if not ledger_lines.keeps_ledger(target.task):
            return _("It keeps no ledger of tasks.")
        if target.run.status not in (RunStatus.RUNNING, RunStatus.PAUSED) or not notes.listens(target.task):
            return _("It has ended; its ledger changes no more.")
        if self.does != "add" and not _open(ledger_lines.ledger_of(target.task)):
            return _("There is no task in it that could be changed.")
        return ""

    def is_offered(self, target: Target) -> bool:
        """What is done to one line is offered beside the line, and in no menu."""
        return self.does == "add" and super().is_offered(target)

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """What the ledger will say."""
        ledger = ledger_lines.ledger_of(target.task)
        changes, after = self.changes(ledger, answers), deepcopy(ledger)
        for change in changes:
            if problem := after.problem(change):
                raise ActImpossible(why=_("That cannot be done: %(problem)s.") % {"problem": problem})
            after.change(change, by="somebody")
        lines = (self.says(ledger, answers), _("If the step ends before its next turn, nothing comes of it."))
        bound: dict[str, Json] = {"notes": ledger_lines.newest_note(target.task), "turn": _turn(target)}
        return Plan(lines, bound, (changes, ledger))

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Keep the note."""
        changes: list[dict[str, Json]] = [{**change, "why": act.reason} for change in act.plan.work[0]]
        version = notes.keep(act.target.task, writer=act.actor, words=act.reason, data={"changes": [*changes]})
        line = changes[0]["id"]
        act.record("task.noted", version=version, did=self.does, line=line)
        return {"line": line, "note": version}

    @abstractmethod
    def changes(self, ledger: TaskLedger, answers: Mapping[str, Json]) -> list[dict[str, Json]]:
        """As the pattern takes them."""

    @abstractmethod
    def says(self, ledger: TaskLedger, answers: Mapping[str, Json]) -> str:
        """What it does, in one sentence."""

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("Kept: the next turn of %(key)s takes it up.") % {"key": target.task.key}


class AddLine(LedgerAct):
    """One more task."""

    name = "ledger-add"
    does = "add"
    icon = "plus"
    title = gettext_lazy("Add a task to the ledger")
    action = gettext_lazy("Add task")
    menu = gettext_lazy("Add a task…")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """What is to be done, by whom, and where it stands."""
        ledger = ledger_lines.ledger_of(target.task)
        return {
            "required": [*FIELDS],
            "properties": {**_fields(ledger), "before": _before(ledger)},
        }

    def answers(self, target: Target) -> Mapping[str, Json]:
        """At the end; given what the first line is given."""
        ledger = ledger_lines.ledger_of(target.task)
        return {"input": ledger.entries[0]["input"] if ledger.entries else {}, "before": END}

    def changes(self, ledger: TaskLedger, answers: Mapping[str, Json]) -> list[dict[str, Json]]:
        """The line, and its place if it does not stand at the end."""
        name = _free(ledger)
        made: list[dict[str, Json]] = [{"do": "add", "id": name, **_given(answers)}]
        before = answers.get("before", END)
        if before == END:
            return made
        if ledger.entry(str(before)) is None:
            raise ActImpossible(why=_("%(line)s is not in the ledger.") % {"line": before})
        return [*made, {"do": "move", "id": name, "before": before}]

    def says(self, ledger: TaskLedger, answers: Mapping[str, Json]) -> str:
        """With its agent."""
        told = {"title": answers.get("title", ""), "agent": answers.get("agent", "")}
        return _("“%(title)s” is added, for %(agent)s; the manager says when it runs.") % told

    def undo(self, target: Target, plan: Plan) -> Undo:
        """Drop it."""
        return Undo("ledger-drop", {"line": plan.work[0][0]["id"]})


class ChangeLine(LedgerAct):
    """Another title, agent or input."""

    name = "ledger-edit"
    does = "change"
    icon = "pencil"
    title = gettext_lazy("Change a task of the ledger")
    action = gettext_lazy("Change task")
    menu = gettext_lazy("Change a task…")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Which line, and what it says then."""
        ledger = ledger_lines.ledger_of(target.task)
        return {
            "required": ["line", *FIELDS],
            "properties": {"line": _line(ledger), **_fields(ledger)},
        }

    def changes(self, ledger: TaskLedger, answers: Mapping[str, Json]) -> list[dict[str, Json]]:
        """All three fields."""
        _require_open(ledger, answers)
        return [{"do": "change", "id": answers.get("line"), **_given(answers)}]

    def says(self, ledger: TaskLedger, answers: Mapping[str, Json]) -> str:
        """What it was."""
        entry = ledger.entry(str(answers.get("line")))
        assert entry is not None  # `changes` has looked
        told = {"line": entry["id"], "old": entry["title"], "was": entry["agent"], "agent": answers.get("agent")}
        told |= {"title": answers.get("title")}
        return _("%(line)s was “%(old)s” for %(was)s; it becomes “%(title)s” for %(agent)s.") % told

    def undo(self, target: Target, plan: Plan) -> Undo | None:
        """What it said before."""
        changes, ledger = plan.work
        entry = ledger.entry(str(changes[0]["id"]))
        before = {field: entry[field] for field in FIELDS}
        return Undo(self.name, {"line": entry["id"], **before})


class DropLine(LedgerAct):
    """A task that is not done."""

    name = "ledger-drop"
    does = "drop"
    icon = "trash-2"
    is_grave = True
    title = gettext_lazy("Drop a task from the ledger")
    action = gettext_lazy("Drop task")
    menu = gettext_lazy("Drop a task…")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Which."""
        return {"required": ["line"], "properties": {"line": _line(ledger_lines.ledger_of(target.task))}}

    def changes(self, ledger: TaskLedger, answers: Mapping[str, Json]) -> list[dict[str, Json]]:
        """The line stays to be read."""
        _require_open(ledger, answers)
        return [{"do": "drop", "id": answers.get("line")}]

    def says(self, ledger: TaskLedger, answers: Mapping[str, Json]) -> str:
        """And that it cannot come back."""
        entry = ledger.entry(str(answers.get("line")))
        assert entry is not None  # `changes` has looked
        return _("“%(title)s” is not done. It stays to be read, and cannot be taken up again.") % entry


class MoveLine(LedgerAct):
    """Another place: the manager reads the ledger from the top."""

    name = "ledger-move"
    does = "move"
    icon = "list"
    title = gettext_lazy("Move a task in the ledger")
    action = gettext_lazy("Move task")
    menu = gettext_lazy("Move a task…")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Which, and before which."""
        ledger = ledger_lines.ledger_of(target.task)
        return {"required": ["line", "before"], "properties": {"line": _line(ledger), "before": _before(ledger)}}

    def answers(self, target: Target) -> Mapping[str, Json]:
        """To the top."""
        entries = ledger_lines.ledger_of(target.task).entries
        return {"before": str(entries[0]["id"]) if entries else END}

    def changes(self, ledger: TaskLedger, answers: Mapping[str, Json]) -> list[dict[str, Json]]:
        """One move."""
        _require_open(ledger, answers)
        line, before = str(answers.get("line")), str(answers.get("before"))
        if line == before:
            raise ActImpossible(why=_("It stands there already."))
        return [{"do": "move", "id": line, "before": "" if before == END else before}]

    def says(self, ledger: TaskLedger, answers: Mapping[str, Json]) -> str:
        """Where it stands then."""
        told = {"line": answers.get("line"), "before": answers.get("before")}
        if answers.get("before") == END:
            return _("%(line)s goes to the end. The manager reads the ledger from the top.") % told
        return _("%(line)s goes before %(before)s. The manager reads the ledger from the top.") % told

    def undo(self, target: Target, plan: Plan) -> Undo | None:
        """Where it stood."""
        changes, ledger = plan.work
        names = [str(entry["id"]) for entry in ledger.entries]
        after = names[names.index(str(changes[0]["id"])) + 1 :]
        return Undo(self.name, {"line": changes[0]["id"], "before": after[0] if after else END})


def _turn(target: Target) -> int:
    return int((target.task.state or {}).get("turn", 0))


def _open(ledger: TaskLedger) -> list[str]:
    return [str(entry["id"]) for entry in ledger.entries if entry["status"] in OPEN]


def _line(ledger: TaskLedger) -> Mapping[str, Any]:
    return {"type": "string", "enum": _open(ledger), "title": _("Task")}


def _fields(ledger: TaskLedger) -> dict[str, Any]:
    """What a line says, as a form asks for it."""
    choices: Mapping[str, Any] = {"enum": [*ledger.workers]} if ledger.workers else {"maxLength": 100}
    return {
        "title": {"type": "string", "minLength": 1, "maxLength": 200, "title": _("What is to be done")},
        "agent": {"type": "string", "title": _("Agent"), **choices},
        "input": {"type": "object", "title": _("What the agent is given"), "description": _("As JSON.")},
    }


def _given(answers: Mapping[str, Json]) -> dict[str, Json]:
    return {field: answers.get(field) for field in FIELDS}


def _before(ledger: TaskLedger) -> Mapping[str, Any]:
    names = [*(str(entry["id"]) for entry in ledger.entries), END]
    return {"type": "string", "enum": names, "title": _("Before which one")}


def _require_open(ledger: TaskLedger, answers: Mapping[str, Json]) -> None:
    if answers.get("line") not in _open(ledger):
        raise ActImpossible(why=_("That task is under way, done or dropped; add a new one instead."))


def _free(ledger: TaskLedger) -> str:
    taken = {str(entry["id"]) for entry in ledger.entries}
    return next(name for number in range(1, len(taken) + 2) if (name := f"p{number}") not in taken)


_ACTS: tuple[LedgerAct, ...] = (AddLine(), ChangeLine(), DropLine(), MoveLine())
for _act in _ACTS:
    register(_act)
