"""JSON, protobuf and CloudEvents: the same message, to the byte."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.messaging import cloud, codecs, envelope
from agents.messaging.envelope import Envelope, MessageType
from agents.messaging.errors import MessageRefused
from agents.messaging.proto import make

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=15,
)
NAMES = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,20}", fullmatch=True)
ADDRESSES = st.from_regex(r"[!-~]{0,30}", fullmatch=True)
WAYS = (
    st.fixed_dictionaries({"to": NAMES, "to_address": ADDRESSES})
    | st.fixed_dictionaries({"topic": st.from_regex(r"[a-z0-9]{1,5}(\.[a-z0-9]{1,5}){0,3}", fullmatch=True)})
    | st.fixed_dictionaries({"specialism": st.from_regex(r"[A-Za-z ]{1,20}", fullmatch=True)})
    | st.just({"broadcast": True})
)


@st.composite
def envelopes(draw: st.DrawFn) -> Envelope:
    return Envelope(
        agent_id=draw(NAMES),
        task_id=draw(ADDRESSES),
        message_type=draw(st.sampled_from(MessageType)),
        payload=draw(st.dictionaries(TEXT, VALUES, max_size=5)),
        confidence=draw(st.none() | st.floats(0, 1)),
        timestamp=draw(st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC))),
        parent_task_id=draw(st.none() | ADDRESSES),
        id=draw(st.uuids()),
        reply_to=draw(ADDRESSES),
        thread=draw(ADDRESSES),
        correlation_id=draw(ADDRESSES),
        causation_id=draw(st.none() | st.uuids()),
        priority=draw(st.sampled_from(list(envelope.RANKS))),
        ttl_s=draw(st.integers(1, envelope.LONGEST_TTL)),
        hops=draw(st.integers(0, envelope.MOST_HOPS)),
        **draw(WAYS),
    )


@given(envelopes())
@settings(deadline=None, max_examples=150)
def test_every_encoding_gives_the_same_message_and_the_same_bytes(sent: Envelope):
    for encode, decode in codecs.ENCODINGS.values():
        body = encode(sent)
        found = decode(body)

        assert found == sent
        assert encode(found) == body
        assert _shape(found.payload) == _shape(sent.payload)  # 1 is not 1.0, -0.0 is not 0.0


@given(envelopes(), st.sampled_from([codecs.JSON, codecs.PROTOBUF]))
@settings(deadline=None, max_examples=100)
def test_cloudevents_carry_the_message_in_both_modes(sent: Envelope, encoding: str):
    assert cloud.parse(*cloud.structured(sent)) == sent
    headers, body = cloud.binary(sent, encoding=encoding)
    assert cloud.parse(headers, body) == sent
    assert (headers["ce-id"], headers["ce-specversion"], headers["content-type"]) == (str(sent.id), "1.0", encoding)


@given(st.binary(max_size=200))
@settings(deadline=None, max_examples=300)
def test_bytes_that_are_no_message_are_refused_in_words(body: bytes):
    for kind in (codecs.JSON, codecs.PROTOBUF, cloud.STRUCTURED):
        with pytest.raises(MessageRefused):
            cloud.parse({"Content-Type": kind}, body)


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_shape(item) for item in value]
    return type(value).__name__, repr(value)


def sample(**fields: Any) -> Envelope:
    return envelope.read({"agent_id": "planner", "message_type": "TASK", "to": "legal", **fields})


def test_structured_event_says_what_the_standard_asks_for():
    sent = sample(correlation_id="case-7", priority="high")
    headers, body = cloud.structured(sent)
    event = json.loads(body)

    assert headers["content-type"] == "application/cloudevents+json"
    assert {name: event[name] for name in ("specversion", "id", "source", "type", "subject", "correlationid")} == {
        "specversion": "1.0",
        "id": str(sent.id),
        "source": "/agents/planner",
        "type": "watchkeeper.message.task",
        "subject": "legal",
        "correlationid": "case-7",
    }
    assert event["data"]["payload"] == {}


def test_event_that_says_otherwise_than_what_it_carries_is_refused():
    _, body = cloud.structured(sample())
    event = json.loads(body) | {"id": str(uuid4())}

    with pytest.raises(MessageRefused, match="not the id"):
        cloud.parse({"content-type": cloud.STRUCTURED}, json.dumps(event).encode())
    headers, body = cloud.binary(sample())
    with pytest.raises(MessageRefused, match="not the type"):
        cloud.parse({**headers, "ce-type": "com.example.other"}, body)


def test_unknown_encoding_is_refused_naming_those_that_are_known():
    with pytest.raises(MessageRefused, match="application/x-protobuf"):
        cloud.parse({"content-type": "text/xml"}, b"<x/>")


def test_the_message_proper_has_exactly_the_seven_fields():
    assert list(envelope.AgentMessage.model_fields) == [
        *("agent_id", "task_id", "message_type", "payload", "confidence", "timestamp", "parent_task_id"),
    ]
    assert [kind.value for kind in MessageType] == ["TASK", "RESULT", "ERROR", "STATUS"]
    assert sample().message.agent_id == "planner"


def test_published_schema_is_what_is_checked():
    path = Path(__file__).parents[3] / "static/schema/message-v1.json"

    assert json.loads(path.read_text()) == envelope.schema(), "run: python -m agents.messaging.publish_schema"


def test_generated_code_belongs_to_the_proto_file():
    known = (Path(make.__file__).parent / "message.sha256").read_text().strip()

    assert known == make.digest(), "run: python -m agents.messaging.proto.make"


def test_defaults_are_a_weeks_time_normal_priority_and_now():
    made = sample()

    assert (made.ttl_s, made.priority, made.hops, made.confidence) == (7 * 24 * 3600, "normal", 0, None)
    assert abs(datetime.now(UTC) - made.timestamp) < timedelta(minutes=1)


@pytest.mark.parametrize("deep", [33, 200, 5000])
def test_payload_that_is_nested_too_deep_is_refused_and_crashes_nothing(deep: int):
    body = b'{"agent_id":"a","message_type":"TASK","to":"b","payload":{"x":' + b"[" * deep + b"]" * deep + b"}}"

    with pytest.raises(MessageRefused, match="deep"):
        codecs.from_json(body)
