"""Drafts of definitions: what a person types into the editor is kept until it is published or discarded."""

from django.contrib.auth.models import User

from orchestrator.models import Workflow, WorkflowDraft


def of(user: User, workflow: Workflow | None) -> WorkflowDraft | None:
    """The person's draft of a workflow, or with None of a new one."""
    return WorkflowDraft.objects.filter(user=user, workflow=workflow).first()


def keep(user: User, workflow: Workflow | None, *, source: str, base: int) -> WorkflowDraft:
    """Store what was typed, over what was kept before; `base` is the version that it was begun from."""
    source = source.replace("\x00", "")  # which the database cannot hold, and no definition may have
    made, _created = WorkflowDraft.objects.update_or_create(
        user=user, workflow=workflow, defaults={"source": source}, create_defaults={"source": source, "base": base}
    )
    return made


def discard(user: User, workflow: Workflow | None) -> None:
    """Forget it."""
    WorkflowDraft.objects.filter(user=user, workflow=workflow).delete()


def workflows_of(user: User) -> set[int | None]:
    """The ids of the workflows of which the person has drafts; None among them for a new one."""
    return set(WorkflowDraft.objects.filter(user=user).values_list("workflow", flat=True))
