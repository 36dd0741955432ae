"""What the API says of the reviewer's desk: approvals that have not gone out yet."""

from datetime import datetime

from ninja import Schema
from pydantic import Field

from approvals.models import Question, Runway
from orchestrator.api_errors import Line


class RunwayOut(Schema):
    """An approval that has not gone out yet."""

    gate: int
    verdict: str
    by: str
    decided_at: datetime
    releases_at: datetime = Field(description="Until then `take-back` undoes it.")
    held: str = Field(description="Why it waits past its time: a pause or a stop.")

    @staticmethod
    def of(row: Runway) -> "RunwayOut":
        """From a row."""
        return RunwayOut(
            gate=row.gate_id, verdict=row.verdict, by=row.decided_by.username, decided_at=row.decided_at,
            releases_at=row.due_at, held=row.held,
        )  # fmt: skip


class DryRunOut(Schema):
    """What a tool's dry run says that doing it would do. Nothing was done, and nothing sealed changes."""

    tool: str
    state: str = Field(description="asked: it is being made; answered; failed: `says` tells why there is none.")
    says: str = Field(description="The tool's own words.")
    at: datetime | None

    @staticmethod
    def of(row: Question) -> "DryRunOut":
        """From a row."""
        return DryRunOut(tool=row.tool, state=row.state, says=row.answer, at=row.answered_at)


class TakeBackIn(Schema):
    """Why an approval is taken back."""

    reason: Line = ""
