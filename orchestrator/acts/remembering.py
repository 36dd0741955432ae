"""Acts on what a run keeps: save a checkpoint, correct a value of the shared state."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext, gettext_lazy
from django.utils.translation import gettext as _

from agents import checkpoints as notes_of
from agents.errors import CheckpointRefused
from agents.types import Json
from orchestrator.acts.core import Performing, Plan, Target, register
from orchestrator.acts.refusals import ActImpossible
from orchestrator.acts.runs import RunAct
from orchestrator.acts.steps import SHOWN
from orchestrator.definitions.lifecycles import following
from orchestrator.engine import asking, checkpoints, lifecycles, run_state
from orchestrator.engine.run_state import SHARED, Write
from orchestrator.errors import CheckpointNotMade, StateNotWritten
from orchestrator.models import Run, Task


class MakeCheckpoint(RunAct):
    """A person saves a point to which the run can be rolled back."""

    name = "checkpoint"
    icon = "circle-dot"
    title = gettext_lazy("Save a checkpoint")
    action = gettext_lazy("Save checkpoint")
    menu = gettext_lazy("Checkpoint…")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Its name, and what those who come back to it should know."""
        return {
            "required": ["name"],
            "properties": {
                "name": {"type": "string", "title": _("Name"), "minLength": 1, "maxLength": 200},
                "finding": {"type": "string", "title": _("What was found so far"), "maxLength": 1000},
                "next_step": {"type": "string", "title": _("What is next"), "maxLength": 300},
            },
        }

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """Nothing but a name is added."""
        name = answers.get("name", "")
        return Plan((_("The run goes on; it can be rolled back to this point later."),), {"name": name})

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Save it, with the reason as its decision."""
        given: dict[str, Any] = {"decisions": [{"decision": act.answers["name"], "reasoning": act.reason}]}
        if found := act.answers.get("finding"):
            given["findings"] = [{"finding": found}]
        if next_step := act.answers.get("next_step"):
            given["next_steps"] = [next_step]
        try:
            notes = notes_of.checked(given)
            name = str(act.answers["name"])
            number = checkpoints.make(act.target.run.pk, name=name, notes=notes, actor=act.actor)
        except CheckpointRefused as refused:
            raise CheckpointNotMade(**refused.facts) from refused
        return {"checkpoint": number}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("A checkpoint of run #%(pk)d is saved.") % {"pk": target.ref}


class WriteState(RunAct):
    """A person corrects a value of the run's shared state."""

    name = "write-state"
    icon = "pencil"
    title = gettext_lazy("Write shared state")
    action = gettext_lazy("Write")
    menu = gettext_lazy("Write state…")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """The key, the value, and which version was seen."""
        return {
            "required": ["key", "value"],
            "properties": {
                "key": {"type": "string", "title": _("Key"), "minLength": 3, "maxLength": 200},
                "value": {"title": _("Value"), "type": "object", "description": _("As JSON.")},
                "expected": {
                    "type": "integer", "title": _("Version you saw"), "minimum": 0,
                    "description": _("Refused if somebody has written since; 0 for a new key."),
                },
            },
        }  # fmt: skip

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """One more version of one key. Raises StateNotWritten."""
        _refuse_after_decision(target.run)
        key = str(answers.get("key", ""))
        _check_key(target.run.pk, key)
        run_state.encoded(key, answers.get("value"))
        lifecycles.require(target.run.pk, key, answers.get("value"))
        now = run_state.current(target.run.pk, key)
        version = now.version if now else 0
        line = _("%(key)s gets version %(version)d; agents that have read an older one must read again.")
        return Plan((line % {"key": key, "version": version + 1},), {"key": key, "version": version})

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Write it. Raises StaleState."""
        key, expected = str(act.answers["key"]), act.answers.get("expected")
        seen = expected if isinstance(expected, int) else None
        change = Write(key, act.answers["value"], seen, reason=act.reason)
        return {"key": key, "version": run_state.write(act.target.run.pk, change, writer=act.actor)}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("Shared state of run #%(pk)d is written.") % {"pk": target.ref}


class MoveTicket(RunAct):
    """A person moves what the run works on to a state that may follow."""

    name = "move"
    icon = "arrow-right"
    title = gettext_lazy("Move the ticket")
    action = gettext_lazy("Move")
    menu = gettext_lazy("Move the ticket…")
    hint = gettext_lazy("Only to a state that its workflow lets follow.")

    def why_not(self, target: Target) -> str:
        """Where its workflow declares states, and some may follow."""
        if why := super().why_not(target):
            return why
        return "" if self._ways(target) else _("Its workflow declares no states, or it is in a final one.")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Which, and to where."""
        ways = self._ways(target)
        states = list(dict.fromkeys(state for after in ways.values() for state in after))
        return {
            "required": ["what", "to"],
            "properties": {
                "what": {"type": "string", "title": _("What"), "enum": list(ways)},
                "to": {"type": "string", "title": _("New state"), "enum": states},
            },
        }

    def answers(self, target: Target) -> Mapping[str, Json]:
        """The first of them."""
        return {"what": next(iter(self._ways(target)), "")}

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """One move. Raises IllegalMove."""
        _refuse_after_decision(target.run)
        name, to = str(answers.get("what", "")), str(answers.get("to", ""))
        lifecycles.require(target.run.pk, f"{SHARED}.{name}", to)
        now = lifecycles.state_of(target.run.pk, name, lifecycles.declared(target.run.pk)[name])
        line = _("%(name)s: %(now)s → %(to)s. A step that begins later may move it on.")
        return Plan((line % {"name": name, "now": now, "to": to},), {"name": name, "now": now, "to": to})

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Write it."""
        name, to = str(act.answers["what"]), str(act.answers["to"])
        change = Write(f"{SHARED}.{name}", to, reason=act.reason)
        return {"version": run_state.write(act.target.run.pk, change, writer=act.actor), "state": to}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("It is moved.")

    def _ways(self, target: Target) -> dict[str, tuple[str, ...]]:
        run = target.run.pk
        found = {
            name: following(lifecycle, lifecycles.state_of(run, name, lifecycle))
            for name, lifecycle in lifecycles.declared(run).items()
        }
        return {name: states for name, states in found.items() if states}


def _refuse_after_decision(run: Run) -> None:
    """What people agreed to, or are asked about, is done with the facts that stood then."""
    if keys := asking.decided_and_followed(run):
        why = _("People decide about %(keys)s: what follows is done as they see it. Roll the run back, or fork it.")
        raise ActImpossible(why=why % {"keys": ", ".join(keys[:SHOWN])})


def _check_key(run_id: int, key: str) -> None:
    namespace, _dot, name = key.rpartition(".")
    known = namespace == SHARED or Task.objects.of_run(run_id).filter(key=namespace).exists()
    if not known or not run_state.NAME.fullmatch(name):
        problem = gettext("a key is shared.<name> or <step>.<name>, with a step of this run")
        raise StateNotWritten(key=key, problem=problem)


for _act in (MakeCheckpoint(), WriteState(), MoveTicket()):
    register(_act)
