"""Acts on a workflow's versions: publish one, make an earlier one current again, deprecate one.

The editor's page (`editor_views`) and programs come by these; a publication without an act stays with the command line
and `POST /api/v1/workflows`.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.types import Json
from orchestrator import ports, publishing
from orchestrator.acts.core import Performing, Plan, Target, Undo, counted, register
from orchestrator.acts.refusals import ActImpossible, ActNotAllowed
from orchestrator.acts.versions import VersionAct, chosen, tab, versions, which, workflow_of
from orchestrator.definitions import plan as plans
from orchestrator.definitions.errors import DefinitionError
from orchestrator.definitions.load import load
from orchestrator.definitions.people import queues_named
from orchestrator.engine.asking import keys_that_ask
from orchestrator.engine.authorising import started_by
from orchestrator.engine.plans import plan_of
from orchestrator.errors import OrchestratorError
from orchestrator.forms import CODE
from orchestrator.models import Run, Workflow, WorkflowVersion
from orchestrator.states import RUN_LIVE

LARGEST: Final = 2_000_000  # characters of a source, as in the API
NAMED: Final = 8  # names in a line


class DefinitionRefused(OrchestratorError):
    """The definition is refused, and nothing has changed: {problems}"""

    code = "definition_invalid"
    status = 422


class Publish(VersionAct):
    """Make a text the current version of its workflow; on everything, the first version of a new one."""

    name = "publish"
    scopes = ("workflow", "everything")
    icon = "check"
    title = gettext_lazy("Publish a version")
    action = gettext_lazy("Publish")
    menu = gettext_lazy("Publish…")
    hint = gettext_lazy("Runs that are under way keep the version they were started with.")

    def why_not(self, target: Target) -> str:
        """Not what is frozen."""
        frozen = target.row is not None and workflow_of(target).frozen_at is not None
        return _("It is frozen: let it be changed again first, or make a certified version current.") if frozen else ""

    def schema(self, target: Target) -> Mapping[str, Any]:
        """The text, and how strictly it is taken."""
        return {
            "properties": {
                "source": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": LARGEST,
                    "title": _("The definition, as YAML or JSON"),
                    CODE: True,
                },
                "strict": {"type": "boolean", "title": _("Refuse it if the checks warn of anything")},
                "make_queues": {"type": "boolean", "title": _("Make queues that do not exist")},
            },
            "required": ["source"],
        }

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """What would be current, who stays on what there was, and what it asks for."""
        found = examined(answers)
        workflow = _of_this_name(target, found.plan.name)
        before = workflow.current_version if workflow else None
        if before is not None and before.source == answers["source"]:
            raise ActImpossible(why=_("It is word for word version %(number)d, which is current.") % _number(before))
        old = plan_of(before.pk) if before else None
        lines = (
            *_heading(found, workflow),
            *_staying(workflow),
            *_steps(before, found),
            *_rights(found, old),
        )
        bound: dict[str, Json] = {
            "from": before.number if before else 0,
            "queues": [*found.missing],
            "warnings": [str(problem) for problem in found.warnings],
        }
        return Plan(lines, bound, found, (*_unasked(old, found.plan), *_warned(found)))

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Store it and make it current."""
        found: publishing.Examined = act.plan.work
        if found.missing and act.by is not None and not ports.rights().can(act.by, "edit_queues"):
            raise ActNotAllowed(verb="make queues")
        try:
            version = publishing.publish(
                source=str(act.answers["source"]),
                file=found.definition.file,
                by=act.by,
                make_queues=bool(act.answers.get("make_queues")),
                strict=bool(act.answers.get("strict")),
                reason=act.reason,
            )
        except DefinitionError as refused:  # what only its author is refused: subworkflows they may not start
            raise DefinitionRefused(problems=str(refused)) from refused
        home = reverse("orchestrator:workflow", args=[found.plan.name])
        return {"workflow": found.plan.name, "version": version.number, "digest": version.digest, "href": home}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("It is published; new runs start on it.")

    def undo(self, target: Target, plan: Plan) -> Undo | None:
        """The version that was current."""
        before = plan.bound["from"]
        return Undo("bring-back", {"version": str(before)}) if before else None


class BringBack(VersionAct):
    """Make an earlier version current again."""

    name = "bring-back"
    icon = "undo-2"
    title = gettext_lazy("Make another version current")
    action = gettext_lazy("Make it current")
    menu = gettext_lazy("Make current…")
    hint = gettext_lazy("New runs start on it. Runs that are under way keep theirs.")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Which version."""
        return which(versions(target).filter(deprecated_at=None).exclude(pk=workflow_of(target).current_version_id))

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """What changes by it; refused where it could not be published today."""
        workflow, version = workflow_of(target), chosen(target, answers)
        try:
            found = publishing.examine(source=version.source, file=f"{workflow.name}.yaml", by=None)
        except DefinitionError as refused:
            raise DefinitionRefused(problems=str(refused)) from refused
        current = workflow.current_version
        old = plan_of(current.pk) if current else None
        lines = (
            _("Version %(number)d becomes the current one again.") % _number(version),
            *_staying(workflow),
            *_steps(current, found),
        )
        bound: dict[str, Json] = {"from": current.number if current else 0}
        return Plan(lines, bound, (version, found), (*_unasked(old, found.plan), *_warned(found)))

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Point the workflow at it."""
        version, found = act.plan.work
        version.workflow = workflow_of(act.target)
        publishing.make_current(version, found.definition, by=act.by, queues=[], reason=act.reason)
        return {"version": version.number, "href": tab(act.target)}

    def done(self, target: Target) -> str:
        """In one sentence."""
        current = workflow_of(target).current_version
        assert current is not None  # it has just been set
        return _("Version %(number)d is current.") % _number(current)

    def undo(self, target: Target, plan: Plan) -> Undo | None:
        """The version that was current."""
        before = plan.bound["from"]
        return Undo(self.name, {"version": str(before)}) if before else None


class Deprecate(VersionAct):
    """Let no run come to a version any more."""

    name = "deprecate"
    icon = "ban"
    title = gettext_lazy("Deprecate a version")
    action = gettext_lazy("Deprecate")
    menu = gettext_lazy("Deprecate…")
    hint = gettext_lazy("It stays readable, and the runs that are on it go on.")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Any but the current one."""
        return which(versions(target).filter(deprecated_at=None).exclude(pk=workflow_of(target).current_version_id))

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """Who is on it, and what is not possible any more."""
        version = chosen(target, answers)
        live = Run.objects.filter(version=version, status__in=RUN_LIVE).count()
        lines = (
            _("No run can be moved or forked to version %(number)d, and it cannot be made current.") % _number(version),
            *counted(live, "%(count)s live run on it goes on.", "%(count)s live runs on it go on."),
        )
        return Plan(lines, {"version": version.pk}, version)

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Mark it."""
        return _mark(act, "workflow.version_deprecated", timezone.now())

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The version is deprecated.")

    def undo(self, target: Target, plan: Plan) -> Undo:
        """Let runs come to it again."""
        return Undo("restore", {"version": str(plan.work.number)})


class Restore(VersionAct):
    """Take a deprecation back."""

    name = "restore"
    icon = "undo-2"
    title = gettext_lazy("Take a deprecation back")
    action = gettext_lazy("Take it back")
    menu = gettext_lazy("Take back…")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Any that is deprecated."""
        return which(versions(target).exclude(deprecated_at=None))

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """What is possible again."""
        version = chosen(target, answers)
        said = _("Runs can be moved and forked to version %(number)d again, and it can be made current.")
        return Plan((said % _number(version),), {"version": version.pk}, version)

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Take the mark away."""
        return _mark(act, "workflow.version_restored", None)

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The version is no longer deprecated.")

    def undo(self, target: Target, plan: Plan) -> Undo:
        """Deprecate it again."""
        return Undo("deprecate", {"version": str(plan.work.number)})


def examined(answers: Mapping[str, Json]) -> publishing.Examined:
    """What the answers' text is. Raises DefinitionRefused."""
    try:
        return publishing.examine(
            source=str(answers["source"]),
            file="workflow.yaml",
            by=None,
            make_queues=bool(answers.get("make_queues")),
            strict=bool(answers.get("strict")),
        )
    except DefinitionError as refused:
        raise DefinitionRefused(problems=str(refused)) from refused


def _of_this_name(target: Target, name: str) -> Workflow | None:
    """The workflow that the text is about: the target, or none yet."""
    if target.row is not None:
        workflow = workflow_of(target)
        if workflow.name != name:
            said = _("The text is about %(name)s, this is %(here)s: correct metadata.name, or begin a new workflow.")
            raise ActImpossible(why=said % {"name": name, "here": workflow.name})
        return workflow
    if Workflow.objects.filter(name=name).exists():
        said = _("There is a workflow %(name)s already: publish its next version on its page, or choose another name.")
        raise ActImpossible(why=said % {"name": name})
    return None


def _heading(found: publishing.Examined, workflow: Workflow | None) -> tuple[str, ...]:
    title = found.definition.title or found.plan.name
    if workflow is None:
        return (_("%(title)s is a new workflow, and yours; this is its version 1.") % {"title": title},)
    last = workflow.versions.order_by("-number").values_list("number", flat=True).first() or 0
    return (_("Version %(number)d of %(title)s becomes the current one.") % {"number": last + 1, "title": title},)


def _staying(workflow: Workflow | None) -> tuple[str, ...]:
    if workflow is None:
        return ()
    live = Run.objects.filter(workflow=workflow, status__in=RUN_LIVE).order_by()
    by_version = Counter(live.values_list("version__number", flat=True)[:10_000])
    told = [
        _("%(count)s on version %(number)d") % {"count": f"{count:,}", "number": number}
        for number, count in sorted(by_version.items())[-NAMED:]
    ]
    if not told:
        return (_("No run is under way."),)
    return (_("Runs that are under way stay where they are: %(told)s.") % {"told": ", ".join(told)},)


def _steps(before: WorkflowVersion | None, found: publishing.Examined) -> tuple[str, ...]:
    now = {step.key: step.fields for step in found.definition.steps}
    if before is None:
        return counted(len(now), "It has %(count)s step.", "It has %(count)s steps.")
    try:
        was = {step.key: step.fields for step in load(before.source, file="").steps}
    except DefinitionError:  # written by rules that no longer hold: the difference of the texts has to do
        return ()
    return (
        *_named([key for key in now if key not in was], _("New steps: %(names)s.")),
        *_named([key for key in was if key not in now], _("No longer done: %(names)s.")),
        *_named([key for key in now if key in was and now[key] != was[key]], _("Said differently: %(names)s.")),
    )


def _rights(found: publishing.Examined, old: plans.Plan | None) -> tuple[str, ...]:
    """What it asks for: people's queues, agents, and rights on the workflows that it starts."""
    queues = sorted({named.queue for named in queues_named(found.definition)})
    others = sorted({name for _step, name in started_by(found.plan)})
    agents = sorted({step.agent for step in found.plan.steps if step.agent})
    known = {step.agent for step in old.steps} if old else set(agents)
    return (
        *_named(queues, _("It asks people in these queues: %(names)s.")),
        *_named(found.missing, _("These queues are made, and nobody decides in them yet: %(names)s.")),
        *_named(agents, _("It calls these agents: %(names)s.")),
        *_named([name for name in agents if name not in known], _("New among them: %(names)s.")),
        *_named(others, _("It starts runs of %(names)s; whoever publishes it must have the right to.")),
    )


def _unasked(old: plans.Plan | None, new: plans.Plan) -> tuple[str, ...]:
    gone = sorted(keys_that_ask(old) - keys_that_ask(new)) if old else []
    return _named(gone, _("People are not asked any more about: %(names)s."))


def _warned(found: publishing.Examined) -> tuple[str, ...]:
    return counted(len(found.warnings), "The checks give %(count)s warning.", "The checks give %(count)s warnings.")


def _named(names: list[str], text: str) -> tuple[str, ...]:
    if not names:
        return ()
    more = f" … ({len(names)})" if len(names) > NAMED else ""
    return (text % {"names": ", ".join(names[:NAMED]) + more},)


def _mark(act: Performing, kind: str, at: Any) -> Mapping[str, Json]:
    version: WorkflowVersion = act.plan.work
    version.deprecated_at = at
    version.save(update_fields=["deprecated_at"])
    act.record(kind, workflow=workflow_of(act.target).name, number=version.number)
    return {"version": version.number, "href": tab(act.target)}


def _number(version: WorkflowVersion) -> dict[str, int]:
    return {"number": version.number}


for _act in (Publish(), BringBack(), Deprecate(), Restore()):
    register(_act)
