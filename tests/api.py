"""A client of the REST API for tests: JSON in, JSON out, with a bearer token or a signed-in browser."""

import json
from functools import cache
from typing import Any

from django.contrib.auth.models import User
from django.test import Client

from approvals import tokens
from config.api.assembly import api

ALL_SCOPES = ["read", "run", "steer", "decide", "stop", "publish", "work"]
ROOT = "/api/v1"


class Api:
    """Calls as one user. `secret` is the token in use, "" for none."""

    def __init__(self, secret: str = "", client: Client | None = None) -> None:
        self.client = client or Client()
        self.secret = secret

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The response; `path` is below /api/v1."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.secret:
            sent["Authorization"] = f"Bearer {self.secret}"
        return self.client.generic(
            method, ROOT + path, "" if body is None else _json(body), content_type="application/json", headers=sent
        )

    def get(self, path: str, **headers: str) -> Any:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.call("POST", path, {} if body is None else body, **headers)


@cache
def described() -> dict[str, Any]:
    """What the API says of itself: the same to everybody, and seconds to write. Read it only."""
    return api.get_openapi_schema()


def as_user(user: User, *scopes: str, may_decide: bool = True) -> Api:
    """A client with a new token of this user, all scopes unless some are named."""
    _, secret = tokens.create(user=user, name="test", scopes=list(scopes) or ALL_SCOPES, may_decide=may_decide)
    return Api(secret)


def in_browser(user: User) -> Api:
    """A client with this user's session, as a browser that forgets the CSRF token."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return Api(client=client)


def _json(body: Any) -> str:
    return body if isinstance(body, str) else json.dumps(body)
