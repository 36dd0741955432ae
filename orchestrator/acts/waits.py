"""Acts on a step that waits for the outside: fire its timer now, deliver its signal by hand, answer its call back.

What is given is held to the same contract as what would arrive; the step goes on as if it had.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.types import Json
from orchestrator.acts.core import Performing, Plan, Target, register
from orchestrator.acts.refusals import ActImpossible, AnswerInvalid
from orchestrator.acts.steps import consequences, facts_of, refuse_own_after_decision
from orchestrator.acts.tasks import TaskAct
from orchestrator.engine import answers as answering
from orchestrator.engine.answers import Unfit
from orchestrator.models import Task, Timer, Wait
from orchestrator.states import TaskStatus


class EndWait(TaskAct):
    """What the three have in common."""

    wait_for: ClassVar[str]
    revives = False

    def refuse(self, task: Task) -> str:
        """Only while it waits for just this."""
        if task.status == TaskStatus.WAITING and task.wait_for == self.wait_for:
            return ""
        return _("It does not wait for that now; look at the step again.")

    def agreed(self, task: Task, **facts: Json) -> dict[str, Json]:
        """What a person agrees to: the end of this wait."""
        return {**facts_of(task).bound(task), **facts}

    def lines(self, first: str, task: Task) -> tuple[str, ...]:
        """What it does, and what follows."""
        return (first, *consequences([task], feeds=True).lines)

    def told(self, act: Performing) -> dict[str, Json]:
        """Facts for the event: the step's end is told once, with who ended its wait and why."""
        return {"by_hand": self.wait_for, "reason": act.reason}


class FireNow(EndWait):
    """Let a step go on before its time."""

    name = "fire"
    rank = 8
    icon = "zap"
    wait_for = "timer"
    title = gettext_lazy("Fire this step's timer now")
    action = gettext_lazy("Fire now")
    menu = gettext_lazy("Fire now…")

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """The timer that is set."""
        timer = Timer.objects.filter(kind="task_timer", ref=target.task.pk, fired_at=None).first()
        if timer is None:
            raise ActImpossible(why=_("Its timer fires just now."))
        due = f"{timer.due_at:%Y-%m-%d %H:%M} UTC"
        first = _("The step goes on at once instead of on %(due)s; that cannot be taken back.") % {"due": due}
        return Plan(self.lines(first, target.task), self.agreed(target.task, timer=timer.pk), timer)

    def apply(self, act: Performing) -> None:
        """Fire it."""
        refuse_own_after_decision(act, verb=_("end this wait"))
        timer: Timer = act.plan.work
        answering.fire(timer, actor=act.actor, due=timer.due_at.isoformat(), **self.told(act))

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("Step %(key)s goes on before its time.") % {"key": target.task.key}


class _Given(EndWait):
    """A wait that ends with something that people give."""

    help: ClassVar[Any]

    def schema(self, target: Target) -> Mapping[str, Any]:
        """The object; what may be in it is the step's to say."""
        field = {"type": "object", "title": _("Data"), "description": str(self.help)}
        return {"properties": {"data": field}, "required": ["data"]}

    def answers(self, target: Target) -> Mapping[str, Json]:
        """The names that the step's schema wants."""
        wait = self.wait_of(target.task)
        return {"data": dict.fromkeys(wait.schema.get("required", ())) if wait else {}}

    def wait_of(self, task: Task) -> Wait | None:
        """What it waits for."""
        return Wait.objects.filter(task_id=task.pk, kind=self.wait_for, ended_at=None).first()

    def fitting(self, task: Task, data: Json, limits: Any) -> tuple[Wait, dict[str, Json]]:
        """The wait, and the data if its contract allows it."""
        wait = self.wait_of(task)
        if wait is None:
            raise ActImpossible(why=_("What it waits for comes just now."))
        assert isinstance(data, dict)  # the schema has looked
        try:
            return wait, answering.fitting(wait, data, limits)
        except Unfit as flaw:
            raise invalid(flaw) from flaw


class DeliverNow(_Given):
    """Give a step by hand the signal that it waits for; nobody else gets it."""

    name = "deliver"
    rank = 8
    icon = "radio"
    wait_for = "event"
    title = gettext_lazy("Deliver this step's signal by hand")
    action = gettext_lazy("Deliver now")
    menu = gettext_lazy("Deliver now…")
    hint = gettext_lazy("Only this step gets it. To tell everybody who waits for it, publish the signal.")
    help = gettext_lazy("The signal's data, as JSON. It must fit what the step waits for.")

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """Held to the schema and to `match`."""
        wait, data = self.fitting(target.task, answers["data"], answering.OF_SIGNAL)
        try:
            answering.as_signal(wait, data, sent_by="engine")
        except Unfit as flaw:
            raise invalid(flaw) from flaw
        key = f" “{wait.key}”" if wait.key else ""
        first = _("The step goes on with this as the signal %(name)s%(key)s.") % {"name": wait.name, "key": key}
        return Plan(self.lines(first, target.task), self.agreed(target.task, wait=wait.pk), (wait, data))

    def apply(self, act: Performing) -> None:
        """Hand it over."""
        refuse_own_after_decision(act, verb=_("end this wait"))
        wait, data = act.plan.work
        try:
            event = answering.as_signal(wait, data, sent_by=act.actor)
        except Unfit as flaw:  # `match` reads who sent it
            raise invalid(flaw) from flaw
        answering.take_signal(act.target.task, event, actor=act.actor, **self.told(act))

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("Step %(key)s has its signal and goes on.") % {"key": target.task.key}


class AnswerNow(_Given):
    """Answer by hand in place of the other side; the secret address works no more."""

    name = "answer"
    rank = 8
    icon = "corner-down-left"
    wait_for = "callback"
    title = gettext_lazy("Answer this step by hand")
    action = gettext_lazy("Answer")
    menu = gettext_lazy("Answer by hand…")
    help = gettext_lazy("What the other side would have sent, as JSON. It must fit the step's schema.")

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """Held to the schema."""
        wait, data = self.fitting(target.task, answers["data"], answering.OF_CALLBACK)
        first = _("The step goes on with this answer; its secret address is closed.")
        bound = self.agreed(target.task, wait=wait.pk, address=wait.token_hash[:16])
        return Plan(self.lines(first, target.task), bound, data)

    def apply(self, act: Performing) -> None:
        """Take it."""
        refuse_own_after_decision(act, verb=_("end this wait"))
        answering.take_answer(act.target.task, act.plan.work, actor=act.actor, **self.told(act))

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("Step %(key)s has its answer and goes on.") % {"key": target.task.key}


def invalid(flaw: Unfit) -> AnswerInvalid:
    """A flaw as the form shows it."""
    return AnswerInvalid(field=_("Data: %(path)s") % {"path": flaw.path}, problem=flaw.problem.rstrip("."))


for _act in (FireNow(), DeliverNow(), AnswerNow()):
    register(_act)
