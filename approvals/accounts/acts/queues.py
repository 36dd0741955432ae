"""Queues: made, renamed, where they escalate to, and their business hours."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from django.contrib.auth.models import User
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.types import Json
from approvals import access, quorums
from approvals.accounts import queues, wording
from approvals.accounts.acts.core import AccessAct, Answers, text
from approvals.accounts.risk import Why
from approvals.errors import CalendarRefused
from approvals.models import Queue, Risk
from orchestrator.acts.choices import choice
from orchestrator.acts.core import Plan, Target, Undo, register

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class QueueAct(AccessAct):
    """A change that whoever may edit queues may make."""

    icon = "inbox"
    home = "access:queues"
    verb = "edit_queues"
    about = gettext_lazy("Queues")

    def was(self, asked: Answers) -> Answers | None:
        """What undoing it would write back."""
        return None

    def plan(self, target: Target, answers: Answers) -> Plan:
        """With what undoing it would write back."""
        was = self.was(answers)
        plan = super().plan(target, answers)
        return Plan(plan.lines, plan.bound, (plan.work, was), plan.warnings)

    def apply(self, act: Any) -> Mapping[str, Json]:
        """Save it."""
        return self.change(act.answers, act.by, Why(act.reason)) or {}

    def undo(self, target: Target, plan: Plan) -> Undo | None:
        """As it was before."""
        _work, was = plan.work
        return Undo(self.name, was) if was is not None else None


class MakeQueue(QueueAct):
    """Make a queue."""

    name = "make-queue"
    title = gettext_lazy("Make a queue")
    action = gettext_lazy("Make queue")
    menu = gettext_lazy("New queue…")
    hint = gettext_lazy("A queue is where gates wait for people. Grant somebody the right to decide there afterwards.")
    line = gettext_lazy("%(title)s is a queue that definitions may name as %(name)s.")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """What it is called, and where it escalates to."""
        name = {
            "type": "string",
            "maxLength": 50,
            "pattern": r"^[a-z0-9][a-z0-9_-]*$",
            "title": _("Name in definitions"),
            "description": _("Small letters, digits, - and _."),
        }
        return {"properties": {"name": name, **_title_and_next()}, "required": ["name", "title"]}

    def change(self, asked: Answers, by: User | None, why: Why) -> Mapping[str, Json]:
        """Make it."""
        made = queues.make(
            name=text(asked, "name"), title=text(asked, "title"), escalates_to=text(asked, "escalates_to"),
            by=by, why=why,
        )  # fmt: skip
        return {"queue": made.name, "href": reverse("access:queue", args=[made.name])}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The queue is made; grant people the right to decide there.")


class ChangeQueue(QueueAct):
    """Rename a queue, or let it escalate elsewhere."""

    name = "change-queue"
    title = gettext_lazy("Change a queue")
    action = gettext_lazy("Keep")
    menu = gettext_lazy("Change…")
    line = gettext_lazy("It is called %(title)s, and what nobody decides in time goes on to: %(escalates_to)s.")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Which, and what about it."""
        return {"properties": {"queue": queue_field(), **_title_and_next()}, "required": ["queue", "title"]}

    def words(self, asked: Answers) -> tuple[str, ...]:
        """Where it goes on to, also when that is nowhere."""
        told = {"title": text(asked, "title"), "escalates_to": text(asked, "escalates_to") or _("nobody further")}
        return (str(self.line) % told,)

    def was(self, asked: Answers) -> Answers:
        """Its title, and where it escalates to now."""
        queue = queues.named(text(asked, "queue"))
        further = {"escalates_to": queue.escalates_to.name} if queue.escalates_to else {}
        return {"queue": queue.name, "title": queue.title, **further}

    def change(self, asked: Answers, by: User | None, why: Why) -> Mapping[str, Json]:
        """Keep it."""
        queue = queues.named(text(asked, "queue"))
        queues.change(queue=queue, title=text(asked, "title"), escalates_to=text(asked, "escalates_to"), by=by, why=why)
        return {"href": reverse("access:queue", args=[queue.name])}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The queue is changed; deadlines that run already stay as they are.")


class SetHours(QueueAct):
    """When a queue's people work."""

    name = "set-hours"
    icon = "clock"
    title = gettext_lazy("Business hours of a queue")
    action = gettext_lazy("Keep hours")
    menu = gettext_lazy("Business hours…")
    hint = gettext_lazy("Deadlines count working time only. Leave the time zone empty if it is staffed at all times.")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Which queue, and the hours."""
        line = {"type": "string", "maxLength": 190}
        fields = {
            "queue": queue_field(),
            "zone": {**line, "title": _("Time zone"), "description": _("Europe/Berlin, say; empty for always.")},
            "days": {
                **line, "title": _("Days"), "description": _("mon to sun, separated by commas."),
                "default": "mon, tue, wed, thu, fri",
            },
            "opens": {**line, "title": _("From"), "default": "09:00"},
            "closes": {**line, "title": _("To"), "default": "17:00"},
            "holidays": {**line, "title": _("Holidays"), "description": _("2026-12-25, say; separated by commas.")},
        }  # fmt: skip
        return {"properties": fields, "required": ["queue"]}

    def words(self, asked: Answers) -> tuple[str, ...]:
        """The hours, in one line."""
        calendar = _calendar(asked)
        if not calendar:
            return (_("All of the time is working time there."),)
        days = ", ".join(DAYS[day] for day in calendar["days"])
        return (f"{days} {calendar['from']}–{calendar['to']} ({calendar['zone']})",)

    def was(self, asked: Answers) -> Answers:
        """The hours before."""
        queue = queues.named(text(asked, "queue"))
        return {"queue": queue.name, **answers_of(queue)}

    def change(self, asked: Answers, by: User | None, why: Why) -> Mapping[str, Json]:
        """Keep them."""
        queue = queues.named(text(asked, "queue"))
        access.set_calendar(queue=queue, calendar=_calendar(asked), by=by, why=why)
        return {"href": reverse("access:queue", args=[queue.name])}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The hours are kept; deadlines that run already stay as they are.")


class SetQuorum(QueueAct):
    """How many people must agree in a queue."""

    name = "set-quorum"
    icon = "users"
    title = gettext_lazy("How many people must agree in a queue")
    action = gettext_lazy("Keep")
    menu = gettext_lazy("How many agree…")
    hint = gettext_lazy(
        "At least so many for everything that comes here, failures, calls of tools and held outputs included; a "
        "definition may ask for more, never for fewer. What is open already stays as it is."
    )

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Which queue, and a number for each risk."""
        number = {"type": "integer", "minimum": 1, "maximum": quorums.MOST, "default": 1}
        fields = {risk.value: {**number, "title": wording.risk_words(risk)} for risk in Risk}
        return {"properties": {"queue": queue_field(), **fields}, "required": ["queue"]}

    def words(self, asked: Answers) -> tuple[str, ...]:
        """Each risk with its number."""
        found = ", ".join(f"{wording.risk_words(Risk(risk))}: {least}" for risk, least in _quorum(asked).items())
        return (_("At least so many people must agree: %(quorum)s.") % {"quorum": found},)

    def risk(self, asked: Answers) -> str:
        """Asking fewer than before."""
        return queues.quorum_risk(queues.named(text(asked, "queue")), _quorum(asked))

    def apply(self, act: Any) -> Mapping[str, Json]:
        """Save it, or put it before a second person."""
        work, _was = act.plan.work
        if work.risk:
            return AccessAct.apply(self, replace(act, plan=replace(act.plan, work=work)))
        return super().apply(act)

    def change(self, asked: Answers, by: User | None, why: Why) -> Mapping[str, Json]:
        """Keep them."""
        queue = queues.named(text(asked, "queue"))
        queues.set_quorum(queue=queue, quorum=_quorum(asked), by=by, why=why)
        return {"href": reverse("access:queue", args=[queue.name])}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("It holds for whatever comes there from now on.")


def _quorum(asked: Answers) -> dict[str, Json]:
    return {risk.value: asked.get(risk.value) or 1 for risk in Risk}


def answers_of(queue: Queue) -> dict[str, Json]:
    """A queue's hours as the form of `set-hours` holds them."""
    calendar = queue.calendar
    if not calendar:
        return {"zone": ""}
    return {
        "zone": calendar["zone"], "days": ", ".join(DAYS[day] for day in calendar["days"]), "opens": calendar["from"],
        "closes": calendar["to"], "holidays": ", ".join(calendar["holidays"]),
    }  # fmt: skip


def _calendar(asked: Answers) -> dict[str, Any]:
    if not text(asked, "zone"):
        return {}
    words = [word.strip().lower()[:3] for word in text(asked, "days").split(",") if word.strip()]
    if unknown := [word for word in words if word not in DAYS]:
        raise CalendarRefused(why=f"{unknown[0]!r} is no day; write mon, tue, wed, thu, fri, sat or sun")
    return {
        "zone": text(asked, "zone"), "days": sorted({DAYS.index(word) for word in words}), "from": text(asked, "opens"),
        "to": text(asked, "closes"),
        "holidays": [day.strip() for day in text(asked, "holidays").split(",") if day.strip()],
    }  # fmt: skip


def queue_field() -> dict[str, Any]:
    """A field that names a queue."""
    titles = dict(Queue.objects.order_by("name").values_list("name", "title")[:500])
    field: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 50, "title": _("Queue")}
    return {**field, **choice(_("Queue"), titles)} if titles else field


def _title_and_next() -> dict[str, Any]:
    title = {"type": "string", "minLength": 1, "maxLength": 100, "pattern": r"^\S.*$", "title": _("Title")}
    return {"title": title, "escalates_to": {**queue_field(), "title": _("What nobody decides in time goes on to")}}


for _act in (MakeQueue(), ChangeQueue(), SetHours(), SetQuorum()):
    register(_act)
