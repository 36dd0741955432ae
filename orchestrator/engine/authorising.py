"""Who answers for a run that another run starts: whoever published that run's version, or whoever started it.

Publishing checks its author, and each start checks again: a right that was taken away since opens nothing. A version
that nobody by name has published came from an operator at the machine, whom rights do not bind.
"""

from collections.abc import Iterator

from django.contrib.auth.models import User

from orchestrator.definitions.errors import DefinitionError, DefinitionProblem
from orchestrator.definitions.plan import Plan
from orchestrator.errors import SubworkflowForbidden
from orchestrator.models import Run, Workflow
from orchestrator.ports import rights


class SubworkflowNotPermitted(DefinitionError):
    """A definition names subworkflows that its author may not start; `problems` lists each step."""

    code = "subworkflow_not_permitted"
    status = 403


def require_author(plan: Plan, *, file: str, by: User | None) -> None:
    """Raises SubworkflowNotPermitted for each step that starts runs of a workflow whose runs `by` may not start."""
    if by is None:
        return
    problems = [
        DefinitionProblem(file, step, "workflow", f"{by.get_username()} may not start runs of {name}", _REMEDY)
        for step, name in started_by(plan)
        if name != plan.name and not _may(by, name)
    ]
    if problems:
        raise SubworkflowNotPermitted(problems)


def require_start(parent: Run, *, step: str, workflow: str) -> None:
    """Raises SubworkflowForbidden when nobody who answers for this run may start runs of that workflow."""
    author = parent.version.published_by
    if author is None or parent.workflow.name == workflow or _may(author, workflow):
        return
    starter = parent.started_by
    if starter is None or not _may(starter, workflow):
        names = author.get_username(), starter.get_username() if starter else "nobody"
        raise SubworkflowForbidden(step=step, workflow=workflow, author=names[0], starter=names[1])


def started_by(plan: Plan) -> Iterator[tuple[str, str]]:
    """Each step that starts runs, and of which workflow; a map's or loop's body counts as its step."""
    for step in plan.steps:
        for one in (step, step.body):
            if one is not None and one.workflow:
                yield step.key, one.workflow


def _may(user: User, workflow: str) -> bool:
    found = Workflow.objects.filter(name=workflow).first()
    return found is None or rights().can(user, "start_run", found)  # one that is not there is refused as such


_REMEDY = "ask for the right to start them, or have somebody publish this who has it"
