"""The one shape of an API error, and plain types that every route uses for what it takes in."""

from typing import Annotated, Any, Final

from django.contrib.auth.models import User
from django.http import HttpRequest
from ninja import Path, Query, Schema
from pydantic import Field, StringConstraints

from orchestrator.errors import OrchestratorError

_PLAIN = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
_LINE = r"^[^\x00-\x1f\x7f]*$"
MAX_RUN_ID: Final = 2**42 - 1  # a task's id is the run's, shifted by 20 bits

Text = Annotated[str, StringConstraints(max_length=2000, pattern=_PLAIN)]
Note = Annotated[str, StringConstraints(max_length=10_000, pattern=_PLAIN)]
Line = Annotated[str, StringConstraints(max_length=300, pattern=_LINE)]
Key = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]*$")]
Name = Annotated[str, StringConstraints(max_length=100, pattern=r"^[a-z][a-z0-9_-]*$")]
Id = Annotated[int, Path(ge=1, le=2**63 - 1)]
RunId = Annotated[int, Path(ge=1, le=MAX_RUN_ID)]
Cursor = Annotated[int, Query(ge=0, le=2**63 - 1)]
Limit = Annotated[int, Query(ge=1, le=200)]


class ErrorBody(Schema):
    """What went wrong, what to do about it, and the facts for a program."""

    code: str = Field(description="Stable; meant for programs.")
    message: str
    remedy: str
    facts: dict[str, Any]


class ErrorOut(Schema):
    """Every answer that is not a success has this shape."""

    error: ErrorBody


ERRORS: Final[dict[Any, Any]] = dict.fromkeys((400, 401, 403, 404, 409, 422, 429), ErrorOut)


class Forbidden(OrchestratorError):
    """You may not {verb} here; ask an administrator for the right, or use a token with that scope."""

    code = "not_permitted"
    status = 403


def caller(request: HttpRequest) -> User:
    """Who calls: the session's user, or the token's owner with the rights that the token leaves."""
    assert isinstance(request.user, User)
    return request.user
