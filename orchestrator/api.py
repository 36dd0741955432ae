"""REST v1: workflows, runs, tasks and stops. A route authorises, calls one service or query, and shapes the answer."""

from collections.abc import Iterable
from typing import Annotated

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from ninja import Header, Query, Router
from ninja.responses import Status

from agents.models import Agent
from orchestrator import checks, details, notes, parts, queries, run_page, services, stops
from orchestrator.api_errors import ERRORS, Cursor, Forbidden, Id, Key, Limit, Name, RunId, caller
from orchestrator.api_schemas import (
    CheckedOut,
    DefinitionIn,
    NoteIn,
    NoteOut,
    ProblemOut,
    PublishedOut,
    ReasonIn,
    RunDetailOut,
    RunIn,
    RunLineOut,
    RunOut,
    RunsOut,
    StopIn,
    StopOut,
    TaskDetailOut,
    TaskOut,
    TasksOut,
    WorkflowDetailOut,
    WorkflowOut,
)
from orchestrator.catalogue import default as catalogue
from orchestrator.definitions.advice import advice
from orchestrator.definitions.compile import compile_plan
from orchestrator.definitions.errors import DefinitionError, DefinitionProblem
from orchestrator.definitions.load import Definition, load
from orchestrator.definitions.plan import Plan
from orchestrator.definitions.serialise import plan_from_json
from orchestrator.errors import WorkflowNotFound
from orchestrator.models import Run, Stop, Task, Workflow, task_id
from orchestrator.ports import gatekeeper, rights
from orchestrator.states import RunStatus

workflows = Router(tags=["Workflows"])
runs = Router(tags=["Runs"])
tasks = Router(tags=["Tasks"])
stopping = Router(tags=["Stops"])

Idempotency = Annotated[
    Key | None,
    Header(alias="Idempotency-Key", description="The same key again answers with the same run; it starts no other."),
]


@workflows.get("", response={200: list[WorkflowOut], **ERRORS}, summary="List workflows")
def list_workflows(request: HttpRequest) -> list[WorkflowOut]:
    """The workflows whose runs you may see, by title."""
    return [WorkflowOut.of(workflow) for workflow in _visible_workflows(caller(request)).order_by("title")[:1000]]


@workflows.post("/validate", response={200: CheckedOut, **ERRORS}, summary="Check a definition")
def validate(request: HttpRequest, definition: DefinitionIn) -> CheckedOut:
    """Say what publishing would say, and change nothing."""
    if not rights().can_somewhere(caller(request), "publish_version"):
        raise Forbidden(verb="publish")
    try:
        found = load(definition.source, file=definition.file)
        plan = compile_plan(found, catalogue=catalogue, workflows=catalogue.workflow)
        services.may_publish(plan, file=definition.file, by=caller(request))
        services.check_queues(found, make=definition.make_queues)
        services.check_teams(found)
        warnings = checks.look(found, plan, catalogue=catalogue)
        checks.refuse_if_strict(found, warnings)
        return CheckedOut(valid=True, problems=[], advice=_advice(found, plan), warnings=_shown_all(warnings))
    except DefinitionError as refused:
        return CheckedOut(valid=False, problems=_shown_all(refused.problems), advice=[], warnings=[])


@workflows.get("/{name}", response={200: WorkflowDetailOut, **ERRORS}, summary="Get a workflow")
def get_workflow(request: HttpRequest, name: Name) -> WorkflowDetailOut:
    """One workflow with its current definition."""
    workflow = _visible_workflows(caller(request)).filter(name=name).first()
    if workflow is None:
        raise WorkflowNotFound(name=name)
    return WorkflowDetailOut.with_definition(workflow)


@workflows.post("", response={201: PublishedOut, **ERRORS}, summary="Publish a version")
def publish(request: HttpRequest, definition: DefinitionIn) -> Status[PublishedOut]:
    """Make a definition the current version of its workflow; runs that are under way keep theirs."""
    user = caller(request)
    if not rights().can_somewhere(user, "publish_version"):
        raise Forbidden(verb="publish")
    found = load(definition.source, file=definition.file)
    existing = Workflow.objects.filter(name=found.name).first()
    if not rights().can(user, "publish_version", existing):
        raise Forbidden(verb=f"publish {found.name}")
    if definition.make_queues and not rights().can(user, "edit_queues"):
        raise Forbidden(verb="make queues")
    version = services.publish(
        source=definition.source, file=definition.file, by=user, make_queues=definition.make_queues
    )
    noted, warned = _advice(found, plan_from_json(version.plan)), _shown_all(checks.of_version(version))
    answer = PublishedOut(
        workflow=found.name, version=version.number, digest=version.digest, advice=noted, warnings=warned
    )
    return Status(201, answer)


def _advice(definition: Definition, plan: Plan) -> list[ProblemOut]:
    return _shown_all(advice(definition, plan))


def _shown_all(problems: Iterable[DefinitionProblem]) -> list[ProblemOut]:
    return [ProblemOut.of(problem) for problem in problems]


@runs.get("", response={200: RunsOut, **ERRORS}, summary="List runs")
def list_runs(
    request: HttpRequest,
    workflow: Annotated[Name | None, Query()] = None,
    status: Annotated[RunStatus | None, Query()] = None,
    before: Annotated[int | None, Query(ge=0, le=2**63 - 1)] = None,
    limit: Limit = 50,
) -> RunsOut:
    """The runs you may see, newest first, each with what it waits for. Go on with `before` set to the last `next`."""
    found = _visible_runs(caller(request)).defer("input").order_by("-id")
    if workflow is not None:
        found = found.filter(workflow__name=workflow)
    if status is not None:
        found = found.filter(status=status)
    if before is not None:
        found = found.filter(pk__lt=before)
    rows = list(found[: limit + 1])
    lines = [RunLineOut.with_sentence(row.run, str(row.sentence)) for row in queries.run_rows(rows[:limit])]
    return RunsOut(items=lines, next=rows[limit - 1].pk if len(rows) > limit else None)


@runs.post("", response={201: RunOut, **ERRORS}, summary="Start a run")
def start_run(request: HttpRequest, order: RunIn, key: Idempotency = None) -> Status[RunOut]:
    """Start a run of a workflow's current version."""
    user = caller(request)
    workflow = Workflow.objects.filter(name=order.workflow).first()
    if workflow is None or not (rights().can(user, "see_runs", workflow) or rights().can(user, "start_run", workflow)):
        raise WorkflowNotFound(name=order.workflow)
    _require(user, "start_run", workflow, verb="start runs of this workflow")
    run = services.start_run(
        workflow=order.workflow, input=order.input, by=user, title=order.title, idempotency_key=key,
        correlation_id=order.correlation_id, priority=order.priority, over_limit=order.over_limit or "",
    )  # fmt: skip
    return Status(201, _shown(run))


@runs.get("/{run_id}", response={200: RunDetailOut, **ERRORS}, summary="Get a run")
def get_run(request: HttpRequest, run_id: RunId) -> RunDetailOut:
    """One run, its input, and what it waits for in one sentence."""
    run = visible_run(caller(request), run_id)
    return RunDetailOut.with_input(run, str(run_page.sentence_of(run)))


@runs.get("/{run_id}/tasks", response={200: TasksOut, **ERRORS}, summary="List a run's tasks")
def list_tasks(request: HttpRequest, run_id: RunId, after: Cursor = 0, limit: Limit = 100) -> TasksOut:
    """In the order of its plan. Go on with `after` set to the last answer's `next`."""
    user = caller(request)
    visible_run(user, run_id)
    hidden = gatekeeper().hidden_tasks(user, [run_id])
    first = max(task_id(run_id, 0), after + 1)
    found = Task.objects.filter(pk__gte=first, pk__lt=task_id(run_id + 1, 0)).defer("input", "output").order_by("id")
    rows = list(found[: limit + 1])
    return TasksOut(
        items=[TaskOut.of(task, hidden=task.pk in hidden) for task in rows[:limit]],
        next=rows[limit - 1].pk if len(rows) > limit else None,
    )


@tasks.get("/{task}", response={200: TaskDetailOut, **ERRORS}, summary="Get a task")
def get_task(request: HttpRequest, task: Id) -> TaskDetailOut:
    """One task with what went in and came out, and each of its tries."""
    user = caller(request)
    found = _visible_task(user, task)
    if found.pk in gatekeeper().hidden_tasks(user, [found.run_id]):
        found.confidence = None
    return TaskDetailOut.with_attempts(found, details=details.may_see(user, found))


@tasks.get("/{task}/notes", response={200: list[NoteOut], **ERRORS}, summary="List what was said to a task")
def list_notes(request: HttpRequest, task: Id) -> list[NoteOut]:
    """The newest fifty notes, the oldest of them first."""
    return [NoteOut.of(entry) for entry in notes.notes_to(_visible_task(caller(request), task))]


@tasks.post("/{task}/notes", response={201: NoteOut, **ERRORS}, summary="Say something to a pattern")
def say_to_task(request: HttpRequest, task: Id, note: NoteIn) -> Status[NoteOut]:
    """Words, a change of its ledger or findings, who speaks next, or its end; the pattern's next turn takes them up."""
    user = caller(request)
    found = _visible_task(user, task)
    if not rights().can(user, "steer_run", found):
        raise Forbidden(verb="say anything to it")
    return Status(201, NoteOut.of(notes.say(task_id=task, by=user, text=note.text, kind=note.kind, data=note.more())))


@stopping.get("", response={200: list[StopOut], **ERRORS}, summary="List stops in force")
def list_stops(request: HttpRequest) -> list[StopOut]:
    """What is stopped now."""
    if not rights().can(caller(request), "see_floor"):
        raise Forbidden(verb="see the floor")
    return [_stop(found) for found in Stop.objects.filter(lifted_at=None).select_related("stopped_by").order_by("id")]


@stopping.post("", response={201: StopOut, **ERRORS}, summary="Stop everything, a workflow or an agent")
def stop(request: HttpRequest, order: StopIn) -> Status[StopOut]:
    """Nothing in the scope starts once this is answered; what runs is cancelled and returned."""
    user = caller(request)
    ref = _ref(order)
    if stops.chosen(stops.targets(user), stops.Target(order.scope, ref, "").value) is None:
        raise Forbidden(verb=f"stop {order.name or 'everything'}")
    return Status(201, _stop(services.stop(scope=order.scope, ref=ref, by=user, reason=order.reason)))


@stopping.post("/{stop_id}/lift", response={200: StopOut, **ERRORS}, summary="Lift a stop")
def lift_stop(request: HttpRequest, stop_id: Id, why: ReasonIn) -> StopOut:
    """Let what it held go on."""
    user = caller(request)
    if not rights().can(user, "lift_stop"):
        raise Forbidden(verb="lift a stop")
    return _stop(services.lift_stop(stop_id=stop_id, by=user, reason=why.reason))


def _visible_workflows(user: User) -> QuerySet[Workflow]:
    visible = rights().visible_workflows(user).select_related("owner", "current_version")
    return visible.defer("current_version__source", "current_version__plan")


def _loaded() -> QuerySet[Run]:
    """Runs with what RunOut shows, and without their versions' plans, which can be large."""
    runs = Run.objects.select_related("workflow", "version", "started_by")
    return runs.defer("version__source", "version__definition", "version__plan")


def _shown(run: Run) -> RunOut:
    return RunOut.of(_loaded().get(pk=run.pk))


def _visible_runs(user: User) -> QuerySet[Run]:
    return _loaded().filter(workflow_id__in=list(rights().visible_workflows(user).values_list("pk", flat=True)))


def visible_run(user: User, run_id: int) -> Run:
    """The run, if the user may see it. Raises Http404."""
    run = _visible_runs(user).filter(pk=run_id).first()
    if run is None:
        raise Http404
    return run


def _visible_task(user: User, pk: int) -> Task:
    found = Task.objects.filter(pk=pk).first()
    if found is None or not (rights().can(user, "see_runs", found) or parts.is_own(user, found)):
        raise Http404
    return found


def _require(user: User, right: str, obj: Workflow | Run, *, verb: str) -> None:
    if not rights().can(user, right, obj):
        raise Forbidden(verb=verb)


def _ref(order: StopIn) -> int | None:
    if order.scope == "everything":
        return None
    rows = Workflow.objects if order.scope == "workflow" else Agent.objects
    found: int | None = rows.filter(name=order.name or "").values_list("pk", flat=True).first()
    if found is None:
        raise Http404(f"There is no {order.scope} named {order.name!r}.")
    return found


def _stop(found: Stop) -> StopOut:
    rows = {"workflow": Workflow.objects, "agent": Agent.objects}.get(found.scope)
    name = rows.filter(pk=found.ref).values_list("name", flat=True).first() if rows else None
    return StopOut.of(found, name)
