"""What of the gallery is installed here, as a user may know it, and what came of its runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.models import User

from orchestrator.acts.installing import digest_of
from orchestrator.gallery.templates import Template
from orchestrator.models import Workflow
from orchestrator.ports import rights


@dataclass(frozen=True, slots=True)
class Card:
    """A template, its workflow if the user may see one of that name, and whether that is the template word for word."""

    template: Template
    workflow: Workflow | None = None
    is_unchanged: bool = False


def cards(user: User, found: Sequence[Template]) -> list[Card]:
    """A card for each template; one query."""
    names = [template.name for template in found]
    visible = rights().visible_workflows(user).filter(name__in=names).exclude(current_version=None)
    held = {workflow.name: workflow for workflow in visible.select_related("current_version")}
    return [_card(template, held.get(template.name)) for template in found]


def _card(template: Template, workflow: Workflow | None) -> Card:
    version = workflow.current_version if workflow else None
    return Card(template, workflow, version is not None and version.digest == digest_of(template))
