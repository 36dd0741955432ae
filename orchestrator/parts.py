"""What a team sees of a run whose steps belong to several teams: its own tasks whole, of all others name and status.

For people who may not see the workflow's runs: whoever may, sees all of them as ever, and every other page, route and
topic goes on asking for that right. A task that a step has started belongs to the step's team; tasks of no team, such
as what undoes a step, are nobody's here. Reads only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Count, F, QuerySet
from django.http import Http404

from orchestrator.definitions.plan import PlanStep
from orchestrator.engine.plans import INDEX, plan_of
from orchestrator.models import TASK_BITS, Run, Task, WorkflowVersion, task_id
from orchestrator.ports import rights

type Person = User | AnonymousUser

PAGE: Final = 30
LISTED: Final = 500  # steps of the team's own, and as many of others
DEEPEST: Final = 32  # tasks that start tasks that start tasks
# Nothing that a step, an agent or whoever started the run has written.
_COLUMNS: Final = ("id", "status", "total", "remaining", "started_at", "ended_at", "workflow", "version")
_JOINED: Final = ("workflow__name", "workflow__title", "version__number", "version__teams")


@dataclass(frozen=True, slots=True)
class Line:
    """One step of a run. Of another team's there is nothing but this; `task` is None then."""

    key: str
    title: str
    team: str
    status: str
    task: int | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    spawned: tuple[tuple[str, int], ...] = ()  # the tasks that it has started, by status

    @property
    def is_own(self) -> bool:
        """Whether it is the reader's team's."""
        return self.task is not None


@dataclass(frozen=True, slots=True)
class Part:
    """A run as one of its teams sees it. `left_out` steps are too many to list."""

    run: Run
    teams: tuple[str, ...]  # those of the reader
    lines: tuple[Line, ...]
    left_out: int


def runs(user: Person) -> QuerySet[Run]:
    """The runs in which a team of the user's has a step, without anything that was given to them or came of them."""
    teams = sorted(rights().teams_of(user))
    if not teams:
        return Run.objects.none()
    versions = WorkflowVersion.objects.filter(teams__has_any_keys=teams).values_list("pk", flat=True)
    found = Run.objects.select_related("workflow", "version").only(*_COLUMNS, *_JOINED)
    return found.filter(version__in=list(versions)).annotate(done=F("total") - F("remaining"))


def some(user: Person) -> bool:
    """Whether a team of the user's has a step in anything that was published."""
    teams = sorted(rights().teams_of(user))
    return bool(teams) and WorkflowVersion.objects.filter(teams__has_any_keys=teams).exists()


def get_run_or_404(user: Person, pk: int) -> Run:
    """The run, if a team of the user's has a step in it. Raises Http404."""
    found = runs(user).filter(pk=pk).first()
    if found is None:
        raise Http404
    return found


def page(user: Person, *, before: int | None = None, limit: int = PAGE) -> tuple[list[Run], int | None]:
    """The newest of them, and the cursor of the next page."""
    found = runs(user).order_by("-pk")
    rows = list((found if before is None else found.filter(pk__lt=before))[: limit + 1])
    return rows[:limit], rows[limit - 1].pk if len(rows) > limit else None


def part(user: Person, run: Run) -> Part:
    """The run's steps in their order. The caller has found the run by `get_run_or_404`."""
    teams = rights().teams_of(user)
    owners = _owners(run.version.teams)
    own: list[PlanStep] = []
    others: list[PlanStep] = []
    for step in plan_of(run.version_id).steps:
        (own if owners.get(step.index) in teams else others).append(step)
    shown = sorted((*own[:LISTED], *others[:LISTED]), key=lambda step: step.index)
    lines = _lines(run, shown, owners, teams)
    left_out = len(own) + len(others) - len(shown)
    return Part(run, tuple(sorted(teams & run.version.teams.keys())), lines, left_out)


def team_of(run: Run, index: int) -> str:
    """Whose the step at this place of the run's version is; "" for nobody's."""
    owners = _owners(WorkflowVersion.objects.values_list("teams", flat=True).get(pk=run.version_id))
    return owners.get(index, "")


def _owners(teams: Mapping[str, Sequence[int]]) -> dict[int, str]:
    return {index: team for team, indexes in teams.items() for index in indexes}


def _lines(run: Run, shown: Sequence[PlanStep], owners: Mapping[int, str], teams: frozenset[str]) -> tuple[Line, ...]:
    ids = {step.index: task_id(run.pk, step.index) for step in shown}
    tasks = Task.objects.filter(pk__in=ids.values()).only("id", "status", "started_at", "ended_at").in_bulk()
    spawned = _spawned(run, [pk for index, pk in ids.items() if owners.get(index) in teams])
    found = []
    for step in shown:
        pk, team = ids[step.index], owners.get(step.index, "")
        task = tasks.get(pk)
        line = Line(step.key, step.title, team, task.status if task else "blocked")
        if task is not None and team in teams:
            counts = tuple(sorted(spawned.get(pk, {}).items()))
            line = replace(line, task=pk, started_at=task.started_at, ended_at=task.ended_at, spawned=counts)
        found.append(line)
    return tuple(found)


def _spawned(run: Run, parents: Sequence[int]) -> dict[int, dict[str, int]]:
    rows = Task.objects.of_run(run.pk).filter(parent__in=parents).order_by().annotate(of=F("parent"))
    found: dict[int, dict[str, int]] = {}
    for parent, status, count in rows.values_list("of", "status").annotate(count=Count("id")):
        found.setdefault(parent, {})[status] = count
    return found


def is_own(user: Person, task: Task) -> bool:
    """Whether the task is one of a team of the user's: the step in the run's version says whose it is."""
    teams = rights().teams_of(user)
    return bool(teams) and _owner_of(task) in teams


def _owner_of(task: Task) -> str:
    """The team of the step that the task does, or that started it; "" for nobody's."""
    teams = Run.objects.filter(pk=task.pk >> TASK_BITS).values_list("version__teams", flat=True).first()
    if not teams:
        return ""
    pk, parent = task.pk, task.parent
    for _level in range(DEEPEST):
        if parent is None:
            return _owners(teams).get(pk & INDEX, "")
        found = Task.objects.filter(pk=parent).values_list("pk", "parent").first()
        if found is None:
            break
        pk, parent = found
    return ""
