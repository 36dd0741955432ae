"""The act that moves a run to another version of its workflow; its preview is the dry run."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.types import Json
from orchestrator.acts.core import Performing, Plan, Target, Undo, counted, register
from orchestrator.acts.refusals import ActImpossible
from orchestrator.acts.runs import RunAct
from orchestrator.acts.steps import SHOWN
from orchestrator.engine import migrating
from orchestrator.models import WorkflowVersion

WHY: Final[Mapping[str, str | Promise]] = {
    "running": gettext_lazy("it runs now; pause the run and wait, or cancel the step"),
    "places": gettext_lazy("it has started tasks or was started, and the other version has another number of steps"),
    "starts": gettext_lazy("it goes on with tasks that it has started and is said differently there"),
    "missing": gettext_lazy("it has begun and the other version does not have it"),
    "moved": gettext_lazy("it has begun and stands at another place in the other version"),
    "kind": gettext_lazy("it has begun and is of another type in the other version"),
    "branches": gettext_lazy("it has chosen a branch and the other version branches differently"),
    "asks": gettext_lazy("people are asked about it now and would not be asked any more"),
}


class Migrate(RunAct):
    """Never by itself: a run keeps the version it was started with until somebody moves it."""

    name = "migrate"
    rank = 46
    icon = "layers"
    title = gettext_lazy("Move this run to another version")
    action = gettext_lazy("Move run")
    menu = gettext_lazy("Move to version…")
    locks_tasks = True
    hint = gettext_lazy("What has begun is kept; what has not begun follows the other version.")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """The other versions, the newest first."""
        numbers = [str(number) for number in _others(target)]
        if not numbers:
            raise ActImpossible(why=_("The workflow has no other version."))
        field = {"type": "string", "enum": numbers, "title": _("Version")}
        return {"properties": {"version": field}, "required": ["version"]}

    def is_offered(self, target: Target) -> bool:
        """Where there is another version."""
        return super().is_offered(target) and bool(_others(target))

    def answers(self, target: Target) -> Mapping[str, Json]:
        """The newest."""
        return {"version": str(next(iter(_others(target)), ""))}

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """Each step by its key; refused with the steps that cannot go over."""
        run = target.run
        version = WorkflowVersion.objects.get(workflow_id=run.workflow_id, number=int(str(answers["version"])))
        found = migrating.route(run, version)
        if found.unmappable:
            fork = _("It cannot be moved as it stands (%(why)s); fork it to version %(number)d instead.")
            raise ActImpossible(why=fork % {"why": reasons(found.unmappable), "number": version.number})
        lines = (
            _("The run goes on by version %(to)d.") % {"to": version.number},
            *counted(
                len(found.kept), "%(count)s step that has begun is kept as it is.",
                "%(count)s steps that have begun are kept as they are.",
            ),
            *named(found.made, _("New: %(keys)s.")),
            *named(found.dropped, _("No longer done: %(keys)s.")),
            *named(found.changed, _("Said differently there: %(keys)s.")),
            *counted(
                len(found.voided), "%(count)s open decision is void: people are asked again.",
                "%(count)s open decisions are void: people are asked again.",
            ),
        )  # fmt: skip
        bound: dict[str, Json] = {
            "from": run.version_id, "kept": [*found.kept], "changed": [*found.changed], "voided": [*found.voided],
        }  # fmt: skip
        warnings = named(found.unasked, _("People are not asked any more about: %(keys)s."))
        return Plan(lines, {**bound, "unasked": [*found.unasked]}, (version, found), warnings)

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Move it over."""
        version, found = act.plan.work
        if found.unasked or found.voided:
            act.refuse_own(verb=_("move it"), why=_("what people are asked about would change"))
        migrating.migrate(act.target.run, version, found, actor=act.actor, reason=act.reason)
        return {"version": version.number}

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("Run #%(pk)d goes on by another version.") % {"pk": target.ref}

    def undo(self, target: Target, plan: Plan) -> Undo | None:
        """Back, as far as what has begun by then allows it; not to a version that is deprecated."""
        before = WorkflowVersion.objects.only("number", "deprecated_at").get(pk=int(str(plan.bound["from"])))
        return None if before.deprecated_at else Undo("migrate", {"version": str(before.number)})


def reasons(unmappable: Sequence[tuple[str, str]]) -> str:
    """Why steps cannot go over: each reason once, with the first of those that it holds for."""
    by_reason: dict[str, list[str]] = {}
    for key, why in unmappable:
        by_reason.setdefault(why, []).append(key)
    return "; ".join(f"{_few(keys)}: {WHY[why]}" for why, keys in by_reason.items())


def _few(keys: Sequence[str]) -> str:
    more = len(keys) - SHOWN
    return ", ".join(keys[:SHOWN]) + (_(" and %(count)d more") % {"count": more} if more > 0 else "")


def _others(target: Target) -> list[int]:
    versions = WorkflowVersion.objects.filter(workflow_id=target.run.workflow_id, deprecated_at=None)
    versions = versions.exclude(pk=target.run.version_id)
    return list(versions.order_by("-number").values_list("number", flat=True)[:50])


def named(keys: tuple[str, ...], text: str) -> tuple[str, ...]:
    """A line with the names of steps, or nothing for none."""
    if not keys:
        return ()
    return (text % {"keys": ", ".join(keys[:SHOWN]) + (f" … ({len(keys)})" if len(keys) > SHOWN else "")},)


register(Migrate())
