"""Pausing, stopping and letting go on: a step, a run's work, a workflow, an agent or everything. Each is a Stop row.

A pause lets what runs finish; a stop cancels it and gives it back. Claims honour both from the moment they commit.
"""

from collections.abc import Mapping
from typing import ClassVar, Final

from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.lifecycle import items
from agents.lifecycle.items import FROZEN
from agents.models import Agent
from agents.types import Json
from orchestrator import db, ports, stops
from orchestrator.acts.core import Act, Performing, Person, Plan, Scope, Target, Undo, counted, register
from orchestrator.engine import families
from orchestrator.errors import AlreadyStopped
from orchestrator.models import Run, Stop
from orchestrator.states import RUN_TERMINAL, TASK_TERMINAL

WIDE: Final[tuple[Scope, ...]] = ("workflow", "agent", "everything")


def in_force(target: Target) -> Stop | None:
    """The stop or pause of exactly this, if there is one."""
    return Stop.objects.select_related("stopped_by").filter(scope=target.scope, ref=target.ref, lifted_at=None).first()


def name_of(target: Target) -> str:
    """What it is called in a sentence."""
    match target.scope:
        case "everything":
            return _("Everything")
        case "task":
            return _("Step %(key)s of run #%(run)d") % {"key": target.task.key, "run": target.task.run_id}
        case "run":
            return _("Run #%(pk)d") % {"pk": target.ref}
        case "team":
            return _("Team %(name)s") % {"name": target.row}
    return str(target.row)


class Holding(Act):
    """What pausing and stopping have in common."""

    lets_finish: ClassVar[bool]
    guards: ClassVar[bool] = False  # set by guardrails: see `is_frozen`

    def permits(self, user: Person, target: Target) -> bool:
        """`steer_run` on steps and runs, `stop_workflow` on workflows, `stop_everything` and `edit_agents` beyond."""
        return may_hold(user, target)

    def why_not(self, target: Target) -> str:
        """What has ended, or stands still already, cannot be held."""
        ended = (target.scope == "task" and target.task.status in TASK_TERMINAL) or (
            target.scope in ("task", "run") and target.run.status in RUN_TERMINAL
        )
        if ended:
            return _("It has ended meanwhile; there is nothing left to hold.")
        return ""

    def is_offered(self, target: Target) -> bool:
        """Not what is held already; a pause may become a stop."""
        found = in_force(target)
        return super().is_offered(target) and (found is None or (found.lets_finish and not self.lets_finish))

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """Counts move by the second: what is agreed to is that it is not held yet."""
        found = in_force(target)
        if found is not None and (self.lets_finish or not found.lets_finish):
            raise AlreadyStopped(scope=name_of(target))
        reach = stops.reach(stops.Target(target.scope, target.ref, ""))
        lines = (*self._running(reach.running), *self._ready(target, reach))
        lines += _below(target)
        more = (_("There is more than was counted."),) if reach.is_capped else ()
        return Plan(lines, {"held": found.pk if found else None}, work=found, warnings=more)

    def _running(self, running: int) -> tuple[str, ...]:
        if self.lets_finish:
            return counted(
                running,
                "%(count)s step that runs now may finish; its result is kept.",
                "%(count)s steps that run now may finish; their results are kept.",
            )
        return counted(
            running,
            "%(count)s running task would be cancelled and returned.",
            "%(count)s running tasks would be cancelled and returned.",
        )

    def _ready(self, target: Target, reach: stops.Reach) -> tuple[str, ...]:
        if target.scope == "task":
            return (_("The step does not start until somebody resumes it; what follows it waits."),)
        lines = counted(reach.ready, "%(count)s ready task would not start.", "%(count)s ready tasks would not start.")
        if target.scope != "run":
            lines += counted(reach.runs, "%(count)s run would stand still.", "%(count)s runs would stand still.")
        return (_("Nothing new starts here until somebody resumes it; nothing is lost."), *lines)

    def lock(self, target: Target) -> Target:
        """The run, then claims: a shift locks runs, to settle, before it claims. No claim commits after this has."""
        locked = super().lock(target)
        if target.scope == "workflow":
            families.lock(families.to_pause_with_workflow(target.ref or 0))
        db.lock_claims_out()
        return locked

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Set the stop; one that only paused the same thing gives way to it."""
        target, found = act.target, act.plan.work
        if found is not None:
            Stop.objects.filter(pk=found.pk).update(lifted_at=Now(), lifted_by=act.by)
            act.record("stop.lifted", stop=found.pk, scope=target.scope, ref=target.ref)
        made = Stop.objects.create(
            scope=target.scope, ref=target.ref, reason=act.reason, stopped_by=act.by, stopped_at=db.clock(),
            lets_finish=self.lets_finish, guards=self.guards or (found is not None and found.guards),
        )  # fmt: skip
        facts: dict[str, Json] = {"guards": True} if made.guards else {}
        act.record("stop.set", stop=made.pk, scope=target.scope, ref=target.ref, lets_finish=self.lets_finish, **facts)
        below = self._hold_below(act, made)
        if not self.lets_finish:
            db.notify_shifts(f"stop:{made.pk}")
        return {"stop": made.pk, **below}

    def _hold_below(self, act: Performing, made: Stop) -> Mapping[str, Json]:
        """Runs of other workflows that this workflow's runs have started; those a pause held go over to its stop."""
        if act.target.scope != "workflow":
            return {}
        if act.plan.work is not None:
            Run.objects.filter(paused_with=-act.plan.work.pk).update(paused_with=-made.pk)
        runs = families.to_pause_with_workflow(act.target.ref or 0)
        return {"with_it": families.pause_with_stop(runs, stop_id=made.pk, actor=act.actor, reason=act.reason)}

    def done(self, target: Target) -> str:
        """In one sentence."""
        words = _("%(what)s is paused.") if self.lets_finish else _("%(what)s is stopped.")
        return words % {"what": name_of(target)}

    def undo(self, target: Target, plan: Plan) -> Undo:
        """Let it go on."""
        return Undo("resume")


class Pause(Holding):
    """Start nothing new of it; what runs goes on to its end. A run has a status for that (see `runs`)."""

    name = "pause"
    rank = 30
    scopes = ("task", *WIDE)
    icon = "pause"
    lets_finish = True
    title = gettext_lazy("Pause")
    action = gettext_lazy("Pause it")
    menu = gettext_lazy("Pause…")


class StopIt(Holding):
    """Start nothing new of it, and cancel and give back what runs."""

    name = "stop"
    rank = 80
    scopes = ("task", *WIDE)
    icon = "octagon-x"
    is_grave = True
    lets_finish = False
    title = gettext_lazy("Stop")
    action = gettext_lazy("Stop now")
    menu = gettext_lazy("Stop…")
    hint = gettext_lazy(
        "Nothing of it starts any more, what runs is cancelled and returned, and nothing is lost: "
        "resumed, work goes on where it was."
    )


class Freeze(Pause):
    """The pause that an agent's own guardrails set; nobody is offered it."""

    name = "freeze-agent"
    guards = True


class Resume(Act):
    """Let what a pause or a stop holds go on."""

    name = "resume"
    rank = 0
    scopes = ("task", *WIDE)
    icon = "play"
    title = gettext_lazy("Let it go on")
    action = gettext_lazy("Resume")
    menu = gettext_lazy("Resume…")

    def permits(self, user: Person, target: Target) -> bool:
        """Whoever may lift stops; a pause also whoever may set it; a freeze only who may release frozen agents."""
        if is_frozen(target):
            return ports.rights().can(user, "release_agent")
        if target.scope == "task" or _is_pause(target):
            return may_hold(user, target) or ports.rights().can(user, "lift_stop")
        return ports.rights().can(user, "lift_stop")

    def why_not(self, target: Target) -> str:
        """Only what is held can be let go."""
        found = in_force(target)
        if found is not None and found.retires:
            return _("It is terminated; bring it into service instead (the act “start”).")
        return "" if found else _("It is not held; there is nothing to resume.")

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """This very stop."""
        found = in_force(target)
        assert found is not None  # why_not has looked
        ready = stops.reach(stops.Target(target.scope, target.ref, "")).ready
        by = found.stopped_by.get_username() if found.stopped_by else "engine"
        lines = (
            _("Held by %(by)s: “%(reason)s”") % {"by": by, "reason": found.reason},
            *counted(ready, "%(count)s ready task may start at once.", "%(count)s ready tasks may start at once."),
            *(() if found.lets_finish else (_("Tasks that were cancelled and returned run again."),)),
            *counted(
                len(families.to_resume_with_stop(found.pk)),
                "%(count)s run of another workflow that was paused with it goes on.",
                "%(count)s runs of other workflows that were paused with it go on.",
            ),
        )
        return Plan(lines, {"held": found.pk}, work=found)

    def lock(self, target: Target) -> Target:
        """Two people who resume the same thing are served one after the other."""
        locked = super().lock(target)
        held = in_force(target)
        if held is not None:
            families.lock(families.to_resume_with_stop(held.pk))
        list(Stop.objects.select_for_update().filter(scope=target.scope, ref=target.ref, lifted_at=None))
        return locked

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Lift it."""
        lift(act)
        return {"stop": act.plan.work.pk}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("%(what)s goes on.") % {"what": name_of(target)}

    def undo(self, target: Target, plan: Plan) -> Undo:
        """Hold it again, as it was held."""
        return Undo("pause" if plan.work.lets_finish else "stop")


def lift(act: Performing) -> None:
    """Lift the stop that the plan found, and ring the workers."""
    found: Stop = act.plan.work
    Stop.objects.filter(pk=found.pk).update(lifted_at=Now(), lifted_by=act.by)
    act.record("stop.lifted", stop=found.pk, scope=act.target.scope, ref=act.target.ref)
    if found.guards and isinstance(act.target.row, Agent):
        items.close(act.target.row, FROZEN, by=act.by.get_username() if act.by else "engine", reason=act.reason)
    families.resume_with_stop(found.pk, actor=act.actor, reason=act.reason)
    db.wake_idle()


def _below(target: Target) -> tuple[str, ...]:
    """How many runs of other workflows are paused with a workflow."""
    if target.scope != "workflow":
        return ()
    return counted(
        len(families.to_pause_with_workflow(target.ref or 0)),
        "%(count)s run of another workflow that its runs have started is paused too; what runs in it may finish.",
        "%(count)s runs of other workflows that its runs have started are paused too; what runs in them may finish.",
    )


def may_hold(user: Person, target: Target) -> bool:
    """Who may pause and stop this."""
    rights = ports.rights()
    match target.scope:
        case "everything":
            return rights.can(user, "stop_everything")
        case "agent":
            return rights.can(user, "stop_everything") or rights.can(user, "edit_agents")
        case "workflow":
            return rights.can(user, "stop_workflow", target.row)
    return rights.can(user, "steer_run", target.row)


def is_frozen(target: Target) -> bool:
    """Whether an agent's guardrails froze it; a stop or termination that came on top of that changes nothing."""
    found = in_force(target) if target.scope == "agent" else None
    return found is not None and found.guards


def _is_pause(target: Target) -> bool:
    found = in_force(target)
    return found is not None and found.lets_finish


for _act in (Pause(), StopIt(), Resume()):
    register(_act)
