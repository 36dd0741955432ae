"""REST v1: gates, decisions and tokens. Decisions go through the same door as everybody's: `services.decide()`."""

from datetime import datetime
from typing import Annotated, Any

from django.contrib.auth.models import User
from django.http import HttpRequest
from ninja import Header, Query, Router, Schema
from ninja.responses import Status
from pydantic import Field

from approvals import access, delegation, handing, queries, runways, services, tokens, voting
from approvals.able import checks, first
from approvals.cards import Card
from approvals.delegation_schemas import DelegationIn, DelegationOut
from approvals.desk_schemas import DryRunOut, RunwayOut, TakeBackIn
from approvals.errors import GateNotFound, HandingRefused, NotPermitted, UnknownName
from approvals.feedback.api_schemas import AppraisalIn
from approvals.feedback.appraising import Given
from approvals.models import ApiToken, Check, Decision, Gate, GateStatus, Queue, Runway, Vote
from approvals.permissions import can_somewhere, visible_queues
from approvals.token_schemas import NewTokenOut, TokenIn, TokenOut
from orchestrator.api_errors import ERRORS, Id, Key, Limit, Line, Name, Note, caller

gates = Router(tags=["Gates"])
delegations = Router(tags=["Delegations"])
token_routes = Router(tags=["Tokens"])

Idempotency = Annotated[
    Key | None,
    Header(
        alias="Idempotency-Key", description="The same key again answers with the same decision; it makes no other."
    ),
]


class GateOut(Schema):
    """One gate in a list."""

    id: int
    run: int
    task: int | None = Field(description="None where it is about the whole run.")
    workflow: str
    queue: str
    kind: str
    status: str
    version: int = Field(description="Send it back with a decision: it says what you saw.")
    title: str
    risk: str
    confidence: float | None
    agent: str
    opened_at: datetime
    deadline_at: datetime
    may_decide: bool


class CheckOut(Schema):
    """What a hidden check was about, told to its reviewer alone (docs/reviewers.md)."""

    right: bool
    why: str


class DecisionOut(Schema):
    """One verdict. It never changes."""

    id: int
    gate: int
    verdict: str
    decided_by: str | None
    decided_at: datetime
    gate_version: int
    note: str
    seal: str
    check: CheckOut | None = Field(None, description="It was a check: nothing hangs on it. Only you are told.")


class VoteOut(Schema):
    """One person's vote on a gate that needs several people."""

    id: int
    gate: int
    by: str
    verdict: str | None = Field(description="None while you may not know: vote first.")
    note: str
    seal: str
    voted_at: datetime
    lapses_at: datetime | None = Field(None, description="Two keys: it counts no longer then.")
    missing: int | None = Field(None, description="How many more people are needed.")


class GateDetailOut(GateOut):
    """Everything a reviewer sees before deciding."""

    rule: str
    allowed: list[str]
    seal: str
    proposal: dict[str, Any]
    given: dict[str, Any]
    action: dict[str, Any]
    consequence: str
    form: dict[str, Any] = Field(description="JSON Schema of an edited output, or of a manual answer.")
    evidence: list[dict[str, Any]]
    alternatives: list[dict[str, Any]]
    refusal: str = Field(description="Why you cannot decide it, if you cannot.")
    claimed_by: str | None
    looking: list[str]
    checklist: list[str] = Field(description="What whoever approves must have ticked.")
    feedback: str = Field(description="on_change: a change or refusal needs a root cause; always: a rating, too.")
    approvals: int = Field(description="How many people must approve.")
    missing: int = Field(description="How many more of them are needed.")
    blind: bool = Field(description="Others' votes and the machine's verdict are hidden until you have voted.")
    first_asked: bool = Field(description="Judge for yourself first (POST first); then confidence is shown.")
    votes: list[VoteOut]
    dry_run: DryRunOut | None = Field(description="What doing it would do, where the gate has a tool say so.")
    runway: RunwayOut | None = Field(description="Approved, and not out yet.")
    decision: DecisionOut | None


class CalendarIn(Schema):
    """Business hours of a queue."""

    zone: Line = Field(description="Such as Europe/Berlin.")
    days: list[int] = Field(min_length=1, max_length=7, description="0 is Monday.")
    opens: Line = Field(alias="from", description="Such as 09:00.")
    closes: Line = Field(alias="to")
    holidays: list[Line] = Field([], max_length=366, description="Such as 2026-12-25.")


class AssigneeIn(Schema):
    """Whom to hand a gate to."""

    to: Line = Field(description="User name.")
    reason: Line = ""


class DecisionIn(Schema):
    """Your verdict on what you saw."""

    version: int = Field(ge=1, le=2**31 - 1)
    verdict: Line
    note: Note = ""
    checked: list[Line] = Field([], max_length=50, description="Points of the gate's checklist that you have checked.")
    edited: dict[str, Any] | None = Field(None, description="The whole output, for `edit` and `complete`.")
    appraisal: AppraisalIn | None = Field(None, description="Some gates demand it: see `feedback`.")


@gates.get("", response={200: list[GateOut], **ERRORS}, summary="List open gates")
def list_gates(
    request: HttpRequest,
    queue: Annotated[Name | None, Query()] = None,
    mine: Annotated[bool, Query(description="Only those that you may decide.")] = False,
    limit: Limit = 50,
) -> list[GateOut]:
    """Open gates that you may see, the most urgent first."""
    user = caller(request)
    if not can_somewhere(user, "see_gate"):
        raise NotPermitted(verb="see gates")
    found: Queue | None = None
    if queue is not None:
        found = visible_queues(user).filter(name=queue).first()
        if found is None:
            return []
    rows = queries.inbox(user, queue=found, limit=limit, everything=not mine)
    return [GateOut(**_gate(row.gate, may_decide=row.may_decide)) for row in rows]


@gates.put("/calendars/{queue}", response={200: CalendarIn, **ERRORS}, summary="Set a queue's business hours")
def set_calendar(request: HttpRequest, queue: Name, wanted: CalendarIn) -> CalendarIn:
    """Deadlines that count business hours go by it from now on; those that run stay as they are."""
    user = _member(request)
    found = visible_queues(user).filter(name=queue).first()
    if found is None:
        raise UnknownName(what="queue", name=queue, known="those whose gates you may see")
    access.set_calendar(queue=found, calendar=wanted.model_dump(by_alias=True), by=user)
    return wanted


@gates.get("/{gate_id}", response={200: GateDetailOut, **ERRORS}, summary="Get a gate's card")
def get_gate(request: HttpRequest, gate_id: Id) -> GateDetailOut:
    """Everything a reviewer sees: output, evidence, action, rule, and who is on it."""
    user = caller(request)
    return _card(queries.card(queries.get_visible_gate_or_404(user, gate_id), user))


@gates.post(
    "/{gate_id}/decisions",
    response={200: DecisionOut, 202: VoteOut | RunwayOut, **ERRORS},
    summary="Decide a gate, or vote on it",
)
def decide(
    request: HttpRequest, gate_id: Id, answer: DecisionIn, key: Idempotency = None
) -> DecisionOut | Status[VoteOut | RunwayOut]:
    """Record your verdict and let the run go on. 409 says by whom and when, if somebody else was first.

    Where several people must agree it is your vote: 202 says how many more are needed. Where an approval can be taken
    back for a while, 202 says when it goes out.
    """
    user = caller(request)
    if not can_somewhere(user, "see_gate"):
        raise GateNotFound(gate_id=gate_id)
    made = services.decide(
        gate_id=gate_id, by=user, verdict=answer.verdict, gate_version=answer.version, note=answer.note,
        edited=answer.edited, via="api", idempotency_key=key, checked=answer.checked, appraisal=_appraisal(answer),
    )  # fmt: skip
    if isinstance(made, Decision):
        return _decision(made)
    if isinstance(made, Runway):
        return Status(202, RunwayOut.of(made))
    if isinstance(made, Check):
        return _checked(made)
    made.refresh_from_db()
    return Status(202, _vote(made, hidden=False, missing=voting.standing(made.gate).missing))


@gates.post("/{gate_id}/take-back", response={200: GateDetailOut, **ERRORS}, summary="Take an approval back")
def take_back(request: HttpRequest, gate_id: Id, wanted: TakeBackIn) -> GateDetailOut:
    """Take back what was approved and has not gone out yet: it is up for decision again."""
    user = caller(request)
    if not can_somewhere(user, "see_gate"):
        raise GateNotFound(gate_id=gate_id)
    runways.take_back(gate_id=gate_id, by=user, why=wanted.reason)
    return _card(queries.card(queries.get_visible_gate_or_404(user, gate_id), user))


@gates.post("/{gate_id}/assignee", response={200: GateDetailOut, **ERRORS}, summary="Hand a gate to a person")
def hand_gate(request: HttpRequest, gate_id: Id, wanted: AssigneeIn) -> GateDetailOut:
    """Put a gate before one person who may decide it, or before whoever stands in for them. Others still may."""
    user = caller(request)
    if not can_somewhere(user, "see_gate"):
        raise GateNotFound(gate_id=gate_id)
    person = User.objects.filter(username=wanted.to).first()
    if person is None:
        raise UnknownName(what="user", name=wanted.to, known="those who may decide it")
    if checks.withdraw(gate_id, user):  # as if its run had gone on meanwhile
        raise HandingRefused(why="it is settled already")
    handing.hand(gate_id=gate_id, by=user, to=person, reason=wanted.reason)
    return _card(queries.card(queries.get_visible_gate_or_404(user, gate_id), user))


@delegations.get("", response={200: list[DelegationOut], **ERRORS}, summary="List who stands in")
def list_delegations(request: HttpRequest) -> list[DelegationOut]:
    """Where you stand in or somebody does for you, the latest first."""
    return [DelegationOut.of(row) for row in delegation.of(_member(request))[:200]]


@delegations.post("", response={201: DelegationOut, **ERRORS}, summary="Let somebody stand in")
def make_delegation(request: HttpRequest, wanted: DelegationIn) -> Status[DelegationOut]:
    """Let somebody who may decide all that you may stand in for you, from one moment to another."""
    user = _member(request)
    person = User.objects.filter(username=wanted.delegate).first()
    if person is None:
        raise UnknownName(what="user", name=wanted.delegate, known="those who may decide in your queues")
    made = delegation.make(
        delegator=user, delegate=person, starts=wanted.starts_at, ends=wanted.ends_at, by=user, reason=wanted.reason
    )
    return Status(201, DelegationOut.of(made))


@delegations.delete("/{delegation_id}", response={200: DelegationOut, **ERRORS}, summary="End a delegation")
def end_delegation(request: HttpRequest, delegation_id: Id) -> DelegationOut:
    """End it before its time."""
    made = delegation.end(delegation_id=delegation_id, by=_member(request))
    made.refresh_from_db()
    return DelegationOut.of(made)


@token_routes.get("", response={200: list[TokenOut], **ERRORS}, summary="List your tokens")
def list_tokens(request: HttpRequest) -> list[TokenOut]:
    """Your tokens, newest first; their secrets are not kept."""
    return [TokenOut.of(token) for token in ApiToken.objects.filter(user=caller(request)).order_by("-id")[:200]]


@token_routes.post("", response={201: NewTokenOut, **ERRORS}, summary="Create a token")
def create_token(request: HttpRequest, wanted: TokenIn) -> Status[NewTokenOut]:
    """Make a token and show its secret, once. Only a signed-in person can: a token makes no tokens."""
    token, secret = tokens.create(
        user=caller(request), name=wanted.name, scopes=wanted.scopes, days=wanted.days, may_decide=wanted.may_decide
    )
    token.refresh_from_db()
    return Status(201, NewTokenOut(**TokenOut.of(token).model_dump(), secret=secret))


@token_routes.delete("/{token_id}", response={200: TokenOut, **ERRORS}, summary="Revoke a token")
def revoke_token(request: HttpRequest, token_id: Id) -> TokenOut:
    """End a token for good."""
    token = tokens.revoke(token_id=token_id, by=caller(request))
    token.refresh_from_db()
    return TokenOut.of(token)


def _appraisal(answer: DecisionIn) -> Given | None:
    said = answer.appraisal
    return Given(said.rating, said.rubric, tuple(said.reasons), tuple(said.causes)) if said else None


def _member(request: HttpRequest) -> User:
    user = caller(request)
    if not can_somewhere(user, "see_gate"):
        raise NotPermitted(verb="see gates")
    return user


def _gate(gate: Gate, *, may_decide: bool) -> dict[str, Any]:
    copied = ("id", "kind", "status", "version", "title", "risk", "confidence", "agent", "opened_at", "deadline_at")
    return {name: getattr(gate, name) for name in copied} | {
        "run": gate.run_id,
        "task": gate.task_id,
        "workflow": gate.workflow.name,
        "queue": gate.queue.name,
        "may_decide": may_decide,
        **({"confidence": None} if (gate.blind and gate.status == GateStatus.OPEN) or first.concerns(gate) else {}),
    }


def _card(card: Card) -> GateDetailOut:
    gate = card.gate
    copied = ("rule", "proposal", "given", "action", "consequence", "form", "evidence", "alternatives", "refusal")
    shown = _gate(gate, may_decide=bool(card.choices))
    if not card.hidden and not gate.blind:
        shown["confidence"] = gate.confidence
    return GateDetailOut(
        **shown,
        **{name: getattr(card, name) for name in copied},
        allowed=list(gate.allowed),
        seal=gate.seal,
        claimed_by=card.claimed_by.username if card.claimed_by else None,
        checklist=list(card.standing.terms.checklist),
        feedback=card.standing.terms.feedback,
        approvals=gate.approvals,
        missing=card.standing.missing if gate.status == GateStatus.OPEN else 0,
        blind=gate.blind,
        first_asked=card.judges_first,
        votes=[_vote(vote, hidden=card.hidden) for vote in card.standing.votes],
        looking=[user.username for user in card.looking],
        dry_run=DryRunOut.of(card.rehearsal) if card.rehearsal else None,
        runway=RunwayOut.of(card.runway) if card.runway else None,
        decision=_decision(card.decision) if card.decision else None,
    )


def _vote(vote: Vote, *, hidden: bool, missing: int | None = None) -> VoteOut:
    return VoteOut(
        id=vote.pk, gate=vote.gate_id, by=vote.voter.username, verdict=None if hidden else vote.verdict,
        note="" if hidden else vote.note, seal=vote.seal, voted_at=vote.voted_at, lapses_at=vote.lapses_at,
        missing=missing,
    )  # fmt: skip


def _checked(check: Check) -> DecisionOut:
    assert check.ended_at is not None  # it was answered just now, or before
    return DecisionOut(
        id=check.pk, gate=check.pk, verdict=check.verdict, decided_by=check.reviewer.username,
        decided_at=check.ended_at, gate_version=1, note=check.note, seal=check.seal,
        check=CheckOut(right=bool(check.is_right), why=check.case.why),
    )  # fmt: skip


def _decision(decision: Decision) -> DecisionOut:
    copied = ("id", "verdict", "decided_at", "gate_version", "note", "seal")
    by = decision.decided_by
    decision.refresh_from_db(fields=["decided_at"])
    return DecisionOut(
        **{name: getattr(decision, name) for name in copied},
        gate=decision.gate_id,
        decided_by=by.username if by else None,
    )
