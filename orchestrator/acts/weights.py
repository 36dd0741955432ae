"""The act that gives a workflow's runs more, or fewer, turns than those of others."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.types import Json
from orchestrator.acts.core import Act, Performing, Plan, Scope, Target, Undo, counted, register
from orchestrator.acts.holding import name_of
from orchestrator.acts.refusals import ActImpossible
from orchestrator.engine.plans import plan_of
from orchestrator.models import Run, Workflow
from orchestrator.states import RUN_LIVE

HEAVIEST = 100


class Weight(Act):
    """Among ready steps of one priority runs take turns; a run of weight 3 gets three where others get one."""

    name = "weight"
    rank = 58
    scopes: ClassVar[tuple[Scope, ...]] = ("workflow",)
    icon = "signal-high"
    title = gettext_lazy("Change this workflow's share of the workers")
    action = gettext_lazy("Change share")
    menu = gettext_lazy("Share of the workers…")
    hint = gettext_lazy("Runs of one priority take turns; one of weight 3 gets three turns where others get one.")

    def lock(self, target: Target) -> Target:
        """The workflow, then its live runs in order."""
        row = Workflow.objects.select_for_update(no_key=True).get(pk=_workflow(target).pk)
        list(_live(row).select_for_update(no_key=True).order_by("pk").values_list("pk"))
        return Target("workflow", row)

    def schema(self, target: Target) -> Mapping[str, Any]:
        """The new weight; none: what its definition says."""
        weight = {"type": "integer", "minimum": 1, "maximum": HEAVIEST, "title": _("Weight")}
        said = _("Left empty: what its definition says, %(own)d.") % {"own": _own(_workflow(target))}
        return {"properties": {"weight": {**weight, "description": said}}}

    def answers(self, target: Target) -> Mapping[str, Json]:
        """As it is."""
        return {"weight": weight_now(_workflow(target))}

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """From what to what, and for whom."""
        workflow = _workflow(target)
        set_to, now = answers.get("weight"), weight_now(workflow)
        new = set_to if isinstance(set_to, int) else _own(workflow)
        if set_to == workflow.weight or (workflow.weight is None and new == now):
            raise ActImpossible(why=_("It has the weight %(now)d already; choose another.") % {"now": now})
        lines = (
            _("The weight of its runs goes from %(now)d to %(new)d.") % {"now": now, "new": new},
            *counted(
                _live(workflow).count(),
                "%(count)s live run takes it on for what becomes ready from now on.",
                "%(count)s live runs take it on for what becomes ready from now on.",
            ),
            _("Steps of a higher priority go first all the same."),
        )
        return Plan(lines, {"from": workflow.weight}, (set_to, new, now))

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Set it, also on what is live."""
        workflow = _workflow(act.target)
        set_to, new, now = act.plan.work
        Workflow.objects.filter(pk=workflow.pk).update(weight=set_to)
        _live(workflow).update(weight=new)
        act.record("workflow.weight_changed", workflow=workflow.name, **{"from": now, "to": new})
        return {"weight": new}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("Runs of %(what)s have another share of the workers.") % {"what": name_of(target)}

    def undo(self, target: Target, plan: Plan) -> Undo:
        """The weight that it had; the definition's own if nobody had set any."""
        before = plan.bound["from"]
        return Undo("weight", {} if before is None else {"weight": before})


def weight_now(workflow: Workflow) -> int:
    """What its new runs get."""
    return workflow.weight or _own(workflow)


def _own(workflow: Workflow) -> int:
    version = workflow.current_version_id
    return max(plan_of(version).weight, 1) if version else 1


def _live(workflow: Workflow) -> Any:
    return Run.objects.filter(workflow=workflow, status__in=RUN_LIVE)


def _workflow(target: Target) -> Workflow:
    assert isinstance(target.row, Workflow)
    return target.row


register(Weight())
