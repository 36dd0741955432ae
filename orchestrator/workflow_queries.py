"""What the workflow pages show: cards, one version with its gates and its difference to the one before."""

import difflib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import models
from django.db.models import Count, F
from django.utils import timezone

from orchestrator.definitions.plan import PlanStep
from orchestrator.engine.plans import plan_of
from orchestrator.models import Attempt, Breaker, Run, Step, Task, Workflow, WorkflowVersion
from orchestrator.patterns import tags
from orchestrator.ports import rights
from orchestrator.queries import Person, RunRow, listed_runs, run_rows
from orchestrator.states import RUN_LIVE, AttemptStatus, RunStatus

CARDS: Final = 100
RECENT_RUNS: Final = 200  # of each workflow, for its success rate
VERSIONS: Final = 50
DIFF_LINES: Final = 4_000
SEARCHED_ATTEMPTS: Final = 20_000
COUNTED: Final = 1_000  # workflows whose tags are counted
_METADATA: Final = "current_version__definition__metadata"


@dataclass(frozen=True, slots=True)
class Health:
    """How a workflow's runs of the last day ended. `at_least` says that there were more than were counted."""

    succeeded: int
    failed: int
    live: int
    at_least: bool

    @property
    def ended(self) -> int:
        """Runs that succeeded or failed; cancelled ones say nothing about the workflow."""
        return self.succeeded + self.failed

    @property
    def rate(self) -> float | None:
        """The share that succeeded; None when nothing ended."""
        return self.succeeded / self.ended if self.ended else None


@dataclass(frozen=True, slots=True)
class Card:
    """One workflow in the list."""

    workflow: Workflow
    version: int | None
    tags: tuple[str, ...]
    steps: int
    health: Health
    may_start: bool


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One line of a difference: added, removed, context, or the place where it is."""

    kind: str
    text: str


def workflow_cards(user: Person, tag: str = "") -> list[Card]:
    """The workflows whose runs the user may see, with a tag if one is named; four queries however many they are."""
    visible = rights().visible_workflows(user)
    if tag:
        visible = visible.filter(**{f"{_METADATA}__tags__contains": [tag]})
    workflows = list(
        visible.annotate(number=F("current_version__number"), tags=F(f"{_METADATA}__tags"))
        .annotate(steps=Count("current_version__steps"))
        .order_by("title")[:CARDS]
    )
    health = _health([workflow.pk for workflow in workflows])
    return [_card(user, workflow, health[workflow.pk]) for workflow in workflows]


def tags_of(user: Person) -> list[tuple[str, int]]:
    """The tags that the visible workflows carry, each with how many do."""
    found = rights().visible_workflows(user).order_by("pk").values_list(f"{_METADATA}__tags", flat=True)
    return tags.counted([str(tag) for tag in each] for each in found[:COUNTED] if isinstance(each, list))


def _card(user: Person, workflow: Any, health: Health) -> Card:
    tags = tuple(str(tag) for tag in workflow.tags or ()) if isinstance(workflow.tags, list) else ()
    may_start = workflow.number is not None and rights().can(user, "start_run", workflow)
    return Card(workflow, workflow.number, tags, workflow.steps, health, may_start)


@dataclass(frozen=True, slots=True)
class Service:
    """One agent's circuit breaker: when it is tried again, and how many tasks wait for it."""

    breaker: Breaker
    due_at: datetime | None
    held: int

    @property
    def is_due(self) -> bool:
        """Whether the next task that needs the agent tries it."""
        return self.due_at is not None and self.due_at <= timezone.now()


def breakers(agent: str = "") -> list[Service]:
    """Every agent that is out of service; with a name, that agent's breaker whatever its state."""
    rows = Breaker.objects.select_related("agent").order_by("-opened_at", "agent__name")
    rows = rows.filter(agent__name=agent) if agent else rows.exclude(state=Breaker.State.CLOSED)
    found = list(rows[:100])
    waiting = Task.objects.filter(status="waiting", wait_for="breaker").order_by()
    held = dict(waiting.values_list("agent_id").annotate(count=Count("pk")))
    return [
        Service(
            row, row.opened_at + timedelta(seconds=row.reset_s) if row.opened_at else None, held.get(row.agent_id, 0)
        )
        for row in found
    ]


def health_of(workflow: Workflow) -> Health:
    """How one workflow's runs of the last day ended."""
    return _health([workflow.pk])[workflow.pk]


def _health(ids: Sequence[int]) -> dict[int, Health]:
    live = dict(
        Run.objects.filter(workflow_id__in=ids, status__in=RUN_LIVE)
        .order_by()
        .values_list("workflow_id")
        .annotate(count=Count("id"))
    )
    since = timezone.now() - timedelta(days=1)
    ended: dict[int, Counter[str]] = defaultdict(Counter)
    for workflow_id, status, started_at in _latest_runs(ids):
        ended[workflow_id]["counted"] += started_at >= since
        ended[workflow_id][status] += started_at >= since
    return {
        pk: Health(
            succeeded=ended[pk][RunStatus.SUCCEEDED] + ended[pk][RunStatus.PARTIAL],
            failed=ended[pk][RunStatus.FAILED],
            live=live.get(pk, 0),
            at_least=ended[pk]["counted"] >= RECENT_RUNS,
        )
        for pk in ids
    }


def _latest_runs(ids: Sequence[int]) -> Sequence[tuple[int, str, Any]]:
    """The latest runs of each workflow, each by its own index scan: a day's runs can be far too many."""
    found = [
        Run.objects.filter(workflow_id=pk)
        .order_by("-id")
        .values_list("workflow_id", "status", "started_at")[:RECENT_RUNS]
        for pk in ids
    ]
    if not found:
        return []
    return list(found[0].union(*found[1:], all=True).order_by()) if len(found) > 1 else list(found[0])


def versions_of(workflow: Workflow) -> list[WorkflowVersion]:
    """The workflow's versions, the newest first, without their bodies."""
    columns = (
        "number",
        "digest",
        "published_at",
        "deprecated_at",
        "certified_at",
        "workflow_id",
        "published_by__username",
        "published_by__first_name",
    )
    versions = workflow.versions.select_related("published_by").only(*columns, "published_by__last_name")
    return list(versions.order_by("-number").fetch_mode(models.FETCH_RAISE)[:VERSIONS])


def version_of(workflow: Workflow, number: int | None) -> WorkflowVersion | None:
    """One version with its source; the current one if no number is given."""
    versions = (
        WorkflowVersion.objects.filter(workflow=workflow).defer("plan", "definition").select_related("published_by")
    )
    if number is not None:
        return versions.filter(number=number).first()
    current = workflow.current_version_id
    return versions.filter(pk=current).first() if current is not None else None


def steps_of(version: WorkflowVersion) -> tuple[PlanStep, ...]:
    """The version's steps, from the plan that the engine runs."""
    return plan_of(version.pk).steps


def gated_steps(version: WorkflowVersion) -> list[PlanStep]:
    """The steps where people are, or may be, asked."""
    return [step for step in steps_of(version) if step.gate is not None]


def difference(before: str, after: str) -> list[DiffLine]:
    """What changed between two sources, with three lines around each change; long ones are cut."""
    found: list[DiffLine] = []
    for line in difflib.unified_diff(
        before.splitlines()[:DIFF_LINES], after.splitlines()[:DIFF_LINES], lineterm="", n=3
    ):
        if line.startswith(("---", "+++")) and len(found) < 2 and not found:
            continue
        kind = {"+": "added", "-": "removed", "@": "place"}.get(line[:1], "context")
        found.append(DiffLine(kind, line if kind == "place" else line[1:]))
    return [line for line in found if line.kind != "place" or line.text.startswith("@@")]


def latest_rows(workflow: Workflow, *, limit: int = 8) -> list[RunRow]:
    """The workflow's latest runs as lines of the run list."""
    return run_rows(list(listed_runs().filter(workflow=workflow).order_by("-id")[:limit]))


def workflows_using(user: Person, agent_name: str) -> list[Workflow]:
    """The visible workflows whose current version has a step of this agent."""
    versions = Step.objects.filter(agent__name=agent_name).values("version_id")
    return list(rights().visible_workflows(user).filter(current_version__in=versions).order_by("title")[:CARDS])


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed try of an agent."""

    task: Task
    attempt: Attempt
    run: Run


def recent_failures(user: Person, agent_name: str, *, limit: int = 10) -> list[Failure]:
    """An agent's latest failed tries among the latest attempts of all, in runs that the user may see."""
    newest = Attempt.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    visible = rights().visible_workflows(user).values_list("pk", flat=True)
    attempts = (
        Attempt.objects.filter(pk__gt=newest - SEARCHED_ATTEMPTS, status=AttemptStatus.FAILED)
        .filter(task__agent__name=agent_name, task__workflow_id__in=list(visible))
        .select_related("task", "task__run")
        .only("number", "ended_at", "error", "task__key", "task__run_id", "task__run__title")
        .order_by("-pk")[:limit]
    )
    return [Failure(attempt.task, attempt, attempt.task.run) for attempt in attempts]


def latency_budgets(workflows: Iterable[Workflow]) -> dict[tuple[int, str], float]:
    """In how many milliseconds 95 of 100 tries of a step are to be done, where its current version says so."""
    current = {one.pk: one.current_version_id for one in workflows}
    return {
        (workflow, step.key): step.p95_s * 1000
        for workflow, version in current.items()
        if version is not None
        for step in plan_of(version).steps
        if step.p95_s
    }
