"""REST v1: signals, calls back and consumer groups."""

import json
from typing import Annotated, Any

from django.contrib.auth.models import User
from django.http import Http404, HttpRequest
from ninja import Query, Router, Schema
from ninja.responses import Status
from pydantic import Field

from orchestrator import callbacks, groups, signals
from orchestrator.api_errors import ERRORS, Cursor, ErrorOut, Forbidden, Id, Key, Limit, Line, Name, Text, caller
from orchestrator.api_schemas import GroupOut, ReasonIn, SignalOut, SignalsOut
from orchestrator.errors import CallbackInvalid, GroupNotFound, WorkflowNotFound
from orchestrator.models import ConsumerGroup, Task, Workflow
from orchestrator.ports import rights

signal_routes = Router(tags=["Signals"])
callback_routes = Router(tags=["Calls back"])
address_routes = Router(tags=["Tasks"])
group_routes = Router(tags=["Consumer groups"])

SignalName = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[a-z][a-z0-9_.-]*$")]


class SignalIn(Schema):
    """A fact from outside. `id` is the sender's own: sent again it is not a new fact."""

    name: SignalName
    key: Line = Field("", max_length=200, description="What it is about; a step may wait for one key only.")
    data: dict[str, Any] = Field(default={}, description="At most 48 kB of JSON.")
    id: Key | None = None
    keep_minutes: int = Field(signals.KEPT, ge=1, le=signals.KEPT, description="How long it is kept; 30 days at most.")


class CallbackOut(Schema):
    """The answer was taken."""

    message: str
    run: int


class AddressOut(Schema):
    """A secret address: shown once, and kept as a hash."""

    callback_url: str


class GroupIn(Schema):
    """Which workflow starts for which signals. `from_start`: for all that are still kept, not only for new ones."""

    name: Annotated[str, Field(max_length=100, pattern=r"^[a-z][a-z0-9-]*$")]
    workflow: Name
    signal: SignalName
    match: Text = ""
    recent: int = Field(
        0, ge=0, le=groups.MOST_RECENT,
        description="A run's input is {recent: [...]}, the data of the last so many signals of the same key, the "
        "oldest first; 0: the signal's data alone.",
    )  # fmt: skip
    from_start: bool = False


class ReplayIn(ReasonIn):
    """From which signal on, exclusive: 0 hands on again every signal that is still kept."""

    position: int = Field(ge=0, le=2**63 - 1)


@signal_routes.post("", response={200: SignalOut, 201: SignalOut, **ERRORS}, summary="Publish a signal")
def publish_signal(request: HttpRequest, sent: SignalIn) -> Status[SignalOut]:
    """Tell every step that waits for it, and every consumer group. It reaches workflows whose runs you may start."""
    user = _sender(request)
    signal, is_new = signals.publish(
        name=sent.name, key=sent.key, data=sent.data, sender_id=sent.id, keep_minutes=sent.keep_minutes, by=user
    )
    return Status(201 if is_new else 200, SignalOut.of(signal))


@signal_routes.get("", response={200: SignalsOut, **ERRORS}, summary="List signals")
def list_signals(
    request: HttpRequest, name: Annotated[SignalName | None, Query()] = None, after: Cursor = 0, limit: Limit = 50
) -> SignalsOut:
    """Your own, those for consumer groups of workflows that you may see, and all if you may start runs of any workflow;
    as long as they are kept, the oldest first. Go on with `after` set to the last answer's `next`.
    """
    found = signals.visible_to(_sender(request)).filter(pk__gt=after).order_by("pk")
    if name is not None:
        found = found.filter(name=name)
    rows = list(found[: limit + 1])
    following = rows[limit - 1].pk if len(rows) > limit else None
    return SignalsOut(items=[SignalOut.of(row) for row in rows[:limit]], next=following)


_ANY_OBJECT = {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}


@callback_routes.post(
    "/{token}",
    response={200: CallbackOut, **ERRORS, 410: ErrorOut},
    summary="Answer a step",
    openapi_extra={"requestBody": _ANY_OBJECT},
)
def call_back(request: HttpRequest, token: str) -> CallbackOut:
    """Any JSON object that the step's schema allows. The address is the permission: it works once."""
    run = callbacks.receive(token=token, payload=_json_object(request))
    return CallbackOut(message=f"Received; run {run.pk} goes on.", run=run.pk)


def _json_object(request: HttpRequest) -> dict[str, Any]:
    if request.content_type != "application/json":
        raise CallbackInvalid(path="Content-Type", problem="it must be application/json")
    try:
        value = json.loads(request.body)
    except (ValueError, RecursionError) as problem:
        raise CallbackInvalid(path="the body", problem="it is not JSON") from problem
    if not isinstance(value, dict):
        raise CallbackInvalid(path="the body", problem="it is not an object")
    return value


@address_routes.post("/{task}/callback", response={201: AddressOut, **ERRORS}, summary="Issue a new secret address")
def reissue(request: HttpRequest, task: Id, why: ReasonIn) -> Status[AddressOut]:
    """For a step that waits for a call back whose address was lost or leaked; the old one works no more."""
    user = caller(request)
    found = Task.objects.filter(pk=task).first()
    if found is None or not (rights().can(user, "see_runs", found) or rights().can(user, "steer_run", found)):
        raise Http404
    if not rights().can(user, "steer_run", found):
        raise Forbidden(verb="steer this run")
    return Status(201, AddressOut(callback_url=callbacks.reissue(task_id=task, by=user, reason=why.reason)))


@group_routes.get("", response={200: list[GroupOut], **ERRORS}, summary="List consumer groups")
def list_groups(request: HttpRequest) -> list[GroupOut]:
    """Those of workflows that you may see, and how far they are."""
    visible = list(rights().visible_workflows(caller(request)).values_list("pk", flat=True))
    return [GroupOut.of(found) for found in groups.standings(ConsumerGroup.objects.filter(workflow_id__in=visible))]


@group_routes.post("", response={201: GroupOut, **ERRORS}, summary="Make a consumer group")
def make_group(request: HttpRequest, made: GroupIn) -> Status[GroupOut]:
    """Let a workflow start by itself for each signal of a name; the signal's data is the run's input."""
    user = caller(request)
    workflow = Workflow.objects.filter(name=made.workflow).first()
    if workflow is None or not rights().can(user, "see_runs", workflow):
        raise WorkflowNotFound(name=made.workflow)
    _may_manage(user, workflow)
    group = groups.create(
        name=made.name, workflow=workflow, signal=made.signal, match=made.match, recent=made.recent,
        from_start=made.from_start, by=user,
    )  # fmt: skip
    return Status(201, _shown(group))


@group_routes.post("/{name}/enable", response={200: GroupOut, **ERRORS}, summary="Go on handing signals on")
def enable_group(request: HttpRequest, name: Name, why: ReasonIn) -> GroupOut:
    """It goes on where it was stopped: nothing that came meanwhile is left out."""
    return _shown(groups.set_enabled(name=name, enabled=True, by=_manager(request, name), reason=why.reason))


@group_routes.post("/{name}/disable", response={200: GroupOut, **ERRORS}, summary="Stop handing signals on")
def disable_group(request: HttpRequest, name: Name, why: ReasonIn) -> GroupOut:
    """Runs that it started go on."""
    return _shown(groups.set_enabled(name=name, enabled=False, by=_manager(request, name), reason=why.reason))


@group_routes.post("/{name}/replay", response={200: GroupOut, **ERRORS}, summary="Replay signals")
def replay_group(request: HttpRequest, name: Name, order: ReplayIn) -> GroupOut:
    """Start a run again for each kept signal after a position."""
    user = _manager(request, name)
    return _shown(groups.replay(name=name, position=order.position, by=user, reason=order.reason))


@group_routes.post("/{name}/remove", response={204: None, **ERRORS}, summary="Remove a consumer group")
def remove_group(request: HttpRequest, name: Name, why: ReasonIn) -> Status[None]:
    """End it for good; runs that it started go on."""
    groups.remove(name=name, by=_manager(request, name), reason=why.reason)
    return Status(204, None)


def _sender(request: HttpRequest) -> User:
    user = caller(request)
    if not rights().can_somewhere(user, "start_run"):
        raise Forbidden(verb="publish signals")
    return user


def _manager(request: HttpRequest, name: str) -> User:
    """The caller, who may manage this group; what one may not see does not exist."""
    user, group = caller(request), groups.get(name)
    if not rights().can(user, "see_runs", group.workflow) and not rights().can(user, "steer_run", group.workflow):
        raise GroupNotFound(name=name)
    _may_manage(user, group.workflow)
    return user


def _may_manage(user: User, workflow: Workflow) -> None:
    if not groups.may_manage(user, workflow):
        raise Forbidden(verb="let this workflow start by itself")


def _shown(group: ConsumerGroup) -> GroupOut:
    return GroupOut.of(groups.standings(ConsumerGroup.objects.filter(pk=group.pk))[0])
