"""The act of a workshop: people's scores by six criteria, with the rationale, are kept with an agent or a workflow."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.models import Agent
from agents.types import Json
from orchestrator import ports, workshops
from orchestrator.acts.core import Act, Performing, Person, Plan, Scope, Target, Undo, register
from orchestrator.models import Workflow, Workshop
from orchestrator.workshops import CRITERIA, LEAST, MOST


class HoldWorkshop(Act):
    """Keep what a workshop came to; the reason is its rationale. Nothing runs otherwise by it."""

    name = "hold-workshop"
    scopes: ClassVar[tuple[Scope, ...]] = ("agent", "workflow")
    icon = "users"
    rank = 66
    title = gettext_lazy("Keep a workshop's scores")
    action = gettext_lazy("Keep the scores")
    menu = gettext_lazy("Workshop…")
    hint = gettext_lazy("Six criteria from 1 (poor) to 5 (very good). The reason is kept as the rationale.")

    def permits(self, user: Person, target: Target) -> bool:
        """Who may change it."""
        if target.scope == "agent":
            return ports.rights().can(user, "edit_agents")
        return ports.rights().can(user, "publish_version", target.row)

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Each criterion's score."""
        score = {"type": "integer", "minimum": LEAST, "maximum": MOST}
        fields = {name: {**score, "title": str(words)} for name, words in CRITERIA.items()}
        return {"properties": fields, "required": list(fields)}

    def answers(self, target: Target) -> Mapping[str, Json]:
        """Those that hold."""
        found = workshops.of(_row(target))
        return found[0].scores if found else {}

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """Each score as it was and as it will be."""
        found = workshops.of(_row(target))
        held = found[0].scores if found else {}
        lines = tuple(
            _("%(words)s: %(was)s → %(now)s") % {"words": words, "was": held.get(name, "–"), "now": answers[name]}
            for name, words in CRITERIA.items()
        )
        return Plan(lines, {"from": found[0].pk if found else 0})

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """One more row: earlier workshops stay."""
        row = _row(act.target)
        about = {"agent": row} if isinstance(row, Agent) else {"workflow": row}
        scores: dict[str, Json] = {name: act.answers[name] for name in CRITERIA}
        made = Workshop.objects.create(**about, scores=scores, rationale=act.reason, held_by=act.by)
        act.record("workshop.held", **{act.target.scope: row.name}, workshop=made.pk, scores=scores)
        return {"workshop": made.pk}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The workshop's scores are kept.")

    def undo(self, target: Target, plan: Plan) -> Undo | None:
        """The scores before, kept anew, if there were any."""
        found = workshops.of(_row(target))
        return Undo(self.name, found[1].scores) if len(found) > 1 else None


def _row(target: Target) -> Agent | Workflow:
    assert isinstance(target.row, Agent | Workflow)
    return target.row


register(HoldWorkshop())
