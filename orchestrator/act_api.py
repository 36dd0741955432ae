"""REST v1: one family of endpoints for every steering act, on runs, tasks, workflows, agents, teams and everything."""

from typing import Annotated, Any

from django.contrib.auth.models import User
from django.http import Http404, HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field, StringConstraints

from orchestrator import acts
from orchestrator.acts import Act, Target
from orchestrator.api import runs, tasks, workflows
from orchestrator.api_errors import ERRORS, Id, Name, RunId, Text, caller

agents = Router(tags=["Agents"])
teams = Router(tags=["Teams"])
everything = Router(tags=["Everything"])

ActName = Annotated[str, StringConstraints(max_length=40, pattern=r"^[a-z][a-z-]*$")]
Preview = Annotated[bool, Query(description="Say what it would do, and do nothing.")]
LIST = "List what you may do to it now"
DO = "Steer it, or preview that"


class ActIn(Schema):
    """Why, what else the act asks for, and the preview that this must still be."""

    reason: Text = Field("", description="Needed to act; not for a preview.")
    answers: dict[str, Any] = Field({}, description="As the act's `schema` says.")
    digest: Annotated[str, StringConstraints(max_length=64, pattern=r"^[0-9a-f]*$")] = Field(
        "", description="Of the preview you agreed to: if it would do something else by now, 409 and nothing is done."
    )


class ActOut(Schema):
    """One thing that may be done, and what it asks for besides a reason."""

    name: str
    title: str
    answers: dict[str, Any] = Field(description="JSON Schema.")


class UndoOut(Schema):
    """The act that takes this one back."""

    name: str
    answers: dict[str, Any]


class OutcomeOut(Schema):
    """What an act does, or has done. `digest` binds a later request to this preview."""

    name: str
    done: bool
    words: str = ""
    lines: list[str] = []
    warnings: list[str] = []
    digest: str = ""
    data: dict[str, Any] = {}
    undo: UndoOut | None = None


@runs.get("/{run_id}/acts", response={200: list[ActOut], **ERRORS}, summary=LIST)
def run_acts(request: HttpRequest, run_id: RunId) -> list[ActOut]:
    """Acts that its state and your rights allow."""
    return _offered(caller(request), "run", str(run_id))


@runs.post("/{run_id}/acts/{act}", response={200: OutcomeOut, **ERRORS}, summary=DO)
def act_on_run(request: HttpRequest, run_id: RunId, act: ActName, body: ActIn, preview: Preview = False) -> OutcomeOut:
    """Pause, resume, cancel, retry and whatever else `GET .../acts` lists."""
    return _done(caller(request), _Order("run", str(run_id), act, body, preview))


@tasks.get("/{task}/acts", response={200: list[ActOut], **ERRORS}, summary=LIST)
def task_acts(request: HttpRequest, task: Id) -> list[ActOut]:
    """Acts that its state and your rights allow."""
    return _offered(caller(request), "task", str(task))


@tasks.post("/{task}/acts/{act}", response={200: OutcomeOut, **ERRORS}, summary=DO)
def act_on_task(request: HttpRequest, task: Id, act: ActName, body: ActIn, preview: Preview = False) -> OutcomeOut:
    """Pause, retry, skip, edit, redirect and whatever else `GET .../acts` lists."""
    return _done(caller(request), _Order("task", str(task), act, body, preview))


@workflows.get("/{workflow}/acts", response={200: list[ActOut], **ERRORS}, summary=LIST)
def workflow_acts(request: HttpRequest, workflow: Name) -> list[ActOut]:
    """Acts that its state and your rights allow."""
    return _offered(caller(request), "workflow", workflow)


@workflows.post("/{workflow}/acts/{act}", response={200: OutcomeOut, **ERRORS}, summary=DO)
def act_on_workflow(
    request: HttpRequest, workflow: Name, act: ActName, body: ActIn, preview: Preview = False
) -> OutcomeOut:
    """Pause, stop, resume, or cancel its runs."""
    return _done(caller(request), _Order("workflow", workflow, act, body, preview))


@agents.get("/{agent}/acts", response={200: list[ActOut], **ERRORS}, summary=LIST)
def agent_acts(request: HttpRequest, agent: Name) -> list[ActOut]:
    """Acts that its state and your rights allow."""
    return _offered(caller(request), "agent", agent)


@agents.post("/{agent}/acts/{act}", response={200: OutcomeOut, **ERRORS}, summary=DO)
def act_on_agent(request: HttpRequest, agent: Name, act: ActName, body: ActIn, preview: Preview = False) -> OutcomeOut:
    """Pause, stop, resume, or cancel what it does."""
    return _done(caller(request), _Order("agent", agent, act, body, preview))


@teams.get("/{team}/acts", response={200: list[ActOut], **ERRORS}, summary=LIST)
def team_acts(request: HttpRequest, team: Id) -> list[ActOut]:
    """Acts that your rights allow."""
    return _offered(caller(request), "team", str(team))


@teams.post("/{team}/acts/{act}", response={200: OutcomeOut, **ERRORS}, summary=DO)
def act_on_team(request: HttpRequest, team: Id, act: ActName, body: ActIn, preview: Preview = False) -> OutcomeOut:
    """Set or move its budgets."""
    return _done(caller(request), _Order("team", str(team), act, body, preview))


@everything.get("/acts", response={200: list[ActOut], **ERRORS}, summary=LIST)
def everything_acts(request: HttpRequest) -> list[ActOut]:
    """Acts that the state of things and your rights allow."""
    return _offered(caller(request), "everything", "all")


@everything.post("/acts/{act}", response={200: OutcomeOut, **ERRORS}, summary=DO)
def act_on_everything(request: HttpRequest, act: ActName, body: ActIn, preview: Preview = False) -> OutcomeOut:
    """Pause, stop, resume, or cancel every run."""
    return _done(caller(request), _Order("everything", "all", act, body, preview))


class _Order:
    """What was asked for."""

    def __init__(self, scope: str, address: str, name: str, body: ActIn, preview: bool) -> None:
        self.scope, self.address, self.name, self.body, self.preview = scope, address, name, body, preview


def _target(user: User, scope: str, address: str) -> Target:
    target = acts.locate(scope, address)
    if not acts.is_visible(user, target):
        raise Http404
    return target


def _offered(user: User, scope: str, address: str) -> list[ActOut]:
    target = _target(user, scope, address)
    found = acts.possible(user, target)
    return [ActOut(name=act.name, title=str(act.title), answers=dict(act.schema(target))) for act in found]


def _done(user: User, order: _Order) -> OutcomeOut:
    target = _target(user, order.scope, order.address)
    act = acts.find(order.scope, order.name)
    if not act.permits(user, target):
        raise acts.ActNotAllowed(verb=act.name)
    return _previewed(act, target, order) if order.preview else _performed(act, target, order, user)


def _previewed(act: Act, target: Target, order: _Order) -> OutcomeOut:
    found = acts.preview(act, target, order.body.answers)
    return OutcomeOut(
        name=act.name, done=False, lines=list(found.plan.lines), warnings=list(found.plan.warnings), digest=found.digest
    )


def _performed(act: Act, target: Target, order: _Order, user: User) -> OutcomeOut:
    body = order.body
    done = acts.perform(act, target, by=user, reason=body.reason, answers=body.answers, digest=body.digest)
    undo = UndoOut(name=done.undo.name, answers=dict(done.undo.answers)) if done.undo else None
    return OutcomeOut(name=act.name, done=True, words=done.words, data=dict(done.data), undo=undo)
