"""Acts that certify a version after a rehearsal, go back to the newest certified one, and freeze a workflow."""

from collections.abc import Mapping
from typing import Any, Final

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.types import Json
from orchestrator.acts.core import Performing, Plan, Target, Undo, register
from orchestrator.acts.publishing import BringBack
from orchestrator.acts.refusals import ActImpossible
from orchestrator.acts.versions import VersionAct, chosen, tab, versions, which, workflow_of
from orchestrator.errors import OrchestratorError
from orchestrator.models import Rehearsal, WorkflowVersion

_UNREHEARSED: Final = gettext_lazy(
    "Version %(number)d has not been rehearsed; run “manage.py rehearse %(name)s” while it is current."
)
_FAILED: Final = gettext_lazy(
    "Version %(number)d did not pass its last rehearsal; mend what it reports, publish, and rehearse again."
)


class OwnVersion(OrchestratorError):
    """You published this version, so somebody else must certify it."""

    code = "separation_of_duties"
    status = 403


class Certify(VersionAct):
    """Say that a version may be gone back to: its last rehearsal has passed, and not whoever published it says so."""

    name = "certify"
    icon = "shield-check"
    title = gettext_lazy("Certify a version")
    action = gettext_lazy("Certify")
    menu = gettext_lazy("Certify…")
    hint = gettext_lazy("“Back to certified” makes the newest certified version current in one step.")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Any that is neither certified nor deprecated."""
        return which(versions(target).filter(certified_at=None, deprecated_at=None))

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """With what its rehearsal found."""
        version = chosen(target, answers)
        known = {"number": version.number, "name": workflow_of(target).name}
        last = Rehearsal.objects.filter(version=version).order_by("-pk").first()
        if last is None or not last.passed:
            raise ActImpossible(why=(_FAILED if last else _UNREHEARSED) % known)
        told = _("Its last rehearsal, %(at)s, recovered by itself from %(recovered)s of %(injected)s faults.")
        facts = {name: last.report.get(name, 0) for name in ("recovered", "injected")}
        lines = (
            _("Version %(number)d is certified.") % known,
            told % {**facts, "at": last.at.strftime("%Y-%m-%d")},
        )
        return Plan(lines, {"version": version.pk, "rehearsal": last.pk}, version)

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Mark it; never one's own."""
        version: WorkflowVersion = act.plan.work
        if act.by is not None and version.published_by_id == act.by.pk:
            raise OwnVersion
        return _mark(act, version, "workflow.version_certified", certified_at=timezone.now(), certified_by=act.by)

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The version is certified.")

    def undo(self, target: Target, plan: Plan) -> Undo:
        """Take the mark away."""
        return Undo("decertify", {"version": str(plan.work.number)})


class Decertify(VersionAct):
    """Take a version's certificate away."""

    name = "decertify"
    icon = "undo-2"
    title = gettext_lazy("Take a version's certificate away")
    action = gettext_lazy("Take it away")
    menu = gettext_lazy("Take the certificate away…")

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Any that is certified."""
        return which(versions(target).exclude(certified_at=None))

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """What is not possible any more."""
        version = chosen(target, answers)
        line = _("“Back to certified” does not lead to version %(number)d any more.") % {"number": version.number}
        return Plan((line,), {"version": version.pk}, version)

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Take it away."""
        return _mark(act, act.plan.work, "workflow.version_decertified", certified_at=None, certified_by=None)

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("The version is not certified any more.")


class BackToCertified(BringBack):
    """Make the newest certified version current: also while the workflow is frozen."""

    name = "back-to-certified"
    icon = "shield-check"
    rank = 64
    title = gettext_lazy("Go back to the certified version")
    action = gettext_lazy("Go back")
    menu = gettext_lazy("Back to certified…")

    def is_offered(self, target: Target) -> bool:
        """In the menu, where there is one to go back to."""
        return _newest(target) is not None

    def schema(self, target: Target) -> Mapping[str, Any]:
        """Nothing: there is one newest."""
        return {}

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """As for any version that is made current."""
        number = _newest(target)
        if number is None:
            raise ActImpossible(why=_("There is no certified version, or it is current already."))
        return super().plan(target, {"version": str(number)})

    def undo(self, target: Target, plan: Plan) -> Undo | None:
        """The version that was current; not while the workflow is frozen."""
        before = plan.bound["from"]
        frozen = workflow_of(target).frozen_at is not None
        return Undo("bring-back", {"version": str(before)}) if before and not frozen else None


class Freeze(VersionAct):
    """Let nobody publish another version until it is let go on."""

    name = "freeze"
    icon = "lock"
    rank = 66
    title = gettext_lazy("Freeze this workflow")
    action = gettext_lazy("Freeze")
    menu = gettext_lazy("Freeze…")
    hint = gettext_lazy("No version is published or made current but a certified one. Runs go on.")

    def is_offered(self, target: Target) -> bool:
        """In the menu."""
        return not self.why_not(target)

    def why_not(self, target: Target) -> str:
        """Only once."""
        return _("It is frozen already.") if workflow_of(target).frozen_at else ""

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """For everybody."""
        lines = (
            _("Nobody publishes a version of it, on a page, by the API or the command line, until it is let go on."),
            _("Runs start and go on as they do now; going back to a certified version stays possible."),
        )
        return Plan(lines, {"frozen": False})

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Mark it."""
        return _freeze(act, "workflow.frozen", at=timezone.now(), reason=act.reason)

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("%(workflow)s is frozen.") % {"workflow": target.row}

    def undo(self, target: Target, plan: Plan) -> Undo:
        """Let it be changed."""
        return Undo("unfreeze")


class Unfreeze(VersionAct):
    """Let a frozen workflow be changed again."""

    name = "unfreeze"
    icon = "undo-2"
    rank = 66
    title = gettext_lazy("Let this workflow be changed again")
    action = gettext_lazy("Let it be changed")
    menu = gettext_lazy("Unfreeze…")

    def is_offered(self, target: Target) -> bool:
        """In the menu."""
        return not self.why_not(target)

    def why_not(self, target: Target) -> str:
        """Only what is frozen."""
        return "" if workflow_of(target).frozen_at else _("It is not frozen.")

    def plan(self, target: Target, answers: Mapping[str, Json]) -> Plan:
        """With why it was frozen."""
        found = workflow_of(target)
        line = _("It was frozen because: %(reason)s") % {"reason": found.frozen_reason}
        return Plan((line, _("Versions can be published again.")), {"frozen": True})

    def apply(self, act: Performing) -> Mapping[str, Json]:
        """Take the mark away."""
        return _freeze(act, "workflow.unfrozen", at=None, reason="")

    def done(self, target: Target) -> str:
        """In one sentence."""
        return _("%(workflow)s can be changed again.") % {"workflow": target.row}

    def undo(self, target: Target, plan: Plan) -> Undo:
        """Freeze it again."""
        return Undo("freeze")


def _newest(target: Target) -> int | None:
    """The number of the newest certified version; None if that is current, or there is none."""
    found = versions(target).filter(deprecated_at=None).exclude(certified_at=None).order_by("-number").first()
    return None if found is None or found.pk == workflow_of(target).current_version_id else int(found.number)


def _mark(act: Performing, version: WorkflowVersion, kind: str, **columns: Any) -> Mapping[str, Json]:
    for name, value in columns.items():
        setattr(version, name, value)
    version.save(update_fields=[*columns])
    act.record(kind, workflow=workflow_of(act.target).name, number=version.number)
    return {"version": version.number, "href": tab(act.target)}


def _freeze(act: Performing, kind: str, *, at: Any, reason: str) -> Mapping[str, Json]:
    workflow = workflow_of(act.target)
    workflow.frozen_at, workflow.frozen_reason = at, reason
    workflow.save(update_fields=["frozen_at", "frozen_reason"])
    act.record(kind, workflow=workflow.name)
    return {"href": tab(act.target)}


for _act in (Certify(), Decertify(), BackToCertified(), Freeze(), Unfreeze()):
    register(_act)
