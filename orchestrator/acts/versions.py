"""What acts on the versions of a workflow have in common: their right, their lock, which version is meant."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django.urls import reverse
from django.utils.translation import gettext as _

from agents.types import Json
from orchestrator import ports
from orchestrator.acts.core import Act, Person, Scope, Target
from orchestrator.acts.refusals import ActImpossible
from orchestrator.models import Workflow, WorkflowVersion

OFFERED: Final = 100  # versions to choose from


class VersionAct(Act):
    """What acts on versions have in common: the right to publish; the editor and the tab Versions offer them."""

    scopes: ClassVar[tuple[Scope, ...]] = ("workflow",)
    icon = "layers"

    def permits(self, user: Person, target: Target) -> bool:
        """`publish_version`, on the workflow; everywhere for a new one."""
        return ports.rights().can(user, "publish_version", target.row)

    def is_offered(self, target: Target) -> bool:
        """Only by the pages that fill in what it is about."""
        return False

    def lock(self, target: Target) -> Target:
        """The workflow's row: of two publications at once, the second sees the first."""
        if target.row is None:
            return target
        return Target("workflow", Workflow.objects.select_for_update(no_key=True).get(pk=target.row.pk))


def tab(target: Target) -> str:
    """Where a workflow's versions are listed."""
    return f"{reverse('orchestrator:workflow', args=[target.address])}?tab=versions"


def which(rows: Any) -> Mapping[str, Any]:
    """An answer that is one of these versions' numbers. Raises ActImpossible where there is none."""
    numbers = [str(number) for number in rows.order_by("-number").values_list("number", flat=True)[:OFFERED]]
    if not numbers:
        raise ActImpossible(why=_("There is no version to choose."))
    field = {"type": "string", "enum": numbers, "title": _("Version")}
    return {"properties": {"version": field}, "required": ["version"]}


def versions(target: Target) -> Any:
    """Of the target."""
    return WorkflowVersion.objects.filter(workflow=workflow_of(target))


def chosen(target: Target, answers: Mapping[str, Json]) -> WorkflowVersion:
    """The version that was answered."""
    found: WorkflowVersion = versions(target).get(number=int(str(answers["version"])))
    return found


def workflow_of(target: Target) -> Workflow:
    """What an act on a workflow is done to."""
    assert isinstance(target.row, Workflow)
    return target.row
