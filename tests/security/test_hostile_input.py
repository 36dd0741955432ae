"""Whatever is sent to the REST API is answered with a typed error and a remedy, and then nothing has changed; or done.

Every route and every act, each field in turn: one value a field, in turns, so that it stays quick; all of them with
WATCHKEEPER_HOSTILE=full.
"""

import itertools
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

import pytest
from django.db import transaction
from django.test import Client

from config.api import limits
from orchestrator import acts
from orchestrator.acts.core import _ACTS
from orchestrator.models import Event
from tests import engine, people
from tests.api import Api, as_user, described

pytestmark = pytest.mark.django_db

FULL: Final = os.environ.get("WATCHKEEPER_HOSTILE") == "full"
DEEP: Final = 3_000
SURROGATE: Final = "__surrogate__"  # written as an escape, as JSON allows and no database does
VALUES: Final[tuple[Any, ...]] = (
    None, True, 0, -1, 1.5, 2**31, 2**63, -(2**63) - 1, 10**400, "", " ", "x" * 70_000, "a\x00b", SURROGATE,
    "\u202e\u200b\ufeff", "\U0001f600" * 50, "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-12:00",
    "0001-01-01T00:00:00+14:00", "1969-07-20T00:00Z", "10000-01-01", "NaN", "-Infinity", "1e400", "P1Y",
    "99999999999d", "${input}", "{{ 1 }}", "../../etc", "%00",
    "'; --", [], [[]], ["a\x00"], [None] * 2_000, {}, {"": {}}, {"a\x00": 1}, {"__proto__": {}},
    {SURROGATE: SURROGATE}, {"a": 10**400},
)  # fmt: skip
BODIES: Final = (
    b"", b"null", b"[]", b"1", b'"x"', b"{", b"\xff\xfe{}", b"\xef\xbb\xbf{}", b"{'a': 1}", b'{"reason": NaN}',
    b'{"reason": Infinity}', b'{"reason": 1e999}', b'{"reason": "a", "reason": "b"}', b'{"reason": "\\ud800"}',
    b'{"reason": "\\u0000"}', b'{"answers": ' + b"[" * DEEP + b"]" * DEEP + b"}", b"[" * 100_000,
    b'{"reason": ' + b"9" * 5_000 + b"}", b'{"a":' * DEEP + b"1" + b"}" * DEEP, b'{"input": {"x": "\\udc00"}}',
)  # fmt: skip
PATHS: Final = (
    "0",
    "-1",
    str(2**42),
    str(2**63),
    str(10**30),
    "1e3",
    "%00",
    "%ed%a0%80",
    "\u0660",
    "x" * 3_000,
    "..",
    "%2e%2e%2f",
)
SCHEMA: Final[dict[str, Any]] = described()
STEPS: Final = """
- {key: a, type: automated, agent: test-echo}
- {key: each, type: map, over: "[1, 2]", body: {type: automated, agent: test-echo}}
- {key: wait, type: wait_event, event: order.paid, deadline: 30d}
- {key: later, type: timer, duration: 30d}
- {key: called, type: wait_callback, deadline: 30d}
"""


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> Api:
    for name in ("TOKEN", "USER", "FAILURE"):
        monkeypatch.setattr(f"config.api.auth.{name}", limits.Rate(burst=1e9, per_second=1e9))
    return as_user(people.person("root", is_superuser=True))


@pytest.fixture
def known() -> dict[str, Any]:
    """What path parameters and fields are called by, where something real is needed to get past them."""
    gate = people.gate()
    engine.publish(STEPS)
    run = engine.start()
    return {
        "run_id": run.pk, "task": run.pk << 20, "gate_id": gate.pk, "name": "flow", "workflow": "flow",
        "agent": "test-echo", "act": "pause", "pos": 1, "key": "shared.x", "team": 1, "stop_id": 1, "zone": "UTC",
        "signal": "order.paid", "cron": "5 4 * * *", "reason": "because", "scope": "everything",
        "source": f"metadata: {{name: flow, title: F}}\nsteps:\n{STEPS}",
    }  # fmt: skip


def encoded(body: Any) -> str:
    return json.dumps(body).replace(SURROGATE, "\\ud800")


def some(values: tuple[Any, ...], turn: Iterator[int]) -> list[Any]:
    """All of them, or the next one of a walk through all."""
    return list(values) if FULL else [values[next(turn) % len(values)]]


def resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        schema = SCHEMA["components"]["schemas"].get(schema["$ref"].rpartition("/")[2], {})  # {}: its own $defs
    if "allOf" in schema:
        return resolved(schema["allOf"][0])
    return schema


def example(name: str, schema: Mapping[str, Any], known: Mapping[str, Any]) -> Any:
    """Something that a field may be."""
    schema = resolved(schema)
    if name in known:
        return known[name]
    if "anyOf" in schema:
        return example(name, schema["anyOf"][0], known)
    if "enum" in schema or "const" in schema:
        return schema.get("const", next(iter(schema.get("enum", [""]))))
    made = {"integer": 1, "number": 1, "boolean": True, "array": [], "object": {}, "null": None}
    return made.get(schema.get("type", ""), "x")


def bodies_of(operation: Mapping[str, Any], known: Mapping[str, Any], turn: Iterator[int]) -> Iterator[str]:
    """Bodies of one route, each with one field that is hostile."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return
    fields = resolved(content["schema"]).get("properties", {})
    usual = {name: example(name, schema, known) for name, schema in fields.items()}
    yield encoded({**usual, "unknown_field": 1})
    for name in fields:
        for value in some(VALUES, turn):
            yield encoded({**usual, name: value})
    yield from some(BODIES, turn)


def paths_of(path: str, operation: Mapping[str, Any], known: Mapping[str, Any], turn: Iterator[int]) -> Iterator[str]:
    """Addresses of one route, each with one parameter that is hostile."""
    given = {p["name"]: p for p in operation.get("parameters", ())}
    inside = [name for name, p in given.items() if p["in"] == "path"]
    for name in inside:
        for value in some(PATHS, turn):
            yield filled(path, {**known, name: value})
    for name in (name for name, p in given.items() if p["in"] == "query"):
        for value in some((*PATHS, *(str(v)[:500] for v in VALUES if v is not SURROGATE)), turn):
            yield f"{filled(path, known)}?{name}={value if '%' in value else quote(value)}"


def filled(path: str, known: Mapping[str, Any]) -> str:
    for name, value in known.items():
        path = path.replace(f"{{{name}}}", str(value))
    return path.removeprefix("/api/v1").replace("{", "x").replace("}", "x")


def send(root: Api, method: str, path: str, body: str | bytes | None = None) -> str:
    """What is wrong with the answer; empty if nothing is."""
    before = Event.objects.count()
    with transaction.atomic():
        answer = root.client.generic(
            method, f"/api/v1{path}", b"" if body is None else body, content_type="application/json",
            headers={"Authorization": f"Bearer {root.secret}"},
        )  # fmt: skip
        changed = Event.objects.count() - before
        transaction.set_rollback(True)
    said = f"{method} {path[:120]} {(body or b'')[:300]!r} -> {answer.status_code} {answer.content[:300]!r}"
    if answer.status_code < 400:
        return ""
    if answer.status_code >= 500 or changed:
        return said
    error = answer.json().get("error", {})
    return "" if error.get("code") and error.get("message") and error.get("remedy") else said


@pytest.mark.parametrize("method", ["get", "post"])
def test_every_route_refuses_what_it_cannot_take(root: Api, known: dict[str, Any], method: str) -> None:
    root.client.raise_request_exception = False
    turn = itertools.count()
    wrong = []
    for path, operations in SCHEMA["paths"].items():
        operation = operations.get(method)
        if operation is None:
            continue
        wrong += [send(root, method.upper(), address) for address in paths_of(path, operation, known, turn)]
        wrong += [send(root, method.upper(), filled(path, known), body) for body in bodies_of(operation, known, turn)]

    assert not (found := [line for line in wrong if line]), "\n".join(found)


def test_every_act_refuses_answers_that_it_cannot_take(root: Api, known: dict[str, Any]) -> None:
    root.client.raise_request_exception = False
    turn = itertools.count()
    first = known["task"]
    places = {
        "run": [f"/runs/{known['run_id']}"], "task": [f"/tasks/{first + at}" for at in range(5)],
        "workflow": ["/workflows/flow"], "agent": ["/agents/test-echo"], "everything": ["/everything"],
    }  # fmt: skip
    wrong = []
    for act in dict.fromkeys(_ACTS.values()):
        for scope, address in ((s, a) for s in act.scopes for a in places.get(s, ())):
            target = acts.locate(scope, "all" if scope == "everything" else address.rpartition("/")[2])
            if not act.is_offered(target):
                continue
            fields = dict(act.schema(target)).get("properties", {})
            usual = {**{name: example(name, schema, known) for name, schema in fields.items()}, **act.answers(target)}
            for name, value in ((name, value) for name in fields for value in some(VALUES, turn)):
                body = encoded({"reason": "because", "answers": {**usual, name: value}})
                how = "true" if next(turn) % 2 else "false"
                wrong.append(send(root, "POST", f"{address}/acts/{act.name}?preview={how}", body))

    assert not (found := [line for line in wrong if line]), "\n".join(found)


def test_what_once_broke_a_route_is_refused(root: Api, known: dict[str, Any]) -> None:
    wide = encoded({"text": "x", "kind": "note", "set": {"a": 10**400}})
    nul = encoded({"reason": "because", "answers": {"owner": "a\x00b"}})
    half = encoded({"reason": "because", "answers": {"owner": SURROGATE}})
    literal = encoded({"reason": "because", "answers": {"owner": r"\u0000"}})
    describe = "/agents/test-echo/acts/describe"

    assert send(root, "POST", f"/tasks/{known['task']}/notes", wide) == ""
    assert [send(root, "POST", describe, body) for body in (nul, half, literal)] == [""] * 3
    assert root.post(f"{describe}?preview=true", literal).status_code == 200


def test_pages_refuse_nul_in_words(client: Client) -> None:
    client.force_login(people.person("root", is_superuser=True))

    for path in ("/runs/", "/workflows/", "/agents/", "/inbox/"):
        assert client.get(path, {"q": "a\x00b", "search": "\x00"}).status_code == 400
        assert client.get(path, {"q": "ab"}).status_code in (200, 301, 302)
