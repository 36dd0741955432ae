"""Acts on one run: pause, resume, cancel, retry, priority and deadline."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from django.db.models import Count
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from agents.types import Json
from orchestrator.acts.core import Act, Performing, Plan, Scope, Target, Undo, counted, register
from orchestrator.acts.refusals import ActImpossible
from orchestrator.engine import families, steering
from orchestrator.engine.plans import INDEX
from orchestrator.models import Run, Task
from orchestrator.ports import GateFact, gatekeeper
from orchestrator.states import RUN_LIVE, RUN_TERMINAL, RunStatus

HIGHEST: Final = 100  # priorities go from -100 to 100; a workflow's default is 0


@dataclass(frozen=True, slots=True)
class Census:
    """How many of a run's tasks are in which status, and its open gates."""

    counts: Mapping[str, int]
    gates: Sequence[GateFact]

    def of(self, *statuses: str) -> int:
        """Tasks in any of these statuses."""
        return sum(self.counts.get(status, 0) for status in statuses)

    @property
    def gate_ids(self) -> list[Json]:
        """The open gates."""
        return [*sorted(gate.id for gate in self.gates)]


def census(run: Run) -> Census:
    """Counted now."""
    rows = Task.objects.of_run(run.pk).order_by().values_list("status").annotate(count=Count("id"))
    return Census(dict(rows), gatekeeper().gates_of([run.pk], only_open=True))


class RunAct(Act):
    """An act on a run in one of some statuses."""

    scopes: ClassVar[tuple[Scope, ...]] = ("run",)
    statuses: ClassVar[frozenset[str]] = frozenset({RunStatus.RUNNING, RunStatus.PAUSED})
    locks_tasks: ClassVar[bool] = False  # for acts on tasks that a worker could claim meanwhile

    def lock(self, target: Target) -> Target:
        """The run and, where the act says so, its tasks."""
        locked = super().lock(target)
        if self.locks_tasks:
            list(Task.objects.of_run(locked.run.pk).select_for_update(no_key=True).order_by("id").values_list("pk"))
        return locked

    def why_not(self, target: Target) -> str:
        """A run in another status cannot be steered so."""
        if target.run.status in self.statuses:
            return ""
        if target.run.status in RUN_TERMINAL:
            return _("The run has ended meanwhile; there is nothing left to steer.")
        return _("The run is %(status)s now: look at it again before you steer it.") % {"status": target.run.status}


class PauseRun(RunAct):
    """Hold ready tasks back; what runs goes on to its end."""

    name = "pause"
    rank = 20
    icon = "pause"
    title = gettext_lazy("Pause this run")
    action = gettext_lazy("Pause run")
    menu = gettext_lazy("Pause…")
    statuses = frozenset({RunStatus.RUNNING})

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """Counts move by the second; what is agreed to is the pause."""
        found = census(target.run)
        lines = (
            _("Nothing new starts in this run until somebody resumes it."),
            *counted(found.of("ready"), "%(count)s ready step is held back.", "%(count)s ready steps are held back."),
            *counted(
                found.of("running"),
                "%(count)s step that runs now may finish; its result is kept.",
                "%(count)s steps that run now may finish; their results are kept.",
            ),
            *counted(
                len(families.to_pause(target.run)),
                "%(count)s run that its steps have started pauses with it.",
                "%(count)s runs that its steps have started pause with it.",
            ),
            *((_("Open decisions stay open, and their deadlines go on."),) if found.gates else ()),
        )
        return Plan(lines, {"status": target.run.status})

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Pause it, and what it has started."""
        steering.pause(act.target.run)
        act.record("run.paused")
        return {"with_it": families.pause(act.target.run, actor=act.actor, reason=act.reason)}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("Run #%(pk)d is paused.") % {"pk": target.ref}

    def undo(self, target: Target, plan: Plan) -> Undo:
        """Resume it."""
        return Undo("resume")


class ResumeRun(RunAct):
    """Let held tasks go."""

    name = "resume"
    rank = 0
    icon = "play"
    title = gettext_lazy("Resume this run")
    action = gettext_lazy("Resume run")
    menu = gettext_lazy("Resume…")
    statuses = frozenset({RunStatus.PAUSED})

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """What may start at once."""
        held = census(target.run).of("ready")
        lines = counted(held, "%(count)s held step may start at once.", "%(count)s held steps may start at once.")
        idle = _("Nothing is ready now; steps start as soon as what they wait for has ended.")
        below = counted(
            len(families.to_resume(target.run)),
            "%(count)s run that was paused with it goes on too.",
            "%(count)s runs that were paused with it go on too.",
        )
        return Plan((*(lines or (idle,)), *below), {"status": target.run.status}, warnings=self._apart(target.run))

    def _apart(self, run: Run) -> tuple[str, ...]:
        """What stays paused all the same."""
        above = families.parent_of(run)
        is_held = above is not None and above.status == RunStatus.PAUSED
        return (
            *((_("Run #%(pk)d, which started it, stays paused.") % {"pk": above.pk},) if above and is_held else ()),
            *counted(
                len(families.staying_paused(run)),
                "%(count)s run that its steps have started was paused on its own and stays paused.",
                "%(count)s runs that its steps have started were paused on their own and stay paused.",
            ),
        )

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Resume it, and what was paused with it."""
        steering.resume(act.target.run)
        act.record("run.resumed")
        return {"with_it": families.resume(act.target.run, actor=act.actor, reason=act.reason)}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("Run #%(pk)d goes on.") % {"pk": target.ref}

    def undo(self, target: Target, plan: Plan) -> Undo:
        """Pause it again."""
        return Undo("pause")


class RetryRun(RunAct):
    """Run a failed run's failed and cancelled tasks again."""

    name = "retry"
    rank = 10
    icon = "rotate-ccw"
    title = gettext_lazy("Retry this run")
    action = gettext_lazy("Retry run")
    menu = gettext_lazy("Retry…")
    statuses = frozenset({RunStatus.FAILED, RunStatus.PARTIAL})

    def why_not(self, target: Target) -> str:
        """Only what has failed is tried again."""
        if target.run.status in self.statuses:
            return ""
        return _("Only a run that failed, or ended in part, can be retried; this one has not.")

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """A failed run stands still, so its counts are part of what is agreed to."""
        tasks = list(Task.objects.of_run(target.run.pk).defer("input", "output"))
        again = steering.to_redo(target.run, tasks).again
        found = Census(Counter(task.status for task in tasks if task.pk & INDEX in again), ())
        kept = sum(task.status == "succeeded" for task in tasks) - found.of("succeeded")
        lines = (
            *counted(
                found.of("failed"),
                "%(count)s failed step is tried again from the start, with its tries counted anew.",
                "%(count)s failed steps are tried again from the start, with their tries counted anew.",
            ),
            *counted(
                found.of("cancelled"),
                "%(count)s step that was cancelled with it goes on after that.",
                "%(count)s steps that were cancelled with it go on after that.",
            ),
            *counted(
                found.of("succeeded", "skipped"),
                "%(count)s step that had ended is done again: it was undone, or comes after what is done again.",
                "%(count)s steps that had ended are done again: they were undone, or come after what is done again.",
            ),
            *counted(
                kept,
                "%(count)s step that succeeded is kept and not run again.",
                "%(count)s steps that succeeded are kept and not run again.",
            ),
        )
        return Plan(lines, {"status": target.run.status, "counts": {**found.counts}})

    def apply(self, act: Performing) -> None:
        """Retry it."""
        steering.retry(act.target.run, actor=act.actor)
        act.record("run.retried")

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("Run #%(pk)d is tried again.") % {"pk": target.ref}


class CancelRun(RunAct):
    """End a run now."""

    name = "cancel"
    rank = 90
    icon = "ban"
    is_grave = True
    title = gettext_lazy("Cancel this run")
    action = gettext_lazy("Cancel run for good")
    menu = gettext_lazy("Cancel…")
    statuses = RUN_LIVE

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """Open decisions are part of what is agreed to: people lose their work on them."""
        found = census(target.run)
        lines = (
            _("The run ends now and cannot be resumed or retried."),
            *cancelled(found.of("running"), found.of("blocked", "ready", "waiting"), len(found.gates)),
            *counted(
                len(families.living(target.run.pk)),
                "%(count)s run that its steps have started is cancelled with it.",
                "%(count)s runs that its steps have started are cancelled with it.",
            ),
            _("Steps that have succeeded, and files delivered so far, are kept."),
        )
        return Plan(lines, {"gates": found.gate_ids})

    def apply(self, act: Performing) -> None:
        """Cancel it."""
        steering.cancel(act.target.run, reason=act.reason, actor=act.actor)
        act.record("run.cancelled")

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("Run #%(pk)d is cancelled.") % {"pk": target.ref}


def cancelled(running: int, rest: int, gates: int) -> tuple[str, ...]:
    """What a cancel takes away, in words."""
    return (
        *counted(
            running,
            "%(count)s running step is interrupted; its result is lost.",
            "%(count)s running steps are interrupted; their results are lost.",
        ),
        *counted(
            rest,
            "%(count)s step that has not started never will.",
            "%(count)s steps that have not started never will.",
        ),
        *counted(gates, "%(count)s open decision is withdrawn.", "%(count)s open decisions are withdrawn."),
    )


class Priority(RunAct):
    """Let a run's steps go before, or after, those of others."""

    name = "priority"
    rank = 40
    icon = "signal-high"
    title = gettext_lazy("Change this run's priority")
    action = gettext_lazy("Change priority")
    menu = gettext_lazy("Priority…")
    hint = gettext_lazy("Among ready steps, those of the highest priority start first; within one, runs take turns.")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """The new priority."""
        span = {"type": "integer", "minimum": -HIGHEST, "maximum": HIGHEST, "title": _("Priority")}
        described = {**span, "description": _("Now %(now)d.") % {"now": target.run.priority}}
        return {"properties": {"priority": described}, "required": ["priority"]}

    def answers(self, target: Target) -> Mapping[str, Json]:
        """As it is."""
        return {"priority": target.run.priority}

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """Its place among all live runs."""
        now, new = target.run.priority, answers["priority"]
        assert isinstance(new, int)
        if new == now:
            raise ActImpossible(why=_("It has priority %(now)d already; choose another.") % {"now": now})
        live = Run.objects.filter(status__in=[RunStatus.RUNNING, RunStatus.PAUSED]).exclude(pk=target.run.pk)
        ahead, behind = live.filter(priority__gt=new).count(), live.filter(priority__lt=new).count()
        waiting = census(target.run).of("ready", "blocked", "waiting")
        lines = (
            _("The priority goes from %(now)d to %(new)d.") % {"now": now, "new": new},
            *counted(
                waiting,
                "%(count)s step that has yet to start takes it on.",
                "%(count)s steps that have yet to start take it on.",
            ),
            ngettext(
                "%(count)d live run goes before it, %(behind)d after it; the others take turns with it.",
                "%(count)d live runs go before it, %(behind)d after it; the others take turns with it.",
                ahead,
            )
            % {"count": ahead, "behind": behind},
        )
        return Plan(lines, {"from": now})

    def apply(self, act: Performing) -> None:
        """Change it."""
        new = act.answers["priority"]
        assert isinstance(new, int)
        act.record("run.priority_changed", **{"from": act.target.run.priority, "to": new})
        steering.prioritise(act.target.run, new)

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("Run #%(pk)d has another priority.") % {"pk": target.ref}

    def undo(self, target: Target, plan: Plan) -> Undo:
        """The priority that it had."""
        return Undo("priority", {"priority": plan.bound["from"]})


for _act in (PauseRun(), ResumeRun(), RetryRun(), Priority(), CancelRun()):
    register(_act)
