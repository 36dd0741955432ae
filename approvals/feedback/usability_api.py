"""REST v1: rounds of usability tests with people, and what they found."""

from datetime import date, datetime
from typing import Literal

from django.http import HttpRequest
from ninja import Router, Schema
from ninja.responses import Status
from pydantic import Field

from approvals import permissions
from approvals.errors import NotPermitted
from approvals.feedback import usability
from approvals.feedback.models import UsabilityFinding, UsabilityRound
from orchestrator.api_errors import ERRORS, Id, Line, Text, caller

usability_routes = Router(tags=["Feedback"])


class FindingOut(Schema):
    """What stopped or slowed people, and how it was mended."""

    id: int
    text: str
    severity: str
    criterion: str
    remedy: str
    closed_at: datetime | None

    @staticmethod
    def of(row: UsabilityFinding) -> "FindingOut":
        """From a row."""
        return FindingOut(**{name: getattr(row, name) for name in FindingOut.model_fields})


class RoundOut(Schema):
    """A round that was held with people."""

    id: int
    title: str
    held_on: date
    method: str
    groups: list[str]
    people: int
    tries: int
    done: int
    findings: list[FindingOut]

    @staticmethod
    def of(row: UsabilityRound) -> "RoundOut":
        """From a row."""
        plain = {name: getattr(row, name) for name in RoundOut.model_fields if name != "findings"}
        return RoundOut(**plain, findings=[FindingOut.of(one) for one in row.findings.all()])


class RoundIn(Schema):
    """A round to write down. It is not edited afterwards."""

    title: Line
    held_on: date
    method: Text
    groups: list[Line] = Field(min_length=2, max_length=usability.MOST_GROUPS)
    people: int = Field(ge=1, le=usability.MOST_PEOPLE)
    tries: int = Field(ge=0, le=32_000)
    done: int = Field(ge=0, le=32_000)


class FindingIn(Schema):
    """What a round found."""

    text: Text
    severity: Literal["minor", "serious", "blocking"]
    criterion: Line = Field("", description="Of WCAG, such as 2.4.7.")


class RemedyIn(Schema):
    """How it was mended."""

    remedy: Text


@usability_routes.get("", response={200: list[RoundOut], **ERRORS}, summary="List rounds of usability tests")
def list_rounds(request: HttpRequest) -> list[RoundOut]:
    """Every round, the newest first, with what it found."""
    if not any(permissions.can_somewhere(caller(request), verb) for verb in ("see_agents", "see_runs", "see_gate")):
        raise NotPermitted(verb="see feedback")
    return [RoundOut.of(row) for row in usability.rounds()]


@usability_routes.post("", response={201: RoundOut, **ERRORS}, summary="Record a round")
def record_round(request: HttpRequest, held: RoundIn) -> Status[RoundOut]:
    """Write down a round that was held with people."""
    said = usability.Held(**{**held.model_dump(), "groups": tuple(held.groups)})
    return Status(201, RoundOut.of(usability.record(said, by=caller(request))))


@usability_routes.post("/{round_id}/findings", response={201: FindingOut, **ERRORS}, summary="Add a finding")
def add_finding(request: HttpRequest, round_id: Id, found: FindingIn) -> Status[FindingOut]:
    """Add what a round found."""
    made = usability.find(round_id=round_id, **found.model_dump(), by=caller(request))
    return Status(201, FindingOut.of(made))


@usability_routes.post("/findings/{finding_id}/close", response={200: FindingOut, **ERRORS}, summary="Close a finding")
def close_finding(request: HttpRequest, finding_id: Id, said: RemedyIn) -> FindingOut:
    """Say how it was mended."""
    return FindingOut.of(usability.close(finding_id=finding_id, remedy=said.remedy, by=caller(request)))
