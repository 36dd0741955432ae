"""Messages as CloudEvents 1.0, in structured mode (one JSON document) and in binary mode (headers, body). No Django.

Attributes: `id` the message's, `source` `/agents/<agent_id>`, `type` `watchkeeper.message.<task|result|error|status>`,
`subject` the topic, agent or specialism it goes to, `time` its timestamp; extensions `correlationid`, `priority` and
`traceparent` (the Distributed Tracing extension).
The data is the whole envelope, as JSON or protobuf.
"""

from collections.abc import Mapping
from datetime import UTC
from typing import Any, Final

import orjson
from cloudevents.core.bindings.http import HTTPMessage, from_binary, from_structured, to_binary, to_structured
from cloudevents.core.exceptions import BaseCloudEventException
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from agents import tracing
from agents.messaging import codecs
from agents.messaging.envelope import LARGEST, Envelope
from agents.messaging.errors import MessageRefused

STRUCTURED: Final = "application/cloudevents+json"
SCHEMA: Final = "https://watchkeeper.invalid/schema/message-v1.json"
_PREFIX: Final = "watchkeeper.message."
_FORMAT: Final = JSONFormat()


def structured(envelope: Envelope) -> tuple[dict[str, str], bytes]:
    """Headers and body of a CloudEvent in structured mode."""
    data: dict[str, Any] = orjson.loads(codecs.to_json(envelope))
    made = to_structured(CloudEvent(_attributes(envelope, codecs.JSON), data), _FORMAT)
    return dict(made.headers), made.body


def binary(envelope: Envelope, *, encoding: str = codecs.JSON) -> tuple[dict[str, str], bytes]:
    """Headers and body of a CloudEvent in binary mode; the body is the envelope in this encoding."""
    encode, _ = codecs.ENCODINGS[encoding]
    made = to_binary(CloudEvent(_attributes(envelope, encoding), encode(envelope)), _FORMAT)
    return dict(made.headers), made.body


def parse(headers: Mapping[str, str], body: bytes) -> Envelope:
    """The envelope in a CloudEvent of either mode, or as it is in one of our encodings. Raises MessageRefused.

    What a CloudEvent says about itself must fit the envelope that it carries.
    """
    known = {name.lower(): value for name, value in headers.items()}
    kind = known.get("content-type", codecs.JSON).partition(";")[0].strip().lower()
    if len(body) > 2 * LARGEST:
        raise MessageRefused(field="the message", problem=f"it is {len(body):,} bytes, more than {2 * LARGEST:,}")
    if kind == STRUCTURED:
        return _from_event(known, body)
    if kind not in codecs.ENCODINGS:
        allowed = ", ".join([*codecs.ENCODINGS, STRUCTURED])
        raise MessageRefused(field="Content-Type", problem=f"{kind[:100]!r} is not one of {allowed}")
    envelope = codecs.ENCODINGS[kind][1](body)
    if "ce-id" in known:
        try:
            # The body has been read: the library would take JSON apart its own way, and lose what numbers were.
            event = from_binary(HTTPMessage({**known, "content-type": "application/octet-stream"}, b""), _FORMAT)
        except (BaseCloudEventException, ValueError) as flaw:
            raise MessageRefused(field="the CloudEvent's headers", problem=str(flaw)[:300]) from flaw
        _refuse_other(envelope, event.get_id(), event.get_type())
    return envelope


def _from_event(headers: Mapping[str, str], body: bytes) -> Envelope:
    try:
        event = from_structured(HTTPMessage(dict(headers), body), _FORMAT)
        data = event.get_data()
    except (BaseCloudEventException, ValueError, KeyError, TypeError, AttributeError, RecursionError) as flaw:
        raise MessageRefused(field="the CloudEvent", problem=f"it cannot be read ({str(flaw)[:200]})") from flaw
    raw = orjson.dumps(data) if isinstance(data, dict) else bytes(data) if isinstance(data, bytes) else b"null"
    encoding = str(event.get_datacontenttype() or codecs.JSON)
    if encoding not in codecs.ENCODINGS:
        raise MessageRefused(field="datacontenttype", problem=f"{encoding[:100]!r} is not one of ours")
    envelope = codecs.ENCODINGS[encoding][1](raw)
    _refuse_other(envelope, event.get_id(), event.get_type())
    return envelope


def _refuse_other(envelope: Envelope, event_id: str, event_type: str) -> None:
    if event_id != str(envelope.id):
        raise MessageRefused(field="the CloudEvent's id", problem="it is not the id of the message it carries")
    if event_type != f"{_PREFIX}{envelope.message_type.value.lower()}":
        raise MessageRefused(field="the CloudEvent's type", problem="it is not the type of the message it carries")


def _attributes(envelope: Envelope, encoding: str) -> dict[str, Any]:
    way = envelope.to or envelope.topic or envelope.specialism or "broadcast"
    made: dict[str, Any] = {
        "id": str(envelope.id),
        "source": f"/agents/{envelope.agent_id}",
        "type": f"{_PREFIX}{envelope.message_type.value.lower()}",
        "subject": way,
        "time": envelope.timestamp.astimezone(UTC),
        "datacontenttype": encoding,
        "dataschema": SCHEMA,
        "priority": envelope.priority,
    }
    if not envelope.correlation_id:
        return made
    trace = tracing.of_call(envelope.correlation_id, envelope.task_id or "")
    return made | {"correlationid": envelope.correlation_id, "traceparent": trace}
