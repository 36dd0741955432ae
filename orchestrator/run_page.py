"""What one run's page shows: its head, graph, files and one task. Bounded however large the run is.

Its timeline is in `gantt`, its story in `narrative`.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import Count, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from agents import models_used
from agents.models import Assessment
from agents.quality.queries import assessment_of
from agents.types import Json
from orchestrator import budget_rows, drawing, queries, shortfalls
from orchestrator.awaited import awaited
from orchestrator.crowds import TaskFact
from orchestrator.definitions.plan import COORDINATING, PlanStep
from orchestrator.models import TASK_BITS, Artifact, Attempt, Content, Event, Run, Task, Timer, task_id
from orchestrator.notes import Talk, talk_of
from orchestrator.ports import GateFact, gatekeeper
from orchestrator.progress import TONES
from orchestrator.queries import (
    active_stops,
    awaited_by,
    facts_of,
    full_name,
    layout_of,
    paused_by,
    pauses_of,
    retries_of,
)
from orchestrator.replay import STEP_MASK
from orchestrator.run_steps import RunSteps
from orchestrator.shortfalls import Shortfall
from orchestrator.states import TASK_TERMINAL, RunStatus, TaskStatus
from orchestrator.waiting import Part, Sentence, awaited_parts, waiting_sentence

MAX_TASKS: Final = 60_000  # read for one page; a longer run shows its first ones and says so
FAMILY: Final = 100


@dataclass(frozen=True, slots=True)
class Usage:
    """What the run has consumed so far."""

    attempts: int
    tokens: int
    cost: float
    unpriced: int = 0  # calls whose price nobody knows: not in `cost`


@dataclass(frozen=True, slots=True)
class Head:
    """The top of the page: one sentence and the figures below it."""

    run: Run
    version: int
    sentence: Sentence
    counts: dict[str, int]
    usage: Usage
    files: int
    started_by: str
    seconds: float
    budgets: tuple[budget_rows.Row, ...] = ()
    overdue: GateFact | None = None  # the open gate about its deadline
    shortfalls: tuple[Shortfall, ...] = ()  # agents whose documents will not do for what is to come

    @property
    def tight(self) -> list[budget_rows.Row]:
        """Budgets of which little or nothing is left."""
        return [row for row in self.budgets if row.tone != "good"]

    @property
    def roomy(self) -> list[budget_rows.Row]:
        """The other budgets."""
        return [row for row in self.budgets if row.tone == "good"]

    @property
    def done(self) -> int:
        """Tasks that have ended."""
        return sum(self.counts.get(status, 0) for status in TASK_TERMINAL)

    @property
    def percent(self) -> int:
        """Of its tasks so far; 100 only when all have ended."""
        return 100 * self.done // max(1, sum(self.counts.values()))

    @property
    def tones(self) -> list[tuple[str, int]]:
        """The counts as the parts of a bar."""
        return [(tone, self.counts.get(status, 0)) for tone, status in TONES]


@dataclass(frozen=True, slots=True)
class Family:
    """A folded box opened: how its tasks are doing, and those to look at first."""

    title: str
    counts: tuple[tuple[str, int], ...]
    tasks: tuple[tuple[TaskFact, PlanStep], ...]
    hidden: int


@dataclass(frozen=True, slots=True)
class TaskCard:
    """Everything about one task."""

    task: Task
    step: PlanStep
    attempts: tuple[Attempt, ...]
    gates: tuple[GateFact, ...]
    files: tuple[Artifact, ...]
    version: int | None
    seconds: float | None
    retry_at: datetime | None
    assigned: Json = None  # why which agent was chosen, where the step names none
    cached: int | None = None  # the task whose result was used again
    spawned: Family | None = None  # the tasks that it started
    talk: Talk | None = None  # of a pattern
    waits: Sentence | None = None  # what it waits for outside, in one sentence
    child: Run | None = None  # the run that it started
    assessment: Assessment | None = None  # of its output, where the step asks for one
    is_hidden: bool = False  # what machines think of it, until the reader has said what they think

    @property
    def guarded(self) -> list[dict[str, str]]:
        """What guardrails did to the data of its last call."""
        return queries.guarded(self.task.pk)

    @property
    def cached_run(self) -> int | None:
        """The run of that task."""
        return self.cached >> TASK_BITS if self.cached is not None else None


def head(run: Run) -> Head:
    """The run's one sentence and its figures."""
    tasks = task_facts(run)
    gates = gatekeeper().gates_of([run.pk], only_open=True)
    end = run.ended_at or timezone.now()
    around = tuple(budget_rows.around(run))
    return Head(
        run=run,
        version=_version_number(run),
        sentence=_sentence(run, tasks, gates),
        counts=dict(Counter(task.status for task in tasks)),
        usage=_usage(run),
        files=Artifact.objects.filter(run=run).count(),
        started_by=full_name(run.started_by),
        seconds=(end - run.started_at).total_seconds(),
        budgets=around,
        shortfalls=shortfalls.ahead(tasks, around) if run.ended_at is None else (),
        overdue=next((gate for gate in gates if gate.kind == "deadline"), None),
    )


def sentence_of(run: Run) -> Sentence:
    """What the run waits for, exactly, without what its page shows beside it."""
    live = Task.objects.of_run(run.pk).exclude(status__in=[*TASK_TERMINAL, TaskStatus.BLOCKED]).order_by("id")
    tasks = [TaskFact(*row) for row in live.values_list(*TaskFact._fields)[:MAX_TASKS]] if run.ended_at is None else []
    return _sentence(run, tasks, gatekeeper().gates_of([run.pk], only_open=True))


def _sentence(run: Run, tasks: list[TaskFact], gates: Sequence[GateFact]) -> Sentence:
    retry, outside = retries_of([run], tasks).get(run.pk), awaited_by({run.pk: run}, tasks)
    facts = facts_of(run, tasks, gates=gates, stops=active_stops(), retry=retry, outside=outside)
    if run.status == RunStatus.PAUSED:
        facts = paused_by(facts, pauses_of([run.pk]).get(run.pk))
    return waiting_sentence(facts)


def task_facts(run: Run) -> list[TaskFact]:
    """What the run's tasks do now, in the order of their steps."""
    rows = Task.objects.of_run(run.pk).order_by("id").values_list(*TaskFact._fields)[:MAX_TASKS]
    return [TaskFact(*row) for row in rows]


def _version_number(run: Run) -> int:
    from_cache = run.__class__.objects.filter(pk=run.pk).values_list("version__number", flat=True)
    return from_cache.get()


def _usage(run: Run) -> Usage:
    attempts = Attempt.objects.filter(task_id__gte=task_id(run.pk, 0), task_id__lt=task_id(run.pk + 1, 0))
    found = attempts.aggregate(count=Count("id"), t_in=Sum("tokens_in"), t_out=Sum("tokens_out"), spent=Sum("cost"))
    unpriced = models_used.unpriced(run.correlation_id, task_id(run.pk, 0), task_id(run.pk + 1, 0))
    return Usage(found["count"], (found["t_in"] or 0) + (found["t_out"] or 0), found["spent"] or 0.0, unpriced)


def graph(run: Run) -> drawing.Picture:
    """The run's picture."""
    spawned: dict[int, Counter[str]] = defaultdict(Counter)
    tasks = task_facts(run)
    for task in tasks:
        if task.parent is not None:
            spawned[task.parent & STEP_MASK][task.status] += 1
    marks = {
        task.step_index: drawing.Mark(
            task.status, task.wait_for, task.started_at, task.ended_at, task.attempt, spawned.get(task.step_index)
        )
        for task in tasks
    }
    return drawing.picture(layout_of(run.version_id), marks, now=timezone.now())


def files(run: Run) -> list[tuple[Artifact, int]]:
    """What the run delivered, with sizes."""
    found = list(Artifact.objects.filter(run=run).order_by("id")[:200])
    sizes = dict(Content.objects.filter(sha256__in=[file.sha256 for file in found]).values_list("sha256", "size"))
    return [(file, sizes.get(file.sha256, 0)) for file in found]


def step_of(run: Run, key: str) -> PlanStep | None:
    """The step with this key in the run's plan."""
    return RunSteps(run).by_key(key)


def task_card(run: Run, step: PlanStep, *, hidden: frozenset[int] = frozenset()) -> TaskCard | None:
    """One task with everything that is known of it; of `hidden` ones without what machines think of them."""
    task = Task.objects.filter(pk=task_id(run.pk, step.index)).first()
    if task is None:
        return None
    if is_hidden := task.pk in hidden:
        task.confidence = None
    attempts = tuple(Attempt.objects.filter(task_id=task.pk).order_by("-number")[:50])
    gates = tuple(gate for gate in gatekeeper().gates_of([run.pk], only_open=False) if gate.task_id == task.pk)
    end = task.ended_at or (timezone.now() if task.status == "running" else None)
    retry = Timer.objects.filter(fired_at=None, kind="task_retry", ref=task.pk) if task.wait_for == "retry" else None
    spawned = Task.objects.of_run(run.pk).filter(parent=task.pk).order_by("id").values_list(*TaskFact._fields)
    children = [TaskFact(*row) for row in spawned[:MAX_TASKS]] if step.kind in COORDINATING else []
    return TaskCard(
        task=task,
        step=step,
        attempts=attempts,
        gates=gates,
        files=tuple(Artifact.objects.filter(task_id=task.pk)[:20]),
        version=next((attempt.agent_version for attempt in attempts if attempt.agent_version), None),
        seconds=(end - task.started_at).total_seconds() if task.started_at and end else None,
        retry_at=retry.values_list("due_at", flat=True).first() if retry is not None else None,
        spawned=_family(run, step.title, children) if children else None,
        talk=talk_of(task) if step.kind == "pattern" else None,
        assigned=_last_fact(task, "task.assigned", "reason") if step.select else None,
        cached=_cached(task) if step.cache_s else None,
        waits=_waits(task, step.title),
        assessment=assessment_of(task.pk) if step.quality is not None and not is_hidden else None,
        is_hidden=is_hidden,
        child=Run.objects.filter(parent_task=task.pk).order_by("-pk").first() if step.kind == "subworkflow" else None,
    )


def _last_fact(task: Task, kind: str, name: str) -> Json:
    """A fact of a task's last event of one kind; by its run's events, which are few enough to look through."""
    found = Event.objects.filter(run_id=task.run_id, task_id=task.pk, kind=kind).order_by("-id")
    data = found.values_list("data", flat=True).first()
    fact: Json = data.get(name) if isinstance(data, dict) else None
    return fact


def _cached(task: Task) -> int | None:
    found = _last_fact(task, "task.succeeded", "cached")
    return found if isinstance(found, int) else None


def _waits(task: Task, title: str) -> Sentence | None:
    found = awaited({task.pk: (task.wait_for, title)}).get(task.pk)
    return Sentence("waiting", (Part(_("It ")), *awaited_parts(found), Part("."))) if found else None


def family(run: Run, key: str) -> Family | None:
    """The tasks behind a folded box: what failed, waits or runs first."""
    node = next((node for node in layout_of(run.version_id).nodes if node.key == key and node.is_folded), None)
    if node is None:
        return None
    inside = set(node.indexes)
    return _family(run, node.title, [fact for fact in task_facts(run) if fact.step_index in inside])


def _family(run: Run, title: str, facts: list[TaskFact]) -> Family:
    order = ("failed", "waiting", "running", "ready", "blocked", "cancelled", "skipped", "succeeded")
    facts.sort(key=lambda fact: (order.index(fact.status), fact.id))
    counts = Counter(fact.status for fact in facts)
    steps = RunSteps(run)
    steps.load([fact.step_index for fact in facts[:FAMILY]])
    shown = tuple((fact, steps[fact.step_index]) for fact in facts[:FAMILY])
    return Family(
        title,
        tuple((status, counts[status]) for status in order if counts[status]),
        shown,
        len(facts) - len(shown),
    )
