"""What the API says of tokens; the secret of one is said once."""

from datetime import datetime

from ninja import Schema
from pydantic import Field

from approvals.models import ApiToken
from orchestrator.api_errors import Line


class TokenIn(Schema):
    """A token for yourself. It never does more than you may."""

    name: Line = Field(min_length=1, max_length=100)
    scopes: list[Line] = Field(min_length=1, max_length=10)
    days: int = Field(90, ge=1, le=366)
    minutes: int | None = Field(
        None, ge=1, le=527_040, description="How long each secret lives; an hour with the scope `work`, else all days."
    )
    may_decide: bool = False


class TokenOut(Schema):
    """A token without its secret."""

    id: int
    name: str
    prefix: str
    scopes: list[str]
    may_decide: bool
    created_at: datetime
    expires_at: datetime
    renewable_until: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None

    @staticmethod
    def of(token: ApiToken) -> "TokenOut":
        """From a row."""
        return TokenOut(**{name: getattr(token, name) for name in TokenOut.model_fields})


class NewTokenOut(TokenOut):
    """The only time that the secret is shown."""

    secret: str


class RenewedOut(Schema):
    """The next secret, said once. Fetch another before it ends: the half of `seconds` is a good time."""

    secret: str
    expires_at: datetime
    renewable_until: datetime
    seconds: float = Field(description="How long it lives.")
