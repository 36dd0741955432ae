"""REST v1: one's own reviewing, second looks, promises, and how people decide in aggregate."""

from datetime import datetime
from typing import Annotated, Any

from django.contrib.auth.models import User
from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from approvals.able import figures, first, looks, minutes, promises
from approvals.errors import NotPermitted, UnknownName
from approvals.models import FirstVerdict, Queue, SecondLook
from approvals.permissions import can, can_somewhere
from orchestrator.api_errors import ERRORS, Id, Line, Name, Note, caller

reviewing_routes = Router(tags=["Reviewing"])
gate_routes = Router(tags=["Gates"])


class RateOut(Schema):
    """So many of so many."""

    part: int
    n: int


class FirstIn(Schema):
    """What you judge before you are shown what the machine thinks of its work."""

    verdict: Annotated[Line, Field(description="approve, request_changes or reject, where the gate allows it.")]
    note: Note = ""


class FirstOut(Schema):
    """What you judged. It decides nothing."""

    gate: int
    verdict: str
    note: str
    given_at: datetime


class OwnOut(Schema):
    """Your own figures of 90 days; nobody else is shown them."""

    decided: int
    usual_seconds: float | None
    evidence: RateOut
    faults_found: RateOut
    sound_passed: RateOut
    minds_changed: RateOut
    second_agreed: RateOut
    suggests_break: bool


class LookOut(Schema):
    """A decided case to judge again; how it was decided is not said."""

    id: int
    title: str
    workflow: str
    queue: str
    risk: str
    proposal: dict[str, Any]
    given: dict[str, Any]
    action: dict[str, Any]
    evidence: list[dict[str, Any]]


class LookIn(Schema):
    """How you would have decided."""

    says: Annotated[Line, Field(description="accept, changes or refuse")]
    note: Note = ""


class LookGivenOut(Schema):
    """What you said, and what the first reviewer had."""

    id: int
    says: str
    first: str


class PromiseIn(Schema):
    """What a queue promises: this share decided within so many seconds. Never kept by approving."""

    within_seconds: int | None = Field(None, ge=10, le=30 * 86_400)
    share: float = Field(0.9, ge=0.5, lt=1)
    check_share: float | None = Field(None, ge=0, le=0.05, description="0, or 0.02 to 0.05; null: as everywhere.")


class BurnOut(Schema):
    """One window: how many times faster than allowed the error budget goes."""

    window: str
    asked: int
    late: int
    burn: float


class PromiseOut(Schema):
    """A queue's promise and how it is kept."""

    queue: str
    within_seconds: int
    share: float
    budget_left: float
    burning: str
    windows: list[BurnOut]


class AgreementOut(Schema):
    """Krippendorff's alpha of second looks at one step."""

    workflow: str
    step: str
    n: int
    alpha: float | None = Field(description="Null where there are too few, or where it is not defined.")
    says: str


class MinutesOut(Schema):
    """One queue: the minutes that are asked of its people, and those that there are."""

    queue: str
    present: int
    attended: bool = Field(description="False is safe mode: gates wait, and nothing is approved by time.")
    asked: float
    there_are: float


class OversightOut(Schema):
    """How people decide, in aggregate."""

    agreement: list[AgreementOut]
    promises: list[PromiseOut]
    minutes: list[MinutesOut]


@gate_routes.post("/{gate_id}/first", response={200: FirstOut, **ERRORS}, summary="Judge before you are told")
def judge_first(request: HttpRequest, gate_id: Id, wanted: FirstIn) -> FirstOut:
    """Say what you think; then the card says what the machine thinks. Your decision may be another."""
    given: FirstVerdict = first.record(item=gate_id, by=caller(request), verdict=wanted.verdict, note=wanted.note)
    given.refresh_from_db()
    return FirstOut(gate=given.item, verdict=given.verdict, note=given.note, given_at=given.given_at)


@gate_routes.put("/promises/{queue}", response={200: PromiseIn, **ERRORS}, summary="Set what a queue promises")
def set_promise(request: HttpRequest, queue: Name, wanted: PromiseIn) -> PromiseIn:
    """Set target, share and checks of a queue."""
    user = caller(request)
    if not can(user, "edit_queues"):
        raise NotPermitted(verb="change what a queue promises")
    found = Queue.objects.filter(name=queue).first()
    if found is None:
        raise UnknownName(what="queue", name=queue, known="those of the access page")
    promises.promise(
        queue=found, by=user, within_s=wanted.within_seconds, share=wanted.share, check_share=wanted.check_share
    )
    return wanted


@reviewing_routes.get("/me", response={200: OwnOut, **ERRORS}, summary="Get your own figures")
def get_own(request: HttpRequest) -> OwnOut:
    """How you decide, for you alone."""
    own = figures.own(_member(request))
    return OwnOut(
        decided=own.decided, usual_seconds=own.usual_s, evidence=_rate(own.evidence), faults_found=_rate(own.faults),
        sound_passed=_rate(own.sound), minds_changed=_rate(own.minds), second_agreed=_rate(own.agreed),
        suggests_break=own.suggests_break,
    )  # fmt: skip


@reviewing_routes.get("/looks", response={200: list[LookOut], **ERRORS}, summary="List second looks for you")
def list_looks(request: HttpRequest) -> list[LookOut]:
    """Decided cases that you may judge again."""
    return [_look(look) for look in looks.waiting_for(_member(request))[:50]]


@reviewing_routes.post("/looks/{look_id}", response={200: LookGivenOut, **ERRORS}, summary="Give a second look")
def give_look(request: HttpRequest, look_id: Id, wanted: LookIn) -> LookGivenOut:
    """Judge again; then you are told how it was decided."""
    given = looks.give(look_id=look_id, by=_member(request), says=wanted.says, note=wanted.note)
    return LookGivenOut(id=given.pk, says=given.second, first=given.first)


@reviewing_routes.get("/oversight", response={200: OversightOut, **ERRORS}, summary="See how people decide")
def get_oversight(request: HttpRequest) -> OversightOut:
    """Agreement, promises and minutes, in aggregate."""
    user = caller(request)
    if not can(user, "see_oversight"):
        raise NotPermitted(verb="see how people decide")
    altogether, by_step = looks.agreements(user)
    return OversightOut(
        agreement=[_agreement(one) for one in (altogether, *by_step)],
        promises=[_promise(one) for one in promises.kept(user)],
        minutes=[
            MinutesOut(
                queue=care.queue.name, present=care.present, attended=care.is_attended,
                asked=round(care.demand_minutes, 1), there_are=care.minutes,
            )
            for care in minutes.standing(user)
        ],
    )  # fmt: skip


def _member(request: HttpRequest) -> User:
    user = caller(request)
    if not can_somewhere(user, "see_gate"):
        raise NotPermitted(verb="see gates")
    return user


def _rate(rate: figures.Rate) -> RateOut:
    return RateOut(part=rate.part, n=rate.n)


def _agreement(one: looks.Agreement) -> AgreementOut:
    alpha = one.alpha if one.is_said else None
    return AgreementOut(workflow=one.workflow, step=one.step, n=one.n, alpha=alpha, says=one.words)


def _promise(one: promises.Promise) -> PromiseOut:
    return PromiseOut(
        queue=one.queue.name, within_seconds=one.within_s, share=one.share, budget_left=one.left, burning=one.burning,
        windows=[BurnOut(window=w.name, asked=w.asked, late=w.late, burn=w.burn) for w in one.windows],
    )  # fmt: skip


def _look(look: SecondLook) -> LookOut:
    subject = look.gate.subject
    return LookOut(
        id=look.pk, title=look.gate.title, workflow=look.gate.workflow.name, queue=look.queue.name,
        risk=look.gate.risk, proposal=subject["proposal"], given=subject["input"], action=subject["action"],
        evidence=[{name: one.get(name, "") for name in ("claim", "quote", "source")} for one in subject["evidence"]],
    )  # fmt: skip
