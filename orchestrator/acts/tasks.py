"""Acts on one step: try again, skip it or give its output, edit its input, give it to another agent, cancel it.

None of them decides for people: a step that asks people is never skipped or cancelled here; what runs again asks again.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.types import Json
from orchestrator.acts import causes, contracts
from orchestrator.acts.core import Act, Performing, Plan, Scope, Target, counted, register
from orchestrator.acts.refusals import ActImpossible
from orchestrator.acts.steps import (
    SHOWN,
    Facts,
    candidates,
    children_of,
    consequences,
    facts_of,
    given_to,
    kept_effects,
    redirection,
    why_decided,
    why_no_agent,
    why_passed_by,
    why_people,
    why_redirected,
)
from orchestrator.definitions import expressions
from orchestrator.definitions.plan import COORDINATING
from orchestrator.engine import again, asking, overriding
from orchestrator.engine.asking import asks_people
from orchestrator.engine.plans import INDEX
from orchestrator.models import Task
from orchestrator.states import TASK_TERMINAL, RunStatus, TaskStatus

TROUBLE: Final = frozenset({"retry", "gate", "quarantine", "breaker", "budget"})  # waits that a new try may end


class TaskAct(Act):
    """An act on a step that is alive, or that has failed with its run."""

    scopes: ClassVar[tuple[Scope, ...]] = ("task",)
    revives: ClassVar[bool] = True  # also done to a step that has failed and its run with it

    def why_not(self, target: Target) -> str:
        """A step that has ended is over, unless its run has failed with it."""
        task, run = target.task, target.run
        if run.status == RunStatus.FAILED:
            if self.revives and task.status == TaskStatus.FAILED:
                return ""
            return _("The run has failed; only the step that failed can be steered, or the whole run retried.")
        if run.status not in (RunStatus.RUNNING, RunStatus.PAUSED):
            return _("The run has ended meanwhile; there is nothing left to steer.")
        if task.status in TASK_TERMINAL:
            return _("The step has ended; roll the run back to before it, or fork the run.")
        return self.refuse(task)

    def refuse(self, task: Task) -> str:
        """Why this act makes no sense for this live step; empty if it does."""
        return ""

    def interrupts(self, target: Target, facts: Facts) -> tuple[str, ...]:
        """What the act takes away from what goes on now, in words."""
        task = target.task
        lines: tuple[str, ...] = ()
        if target.run.status == RunStatus.FAILED:
            lines += (_("The run lives again; steps that were cancelled with it go on."),)
        if task.status == TaskStatus.RUNNING:
            lines += (_("Its running try is interrupted; what it would have delivered is not used."),)
        return lines + counted(
            len(facts.gates), "%(count)s open decision about it is withdrawn.",
            "%(count)s open decisions about it are withdrawn.",
        )  # fmt: skip

    def live(self, act: Performing) -> Task:
        """The step to act on; with its run revived if that had failed."""
        run, task = act.target.run, act.target.task
        if run.status != RunStatus.FAILED:
            return task
        revived = overriding.revive(run, task)
        _record_on_run(act, "run.retried")
        return revived


def _refuse_passing_by(keys: Sequence[str]) -> None:
    if keys:
        raise ActImpossible(why=why_passed_by(keys))


def _refuse_own_question(act: Performing) -> None:
    """An open decision about a step is not taken by whoever started the run, through this door either."""
    if act.plan.bound["gates"]:
        act.refuse_own(verb=_("end this step"), why=_("a decision about it is open"))


def _skipped(run_id: int) -> set[int]:
    skipped = Task.objects.of_run(run_id).filter(status=TaskStatus.SKIPPED).values_list("pk", flat=True)
    return {pk & INDEX for pk in skipped}


def _record_on_run(act: Performing, kind: str) -> None:
    on_run = Performing(Target("run", act.target.run), act.answers, act.plan, act.by, act.reason)
    on_run.record(kind)


class RetryTask(TaskAct):
    """Try a step again: now instead of later, or although it had failed."""

    name = "retry"
    rank = 10
    icon = "rotate-ccw"
    title = gettext_lazy("Try this step again")
    action = gettext_lazy("Try again")
    menu = gettext_lazy("Try again…")

    def refuse(self, task: Task) -> str:
        """Only what runs, or waits because of trouble, can be tried again."""
        if task.status == TaskStatus.RUNNING and task.kind not in COORDINATING:
            return ""
        if task.status == TaskStatus.WAITING and task.wait_for in TROUBLE and not asks_people(task):
            return ""
        return _("There is nothing to try again: it has not run, or waits for people.")

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """This try."""
        facts = facts_of(target.task)
        lines = (
            *self.interrupts(target, facts),
            _("It is tried again from the start, with its tries counted anew."),
        )
        return Plan(lines, facts.bound(target.task), warnings=kept_effects(facts))

    def apply(self, act: Performing) -> None:
        """Make it ready."""
        task = self.live(act)
        if overriding.let_run(task, reason=act.reason):
            act.record("task.returned", attempt=task.attempt)
            again.redo_what_failed(task.pk)

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("Step %(key)s is tried again.") % {"key": target.task.key}


class Skip(TaskAct):
    """Go on without a step, or with an output that a person gives."""

    name = "skip"
    rank = 26
    icon = "skip-forward"
    title = gettext_lazy("Skip this step")
    action = gettext_lazy("Skip step")
    menu = gettext_lazy("Skip…")
    hint = gettext_lazy("With an output, later steps go on as if the step had delivered it; it must keep its contract.")

    def refuse(self, task: Task) -> str:
        """Nobody decides for the people that a step asks."""
        return why_people(task)

    def why_not(self, target: Target) -> str:
        """Of a failed run's step, too."""
        return super().why_not(target) or why_people(target.task)

    def schema(self, target: Target) -> Mapping[str, Any]:
        """The output."""
        output = {
            "type": "object", "title": _("Output"),
            "description": _("A JSON object; leave it empty to skip the step without any."),
        }  # fmt: skip
        return causes.asked({"properties": {"output": output}}, target.task)

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """With what follows."""
        task, facts = target.task, facts_of(target.task)
        output = answers.get("output")
        if output is not None:
            if why := why_decided(task):
                raise ActImpossible(why=why)
            contract = contracts.contract_of(facts.step)
            output = contracts.valid(output, contract.output_schema if contract else {}, what=_("Output"))
        ahead = consequences([task], feeds=output is not None, titles=target.run.status != RunStatus.FAILED)
        _refuse_passing_by(ahead.passed_by)
        children = len(children_of(task))
        first = (
            _("The step ends as succeeded, with the output given here.")
            if output is not None
            else _("The step ends as skipped, without an output.")
        )
        lines = (
            first,
            *self.interrupts(target, facts),
            *counted(
                children,
                "%(count)s task that it started is cancelled.",
                "%(count)s tasks that it started are cancelled.",
            ),
            *ahead.lines,
        )
        return Plan(lines, {**facts.bound(task), "skipped": [*ahead.skipped]}, output, kept_effects(facts))

    def apply(self, act: Performing) -> None:
        """End it."""
        _refuse_own_question(act)
        before = _skipped(act.target.run.pk)
        task = self.live(act)
        if act.plan.work is None:  # told before what follows from it
            act.record("task.skipped", **causes.said(act))
        else:
            act.record("task.succeeded", attempt=task.attempt, given=True, **causes.said(act))
        try:
            overriding.finish(task, output=act.plan.work, reason=act.reason)
        except expressions.ExpressionError as problem:
            raise ActImpossible(why=_("Its file cannot be made of this output: %s") % problem) from problem
        _refuse_passing_by(asking.passed_by(act.target.run, _skipped(act.target.run.pk) - before))

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("Step %(key)s is skipped.") % {"key": target.task.key}


class CancelTask(TaskAct):
    """End a step and what it has started; the run goes on without it."""

    name = "cancel"
    rank = 90
    icon = "ban"
    is_grave = True
    revives = False
    title = gettext_lazy("Cancel this step")
    action = gettext_lazy("Cancel step for good")
    menu = gettext_lazy("Cancel…")

    def refuse(self, task: Task) -> str:
        """Nobody decides for the people that a step asks."""
        return why_people(task)

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """With what follows."""
        task, facts = target.task, facts_of(target.task)
        ahead = consequences([task], feeds=False)
        _refuse_passing_by(ahead.passed_by)
        lines = (
            _("The step ends now and cannot be resumed; the run goes on without it."),
            *self.interrupts(target, facts),
            *counted(
                len(children_of(task)),
                "%(count)s task that it started is cancelled with it.",
                "%(count)s tasks that it started are cancelled with it.",
            ),
            *ahead.lines,
        )
        return Plan(lines, {**facts.bound(task), "skipped": [*ahead.skipped]}, warnings=kept_effects(facts))

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Cancel it; the event that the cancel appends names everything that ended."""
        _refuse_own_question(act)
        count = overriding.cancel([act.target.task], reason=act.reason, actor=act.actor)
        return {"cancelled": count}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("Step %(key)s is cancelled.") % {"key": target.task.key}


class Edit(TaskAct):
    """Run a step with another input."""

    name = "edit"
    rank = 22
    icon = "pencil"
    title = gettext_lazy("Edit this step's input")
    action = gettext_lazy("Run with this input")
    menu = gettext_lazy("Edit input…")

    def why_not(self, target: Target) -> str:
        """Only an agent's step has an input to edit, and not what people have agreed to."""
        return super().why_not(target) or why_no_agent(target.task) or why_decided(target.task)

    def schema(self, target: Target) -> Mapping[str, Any]:
        """The whole input."""
        field = {"type": "object", "title": _("Input"), "description": _("What its agent is given, as JSON.")}
        return causes.asked({"properties": {"input": field}, "required": ["input"]}, target.task)

    def answers(self, target: Target) -> Mapping[str, Json]:
        """What it was, or would be, given."""
        return {"input": given_to(target.task) or {}}

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """The agent's contract holds."""
        task, facts = target.task, facts_of(target.task)
        contract = contracts.contract_of(facts.step)
        given = contracts.valid(answers["input"], contract.input_schema if contract else {}, what=_("Input"))
        before = given_to(task)
        changed = sorted(name for name in {*given, *(before or {})} if (before or {}).get(name) != given.get(name))
        if before is not None and not changed:
            raise ActImpossible(why=_("The input is as it was; change something, or try the step again."))
        names = ", ".join(changed[:SHOWN]) + (" …" if len(changed) > SHOWN else "")
        lines = (
            *self.interrupts(target, facts),
            _("Changed in its input: %(names)s (%(count)d in all).") % {"names": names, "count": len(changed)},
            _("It runs with this input instead of what earlier steps gave it."),
        )
        return Plan(lines, facts.bound(task), given, kept_effects(facts))

    def apply(self, act: Performing) -> None:
        """Write it down and let it run."""
        task = self.live(act)
        tried = overriding.let_run(
            task, reason=act.reason, spec={**(task.spec or {}), "given": act.plan.work}, state=None
        )
        names = sorted(act.plan.work)[:50]
        act.record("task.edited", attempt=task.attempt, again=tried, fields=names, **causes.said(act))

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("Step %(key)s has another input.") % {"key": target.task.key}


class Redirect(TaskAct):
    """Give a step to another agent."""

    name = "redirect"
    rank = 24
    icon = "bot"
    title = gettext_lazy("Give this step to another agent")
    action = gettext_lazy("Redirect step")
    menu = gettext_lazy("Redirect…")
    hint = gettext_lazy("Only agents that take its input and promise what later steps may read are offered.")

    def why_not(self, target: Target) -> str:
        """Only an agent's step can be done by another agent, and what people agreed to only by its own fallback."""
        return super().why_not(target) or why_no_agent(target.task) or why_redirected(target.task, "")

    def is_offered(self, target: Target) -> bool:
        """Where another agent could do it."""
        return super().is_offered(target) and bool(_fitting(target.task))

    def schema(self, target: Target) -> Mapping[str, Any]:
        """One of the agents that fit."""
        fitting = _fitting(target.task)
        if not fitting:
            raise ActImpossible(why=_("No other agent takes its input and promises its output."))
        field = {"type": "string", "enum": fitting, "title": _("Agent")}
        return causes.asked({"properties": {"agent": field}, "required": ["agent"]}, target.task)

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """Its contract has been checked by the choice that is offered."""
        task, facts = target.task, facts_of(target.task)
        to = str(answers["agent"])
        lines = (
            *self.interrupts(target, facts),
            _("%(to)s does it instead of %(now)s, with the same input.") % {"to": to, "now": facts.step.agent},
        )
        return Plan(lines, {**facts.bound(task), "from": facts.step.agent}, to, kept_effects(facts))

    def apply(self, act: Performing) -> None:
        """Write it down and let it run."""
        task, before = self.live(act), act.plan.bound["from"]
        columns = redirection(task, act.plan.work)
        tried = overriding.let_run(task, reason=act.reason, **columns)
        facts = {"from": before, "to": act.plan.work, **causes.said(act)}
        act.record("task.redirected", attempt=task.attempt, again=tried, **facts)

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("Step %(key)s has another agent.") % {"key": target.task.key}


def _fitting(task: Task) -> list[str]:
    """Agents to which this step may be given now."""
    return [name for name in candidates(task) if not why_redirected(task, name)]


for _act in (RetryTask(), Edit(), Redirect(), Skip(), CancelTask()):
    register(_act)
