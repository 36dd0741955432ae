"""The act that lets a workflow go at full pace although people cannot keep up with what it asks them."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.types import Json
from orchestrator import pacing
from orchestrator.acts.core import Act, Performing, Plan, Scope, Target, register
from orchestrator.acts.holding import name_of
from orchestrator.engine import admission
from orchestrator.models import StartPace, Workflow

LONGEST = 72  # hours


class FullPace(Act):
    """Its runs begin as they come, for so many hours; what waits for people waits longer."""

    name = "full-pace"
    rank = 60
    scopes: ClassVar[tuple[Scope, ...]] = ("workflow",)
    icon = "timer"
    title = gettext_lazy("Let this workflow go at full pace")
    action = gettext_lazy("Go at full pace")
    menu = gettext_lazy("Full pace…")
    hint = gettext_lazy("It is held back to what people can decide. Nothing is ever approved to catch up.")

    def why_not(self, target: Target) -> str:
        """Only what is held back can be let go."""
        held = StartPace.objects.filter(workflow_id=target.ref or 0, most_running__isnull=False)
        return "" if held.exists() else _("It is not held back; it goes at full pace already.")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """For how many hours."""
        hours = {"type": "integer", "minimum": 1, "maximum": LONGEST, "title": _("For how many hours")}
        return {"properties": {"hours": hours}, "required": ["hours"]}

    def answers(self, target: Target) -> Mapping[str, Json]:
        """Half a day's work."""
        return {"hours": 4}

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """What is lifted, and why it was there."""
        held = StartPace.objects.get(workflow_id=target.ref or 0)
        lines = (
            _("Runs that wait begin now, and new ones at once, for %(hours)s hours.") % {"hours": answers["hours"]},
            _("It was held to %(most)s runs at a time: %(why)s") % {"most": held.most_running, "why": held.reason},
        )
        return Plan(lines, {"most": held.most_running}, None, (_("What they ask of people waits longer than now."),))

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Lift it, with its event."""
        workflow = act.target.row
        assert isinstance(workflow, Workflow)
        until = pacing.keep_full(workflow, hours=int(str(act.answers["hours"])))
        admission.forget()
        act.record("workflow.full_pace", workflow=workflow.name, until=until.isoformat())
        return {"until": until.isoformat()}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("%(what)s goes at full pace.") % {"what": name_of(target)}


register(FullPace())
