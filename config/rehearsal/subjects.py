"""What can be rehearsed: a workflow as it is published here, with those it starts, and every template."""

from config.rehearsal.rehearse import Subject
from config.rehearsal.sampling import sample
from orchestrator.engine.plans import plan_of
from orchestrator.gallery import templates
from orchestrator.gallery.templates import Sample, Template
from orchestrator.models import Run, Workflow, WorkflowVersion


class NotPublished(Exception):
    """{name} is not a published workflow; publish it first, or choose one of: {known}."""

    def __init__(self, name: str) -> None:
        known = ", ".join(Workflow.objects.exclude(current_version=None).values_list("name", flat=True)[:10])
        super().__init__((self.__doc__ or "").format(name=name, known=known or "none"))


def published(name: str) -> Subject:
    """A workflow's current version with the input of its newest run, or one that fits. Raises NotPublished."""
    version = _current(name)
    if version is None:
        raise NotPublished(name)
    newest = Run.objects.filter(workflow_id=version.workflow_id).order_by("-id").values_list("input", flat=True).first()
    given = newest if newest is not None else sample(version.plan.get("input_schema") or {"type": "object"})
    return Subject(name, version.number, version.source, given if isinstance(given, dict) else {}, _started(version))


def shipped() -> list[Subject]:
    """Each template with the first of its samples that ends well."""
    return [Subject(one.name, 1, one.source, _trial(one).input) for one in templates.every()]


def _trial(template: Template) -> Sample:
    return next((one for one in template.samples if one.ends == "succeeded"), template.samples[0])


def _current(name: str) -> WorkflowVersion | None:
    workflow = Workflow.objects.filter(name=name).select_related("current_version").first()
    return workflow.current_version if workflow else None


def _started(version: WorkflowVersion) -> tuple[tuple[str, str], ...]:
    """Names and definitions of the workflows that it starts, and of those that they start, innermost first."""
    found: dict[str, str] = {}
    _collect(version, found, above=(version.workflow.name,))
    return tuple(found.items())


def _collect(version: WorkflowVersion, found: dict[str, str], above: tuple[str, ...]) -> None:
    steps = [part for step in plan_of(version.pk).steps for part in (step, step.body) if part is not None]
    for name in [step.workflow for step in steps if step.workflow]:
        callee = None if name in found or name in above else _current(name)
        if callee is not None:
            _collect(callee, found, (*above, name))
            found[name] = callee.source
