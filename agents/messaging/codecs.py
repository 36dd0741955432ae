"""Messages as bytes: canonical JSON and protobuf. The same message always gives the same bytes. No Django."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from google.protobuf.message import DecodeError

from agents.cleaning import Limits, clean_text
from agents.errors import OutputRejected
from agents.messaging.envelope import LARGEST, LIMITS, Envelope, MessageType, read
from agents.messaging.errors import MessageRefused
from agents.messaging.proto import message_pb2 as pb

JSON: Final = "application/json"
PROTOBUF: Final = "application/x-protobuf"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PRIORITIES: Final = {"low": pb.LOW, "normal": pb.NORMAL, "high": pb.HIGH, "critical": pb.CRITICAL}
_TYPES: Final = {
    MessageType.TASK: pb.TASK,
    MessageType.RESULT: pb.RESULT,
    MessageType.ERROR: pb.ERROR,
    MessageType.STATUS: pb.STATUS,
}
_PLAIN: Final = (
    "agent_id",
    "task_id",
    "to_address",
    "broadcast",
    "reply_to",
    "thread",
    "correlation_id",
    "ttl_s",
    "hops",
)
_OPTIONAL: Final = ("confidence", "parent_task_id", "to", "topic", "specialism")
_TEXT: Final = Limits(depth=LIMITS.depth + 2, size=LARGEST, nodes=LIMITS.nodes)
_LARGE: Final = 2**63


def to_json(envelope: Envelope) -> bytes:
    """Canonical JSON: every field, names sorted."""
    # mode="python": pydantic's own JSON would write a float such as 1e22 otherwise than it was.
    fields = envelope.model_dump(mode="python")
    fields["timestamp"] = envelope.timestamp.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)


def from_json(body: bytes) -> Envelope:
    """A checked envelope. Raises MessageRefused, for what is no JSON, too."""
    try:
        value = clean_text(body, _TEXT).value
    except OutputRejected as flaw:
        raise MessageRefused(field=flaw.path, problem=flaw.problem) from None
    return read(value)


def to_protobuf(envelope: Envelope) -> bytes:
    """The message of message.proto, with the entries of maps sorted."""
    made = pb.Message(
        message_type=_TYPES[envelope.message_type],
        priority=_PRIORITIES[envelope.priority],
        timestamp_us=(envelope.timestamp - _EPOCH) // timedelta(microseconds=1),
        id=envelope.id.bytes,
        **{name: getattr(envelope, name) for name in _PLAIN},
        **{name: value for name in _OPTIONAL if (value := getattr(envelope, name)) is not None},
    )
    if envelope.causation_id is not None:
        made.causation_id = envelope.causation_id.bytes
    _fill_object(made.payload, envelope.payload)
    body: bytes = made.SerializeToString(deterministic=True)
    return body


def from_protobuf(body: bytes) -> Envelope:
    """A checked envelope. What is left out has the value that JSON would give it. Raises MessageRefused."""
    if len(body) > LARGEST:
        raise MessageRefused(field="the message", problem=f"it is {len(body):,} bytes, more than {LARGEST:,}")
    try:
        found = pb.Message.FromString(body)
        fields = _fields_of(found)
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MessageRefused(field="the message", problem="it is no protobuf message of message.proto") from error
    except (OverflowError, ValueError) as error:
        raise MessageRefused(field="the message", problem=f"a field of it cannot be read ({error})") from error
    return read(fields)


def _fields_of(found: pb.Message) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "payload": _object(found.payload),
        "message_type": next((kind.value for kind, number in _TYPES.items() if number == found.message_type), "?"),
    }
    fields |= {name: getattr(found, name) for name in _PLAIN if getattr(found, name) or name == "agent_id"}
    fields |= {name: getattr(found, name) for name in _OPTIONAL if found.HasField(name)}
    if found.priority:
        fields["priority"] = next((word for word, number in _PRIORITIES.items() if number == found.priority), "?")
    if found.timestamp_us:
        fields["timestamp"] = (_EPOCH + timedelta(microseconds=found.timestamp_us)).isoformat()
    if found.id:
        fields["id"] = str(UUID(bytes=found.id))
    if found.HasField("causation_id"):
        fields["causation_id"] = str(UUID(bytes=found.causation_id))
    return fields


def _fill_object(into: pb.Object, value: dict[str, Any]) -> None:
    for name, item in value.items():
        _fill(into.fields[name], item)


def _fill(into: pb.Value, value: Any) -> None:
    match value:
        case None:
            into.null = True
        case bool():
            into.boolean = value
        case int():
            _fill_integer(into, value)
        case float():
            into.number = value
        case str():
            into.text = value
        case list():
            _fill_list(into.list, value)
        case _:
            into.object.SetInParent()
            _fill_object(into.object, value)


def _fill_integer(into: pb.Value, value: int) -> None:
    if value >= _LARGE:
        into.large_integer = value
    else:
        into.integer = value


def _fill_list(into: pb.List, value: list[Any]) -> None:
    into.SetInParent()
    for item in value:
        _fill(into.items.add(), item)


def _object(found: pb.Object) -> dict[str, Any]:
    return {name: _value(item) for name, item in found.fields.items()}


def _value(found: pb.Value) -> Any:
    match found.WhichOneof("kind"):
        case None | "null":
            return None
        case "list":
            return [_value(item) for item in found.list.items]
        case "object":
            return _object(found.object)
        case kind:
            return getattr(found, kind)


ENCODINGS: Final[dict[str, tuple[Callable[[Envelope], bytes], Callable[[bytes], Envelope]]]] = {
    JSON: (to_json, from_json),
    PROTOBUF: (to_protobuf, from_protobuf),
}
