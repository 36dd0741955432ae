"""What a stop reaches: whom it may name, and how much it holds and cancels, by the indexes that the claim uses."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.contrib.auth.models import User
from django.db.models import Q
from django.utils.translation import gettext as _

from agents.models import Agent
from orchestrator import ports
from orchestrator.models import TASK_BITS, Run, Stop, Task, TaskQuerySet, task_id
from orchestrator.states import RunStatus, TaskStatus

COUNTED: Final = 10_000  # beyond this the preview says that there is more: it must answer at once


@dataclass(frozen=True, slots=True)
class Target:
    """Something that can be stopped. `value` is what the form sends: `everything`, `workflow:3`, `agent:5`."""

    scope: str
    ref: int | None
    title: str

    @property
    def value(self) -> str:
        """As the form sends it."""
        return self.scope if self.ref is None else f"{self.scope}:{self.ref}"


@dataclass(frozen=True, slots=True)
class Reach:
    """What a stop would do at this moment."""

    running: int
    ready: int
    runs: int

    @property
    def is_capped(self) -> bool:
        """Whether there is more than was counted."""
        return max(self.running, self.ready, self.runs) >= COUNTED


def targets(user: User) -> list[Target]:
    """Everything that the user may stop, the widest first."""
    rights = ports.rights()
    found = []
    if rights.can(user, "stop_everything"):
        found.append(Target(Stop.Scope.EVERYTHING, None, _("Everything")))
    workflows = rights.visible_workflows(user, "stop_workflow").order_by("title")
    found += [Target(Stop.Scope.WORKFLOW, workflow.pk, workflow.title) for workflow in workflows]
    if rights.can(user, "stop_everything") or rights.can(user, "edit_agents"):
        found += [Target(Stop.Scope.AGENT, agent.pk, agent.name) for agent in Agent.objects.order_by("name")]
    return found


def chosen(among: Sequence[Target], value: str) -> Target | None:
    """The target that a form named, if the user may stop it."""
    return next((target for target in among if target.value == value), None)


def reach(target: Target) -> Reach:
    """Tasks that would be cancelled and returned, tasks that would not start, and runs that would stand still.

    Ready tasks are asked for in two halves, each in the words of the partial index that holds it.
    """
    tasks = Task.objects.filter(_covered(target)).order_by()
    ready = tasks.filter(status=TaskStatus.READY, held=False)
    running = _run_ids(tasks.filter(status=TaskStatus.RUNNING))
    held = _run_ids(ready.filter(limited=False, suspect=False))
    held += _run_ids(ready.filter(Q(limited=True) | Q(suspect=True)))
    return Reach(len(running), len(held), _runs(target, {*running, *held}))


def _run_ids(tasks: TaskQuerySet) -> list[int]:
    """The run of each task, by its id: an index holds ids, so that no row is read."""
    return [pk >> TASK_BITS for pk in tasks.values_list("pk", flat=True)[:COUNTED]]


def _runs(target: Target, touched: set[int]) -> int:
    if target.scope in (Stop.Scope.AGENT, Stop.Scope.RUN, Stop.Scope.TASK):
        return len(touched)
    runs = Run.objects.filter(status=RunStatus.RUNNING).order_by()
    if target.ref is not None:
        runs = runs.filter(workflow_id=target.ref)
    return runs.values("pk")[:COUNTED].count()


def _covered(target: Target) -> Q:
    match target.scope:
        case Stop.Scope.WORKFLOW:
            return Q(workflow_id=target.ref)
        case Stop.Scope.AGENT:
            return Q(agent_id=target.ref)
        case Stop.Scope.RUN:
            return Q(pk__gte=task_id(target.ref or 0, 0), pk__lt=task_id((target.ref or 0) + 1, 0))
        case Stop.Scope.TASK:
            return Q(pk=target.ref)
    return Q()
