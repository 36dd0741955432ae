"""The act that says which pattern a workflow follows, and why; the workflow's page shows it."""

from collections.abc import Mapping
from typing import Any, Final

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.types import Json
from orchestrator import forms, ports
from orchestrator.acts.core import Act, Performing, Person, Plan, Target, Undo, register
from orchestrator.models import PatternChoice, Workflow
from orchestrator.patterns import choosing, plain

YES_NO: Final = ("yes", "no")


class ChoosePattern(Act):
    """Keep the pattern of a workflow with what the wizard recommends; the reason is its rationale."""

    name = "choose-pattern"
    scopes = ("workflow",)
    icon = "network"
    rank = 60
    title = gettext_lazy("Choose this workflow's pattern")
    action = gettext_lazy("Keep this choice")
    menu = gettext_lazy("Pattern…")
    hint = gettext_lazy("Your reason below stands on the workflow's page as the rationale. Runs are not changed by it.")

    def permits(self, user: Person, target: Target) -> bool:
        """Those who may publish it."""
        return ports.rights().can(user, "publish_version", target.row)

    def schema(self, target: Target) -> Mapping[str, Any]:
        """The pattern, and the wizard's four questions."""
        titles = {entry.name: _(entry.title) for entry in plain.entries()}
        asked: dict[str, Any] = {"pattern": forms.choice(_("Pattern"), titles)}
        for name, question in choosing.QUESTIONS.items():
            asked[name] = forms.yes_or_no(_(question))
        return {"properties": asked, "required": ["pattern"]}

    def answers(self, target: Target) -> Mapping[str, Json]:
        """The choice that holds."""
        held = newest(_workflow(target))
        return {"pattern": held.pattern, **held.answers} if held else {}

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """From which pattern to which, and what the wizard says."""
        workflow, held = _workflow(target), newest(_workflow(target))
        chosen = str(answers.get("pattern", ""))
        lines = [_("%(workflow)s follows the pattern %(pattern)s.") % {"workflow": workflow, "pattern": chosen}]
        if held is not None:
            told = {"pattern": held.pattern, "by": held.chosen_by or _("the engine"), "why": held.rationale}
            lines.append(_("Until now: %(pattern)s, chosen by %(by)s: “%(why)s”") % told)
        advice = advice_for(answers)
        if advice is not None:
            lines.append(_("For these answers the wizard recommends %(pattern)s.") % {"pattern": advice.pattern})
        differs = advice is not None and advice.pattern != chosen
        warnings = (_("That is another one than you choose; say below why."),) if differs else ()
        bound: dict[str, Json] = {"from": held.pk if held else 0, "pattern": chosen}
        return Plan(tuple(lines), bound, advice.pattern if advice else "", warnings)

    def lock(self, target: Target) -> Target:
        """The workflow's row: of two choices at once, the second sees the first."""
        row = Workflow.objects.select_for_update(no_key=True).get(pk=_workflow(target).pk)
        return Target("workflow", row)

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """One more row; the event says what it was before."""
        workflow, before = _workflow(act.target), newest(_workflow(act.target))
        pattern, recommended = str(act.answers["pattern"]), str(act.plan.work)
        answers = {name: act.answers[name] for name in choosing.QUESTIONS if name in act.answers}
        made = PatternChoice.objects.create(
            workflow=workflow,
            pattern=pattern,
            recommended=recommended,
            answers=answers,
            rationale=act.reason,
            chosen_by=act.by,
        )
        was = before.pattern if before else ""
        act.record("workflow.pattern_chosen", workflow=workflow.name, pattern=pattern, was=was, recommended=recommended)
        return {"choice": made.pk, "href": f"{reverse('orchestrator:workflow', args=[workflow.name])}?tab=design"}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The pattern of %(workflow)s is kept.") % {"workflow": target.row}

    def undo(self, target: Target, plan: Plan) -> Undo | None:
        """The choice before, if there was one."""
        rows = _workflow(target).pattern_choices.all()[:2]
        if len(rows) < 2:
            return None
        return Undo(self.name, {"pattern": rows[1].pattern, **rows[1].answers})


def newest(workflow: Workflow) -> PatternChoice | None:
    """The choice that holds."""
    return workflow.pattern_choices.select_related("chosen_by").first()


def advice_for(answers: Mapping[str, Json]) -> choosing.Advice | None:
    """What the wizard recommends, once all four questions are answered."""
    said = {name: answers.get(name) for name in choosing.QUESTIONS}
    if not all(answer in YES_NO for answer in said.values()):
        return None
    return choosing.recommend(**{name: answer == "yes" for name, answer in said.items()})


def _workflow(target: Target) -> Workflow:
    assert isinstance(target.row, Workflow)
    return target.row


register(ChoosePattern())
