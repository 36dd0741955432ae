"""Probes, the documentation page, and the shape of errors."""

import pytest
from django.db import OperationalError, connection
from django.test import Client

from tests import people
from tests.api import Api, as_user

pytestmark = pytest.mark.django_db


def test_healthz_answers_anybody(client: Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}


def test_readyz_without_workers_is_degraded(client: Client) -> None:
    response = client.get("/readyz")

    assert response.status_code == 200
    assert (response.json()["status"], response.json()["shifts"]["live"]) == ("degraded", 0)
    assert response.json()["database"]["ok"] is True


def test_readyz_without_a_database_is_down(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(connection, "ensure_connection", refuse)

    response = client.get("/readyz")

    assert (response.status_code, response.json()["status"]) == (503, "down")


def test_docs_show_every_route_without_script_of_their_own(client: Client) -> None:
    client.force_login(people.person("ana", "Reviewer"), backend="django.contrib.auth.backends.ModelBackend")

    page = client.get("/api/docs").content.decode()

    paths = Client().get("/api/v1/openapi.json").json()["paths"]
    assert len(paths) >= 18
    assert all(path in page for path in paths)
    assert "cdn" not in page
    assert "<script>" not in page


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/nowhere", None, 404, "not_found"),
        ("GET", "/runs/999", None, 404, "not_found"),
        ("GET", "/runs?limit=0", None, 422, "invalid_request"),
        ("POST", "/runs", "{", 400, "bad_request"),
        ("POST", "/runs", {"workflow": 7}, 422, "invalid_request"),
        ("POST", "/tokens", {"name": "x", "scopes": ["read"]}, 401, "not_authenticated"),
    ],
)
def test_errors_have_one_shape(method: str, path: str, body: object, status: int, code: str) -> None:
    api = as_user(people.person("max", "Workflow Orchestration Manager"))

    response = api.call(method, path, body)

    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (status, code)
    assert set(error) == {"code", "message", "remedy", "facts"}
    assert error["message"]


def test_every_route_declares_its_errors() -> None:
    paths = Client().get("/api/v1/openapi.json").json()["paths"]

    for path, operations in paths.items():
        for method, operation in operations.items():
            missing = {"400", "401", "403", "404", "409", "422", "429"} - set(operation["responses"])
            assert not missing, f"{method} {path}"


def test_request_without_credentials_is_401_with_a_challenge() -> None:
    response = Api().get("/runs")

    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_api_without_a_database_says_when_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    api = as_user(people.person("max", "Workflow Orchestration Manager"))

    def refuse(*_: object) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr("orchestrator.api.rights", refuse)

    response = api.get("/runs")

    assert (response.status_code, response.json()["error"]["code"]) == (503, "unavailable")
    assert response["Retry-After"] == "1"
    assert response["Cache-Control"] == "no-store"
