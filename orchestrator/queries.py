"""What the run list, the workflow pages and the start form show. Every list is bounded; nothing here writes."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Final

from django.contrib.auth.models import AnonymousUser, User
from django.db import models
from django.db.models import Exists, ExpressionWrapper, OuterRef, Q, QuerySet
from django.http import Http404
from django.utils.translation import gettext as _

from agents.guardrails import words
from agents.models import Agent
from orchestrator.awaited import awaited
from orchestrator.crowds import TaskFact, live_tasks
from orchestrator.definitions.graph import Layout, layout
from orchestrator.engine.lanes import DEFAULT, pool_of
from orchestrator.engine.plans import plan_of
from orchestrator.engine.waits import OUTSIDE
from orchestrator.models import TASK_BITS, Breaker, Event, Run, Shift, Stop, Task, Timer, Workflow
from orchestrator.ports import GateFact, gatekeeper, rights
from orchestrator.replay import STEP_MASK
from orchestrator.run_steps import RunSteps
from orchestrator.states import RUN_LIVE, RUN_TERMINAL, RunStatus, TaskStatus
from orchestrator.waiting import Awaited, RunFacts, Sentence, waiting_sentence

type Person = User | AnonymousUser

PAGE: Final = 30
SEARCHED_RUNS: Final = 20_000  # titles are looked for in the latest so many; numbers and correlation ids in all
AWAITED: Final = OUTSIDE | {"answer"}  # what a sentence about a run names
EXPLAINED_TASKS: Final = 300  # of what they wait for outside, so many are looked up for one page
RECENT_RUNS: Final = 200  # of each workflow, for its success rate


@dataclass(frozen=True, slots=True)
class RunFilter:
    """What the run list is narrowed to. `before` is the keyset cursor: only runs with a smaller id."""

    workflow: str = ""
    status: str = ""  # a RunStatus, "live", or "people": waiting for a person
    search: str = ""
    before: int | None = None


@dataclass(frozen=True, slots=True)
class RunRow:
    """One line of the run list."""

    run: Run
    sentence: Sentence
    done: int

    @property
    def took(self) -> float | None:
        """Seconds from start to end of a run of which nothing else is to be said."""
        plain = self.run.status == RunStatus.SUCCEEDED and not self.run.failed and self.run.ended_at
        return (self.run.ended_at - self.run.started_at).total_seconds() if plain and self.run.ended_at else None


@dataclass(frozen=True, slots=True)
class RunList:
    """One page of runs; `older` is the cursor of the next one."""

    rows: tuple[RunRow, ...]
    older: int | None


@dataclass(frozen=True, slots=True)
class StopFact:
    """A stop or pause in force in words, and what it holds."""

    scope: str
    ref: int | None
    words: str
    lets_finish: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """By whom something is held, why and since when."""

    by: str
    reason: str
    at: datetime
    lets_finish: bool


def get_visible_run_or_404(user: Person, pk: int) -> Run:
    """The run, if there is one and the user may see it: what one may not see does not exist."""
    found = Run.objects.select_related("workflow", "started_by").filter(pk=pk).first()
    if found is None or not rights().can(user, "see_runs", found):
        raise Http404
    return found


def get_visible_workflow_or_404(user: Person, name: str) -> Workflow:
    """The workflow, if there is one and the user may see its runs."""
    found = Workflow.objects.select_related("owner").filter(name=name).first()
    if found is None or not rights().can(user, "see_runs", found):
        raise Http404
    return found


def run_list(user: Person, wanted: RunFilter, *, limit: int = PAGE) -> RunList:
    """The newest runs that the user may see, each with the sentence that says what it waits for."""
    runs = list(_matching(user, wanted).order_by("-id")[: limit + 1])
    shown = runs[:limit]
    sentences = _sentences(shown)
    rows = tuple(RunRow(run, sentences[run.pk], run.total - run.remaining) for run in shown)
    return RunList(rows, shown[-1].pk if len(runs) > limit else None)


def run_rows(runs: Sequence[Run]) -> list[RunRow]:
    """The same lines for runs that another page has picked."""
    sentences = _sentences(runs)
    return [RunRow(run, sentences[run.pk], run.total - run.remaining) for run in runs]


def listed_runs() -> QuerySet[Run]:
    """Runs with the columns that a line shows, and no others: inputs can be large."""
    columns = (
        "id",
        "title",
        "status",
        "total",
        "remaining",
        "failed",
        "error",
        "correlation_id",
        "started_at",
        "ended_at",
    )
    joined = ("version_id", "workflow__name", "workflow__title", "started_by__username", "started_by__first_name")
    runs = Run.objects.select_related("workflow", "started_by").only(*columns, *joined, "started_by__last_name")
    return runs.fetch_mode(models.FETCH_RAISE)


def _matching(user: Person, wanted: RunFilter) -> QuerySet[Run]:
    visible = rights().visible_workflows(user)
    if wanted.workflow:
        visible = visible.filter(name=wanted.workflow)
    runs = listed_runs().filter(workflow_id__in=list(visible.values_list("pk", flat=True)))
    if wanted.before is not None:
        runs = runs.filter(pk__lt=wanted.before)
    return _searched(_with_status(runs, wanted.status), wanted.search.strip())


def _with_status(runs: QuerySet[Run], status: str) -> QuerySet[Run]:
    if status in RunStatus.values:
        return runs.filter(status=status)
    if status in {"live", "people"}:
        runs = runs.filter(status__in=RUN_LIVE)
    if status != "people":
        return runs
    # The range of a run's task ids: the partial index of waiting tasks answers it.
    first = ExpressionWrapper(OuterRef("pk") * (1 << TASK_BITS), models.BigIntegerField())
    last = ExpressionWrapper((OuterRef("pk") + 1) * (1 << TASK_BITS), models.BigIntegerField())
    return runs.filter(Exists(Task.objects.filter(status="waiting", wait_for="gate", id__gte=first, id__lt=last)))


def _searched(runs: QuerySet[Run], text: str) -> QuerySet[Run]:
    if not text:
        return runs
    newest = Run.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    found = Q(correlation_id=text) | Q(title__icontains=text, pk__gt=newest - SEARCHED_RUNS)
    number = text.removeprefix("#")
    if number.isdecimal() and len(number) < 15:
        found |= Q(pk=int(number))
    return runs.filter(found)


def _sentences(runs: Sequence[Run]) -> dict[int, Sentence]:
    """What each run waits for, in four queries however many they are."""
    live = [run for run in runs if run.status not in RUN_TERMINAL]
    gates: dict[int, list[GateFact]] = defaultdict(list)
    for gate in gatekeeper().gates_of([run.pk for run in live], only_open=True) if live else ():
        gates[gate.run_id].append(gate)
    tasks = live_tasks(live)
    stops = active_stops() if live else []
    outside = awaited_by({run.pk: run for run in live}, [task for found in tasks.values() for task in found])
    pauses = pauses_of([run.pk for run in live if run.status == RunStatus.PAUSED])
    retries = retries_of(live, [task for found in tasks.values() for task in found])

    def facts(run: Run) -> RunFacts:
        retry = retries.get(run.pk)
        found = facts_of(run, tasks[run.pk], gates=gates[run.pk], stops=stops, retry=retry, outside=outside)
        return paused_by(found, pauses.get(run.pk))

    return {run.pk: waiting_sentence(facts(run)) for run in runs}


def retries_of(runs: Iterable[Run], tasks: Iterable[TaskFact]) -> dict[int, tuple[datetime, str]]:
    """When the next step of each run is tried again, and which."""
    waiting = {task.id for task in tasks if task.wait_for == "retry"}
    if not waiting:
        return {}
    timers = Timer.objects.filter(fired_at=None, kind="task_retry", ref__in=list(waiting)[:1000])
    soonest: dict[int, tuple[datetime, int]] = {}
    for due, task in timers.order_by("-due_at").values_list("due_at", "ref"):
        soonest[task >> TASK_BITS] = (due, task)
    titles = {run.pk: _titles(run) for run in runs if run.pk in soonest}
    return {pk: (due, titles[pk](task & STEP_MASK)) for pk, (due, task) in soonest.items() if pk in titles}


def held(scope: str, ref: int | None) -> Held | None:
    """The stop or pause of exactly this, if there is one in force."""
    found = Stop.objects.filter(scope=scope, ref=ref, lifted_at=None).select_related("stopped_by").first()
    if found is None:
        return None
    return Held(full_name(found.stopped_by) or _("the engine"), found.reason, found.stopped_at, found.lets_finish)


def pauses_of(run_ids: Sequence[int]) -> dict[int, Held]:
    """Who paused each of these paused runs last, and why."""
    if not run_ids:
        return {}
    events = Event.objects.filter(run_id__in=run_ids, kind="run.paused").order_by("id")
    rows = [
        (run, actor.removeprefix("user:"), str((data or {}).get("reason", "")), at)
        for run, actor, data, at in events.values_list("run_id", "actor", "data", "at")
    ]
    users = User.objects.in_bulk({name for _run, name, _why, _at in rows}, field_name="username")
    return {run: Held(full_name(users.get(name)) or name, why, at, True) for run, name, why, at in rows}


def paused_by(facts: RunFacts, pause: Held | None) -> RunFacts:
    """The facts of a paused run with who paused it, and why."""
    return replace(facts, pause=(pause.by, pause.reason)) if pause else facts


def active_stops() -> list[StopFact]:
    """The stops in force, each in words."""
    stops = list(Stop.objects.filter(lifted_at=None).select_related("stopped_by"))
    workflows = Workflow.objects.in_bulk([stop.ref for stop in stops if stop.scope == Stop.Scope.WORKFLOW])
    agents = Agent.objects.in_bulk([stop.ref for stop in stops if stop.scope == Stop.Scope.AGENT])
    found = []
    for stop in stops:
        named = workflows if stop.scope == Stop.Scope.WORKFLOW else agents
        what = _("everything") if stop.ref is None else str(named.get(stop.ref, stop.ref))
        if stop.scope == Stop.Scope.TASK:
            what = _("its next step")
        elif stop.scope == Stop.Scope.RUN:
            what = _("this run")
        words = (
            _("%(what)s (by %(by)s)") % {"what": what, "by": full_name(stop.stopped_by)} if stop.stopped_by else what
        )
        found.append(StopFact(stop.scope, stop.ref, words, stop.lets_finish))
    return found


def facts_of(
    run: Run,
    tasks: Iterable[TaskFact],
    *,
    gates: Sequence[GateFact],
    stops: Sequence[StopFact],
    retry: tuple[datetime, str] | None,
    outside: Mapping[int, Awaited],
) -> RunFacts:
    """Everything that decides what a run waits for, from rows that are already loaded."""
    if run.status in RUN_TERMINAL:
        return _ended_facts(run)
    title = _titles(run)
    tasks = list(tasks)

    def waiting_for(what: str) -> list[TaskFact]:
        return [task for task in tasks if task.wait_for == what]

    def first_two(found: Iterable[TaskFact]) -> list[str]:
        # A title can cost a query: a wide map has thousands of tasks that wait for the same.
        return [title(task.step_index) for task in islice(found, 2)]

    running = [task for task in tasks if task.status == TaskStatus.RUNNING]
    ready = [task for task in tasks if task.status == TaskStatus.READY]
    retrying = waiting_for("retry")
    held = waiting_for("breaker")
    return RunFacts(
        status=run.status,
        total=run.total,
        remaining=run.remaining,
        failed=run.failed,
        stops=_stops_of(run, ready, running, stops),
        gates=gates,
        running=first_two(running),
        running_count=len(running),
        ready_count=len(ready),
        nobody_in=_pools_without_workers(ready),
        limited=first_two(ready) if all(task.limited for task in ready) else [],
        retry_at=retry[0] if retry else None,
        retry_step=retry[1] if retry else title(retrying[0].step_index) if retrying else "",
        outside=_soonest_first(outside[task.id] for task in tasks if task.id in outside),
        outside_count=sum(task.wait_for in AWAITED for task in tasks),
        quarantined=first_two(waiting_for("quarantine")),
        unfunded=first_two(waiting_for("budget")),
        unassigned=first_two(waiting_for("agent")),
        held_back=first_two(held),
        service_at=_service_at(held[0].agent_id) if held else None,
        error=str(run.error.get("message", "")) if isinstance(run.error, dict) else "",
    )


def _pools_without_workers(ready: Sequence[TaskFact]) -> list[str]:
    """Pools that definitions name, of which no worker is there; the default one's absence is said elsewhere."""
    if not (wanted := {pool_of(task.lane) for task in ready if ":" not in task.lane} - {DEFAULT}):
        return []
    there = Shift.objects.filter(ended_at=None, pool__in=wanted).values_list("pool", flat=True)
    return sorted(wanted - set(there))


def awaited_by(runs: Mapping[int, Run], tasks: Iterable[TaskFact]) -> dict[int, Awaited]:
    """What those of the tasks wait for that wait for the outside; the same few queries for one run and for a page."""
    waiting = [task for task in tasks if task.wait_for in AWAITED][:EXPLAINED_TASKS]
    titles = {pk: _titles(runs[pk]) for pk in {task.id >> TASK_BITS for task in waiting}}
    return awaited({task.id: (task.wait_for, titles[task.id >> TASK_BITS](task.step_index)) for task in waiting})


def _soonest_first(found: Iterable[Awaited]) -> list[Awaited]:
    return sorted(found, key=lambda wait: (wait.until is None, wait.until or 0, wait.step))[:2]


def _service_at(agent: int | None) -> datetime | None:
    """When an agent that is out of service is tried again."""
    row = Breaker.objects.filter(agent_id=agent or 0).exclude(opened_at=None).first()
    return row.opened_at + timedelta(seconds=row.reset_s) if row and row.opened_at else None


def _ended_facts(run: Run) -> RunFacts:
    error = run.error if isinstance(run.error, dict) else {}
    key = str(error.get("step", ""))
    steps = plan_of(run.version_id).steps if key else ()
    step = next((step.title for step in steps if step.key == key), key)
    message = str(error.get("message") or error.get("code") or "")
    return RunFacts(run.status, run.total, run.remaining, failed=run.failed, error=message, error_step=step)


def _titles(run: Run) -> Callable[[int], str]:
    steps = RunSteps(run)
    return lambda index: steps[index].title


def _stops_of(
    run: Run, ready: Sequence[TaskFact], running: Sequence[TaskFact], stops: Sequence[StopFact]
) -> tuple[tuple[str, bool], ...]:
    """What keeps this run from going on; the stops of agents and steps only if nothing else could go on."""
    whole = (("everything", None), ("workflow", run.workflow_id), ("run", run.pk))
    found = [stop for stop in stops if (stop.scope, stop.ref) in whole]
    narrow = {(stop.scope, stop.ref): stop for stop in stops if stop.scope in (Stop.Scope.AGENT, Stop.Scope.TASK)}
    holding = [narrow.get(("task", task.id)) or narrow.get(("agent", task.agent_id)) for task in ready]
    if ready and not running and all(holding):
        found += [stop for stop in holding[:1] if stop is not None]
    return tuple((stop.words, stop.lets_finish) for stop in found)


def full_name(user: User | None) -> str:
    """How a person is called on pages."""
    return (user.get_full_name() or user.get_username()) if user else ""


@lru_cache(maxsize=64)
def layout_of(version_id: int) -> Layout:
    """Where a version's steps are drawn: a version never changes, so it is worked out once per process."""
    return layout(plan_of(version_id))


def guarded(task: int | None) -> list[dict[str, str]]:
    """What guardrails did to the data of a task's last call, line by line: what, where, why."""
    if task is None:
        return []
    kinds = ("task.guarded", "task.succeeded", "guard.violated")
    found = Event.objects.filter(run_id=task >> TASK_BITS, task_id=task, kind__in=kinds, data__has_key="guard")
    newest = found.order_by("-id").values_list("data", flat=True).first()
    return words.lines(newest["guard"]) if newest else []
