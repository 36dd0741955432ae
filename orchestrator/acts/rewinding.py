"""Acts that go back in a run's history: roll back to a checkpoint, fork from an event; stop or restart an agent."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import orjson
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy
from django.utils.translation import gettext as _

from agents.types import Json
from orchestrator import forms, orders, ports
from orchestrator.acts.core import Act, Performing, Person, Plan, Scope, Target, counted, register
from orchestrator.acts.refusals import ActImpossible
from orchestrator.acts.runs import RunAct
from orchestrator.engine import checkpoints, rewinding
from orchestrator.engine.asking import asks, keys_that_ask
from orchestrator.engine.plans import plan_of
from orchestrator.engine.rewinding import Fork, Rollback
from orchestrator.errors import (
    CheckpointNotFound,
    EffectsWouldRepeat,
    EventNotInRun,
    InvalidInput,
    NothingToRun,
)
from orchestrator.models import Checkpoint, Event, LedgerEntry, Run, WorkflowVersion
from orchestrator.states import RUN_TERMINAL, RunStatus, TaskStatus

_NAMED: Final = 8  # names in one line of a preview
_LISTED: Final = 100  # side effects, and steps that are undone, one line each; checkpoints


def _some(names: Sequence[object]) -> str:
    shown = ", ".join(str(name) for name in names[:_NAMED])
    return shown if len(names) <= _NAMED else _("%(names)s and %(count)d more") % {
        "names": shown, "count": len(names) - _NAMED,
    }  # fmt: skip


class RollBackRun(RunAct):
    """Set a run back to a checkpoint; what came after it runs again."""

    name = "rollback"
    icon = "undo-2"
    is_grave = True
    title = gettext_lazy("Roll this run back")
    action = gettext_lazy("Roll back")
    menu = gettext_lazy("Roll back…")
    statuses = frozenset(
        {RunStatus.RUNNING, RunStatus.PAUSED, RunStatus.SUCCEEDED, RunStatus.PARTIAL, RunStatus.FAILED}
    )

    def why_not(self, target: Target) -> str:
        """A cancelled run stays cancelled, and a parent that has gone on is not taken back."""
        run = target.run
        if run.status == RunStatus.COMPENSATING:
            return _("It is being undone; wait until that has ended.")
        if run.status not in self.statuses:
            return _("A cancelled run cannot be rolled back; fork it instead.")
        if run.parent_task is not None and run.status in RUN_TERMINAL:
            return _("The run that started this one has gone on; fork this run, or roll that one back.")
        return ""

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Which checkpoint; the newest if none is named."""
        rows = Checkpoint.objects.filter(run=target.run).order_by("-number")[:_LISTED]
        words = {str(row.number): f"{row.number} · {row.name}" for row in rows}
        number = {"type": "integer", "title": _("Checkpoint"), "minimum": 1, forms.WORDS: words}
        return {"properties": {"checkpoint": number}}

    def answers(self, target: Target) -> Mapping[str, Json]:
        """The newest."""
        last = Checkpoint.objects.filter(run=target.run).order_by("-number").first()
        return {"checkpoint": last.number} if last else {}

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """Exactly these steps, from exactly this state of theirs, after undoing these. Raises CheckpointNotFound."""
        made = Checkpoint.objects.filter(run=target.run).order_by("-number")
        number: Any = answers.get("checkpoint")
        checkpoint = (made if number is None else made.filter(number=number)).first()
        if checkpoint is None and number is None:
            raise ActImpossible(why=_("The run has no checkpoint to go back to; fork it instead."))
        if checkpoint is None:
            raise CheckpointNotFound(run_id=target.ref, number=number)
        found = rewinding.rollback_of(target.run, checkpoint)
        bound: dict[str, Json] = {
            "checkpoint": checkpoint.number,
            "status": target.run.status,
            "tasks": [[task.pk, task.attempt, task.status] for task in found.back],
            "cut": [task.pk for task in found.cut],
            "undo": [[each.task.pk, each.task.attempt] for each in found.compensate],
            "effects": [[effect.task, effect.key, effect.status] for effect in (*found.effects, *found.reversed)],
            "state": [[write.key, write.expected] for write in found.state],
        }
        return Plan(_rollback_lines(target.run.status, found), bound, found, warnings=_rollback_warnings(found))

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Undo what has to be undone, then roll it back."""
        found: Rollback = act.plan.work
        rewinding.undo_and_roll_back(act.target.run, found, actor=act.actor, reason=act.reason)
        return {"checkpoint": found.checkpoint.number, "tasks": len(found.back), "undo": len(found.compensate)}

    def done(self, target: Target) -> str:
        """In one sentence."""
        status = Run.objects.values_list("status", flat=True).get(pk=target.run.pk)
        if status == RunStatus.COMPENSATING:
            return _("Run #%(pk)d is being undone; then it goes on from the checkpoint.") % {"pk": target.ref}
        return _("Run #%(pk)d is rolled back and goes on from there.") % {"pk": target.ref}


def _rollback_lines(status: str, found: Rollback) -> tuple[str, ...]:
    begun = [task.key for task in found.back if task.attempt or task.status not in ("blocked", "ready")]
    name = {"name": found.checkpoint.name, "number": found.checkpoint.number}
    lines = [_("The run goes back to checkpoint %(number)d, “%(name)s”.") % name, *_undo_lines(found)]
    if begun:
        lines.append(_("These steps start anew: %(steps)s.") % {"steps": _some(begun)})
    lines += counted(
        len(found.cut),
        "%(count)s task that runs or waits now is cut off; its open decisions are withdrawn.",
        "%(count)s tasks that run or wait now are cut off; their open decisions are withdrawn.",
    )
    if found.state:
        lines.append(_("Shared state is set back: %(keys)s.") % {"keys": _some([write.key for write in found.state])})
    if status != RunStatus.RUNNING:
        lines.append(_("The run is %(status)s now; it will be running.") % {"status": status})
    return tuple(lines)


def _undo_lines(found: Rollback) -> list[str]:
    """What is undone first, each with what it had done to the world, in the order in which it is undone."""
    if not found.compensate:
        return []
    begun = _("First this is undone, one after the other; what cannot be asks people and holds up only the rollback:")
    lines = [begun]
    for each in found.compensate[:_LISTED]:
        effects = [effect.key for effect in found.reversed if effect.task == each.task.pk]
        told = {"step": each.task.key, "agent": each.how.agent, "effects": _some(effects)}
        words = _("%(step)s: %(effects)s, by %(agent)s.") if effects else _("%(step)s, by %(agent)s.")
        lines.append(words % told)
    left = len(found.compensate) - _LISTED
    return [*lines, *counted(left, "%(count)s more step.", "%(count)s more steps.")] if left > 0 else lines


def _rollback_warnings(found: Rollback) -> tuple[str, ...]:
    lost = _("A rollback cannot be taken back: results after the checkpoint stay in the history only.")
    warnings = [lost]
    if found.undone:
        again = _("Undone when the run failed, and done again now: %(steps)s.")
        warnings.append(again % {"steps": _some([task.key for task in found.undone])})
    stays = _("Cannot be undone, and is not repeated: %(effect)s.")
    warnings += [stays % {"effect": effect} for effect in found.effects[:_LISTED]]
    left = max(0, len(found.effects) - _LISTED)
    return (*warnings, *counted(left, "So is %(count)s more side effect.", "So are %(count)s more side effects."))


class ForkRun(RunAct):
    """Start a new run from any past event of this one."""

    name = "fork"
    icon = "git-branch"
    title = gettext_lazy("Fork this run")
    action = gettext_lazy("Start the fork")
    menu = gettext_lazy("Fork…")
    hint = gettext_lazy("A new run: what had succeeded by then is copied, the rest runs anew.")
    statuses = frozenset(RunStatus.values)

    def permits(self, user: Person, target: Target) -> bool:
        """It starts a run, of a run that one may see."""
        rights = ports.rights()
        return rights.can(user, "start_run", target.row) and rights.can(user, "see_runs", target.row)

    def schema(self, target: Target) -> Mapping[str, Any]:
        """From where, with what."""
        return {
            "required": ["event"],
            "properties": {
                "event": {
                    "type": "integer", "minimum": 1, "title": _("After event"),
                    "description": _("Place in the ledger, as the time machine shows it."),
                },
                "input": {"type": "object", "title": _("Input"), "description": _("As JSON; unchanged if left as is.")},
                "version": {
                    "type": "integer", "minimum": 1, "title": _("Version"),
                    "description": _("Of the workflow; this run's own if left empty."),
                },
                "repeat_effects": {
                    "type": "boolean", "title": _("Side effects may happen a second time"),
                },
            },
        }  # fmt: skip

    def answers(self, target: Target) -> Mapping[str, Json]:
        """From the newest event, with the same input."""
        mine = Event.objects.filter(run_id=target.run.pk).order_by("-id").values_list("pk", flat=True)[:50]
        newest = LedgerEntry.objects.filter(event_id__in=list(mine)).order_by("-pos").values_list("pos", flat=True)
        return {"event": newest.first() or 1, "input": target.run.input}

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """Exactly this copy. Raises EventNotInRun, NothingToRun, EffectsWouldRepeat and InvalidInput."""
        run, given = target.run, answers.get("input")
        version = _version_of(target, answers.get("version"))
        _refuse_asking_less(target, version)
        found = rewinding.fork_of(run, _event_at(run.pk, answers.get("event", 0)), version)
        if not found.anew:
            raise NothingToRun(run_id=run.pk)
        if found.effects and not answers.get("repeat_effects"):
            raise EffectsWouldRepeat(count=len(found.effects), names=_some(found.effects))
        order = orders.draw_up(
            run.workflow, given if isinstance(given, dict) else run.input, user=None, title=run.title, key=None,
            correlation="", priority=run.priority, actor="engine", version=version,
        )  # fmt: skip
        bound: dict[str, Json] = {
            "event": found.snapshot.event, "version": version, "copied": [list(row) for row in found.copied],
            "effects": [str(effect) for effect in found.effects], "input": order.input_json,
        }  # fmt: skip
        return Plan(_fork_lines(found, changed=orjson.loads(order.input_json) != run.input), bound, (found, order),
                    warnings=_fork_warnings(found))  # fmt: skip

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Start it; the run that is forked only gets to know."""
        found, order = act.plan.work
        drawn = {name: getattr(order, name) for name in order.__slots__}
        drawn |= {"user": act.by.pk if act.by else None, "actor": act.actor}
        new = rewinding.start_fork(found, type(order)(**drawn), actor=act.actor, reason=act.reason)
        return {"run": new, "href": reverse("orchestrator:run", args=[new])}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("Run #%(pk)d is forked; this is the new run.") % {"pk": target.ref}


def _event_at(run_id: int, pos: Any) -> int:
    """The run's last event at or before a place of the ledger."""
    mine = Event.objects.filter(run_id=run_id).order_by("-id").values_list("pk", flat=True)
    exact = LedgerEntry.objects.filter(pos=pos).values_list("event_id", flat=True).first()
    event = mine.filter(pk__lte=exact).first() if exact is not None else None
    if event is None:
        raise EventNotInRun(pos=pos, run_id=run_id)
    return event


def _version_of(target: Target, number: Any) -> int:
    if number is None:
        return target.run.version_id
    versions = WorkflowVersion.objects.filter(workflow_id=target.run.workflow_id, number=number)
    found = versions.only("pk", "deprecated_at").first()
    if found is None:
        raise InvalidInput(
            name=target.run.workflow.name,
            path="version",
            problem=gettext("there is no version %(number)s") % {"number": number},
        )
    if found.deprecated_at and found.pk != target.run.version_id:
        raise InvalidInput(name=target.run.workflow.name, path="version", problem=f"version {number} is deprecated")
    return found.pk


def _refuse_asking_less(target: Target, version: int) -> None:
    """A fork starts a run: it asks people about all that a run started today asks them about."""
    today = target.run.workflow.current_version
    if today is None or today.pk == version:
        return
    missing = keys_that_ask(plan_of(today.pk)) - keys_that_ask(plan_of(version))
    if missing:
        words = _("Nobody would be asked about %(keys)s any more: fork into version %(number)d, which asks.")
        raise ActImpossible(why=words % {"keys": _some(sorted(missing)), "number": today.number})


def _fork_lines(found: Fork, *, changed: bool) -> tuple[str, ...]:
    copied, anew = len(found.copied), [step.key for step in found.anew]
    asked = [step.key for step in found.anew if asks(step)]
    lines = [
        *counted(
            copied,
            "%(count)s step is copied with its result and does not run.",
            "%(count)s steps are copied with their results and do not run.",
        ),
        _("These steps run anew: %(steps)s.") % {"steps": _some(anew)},
        *((_("People are asked anew about: %(steps)s.") % {"steps": _some(asked)},) if asked else ()),
    ]
    if changed:
        lines.append(_("The new run has another input; copied results were made from the old one."))
    return tuple(lines)


def _fork_warnings(found: Fork) -> tuple[str, ...]:
    if not found.effects:
        return ()
    return (_("Side effects that will happen a second time: %(effects)s.") % {"effects": _some(found.effects)},)


class TaskAct(Act):
    """An act on a task that an agent works at, or that waits."""

    scopes: ClassVar[tuple[Scope, ...]] = ("task",)
    statuses: ClassVar[frozenset[str]] = frozenset({TaskStatus.RUNNING})

    def why_not(self, target: Target) -> str:
        """Only of a live run, and in a fitting status."""
        task = target.task
        if task.run.status in RUN_TERMINAL or task.status not in self.statuses:
            return _("The step is %(status)s now; its agent has nothing to stop or repeat.") % {"status": task.status}
        return ""


class TerminateAgent(TaskAct):
    """Stop the agent of one task, keep what it knows, and ask people how to go on."""

    name = "terminate"
    icon = "octagon-x"
    is_grave = True
    title = gettext_lazy("Stop this step's agent")
    action = gettext_lazy("Stop agent")
    menu = gettext_lazy("Stop agent…")

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """This very attempt."""
        lines = (
            _("The agent is interrupted; what it was about to answer is not used."),
            _("What it has written to the run's state is kept, and a checkpoint says where it stood."),
            _("The step waits for a person: try again from that checkpoint, go on without it, or give up."),
        )
        return Plan(lines, {"attempt": target.task.attempt, "status": target.task.status})

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Stop it."""
        task = act.target.task
        return {"checkpoint": rewinding.terminate(task.run, task, actor=act.actor, reason=act.reason)}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The agent of step %(key)s is stopped.") % {"key": target.task.key}


class RestartAgent(TaskAct):
    """Let an agent begin again from its last checkpoint."""

    name = "restart"
    icon = "rotate-ccw"
    title = gettext_lazy("Restart this step's agent")
    action = gettext_lazy("Restart agent")
    menu = gettext_lazy("Restart agent…")
    statuses = frozenset({TaskStatus.RUNNING, TaskStatus.WAITING})

    def why_not(self, target: Target) -> str:
        """Also not while the step waits for something other than a person or its next try."""
        task = target.task
        if task.status == TaskStatus.WAITING and task.wait_for not in ("gate", "retry"):
            return _("The step waits for %(what)s, not for an agent.") % {"what": task.wait_for}
        return super().why_not(target)

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """This very attempt, and the checkpoint that the next one finds."""
        task, last = target.task, checkpoints.last_of(target.task.pk)
        found = _("It finds its checkpoint %(number)d, “%(name)s”, and may go on from there.")
        lines = [
            _("The agent is interrupted and starts again, with its failures forgotten."),
            found % {"number": last.number, "name": last.name}
            if last
            else _("It has made no checkpoint: it starts from the beginning."),
        ]
        if task.status == TaskStatus.WAITING and task.wait_for == "gate":
            lines.append(_("The open decision on it is withdrawn."))
        bound: dict[str, Json] = {
            "attempt": task.attempt, "status": task.status, "checkpoint": last.number if last else 0,
        }  # fmt: skip
        return Plan(tuple(lines), bound)

    def apply(self, act: Performing) -> None:
        """Restart it."""
        rewinding.restart(act.target.task, actor=act.actor, reason=act.reason)

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The agent of step %(key)s starts again.") % {"key": target.task.key}


for _act in (RollBackRun(), ForkRun(), TerminateAgent(), RestartAgent()):
    register(_act)
