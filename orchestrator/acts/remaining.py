"""The act that edits what a run has yet to do: a version of its definition for this one run, reached by migration."""

from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.types import Json
from orchestrator import ports, publishing
from orchestrator.acts.core import Performing, Person, Plan, Target, Undo, counted, register
from orchestrator.acts.migration import WHY, named
from orchestrator.acts.publishing import DefinitionRefused
from orchestrator.acts.refusals import ActImpossible
from orchestrator.acts.runs import RunAct
from orchestrator.acts.steps import SHOWN
from orchestrator.definitions.errors import DefinitionError
from orchestrator.engine import migrating
from orchestrator.forms import CODE
from orchestrator.models import WorkflowVersion

LARGEST: Final = 200_000  # characters


class EditRemaining(RunAct):
    """Change, add and leave out steps that have not begun. What has begun stays as it is, word for word."""

    name = "edit-remaining"
    rank = 47
    icon = "pencil"
    title = gettext_lazy("Edit what this run has yet to do")
    action = gettext_lazy("Change its steps")
    menu = gettext_lazy("Edit remaining steps…")
    locks_tasks = True
    hint = gettext_lazy("For this run alone: no other run comes to this version. What has begun must stay as it is.")

    def permits(self, user: Person, target: Target) -> bool:
        """Who may steer the run and publish versions of its workflow: it is both."""
        rights = ports.rights()
        run = target.run
        return rights.can(user, "steer_run", run) and rights.can(user, "publish_version", run.workflow)

    def schema(self, target: Target) -> Mapping[str, Any]:
        """The whole definition."""
        title = _("The definition, as YAML or JSON")
        source = {"type": "string", "minLength": 1, "maxLength": LARGEST, "title": title, CODE: True}
        return {"properties": {"source": source}, "required": ["source"]}

    def answers(self, target: Target) -> Mapping[str, Json]:
        """As the run has it now."""
        return {"source": WorkflowVersion.objects.values_list("source", flat=True).get(pk=target.run.version_id)}

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """Which steps would be new, gone and different; refused where one that has begun would be another."""
        run = target.run
        found = _examined(run.workflow.name, str(answers["source"]), run.pk)
        route = migrating.route_to(run, found.plan)
        _refuse_begun(route)
        changed = migrating.changed_ahead(run, found.plan, route)
        if not (route.made or route.dropped or changed):
            raise ActImpossible(why=_("Nothing about what is to come would change."))
        lines = (
            *counted(
                len(route.kept), "%(count)s step that has begun is kept as it is.",
                "%(count)s steps that have begun are kept as they are.",
            ),
            *named(route.made, _("New: %(keys)s.")),
            *named(route.dropped, _("No longer done: %(keys)s.")),
            *named(changed, _("Done differently: %(keys)s.")),
        )  # fmt: skip
        bound: dict[str, Json] = {"from": run.version_id, "kept": [*route.kept], "unasked": [*route.unasked]}
        warnings = named(route.unasked, _("People are not asked any more about: %(keys)s."))
        return Plan(lines, bound, (found, route), warnings)

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Keep the version, for this run alone, and move the run over."""
        found, route = act.plan.work
        if route.unasked:
            act.refuse_own(verb=_("edit it"), why=_("what people are asked about would change"))
        try:
            version = publishing.keep_aside(found, source=str(act.answers["source"]), by=act.by)
        except DefinitionError as refused:  # what only its author is refused: subworkflows they may not start
            raise DefinitionRefused(problems=str(refused)) from refused
        migrating.migrate(act.target.run, version, route, actor=act.actor, reason=act.reason)
        return {"version": version.number}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("Run #%(pk)d goes on by its own steps.") % {"pk": target.ref}

    def undo(self, target: Target, plan: Plan) -> Undo | None:
        """Back to the version it had, as far as what has begun by then allows it."""
        before = WorkflowVersion.objects.only("source").get(pk=int(str(plan.bound["from"])))
        return Undo("edit-remaining", {"source": before.source})


def _examined(workflow: str, source: str, run: int) -> publishing.Examined:
    try:
        found = publishing.examine(source=source, file=f"run-{run}.yaml", by=None)
    except DefinitionError as refused:
        raise DefinitionRefused(problems=str(refused)) from refused
    if found.plan.name != workflow:
        raise ActImpossible(why=_("It must keep its name, %(name)s: it is the same workflow.") % {"name": workflow})
    return found


def _refuse_begun(route: migrating.Route) -> None:
    """What has begun must be found as it was."""
    wrong = [*route.unmappable, *((key, "") for key in route.changed)]
    if not wrong:
        return
    reasons = (f"{key}: {WHY[why] if why else _('it has begun and would be another')}" for key, why in wrong[:SHOWN])
    more = _(" and %(count)d more") % {"count": len(wrong) - SHOWN} if len(wrong) > SHOWN else ""
    raise ActImpossible(why=_("Only what is to come can be edited (%(named)s%(more)s).") % {
        "named": "; ".join(reasons), "more": more,
    })  # fmt: skip


register(EditRemaining())
