"""What the API says of who stands in for whom."""

from datetime import datetime

from ninja import Schema
from pydantic import AwareDatetime, Field

from approvals.models import Delegation
from orchestrator.api_errors import Line


class DelegationIn(Schema):
    """Who stands in for you, and when."""

    delegate: Line = Field(description="User name; they must hold every right to decide that you hold.")
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    reason: Line = ""


class DelegationOut(Schema):
    """Somebody stands in for somebody else."""

    id: int
    delegator: str
    delegate: str
    starts_at: datetime
    ends_at: datetime
    reason: str
    ended_at: datetime | None

    @staticmethod
    def of(row: Delegation) -> "DelegationOut":
        """From a row."""
        return DelegationOut(
            id=row.pk, delegator=row.delegator.username, delegate=row.delegate.username, starts_at=row.starts_at,
            ends_at=row.ends_at, reason=row.reason, ended_at=row.ended_at,
        )  # fmt: skip
