"""Acts after a failure: undo a run, do again or review what it lacks, put an agent back into service."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.models import Agent
from agents.types import Json
from orchestrator import ports
from orchestrator.acts.core import Act, Performing, Person, Plan, Scope, Target, counted, register
from orchestrator.acts.runs import RunAct, census
from orchestrator.engine import breakers, compensation, gates, outcomes, steering
from orchestrator.engine.plans import plan_of, step_of
from orchestrator.models import Breaker, Run, Task
from orchestrator.states import RUN_LIVE, RunStatus, TaskStatus

NAMED: Final = 5


class CancelAndUndo(RunAct):
    """End a run and undo what it has done."""

    name = "undo"
    icon = "undo-2"
    is_grave = True
    title = gettext_lazy("Cancel this run and undo what it has done")
    action = gettext_lazy("Cancel and undo")
    menu = gettext_lazy("Cancel and undo…")
    statuses = RUN_LIVE - {RunStatus.PENDING, RunStatus.COMPENSATING}

    def why_not(self, target: Target) -> str:
        """A run whose definition says nothing of undoing cannot be undone."""
        if why := super().why_not(target):
            return why
        steps = plan_of(target.run.version_id).steps
        if any(step.compensate or (step.body and step.body.compensate) for step in steps):
            return ""
        return _("None of its steps says how it is undone; cancel it instead.")

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """The steps that are undone are what is agreed to."""
        run = target.run
        undo = compensation.to_undo(run, plan_of(run.version_id))
        found = census(run)
        named = ", ".join(each.step.title for each in undo[:NAMED])
        lines = (
            *counted(
                found.of("running"),
                "%(count)s running step is interrupted; its result is lost.",
                "%(count)s running steps are interrupted; their results are lost.",
            ),
            *counted(
                len(undo),
                "%(count)s finished step is undone.",
                "%(count)s finished steps are undone, one after the other, the last one first.",
            ),
            *((_("In this order: %(steps)s.") % {"steps": named},) if named else ()),
            _("What cannot be undone asks people, and holds up nothing else."),
        )
        return Plan(lines, {"undo": [each.task.pk for each in undo], "gates": found.gate_ids})

    def apply(self, act: Performing) -> None:
        """Cancel it; the event says what is undone, or that there was nothing."""
        if not steering.cancel(act.target.run, reason=act.reason, actor=act.actor, undo=True):
            act.record("run.cancelled")

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("Run #%(pk)d is being undone.") % {"pk": target.ref}


class MissingStep(Act):
    """Acts on a step that a run which ended in part lacks."""

    scopes: ClassVar[tuple[Scope, ...]] = ("task",)

    def why_not(self, target: Target) -> str:
        """Only where something is missing."""
        if target.run.status == RunStatus.PARTIAL and target.task.status == TaskStatus.FAILED:
            return ""
        return _("Only a failed step of a run that ended in part can be made good.")

    def _lines(self, target: Target) -> tuple[str, ...]:
        tasks = list(Task.objects.of_run(target.run.pk).defer("input", "output"))
        after = len(steering.with_what_follows(target.task, tasks).again) - 1
        return counted(
            after,
            "%(count)s step that came after it is done again with its output.",
            "%(count)s steps that came after it are done again with its output.",
        )


class RetryLonger(MissingStep):
    """Do a step again with more time."""

    name = "retry_longer"
    icon = "timer"
    title = gettext_lazy("Retry this step with an extended timeout")
    action = gettext_lazy("Retry with more time")
    menu = gettext_lazy("Retry with more time…")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """The new timeout."""
        now = step_of(target.task).timeout
        field = {"type": "number", "exclusiveMinimum": 0, "maximum": 86400, "title": _("Seconds a try may take")}
        return {"properties": {"timeout": {**field, "description": _("Now %(now)g.") % {"now": now}}}}

    def answers(self, target: Target) -> Mapping[str, Json]:
        """Twice as long."""
        return {"timeout": step_of(target.task).timeout * outcomes.LONGER}

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """What is done again."""
        before = step_of(target.task).timeout
        new = _timeout({**self.answers(target), **answers})
        first = _("A try may take %(new)g s instead of %(before)g s.") % {"new": new, "before": before}
        bound: dict[str, Json] = {"attempt": target.task.attempt, "status": target.run.status}
        return Plan((first, *self._lines(target)), bound, work=new)

    def apply(self, act: Performing) -> None:
        """Do it again."""
        steering.retry_step(act.target.run, act.target.task, timeout=act.plan.work, actor=act.actor)
        act.record("run.retried", timeout=act.plan.work)

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("Step %(key)s is tried again with more time.") % {"key": target.task.key}


def _timeout(answers: Mapping[str, Json]) -> float:
    value = answers["timeout"]
    assert isinstance(value, int | float)
    return float(value)


class ManualReview(MissingStep):
    """Let people look at a failed step: they may give its output, let it try again, or go on without it."""

    name = "manual_review"
    icon = "hand"
    title = gettext_lazy("Have this step reviewed by hand")
    action = gettext_lazy("Ask people")
    menu = gettext_lazy("Manual review…")

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """Who is asked."""
        queue = plan_of(target.run.version_id).business_queue or gates.OPERATIONS_QUEUE
        first = _("%(queue)s is asked: give the output, let it try again, or go on without it.") % {"queue": queue}
        bound: dict[str, Json] = {"attempt": target.task.attempt, "status": target.run.status}
        return Plan((first, *self._lines(target)), bound, work=queue)

    def apply(self, act: Performing) -> None:
        """Ask."""
        run, task = act.target.run, act.target.task
        error = task.error if isinstance(task.error, dict) else {}
        request = gates.for_review(step_of(task), run, task, error=error, queue=act.plan.work, rule=act.reason)
        steering.review_step(run, task, request, actor=act.actor)
        act.record("run.retried", review=act.plan.work)

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("People are asked about step %(key)s.") % {"key": target.task.key}


class AcceptPart(Act):
    """Take the result of a run that ended in part as it is: nobody is asked to do anything about it any more."""

    name = "accept"
    scopes: ClassVar[tuple[Scope, ...]] = ("run",)
    icon = "check"
    title = gettext_lazy("Accept this incomplete result")
    action = gettext_lazy("Accept it")
    menu = gettext_lazy("Accept as it is…")

    def why_not(self, target: Target) -> str:
        """Only once, and only what is incomplete."""
        run = target.run
        if run.status != RunStatus.PARTIAL:
            return _("Only the result of a run that ended in part can be accepted as it is.")
        return _("It has been accepted.") if "accepted" in (run.outcome or {}) else ""

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """What is missing stays missing."""
        missing = [failure["step"] for failure in (target.run.outcome or {}).get("failed_agents", ())]
        lines = (
            _("The result stays without %(steps)s, and leaves the inbox.") % {"steps": ", ".join(missing[:NAMED])},
            _("It can still be retried or reviewed from the run's page."),
        )
        return Plan(lines, {"missing": missing})

    def apply(self, act: Performing) -> None:
        """Note it; the run stays what it is."""
        run = act.target.run
        Run.objects.filter(pk=run.pk).update(outcome={**(run.outcome or {}), "accepted": act.actor})
        act.record("run.accepted")

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The incomplete result of run #%(pk)d is accepted.") % {"pk": target.ref}


class BreakerAct(Act):
    """Acts on an agent's circuit breaker."""

    scopes: ClassVar[tuple[Scope, ...]] = ("agent",)

    def permits(self, user: Person, target: Target) -> bool:
        """Who steers runs everywhere, or answers for agents."""
        rights = ports.rights()
        return rights.can(user, "steer_run") or rights.can(user, "edit_agents")


class ResetBreaker(BreakerAct):
    """Put an agent that failed too often back into service now."""

    name = "reset_breaker"
    icon = "circle-play"
    title = gettext_lazy("Put this agent back into service")
    action = gettext_lazy("Put it back")
    menu = gettext_lazy("Back into service…")
    hint = gettext_lazy("It was left alone after failures in a row, and would be tried with one task by itself.")

    def why_not(self, target: Target) -> str:
        """Only one that is out of service."""
        if Breaker.objects.filter(agent_id=target.ref or 0).exclude(state=Breaker.State.CLOSED).exists():
            return ""
        return _("It is in service: nothing of it is held back.")

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """What goes on at once."""
        row = Breaker.objects.get(agent_id=target.ref or 0)
        held = Task.objects.filter(status="waiting", wait_for="breaker", agent_id=target.ref or 0).count()
        lines = (
            _("Its failures in a row are counted anew: %(count)d more put it out of service again.")
            % {"count": row.threshold},
            *counted(held, "%(count)s task that waits for it goes on.", "%(count)s tasks that wait for it go on."),
        )
        return Plan(lines, {"state": row.state, "changed": row.changed_at.isoformat()})

    def apply(self, act: Performing) -> None:
        """Reset it."""
        agent = _agent(act.target)
        breakers.reset(agent)
        act.record("breaker.reset", agent=agent.name)

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("%(agent)s is back in service.") % {"agent": target.address}


class ConfigureBreaker(BreakerAct):
    """After how many failures an agent is left alone, and for how long."""

    name = "breaker"
    icon = "shield-check"
    title = gettext_lazy("When this agent is left alone")
    action = gettext_lazy("Change it")
    menu = gettext_lazy("Circuit breaker…")
    hint = gettext_lazy("After so many failures in a row nothing is given to it for a while; then one task tries it.")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Threshold and time."""
        many = {"type": "integer", "minimum": 1, "maximum": 1000, "title": _("Failures in a row")}
        long = {"type": "number", "minimum": 1, "maximum": 86400, "title": _("Seconds it is left alone")}
        return {"properties": {"threshold": many, "reset_s": long}, "required": ["threshold", "reset_s"]}

    def answers(self, target: Target) -> Mapping[str, Json]:
        """As they are."""
        row = Breaker.objects.filter(agent_id=target.ref or 0).first() or Breaker()
        return {"threshold": row.threshold, "reset_s": row.reset_s}

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """From what to what."""
        now = self.answers(target)
        words = _("After %(threshold)s failures in a row it is left alone for %(reset_s)s seconds; now %(now)s.")
        before = _("%(threshold)s and %(reset_s)s") % now
        return Plan((words % {**answers, "now": before},), {"now": dict(now)})

    def apply(self, act: Performing) -> None:
        """Change it."""
        agent = _agent(act.target)
        threshold, reset_s = act.answers["threshold"], act.answers["reset_s"]
        assert isinstance(threshold, int)
        assert isinstance(reset_s, int | float)
        breakers.configure(agent, threshold=threshold, reset_s=float(reset_s))
        act.record("breaker.configured", agent=agent.name, threshold=threshold, seconds=reset_s)

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The circuit breaker of %(agent)s has changed.") % {"agent": target.address}


def _agent(target: Target) -> Agent:
    assert isinstance(target.row, Agent)
    return target.row


for _act in (CancelAndUndo(), RetryLonger(), ManualReview(), AcceptPart(), ResetBreaker(), ConfigureBreaker()):
    register(_act)
