"""What the OpenAPI document promises is what the API does, whatever it is sent (schemathesis)."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ninja import Schema
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from approvals.models import ApiToken
from config.api import limits
from orchestrator import services
from tests import factories, people
from tests.api import ALL_SCOPES, as_user, described

pytestmark = pytest.mark.django_db

OPERATIONS = [(path, method) for path, operations in described()["paths"].items() for method in operations]
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(autouse=True, scope="module")
def one_connection() -> Iterator[None]:
    """Let requests share the test's connection, as Django's own test client does."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@dataclass(frozen=True)
class World:
    """A token of somebody who may do everything, as often as they like, and the ids of what there is."""

    secret: str
    ids: dict[str, object]


@pytest.fixture(scope="module")
def world(one_connection: None, module_db: None) -> Iterator[World]:
    """One for all: what a request does is undone."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("TOKEN", "USER", "FAILURE"):
            patch.setattr(f"config.api.auth.{name}", limits.Rate(burst=1e9, per_second=1e9))
        yield _world()


def _world() -> World:
    gate = people.gate()
    root = people.person("root", is_superuser=True)
    agent = factories.agent("elsewhere")
    stop = services.stop(scope="agent", ref=agent.pk, by=root, reason="there is one")
    ids = {"run_id": gate.run_id, "task": gate.task_id, "gate_id": gate.pk, "stop_id": stop.pk, "name": "incident"}
    ids |= {"workflow": "incident", "agent": agent.name, "act": "pause"}
    secret = as_user(root, *ALL_SCOPES).secret
    ApiToken.objects.update(last_used_at=timezone.now() + timedelta(days=1))  # else each request notes it, in vain
    return World(secret, ids)


@pytest.fixture(scope="module")
def document(world: World) -> Any:
    """What the API says of itself; it takes most of a second to write and says the same to everybody."""
    return schemathesis.openapi.from_wsgi("/api/v1/openapi.json", get_wsgi_application())


@contextmanager
def _undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.mark.parametrize(("path", "method"), OPERATIONS, ids=[f"{method} {path}" for path, method in OPERATIONS])
def test_api_keeps_its_promises(path: str, method: str, world: World, document: Any) -> None:
    operation = document[path][method]
    headers = {"Authorization": f"Bearer {world.secret}"}

    undone = nullcontext if method == "get" else _undone  # what only reads leaves nothing to the next example
    cases = operation.as_strategy() | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)

    @given(case=cases, is_real=st.booleans())
    @settings(max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    def check(case: schemathesis.Case, is_real: bool) -> None:
        if is_real:
            case.path_parameters.update({name: world.ids[name] for name in case.path_parameters if name in world.ids})
            if isinstance(case.body, dict) and "workflow" in case.body:
                case.body["workflow"] = "incident"
        with undone():
            case.validate_response(case.call(headers=headers), checks=CHECKS)

    check()


def test_every_schema_of_the_document_has_a_name_of_its_own() -> None:
    """Two classes of one name would be one schema there, and a route of one of them would break its promise."""
    described()
    classes = {
        found
        for found in _subclasses(Schema)
        if found.__module__.startswith(("approvals", "config", "monitoring", "orchestrator"))
    }

    assert sorted(name for name, n in Counter(found.__name__ for found in classes).items() if n > 1) == []


def _subclasses(of: type) -> Iterator[type]:
    for found in of.__subclasses__():
        yield found
        yield from _subclasses(found)
