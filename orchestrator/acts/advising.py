"""The acts of "start simple": keep the advisor's verdict with a workflow, and switch it to one agent and back."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.models import Agent
from agents.types import Json
from orchestrator import forms, ports
from orchestrator.acts.core import Act, Performing, Person, Plan, Scope, Target, Undo, counted, register
from orchestrator.acts.refusals import ActImpossible
from orchestrator.catalogue import default as catalogue
from orchestrator.engine import single
from orchestrator.engine.plans import plan_of
from orchestrator.models import TeamAdvice, Workflow
from orchestrator.patterns import advising

YES_NO: Final = ("yes", "no")
SHOWN: Final = 5  # steps that are named, of those that stay as they are


class _OnWorkflow(Act):
    """Those who may publish a workflow say how it is staffed."""

    scopes: ClassVar[tuple[Scope, ...]] = ("workflow",)

    def permits(self, user: Person, target: Target) -> bool:
        """`publish_version` on it."""
        return ports.rights().can(user, "publish_version", target.row)

    def lock(self, target: Target) -> Target:
        """The workflow's row: of two acts at once, the second sees the first."""
        return Target("workflow", Workflow.objects.select_for_update(no_key=True).get(pk=_workflow(target).pk))


class KeepAdvice(_OnWorkflow):
    """Keep what the advisor says to fifteen answers; the reason says what people make of it."""

    name = "keep-advice"
    icon = "user-round"
    rank = 61
    title = gettext_lazy("Keep the advisor's verdict")
    action = gettext_lazy("Keep this verdict")
    menu = gettext_lazy("One agent or several…")
    hint = gettext_lazy("The verdict stands on the workflow's page. Runs are not changed by it.")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """The fifteen checks."""
        checks = advising.QUESTIONS.items()
        asked = {name: forms.yes_or_no(_(words)) for name, words in checks}
        return {"properties": asked, "required": list(asked)}

    def answers(self, target: Target) -> Mapping[str, Json]:
        """Those of the verdict that holds."""
        held = newest(_workflow(target))
        return held.answers if held else {}

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """The verdict, its reason and the signs."""
        verdict, held = judged(answers), newest(_workflow(target))
        told = {"number": verdict.number, "title": _(verdict.title)}
        lines = (
            _("Begin with phase %(number)d of 4: %(title)s.") % told,
            _(verdict.reason),
            *(_(sign) for sign in verdict.signs),
        )
        return Plan(lines, {"from": held.pk if held else 0, "phase": verdict.phase}, verdict)

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """One more row; the event says what it was before."""
        workflow, verdict = _workflow(act.target), act.plan.work
        before = newest(workflow)
        made = TeamAdvice.objects.create(
            workflow=workflow,
            phase=verdict.phase,
            reason=verdict.reason,
            signs=list(verdict.signs),
            answers=dict(act.answers),
            rationale=act.reason,
            kept_by=act.by,
        )
        facts: dict[str, Json] = {"was": before.phase if before else "", "signs": len(verdict.signs)}
        act.record("workflow.advice_kept", workflow=workflow.name, phase=verdict.phase, **facts)
        return {"advice": made.pk, "phase": verdict.phase, "href": _design(workflow)}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The advisor's verdict on %(workflow)s is kept.") % {"workflow": target.row}

    def undo(self, target: Target, plan: Plan) -> Undo | None:
        """The answers before, if there were any."""
        rows = list(_workflow(target).team_advice.all()[:2])
        return Undo(self.name, rows[1].answers) if len(rows) > 1 else None


class SingleAgentMode(_OnWorkflow):
    """The switch, on: new runs give one agent every step whose contract it keeps."""

    name = "single-agent"
    icon = "user-round"
    rank = 62
    title = gettext_lazy("Run it with one agent")
    action = gettext_lazy("Switch to one agent")
    menu = gettext_lazy("Run with one agent…")
    hint = gettext_lazy("For runs that begin from now on, until it is switched back. Runs under way keep their agents.")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Which agent."""
        field = {"type": "string", "enum": list(catalogue.names()), "title": _("Agent")}
        return {"properties": {"agent": field}, "required": ["agent"]}

    def answers(self, target: Target) -> Mapping[str, Json]:
        """The agent that the definition names as a fallback most often."""
        version = _workflow(target).current_version_id
        steps = plan_of(version).steps if version else ()
        names = [step.fallback.partition("@")[0] for step in steps if step.fallback]
        return {"agent": max(sorted({*names}), key=names.count)} if names else {}

    def why_not(self, target: Target) -> str:
        """There must be something to run."""
        return "" if _workflow(target).current_version_id else _("It has no published version yet.")

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """Which steps it takes, and which it cannot."""
        workflow, agent = _workflow(target), str(answers["agent"])
        version = workflow.current_version_id
        assert version is not None
        found = single.division(plan_of(version), agent)
        if not found.taken:
            raise ActImpossible(why=_("There is no step that %(agent)s could take over.") % {"agent": agent})
        if workflow.single_agent is not None and workflow.single_agent.name == agent:
            raise ActImpossible(why=_("It runs with %(agent)s alone already.") % {"agent": agent})
        told = counted(len(found.taken), "%(count)s step of each new run goes to the agent.",
                       "%(count)s steps of each new run go to the agent.")  # fmt: skip
        left = [_("%(key)s stays as it is: %(why)s.") % {"key": key, "why": why} for key, why in found.left[:SHOWN]]
        more = counted(
            len(found.left) - len(left), "%(count)s more stays as it is.", "%(count)s more stay as they are."
        )
        bound: dict[str, Json] = {"version": version, "from": workflow.single_agent_id or 0}
        return Plan(told, bound, None, (*left, *more))

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Set it."""
        return _switch(act, Agent.objects.get(name=str(act.answers["agent"])))

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("New runs of %(workflow)s are done by one agent.") % {"workflow": target.row}

    def undo(self, target: Target, plan: Plan) -> Undo | None:
        """Back to several."""
        return Undo("several-agents")


class SeveralAgents(_OnWorkflow):
    """The switch, off."""

    name = "several-agents"
    icon = "users"
    rank = 62
    title = gettext_lazy("Run it with its own agents again")
    action = gettext_lazy("Switch back")
    menu = gettext_lazy("Run with its own agents…")

    def why_not(self, target: Target) -> str:
        """Only in single-agent mode."""
        return "" if _workflow(target).single_agent_id else _("It runs with its own agents.")

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """From whom the steps go back."""
        agent = _workflow(target).single_agent
        line = _("New runs are done by the agents of the definition again, not by %(agent)s alone.")
        return Plan((line % {"agent": agent.name if agent else ""},), {"from": agent.pk if agent else 0})

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Unset it."""
        return _switch(act, None)

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("New runs of %(workflow)s are done by its own agents.") % {"workflow": target.row}


def newest(workflow: Workflow) -> TeamAdvice | None:
    """The verdict that holds."""
    return workflow.team_advice.select_related("kept_by").first()


def judged(answers: Mapping[str, Json]) -> advising.Verdict:
    """What the advisor says to fifteen answers of yes or no."""
    return advising.judge({name: answers.get(name) == "yes" for name in advising.QUESTIONS})


def _switch(act: Performing, agent: Agent | None) -> Mapping[str, Json]:
    workflow = _workflow(act.target)
    was = workflow.single_agent.name if workflow.single_agent else ""
    workflow.single_agent = agent
    workflow.save(update_fields=["single_agent"])
    act.record("workflow.staffed", workflow=workflow.name, single_agent=agent.name if agent else "", was=was)
    return {"href": _design(workflow)}


def _design(workflow: Workflow) -> str:
    return f"{reverse('orchestrator:workflow', args=[workflow.name])}?tab=design"


def _workflow(target: Target) -> Workflow:
    assert isinstance(target.row, Workflow)
    return target.row


register(KeepAdvice())
register(SingleAgentMode())
register(SeveralAgents())
