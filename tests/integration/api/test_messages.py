"""Messages over REST: three encodings, rights, search, dead letters, replay, routing."""

import json
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from agents.messaging import cloud, codecs, inbox
from agents.models import Delivery, Message
from tests import people
from tests.api import as_user
from tests.messages import agents, envelope, reader, send

pytestmark = pytest.mark.django_db
HERE = "/api/v1/messages"


@pytest.fixture
def engineer() -> Any:
    agents("planner", "legal")
    return people.person("ina", "System Integration Engineer")


def posted(user: Any, body: bytes, kind: str, **headers: str) -> Any:
    client = Client(headers={**headers, "authorization": f"Bearer {as_user(user).secret}"})
    return client.post(HERE, body, content_type=kind)


def test_json_message_is_accepted_with_its_id_and_delivered(engineer):
    body = {"agent_id": "planner", "message_type": "TASK", "payload": {"text": "read this"}, "to": "legal"}

    answer = as_user(engineer).post("/messages", body)

    assert answer.status_code == 202
    told = answer.json()
    assert (told["readers"], told["is_new"]) == (1, True)
    taken = inbox.take(reader("legal"))[0]
    assert (str(taken.envelope.id), taken.envelope.payload) == (told["id"], {"text": "read this"})


@pytest.mark.parametrize("kind", ["protobuf", "structured", "binary json", "binary protobuf"])
def test_message_is_accepted_in_every_form_and_once(engineer, kind):
    sent = envelope({"n": 1.0, "large": 2**63}, to="legal")
    headers, body = {
        "protobuf": ({"content-type": codecs.PROTOBUF}, codecs.to_protobuf(sent)),
        "structured": cloud.structured(sent),
        "binary json": cloud.binary(sent),
        "binary protobuf": cloud.binary(sent, encoding=codecs.PROTOBUF),
    }[kind]
    more = {name: value for name, value in headers.items() if name != "content-type"}

    first, again = (posted(engineer, body, headers["content-type"], **more) for _ in range(2))

    assert (first.status_code, again.status_code) == (202, 202), first.content
    assert (first.json()["is_new"], again.json()["is_new"]) == (True, False)
    client = Client(headers={"accept": codecs.PROTOBUF})
    client.force_login(engineer)
    found = codecs.from_protobuf(client.get(f"{HERE}/{sent.id}").content)
    assert found.payload == sent.payload
    assert Message.objects.count() == 1


def test_protobuf_comes_back_to_the_byte(engineer):
    sent = envelope({"a": [1, 1.0, -0.0, 1e300, None, True, "é"]}, to="legal", correlation_id="c", thread="t")
    body = codecs.to_protobuf(sent)
    posted(engineer, body, codecs.PROTOBUF)
    client = Client(headers={"accept": codecs.PROTOBUF})
    client.force_login(engineer)

    assert client.get(f"{HERE}/{sent.id}").content == body


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "message_refused"),
        (b'{"agent_id":"planner","message_type":"TASK","to":"nobody"}', "recipient_unknown"),
        (b'{"agent_id":"planner","message_type":"TASK","to":"legal","x":1}', "message_refused"),
    ],
)
def test_what_cannot_be_accepted_is_refused_in_the_common_shape(engineer, body, code):
    answer = posted(engineer, body, "application/json")

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, code)


def test_who_may_only_look_sends_nothing_and_who_may_not_look_sees_nothing(engineer):
    send({"text": "x"}, to="legal")
    onlooker, stranger = people.person("ola", "Auditor"), people.person("sam", "Reviewer")
    body = {"agent_id": "planner", "message_type": "TASK", "to": "legal"}

    assert as_user(onlooker).get("/messages").status_code == 200
    assert as_user(onlooker).post("/messages", body).status_code == 403
    assert as_user(onlooker).post("/messages/replay", {"correlation_id": "x", "reason": "y"}).status_code == 403
    for path in ("/messages", "/messages/dead", "/messages/subscriptions", "/messages/bridges"):
        assert as_user(stranger).get(path).status_code == 403, path


def test_messages_are_found_by_work_agent_topic_and_state(engineer):
    send({"n": 1}, to="legal", correlation_id="case-1")
    send({"n": 2}, topic="claims", correlation_id="case-2")
    api = as_user(engineer)

    def numbers(query: str) -> list[int]:
        return [item["message"]["payload"]["n"] for item in api.get(f"/messages?{query}").json()["items"]]

    assert numbers("") == [2, 1]
    assert numbers("correlation_id=case-1") == [1]
    assert numbers("agent=legal") == [1]
    assert numbers("topic=claims") == [2]
    assert numbers("state=queued") == [1]
    assert api.get("/messages?limit=1").json()["next"] is not None


def test_dead_letters_are_put_back_with_a_reason(engineer):
    send({"text": "x"}, to="legal")
    Delivery.objects.update(state="dead", failures=5, problem="It broke.")
    api = as_user(engineer)
    dead = api.get("/messages/dead").json()[0]["delivery"]

    assert dead["problem"] == "It broke."
    assert api.post("/messages/dead/requeue", {"deliveries": [dead["id"]], "reason": " "}).status_code == 422
    assert api.post("/messages/dead/requeue", {"deliveries": [dead["id"]], "reason": "mended"}).status_code == 200
    again = api.post("/messages/dead/requeue", {"deliveries": [dead["id"]], "reason": "twice"})
    assert again.json()["error"]["code"] == "not_a_dead_letter"


def test_replay_and_subscriptions_over_rest(engineer):
    send({"text": "x"}, to="legal", correlation_id="case")
    api = as_user(engineer)

    assert api.post("/messages/replay", {"correlation_id": "case", "reason": "debugging"}).json() == {"deliveries": 1}
    assert api.post("/messages/replay", {"correlation_id": "none", "reason": "debugging"}).status_code == 404
    made = api.post("/messages/subscriptions", {"agent": "legal", "topic": "claims.#"})
    assert made.status_code == 201
    assert [row["topic"] for row in api.get("/messages/subscriptions").json()] == ["claims.#"]
    gone = api.post(f"/messages/subscriptions/{made.json()['id']}/remove", {"reason": "merged"})
    assert (gone.status_code, api.get("/messages/subscriptions").json()) == (204, [])


def test_message_that_is_not_there_is_not_found(engineer):
    assert as_user(engineer).get(f"/messages/{uuid4()}").status_code == 404
    assert json.loads(as_user(engineer).get("/messages/bridges").content) == []
