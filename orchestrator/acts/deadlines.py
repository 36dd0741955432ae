"""The act that gives a run a deadline, moves it or takes it away."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.types import Json
from orchestrator import db
from orchestrator.acts.core import Performing, Plan, Target, Undo, register
from orchestrator.acts.refusals import ActImpossible, AnswerInvalid
from orchestrator.acts.runs import RunAct
from orchestrator.definitions.fields import seconds
from orchestrator.engine import deadlines


class Deadline(RunAct):
    """A run that is alive at its deadline goes first from then on, and everybody sees that it is late."""

    name = "deadline"
    rank = 42
    icon = "hourglass"
    title = gettext_lazy("Change this run's deadline")
    action = gettext_lazy("Change deadline")
    menu = gettext_lazy("Deadline…")
    hint = gettext_lazy("A run that is still alive then goes first, and whoever looks at it sees that it is late.")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """A duration from now, or a moment."""
        words = _("From now (90m, 4h, 2d), or a moment such as 2027-01-31T12:00Z; empty for none.")
        return {"properties": {"by": {"type": "string", "maxLength": 60, "title": _("Deadline"), "description": words}}}

    def answers(self, target: Target) -> Mapping[str, Json]:
        """As it is."""
        return {"by": _text(target.run.deadline_at)} if target.run.deadline_at else {}

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """A duration counts from the moment of acting."""
        now, new = target.run.deadline_at, _moment(str(answers.get("by", "")))
        if new is None and now is None:
            raise ActImpossible(why=_("It has no deadline; say when it is due."))
        if new is None:
            line = _("The run has no deadline any more.")
        else:
            line = _("The deadline is %(at)s.") % {"at": f"{new:%Y-%m-%d %H:%M} UTC"}
        before = (_("It was %(at)s.") % {"at": f"{now:%Y-%m-%d %H:%M} UTC"},) if now else ()
        after = (_("If the run is still alive then, its steps go before those of all others."),) if new else ()
        return Plan((line, *before, *after), {"from": _text(now) if now else None}, new)

    def apply(self, act: Performing) -> None:
        """Set it, and its timer."""
        new: datetime | None = act.plan.work
        deadlines.set_deadline(act.target.run.pk, new)
        act.record("run.deadline_changed", **{"from": act.plan.bound["from"], "to": _text(new) if new else None})

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("Run #%(pk)d has another deadline.") % {"pk": target.ref}

    def undo(self, target: Target, plan: Plan) -> Undo:
        """The deadline that it had."""
        before = plan.bound["from"]
        return Undo("deadline", {"by": before} if before else {})


def _moment(text: str) -> datetime | None:
    if not text.strip():
        return None
    length = seconds(text.strip())
    if length is not None:
        return db.clock() + timedelta(seconds=length)
    try:
        found = parse_datetime(text.strip())
        found = found.astimezone(UTC) if found is not None and found.tzinfo is not None else None
    except (ValueError, OverflowError):  # no such day, or none that is one in UTC
        found = None
    if found is None:
        raise AnswerInvalid(field=_("Deadline"), problem=_("write 90m, 4h, 2d, or a moment with its zone"))
    if found <= db.clock():
        raise AnswerInvalid(field=_("Deadline"), problem=_("it has passed already"))
    return found


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


register(Deadline())
