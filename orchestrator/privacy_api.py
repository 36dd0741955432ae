"""REST v1: violations of guardrails, consent, sealed values, and what agents remember."""

from datetime import datetime
from typing import Annotated, Any, Literal

from django.contrib.auth.models import User
from django.http import HttpRequest
from ninja import Router, Schema
from ninja.responses import Status
from pydantic import Field

from agents.errors import AgentsError
from agents.guardrails import access, consent, violations
from agents.guardrails.consent import Statement
from agents.guardrails.views import viewer_of
from agents.memory import acts, store
from orchestrator.api_errors import ERRORS, Forbidden, Id, Limit, Line, Note, caller
from orchestrator.api_schemas import ReasonIn
from orchestrator.errors import OrchestratorError
from orchestrator.ports import rights

privacy_routes = Router(tags=["Privacy"])

Purpose = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[a-z][a-z0-9-]*$")]


class DataRefused(OrchestratorError):
    """{problem}"""

    code = "data_refused"
    status = 422


class ViolationOut(Schema):
    """One call that broke a rule. `facts`: places and kinds, never data."""

    id: int
    agent: str
    version: int
    rule: str
    at: datetime
    call: str
    facts: dict[str, Any]


class ConsentIn(Schema):
    """What a person agrees to. Their id is hashed; the id itself is not kept."""

    subject: Line = Field(min_length=1)
    purpose: Purpose
    granted: bool
    evidence: Line = Field(min_length=1, description="What proves it.")


class ConsentOut(Schema):
    """The statement as it counts now."""

    id: int
    granted: bool
    purpose: str


class RevealIn(ReasonIn):
    """A sealed value, as outputs show it, and what it is needed for."""

    sealed: str = Field(max_length=20_000, pattern=r"^[\x21-\x7e]*$")
    purpose: Line = Field(min_length=1)


class RevealOut(Schema):
    """What was sealed."""

    value: Any
    agent: str
    field: str
    tags: list[str]


class MemoryOut(Schema):
    """One thing that an agent remembers; tagged data is masked. `covers`: the items that a summary stands for."""

    id: int
    agent: str
    workflow: str
    layer: str
    text: str
    tags: list[str]
    source: str
    writer: str
    quarantine: str
    covers: tuple[int, int] | None
    created_at: datetime
    expires_at: datetime


class MemoryIn(ReasonIn):
    """Why, and for `correct` the text."""

    text: Note = ""


class EraseIn(ReasonIn):
    """Whose data is to be forgotten."""

    subject: Line = Field(min_length=1)


class CountOut(Schema):
    """How many items it was about."""

    count: int


@privacy_routes.get("/violations", response={200: list[ViolationOut], **ERRORS}, summary="List violations")
def list_violations(request: HttpRequest, limit: Limit = 50) -> list[ViolationOut]:
    """The newest first."""
    _require(request, "see_agents", "see agents")
    return [
        ViolationOut(
            id=row.pk, agent=row.agent.name, version=row.version, rule=row.rule, at=row.at, call=row.key,
            facts=row.facts,
        )
        for row in violations.newest()[:limit]
    ]  # fmt: skip


@privacy_routes.post("/consents", response={201: ConsentOut, **ERRORS}, summary="Write down consent")
def state_consent(request: HttpRequest, body: ConsentIn) -> Any:
    """Given or withdrawn; it counts from now on."""
    user = _require(request, "edit_agents", "write down consent")
    made = consent.state(Statement(body.subject, body.purpose, body.granted, user.get_username(), body.evidence))
    return Status(201, ConsentOut(id=made.pk, granted=made.granted, purpose=made.purpose))


@privacy_routes.post("/reveals", response={200: RevealOut, **ERRORS}, summary="Open a sealed value")
def reveal_value(request: HttpRequest, body: RevealIn) -> RevealOut:
    """For whom a data rule lets; the reason goes into the audit trail."""
    user = _require(request, "see_agents", "see agents")
    try:
        opened = access.reveal(body.sealed, viewer_of(user), purpose=body.purpose, reason=body.reason)
    except AgentsError as refused:
        raise DataRefused(problem=str(refused)) from refused
    return RevealOut(value=opened.value, agent=opened.agent, field=opened.place, tags=sorted(opened.tags))


@privacy_routes.get("/memories", response={200: list[MemoryOut], **ERRORS}, summary="List what agents remember")
def list_memories(request: HttpRequest, agent: Line = "", limit: Limit = 50) -> list[MemoryOut]:
    """The newest first, of one agent or of all."""
    _require(request, "edit_agents", "read agents' memory")
    rows = store.alive().select_related("agent").order_by("-pk")
    rows = rows.filter(agent__name=agent) if agent else rows
    return [
        MemoryOut(
            id=row.pk, agent=row.agent.name, workflow=row.realm, layer=row.layer, tags=row.tags, source=row.source,
            text=store.text_of(row, frozenset()), writer=row.writer, quarantine=row.quarantine,
            covers=(row.covers_from, row.covers_to or row.covers_from) if row.covers_from else None,
            created_at=row.created_at, expires_at=row.expires_at,
        )
        for row in rows[:limit]
    ]  # fmt: skip


@privacy_routes.post(
    "/memories/{pk}/{verb}", response={200: CountOut, **ERRORS}, summary="Correct, delete or release a memory"
)
def change_memory(
    request: HttpRequest, pk: Id, verb: Literal["correct", "delete", "release"], body: MemoryIn
) -> CountOut:
    """The rules of what may enter memory hold for people too."""
    by = _require(request, "edit_agents", "change agents' memory").get_username()
    try:
        if verb == "correct":
            acts.correct(pk, body.text, by=by, reason=body.reason)
        elif verb == "delete":
            acts.delete(pk, by=by, reason=body.reason)
        else:
            acts.release(pk, by=by, reason=body.reason)
    except AgentsError as refused:
        raise DataRefused(problem=str(refused)) from refused
    return CountOut(count=1)


@privacy_routes.post("/erasures", response={200: CountOut, **ERRORS}, summary="Forget a person")
def erase_person(request: HttpRequest, body: EraseIn) -> CountOut:
    """Of every agent and workflow."""
    by = _require(request, "edit_agents", "change agents' memory").get_username()
    try:
        return CountOut(count=acts.erase(body.subject, by=by, reason=body.reason))
    except AgentsError as refused:
        raise DataRefused(problem=str(refused)) from refused


def _require(request: HttpRequest, verb: str, words: str) -> User:
    user = caller(request)
    if not rights().can(user, verb):
        raise Forbidden(verb=words)
    return user
