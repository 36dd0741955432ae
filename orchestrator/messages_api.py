"""REST v1: messages between agents, dead letters, subscriptions, bridges."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema
from ninja.responses import Status
from pydantic import Field

from agents.messaging import cloud, codecs, operations, queries, sending
from agents.messaging.envelope import Address, AgentName, Topic, schema
from agents.messaging.queries import Search
from agents.messaging.storing import envelope_of
from agents.models import Delivery, Message
from orchestrator.api_errors import ERRORS, Cursor, Forbidden, Id, Limit, Text, caller
from orchestrator.api_schemas import ReasonIn
from orchestrator.ports import rights

message_routes = Router(tags=["Messages"])

_DOCUMENT = {"schema": {"type": "object"}}
_BYTES = {"schema": {"type": "string", "format": "binary"}}
_BODY = {
    "required": True,
    "content": {codecs.JSON: {"schema": schema()}, codecs.PROTOBUF: _BYTES, cloud.STRUCTURED: _DOCUMENT},
}
State = Annotated[str, Query(pattern="^(queued|held|done|dead|expired)?$")]


class AcceptedOut(Schema):
    """The message is durable. `is_new` is false if it had been accepted before under its id."""

    id: UUID
    thread: str
    correlation_id: str
    readers: int
    is_new: bool


class DeliveryOut(Schema):
    """One message for one reader."""

    id: int
    agent: str
    state: str
    failures: int
    problem: str
    replay: int
    ended_at: datetime | None

    @staticmethod
    def of(row: Delivery) -> "DeliveryOut":
        """As it is shown."""
        return DeliveryOut(
            id=row.pk, agent=row.recipient, state=row.state, failures=row.failures, problem=row.problem,
            replay=row.replay, ended_at=row.ended_at,
        )  # fmt: skip


class MessageOut(Schema):
    """A message, who sent it when, and what became of it."""

    number: int
    message: dict[str, Any] = Field(description="The envelope.")
    thread: str
    sent_at: datetime
    sent_by: str
    via: str
    deliveries: list[DeliveryOut]

    @staticmethod
    def of(row: Message) -> "MessageOut":
        """As it is shown."""
        return MessageOut(
            number=row.pk,
            message=envelope_of(row).model_dump(mode="json"),
            thread=row.thread,
            sent_at=row.sent_at,
            sent_by=row.sent_by,
            via=row.via,
            deliveries=[DeliveryOut.of(delivery) for delivery in queries.deliveries_of(row)],
        )


class MessagesOut(Schema):
    """The newest first. Go on with `before` set to `next`."""

    items: list[MessageOut]
    next: int | None


class DeadOut(Schema):
    """A dead letter with its message."""

    delivery: DeliveryOut
    message: dict[str, Any]


class RequeueIn(ReasonIn):
    """Which dead letters."""

    deliveries: list[Annotated[int, Field(ge=1, le=2**63 - 1)]] = Field(min_length=1, max_length=500)


class RequeuedOut(Schema):
    """Which were put back."""

    deliveries: list[int]


class ReplayMessagesIn(ReasonIn):
    """Whose messages: of this piece of work; `to` one agent instead of those who had them."""

    correlation_id: Address = Field(min_length=1)
    to: AgentName | None = None


class ReplayedOut(Schema):
    """How many deliveries were made."""

    deliveries: int


class SubscriptionIn(Schema):
    """An agent listens to a topic; `*` is any one word, `#` at the end any rest. `match`: CEL over `message`."""

    agent: AgentName
    topic: Annotated[str, Field(min_length=1, max_length=200)]
    match: Text = ""


class SubscriptionOut(SubscriptionIn):
    """A rule of routing."""

    id: int
    enabled: bool


class BridgeOut(Schema):
    """How a bridge is."""

    name: str
    kind: str
    up: bool
    active: bool
    problem: str
    sent: int
    received: int
    repeated: int
    refused: int


@message_routes.post(
    "", response={202: AcceptedOut, **ERRORS}, summary="Send a message", openapi_extra={"requestBody": _BODY}
)
def send_message(request: HttpRequest) -> Status[AcceptedOut]:
    """JSON, protobuf (`application/x-protobuf`), or a CloudEvent in structured or binary mode. The same id again is the
    same message. The schema: `/static/schema/message-v1.json`.
    """
    user = _manager(request)
    envelope = cloud.parse(dict(request.headers.items()), request.body)
    sent = sending.send(envelope, sender=f"user:{user.get_username()}")
    row = sent.message
    told = AcceptedOut(
        id=row.uid, thread=row.thread, correlation_id=row.correlation_id, readers=row.readers, is_new=sent.is_new
    )
    return Status(202, told)


@message_routes.get("", response={200: MessagesOut, **ERRORS}, summary="List messages")
def list_messages(  # noqa: PLR0913 - each is a way to search
    request: HttpRequest,
    correlation_id: Annotated[str, Query(max_length=200)] = "",
    agent: Annotated[str, Query(max_length=100)] = "",
    topic: Annotated[Topic | None, Query()] = None,
    state: State = "",
    before: Cursor = 0,
    limit: Limit = 50,
) -> MessagesOut:
    """By piece of work, agent (sender or reader), topic, and state of a delivery."""
    _reader(request)
    search = Search(_plain(correlation_id), _plain(agent), topic or "", state, before)
    rows = queries.found(search, limit=limit + 1)
    following = rows[limit - 1].pk if len(rows) > limit else None
    return MessagesOut(items=[MessageOut.of(row) for row in rows[:limit]], next=following)


@message_routes.get("/dead", response={200: list[DeadOut], **ERRORS}, summary="List dead letters")
def list_dead(request: HttpRequest, before: Cursor = 0, limit: Limit = 50) -> list[DeadOut]:
    """What failed too often, the newest first."""
    _reader(request)
    return [
        DeadOut(delivery=DeliveryOut.of(row), message=envelope_of(row.message).model_dump(mode="json"))
        for row in queries.dead(before=before, limit=limit)
    ]


@message_routes.post("/dead/requeue", response={200: RequeuedOut, **ERRORS}, summary="Put dead letters back")
def requeue(request: HttpRequest, order: RequeueIn) -> RequeuedOut:
    """All of them or none; their failures are forgotten."""
    user = _manager(request)
    return RequeuedOut(deliveries=operations.requeue(order.deliveries, by=user, reason=order.reason))


@message_routes.post("/replay", response={200: ReplayedOut, **ERRORS}, summary="Replay a piece of work's messages")
def replay(request: HttpRequest, order: ReplayMessagesIn) -> ReplayedOut:
    """Deliver them again in their order, at most 1,000."""
    user = _manager(request)
    count = operations.replay(order.correlation_id, by=user, reason=order.reason, to=order.to or "")
    return ReplayedOut(deliveries=count)


@message_routes.get("/subscriptions", response={200: list[SubscriptionOut], **ERRORS}, summary="List subscriptions")
def list_subscriptions(request: HttpRequest) -> list[SubscriptionOut]:
    """Who listens to what."""
    _reader(request)
    return [
        SubscriptionOut(id=row.pk, agent=row.agent.name, topic=row.topic, match=row.match, enabled=row.enabled)
        for row in queries.subscriptions()
    ]


@message_routes.post("/subscriptions", response={201: SubscriptionOut, **ERRORS}, summary="Have an agent listen")
def subscribe(request: HttpRequest, made: SubscriptionIn) -> Status[SubscriptionOut]:
    """From the next message on, without a restart."""
    user = _manager(request)
    row = operations.subscribe(made.agent, made.topic, match=made.match, by=user)
    return Status(201, SubscriptionOut(id=row.pk, enabled=True, **made.model_dump()))


@message_routes.post("/subscriptions/{pk}/remove", response={204: None, **ERRORS}, summary="End a subscription")
def unsubscribe(request: HttpRequest, pk: Id, why: ReasonIn) -> Status[None]:
    """What is queued is still delivered."""
    operations.unsubscribe(pk, by=_manager(request), reason=why.reason)
    return Status(204, None)


@message_routes.get("/bridges", response={200: list[BridgeOut], **ERRORS}, summary="List bridges")
def list_bridges(request: HttpRequest) -> list[BridgeOut]:
    """Each as its process last saw it."""
    _reader(request)
    return [BridgeOut(**{name: getattr(row, name) for name in BridgeOut.model_fields}) for row in queries.bridges()]


@message_routes.get(
    "/{uid}",
    response={200: MessageOut, **ERRORS},
    summary="Read a message",
    openapi_extra={"description": "With `Accept: application/x-protobuf` or CloudEvents: the envelope in that form."},
)
def get_message(request: HttpRequest, uid: UUID) -> MessageOut | HttpResponse:
    """The message with its deliveries; or the envelope alone, as protobuf or as a structured CloudEvent."""
    _reader(request)
    row = queries.get(uid)
    match request.headers.get("Accept", ""):
        case codecs.PROTOBUF:
            return HttpResponse(codecs.to_protobuf(envelope_of(row)), content_type=codecs.PROTOBUF)
        case cloud.STRUCTURED:
            headers, body = cloud.structured(envelope_of(row))
            return HttpResponse(body, content_type=headers["content-type"])
    return MessageOut.of(row)


def _reader(request: HttpRequest) -> User:
    user = caller(request)
    if not rights().can(user, "see_messages"):
        raise Forbidden(verb="see messages")
    return user


def _manager(request: HttpRequest) -> User:
    user = caller(request)
    if not rights().can(user, "manage_messages"):
        raise Forbidden(verb="send or manage messages")
    return user


def _plain(text: str) -> str:
    """What PostgreSQL can compare with; nothing else is in any column."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")
