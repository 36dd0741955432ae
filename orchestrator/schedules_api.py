"""REST v1: schedules, when workflows start by the clock."""

import uuid
from datetime import datetime
from typing import Annotated, Any, Literal

from django.contrib.auth.models import User
from django.http import HttpRequest
from ninja import Router, Schema
from ninja.responses import Status
from pydantic import Field

from orchestrator import schedules
from orchestrator.api import Idempotency
from orchestrator.api_errors import ERRORS, Forbidden, Limit, Line, Name, caller
from orchestrator.api_schemas import ReasonIn
from orchestrator.cron_words import in_words
from orchestrator.errors import ScheduleNotFound, WorkflowNotFound
from orchestrator.models import Schedule, ScheduledStart, Workflow
from orchestrator.ports import rights
from orchestrator.schedules import Standing, Upcoming, Wanted

schedule_routes = Router(tags=["Schedules"])

ScheduleName = Annotated[str, Field(max_length=100, pattern=r"^[a-z][a-z0-9-]*$")]


class TimesIn(Schema):
    """A cron expression of five fields and the IANA time zone in which it is read."""

    cron: Line = Field(max_length=100, examples=["30 2 * * 1-5"])
    zone: Line = Field("UTC", max_length=60, examples=["Europe/Berlin"])


class WantedIn(TimesIn, ReasonIn):
    """What starts when. While a run of it lives `skip`, `queue` one or `allow`; missed slots `run` once or `skip`."""

    input: dict[str, Any] = {}
    overlap: Literal["skip", "queue", "allow"] = "skip"
    missed: Literal["run", "skip"] = "run"

    def wanted(self) -> Wanted:
        """For the service."""
        return Wanted(self.cron, self.zone, self.input, self.overlap, self.missed)


class ScheduleIn(WantedIn):
    """A new schedule."""

    name: ScheduleName
    workflow: Name


class StartOut(Schema):
    """What became of one slot."""

    slot: datetime
    outcome: str
    run: int | None
    late: bool
    by_hand: bool
    problem: str

    @staticmethod
    def of(start: ScheduledStart) -> "StartOut":
        """From a row."""
        return StartOut(
            slot=start.slot, outcome=start.outcome, run=start.run_id, late=start.late, by_hand=start.by_hand,
            problem=start.problem,
        )  # fmt: skip


class ScheduleOut(Schema):
    """A schedule, its next five slots and what became of its latest five. `starts_as`: in whose name runs start;
    `in_words`: its expression for people, in the caller's language.
    """

    name: str
    workflow: str
    cron: str
    in_words: str
    zone: str
    input: dict[str, Any]
    overlap: str
    missed: str
    enabled: bool
    queued: datetime | None
    next: list[datetime]
    latest: list[StartOut]
    starts_as: str | None
    changed_by: str | None
    changed_at: datetime
    reason: str

    @staticmethod
    def of(standing: Standing) -> "ScheduleOut":
        """From a schedule and how it stands."""
        found = standing.schedule
        return ScheduleOut(
            name=found.name, workflow=found.workflow.name, cron=found.cron, zone=found.zone, input=found.input,
            in_words=in_words(found.cron),
            overlap=found.overlap, missed=found.missed, enabled=found.enabled, queued=found.queued,
            next=standing.next, latest=[StartOut.of(start) for start in standing.latest],
            starts_as=found.owner.username if found.owner else None,
            changed_by=found.changed_by.username if found.changed_by else None,
            changed_at=found.changed_at, reason=found.reason,
        )  # fmt: skip


class UpcomingOut(Schema):
    """A start that lies ahead."""

    at: datetime
    schedule: str
    workflow: str

    @staticmethod
    def of(start: Upcoming) -> "UpcomingOut":
        """As it is listed."""
        return UpcomingOut(at=start.at, schedule=start.schedule.name, workflow=start.schedule.workflow.name)


class StartedOut(Schema):
    """The run that has started."""

    run: int


@schedule_routes.get("", response={200: list[ScheduleOut], **ERRORS}, summary="List schedules")
def list_schedules(request: HttpRequest) -> list[ScheduleOut]:
    """Those of workflows that you may see."""
    return [ScheduleOut.of(found) for found in schedules.standings(_visible(request))]


@schedule_routes.get("/upcoming", response={200: list[UpcomingOut], **ERRORS}, summary="List upcoming starts")
def list_upcoming(request: HttpRequest, limit: Limit = 50) -> list[UpcomingOut]:
    """The next starts of all schedules that you may see, the nearest first."""
    return [UpcomingOut.of(start) for start in schedules.upcoming(_visible(request), limit=limit)]


@schedule_routes.get("/preview", response={200: list[datetime], **ERRORS}, summary="Preview a cron expression")
def preview_times(request: HttpRequest, cron: Line = "", zone: Line = "UTC") -> list[datetime]:
    """Its next five slots."""
    user = caller(request)
    if not rights().can_somewhere(user, "see_runs"):
        raise Forbidden(verb="see schedules")
    return schedules.preview(cron, zone)


@schedule_routes.post("", response={201: ScheduleOut, **ERRORS}, summary="Make a schedule")
def make_schedule(request: HttpRequest, made: ScheduleIn) -> Status[ScheduleOut]:
    """Let a workflow start at the times of a cron expression. Its runs start in your name, as long as you may."""
    user = caller(request)
    workflow = Workflow.objects.filter(name=made.workflow).first()
    if workflow is None or not rights().can(user, "see_runs", workflow):
        raise WorkflowNotFound(name=made.workflow)
    _may_manage(user, workflow)
    found = schedules.create(name=made.name, workflow=workflow, wanted=made.wanted(), by=user, reason=made.reason)
    return Status(201, _shown(found))


@schedule_routes.get("/{name}", response={200: ScheduleOut, **ERRORS}, summary="Get a schedule")
def get_schedule(request: HttpRequest, name: Name) -> ScheduleOut:
    """With its next slots and what became of its latest ones."""
    user, found = caller(request), schedules.get(name)
    _refuse_stranger(user, found)
    return _shown(found)


@schedule_routes.post("/{name}/change", response={200: ScheduleOut, **ERRORS}, summary="Change a schedule")
def change_schedule(request: HttpRequest, name: Name, wanted: WantedIn) -> ScheduleOut:
    """All of it: what is left out goes back to its default. From now on its runs start in your name."""
    user = _manager(request, name)
    return _shown(schedules.change(name=name, wanted=wanted.wanted(), by=user, reason=wanted.reason))


@schedule_routes.post("/{name}/pause", response={200: ScheduleOut, **ERRORS}, summary="Pause a schedule")
def pause_schedule(request: HttpRequest, name: Name, why: ReasonIn) -> ScheduleOut:
    """Runs that it started go on."""
    return _shown(schedules.set_enabled(name=name, enabled=False, by=_manager(request, name), reason=why.reason))


@schedule_routes.post("/{name}/resume", response={200: ScheduleOut, **ERRORS}, summary="Resume a schedule")
def resume_schedule(request: HttpRequest, name: Name, why: ReasonIn) -> ScheduleOut:
    """From now on: slots of the pause are not made up for."""
    return _shown(schedules.set_enabled(name=name, enabled=True, by=_manager(request, name), reason=why.reason))


@schedule_routes.post("/{name}/run", response={201: StartedOut, **ERRORS}, summary="Run a schedule now")
def run_schedule(request: HttpRequest, name: Name, why: ReasonIn, key: Idempotency = None) -> Status[StartedOut]:
    """Start what it starts, now and in your name, whether or not it is paused or busy."""
    user, found = caller(request), schedules.get(name)
    _refuse_stranger(user, found)
    if not rights().can(user, "start_run", found.workflow):
        raise Forbidden(verb="start runs of this workflow")
    run = schedules.run_now(name=name, by=user, reason=why.reason, key=key or uuid.uuid4().hex)
    return Status(201, StartedOut(run=run.pk))


@schedule_routes.post("/{name}/remove", response={204: None, **ERRORS}, summary="Remove a schedule")
def remove_schedule(request: HttpRequest, name: Name, why: ReasonIn) -> Status[None]:
    """End it for good; runs that it started go on."""
    schedules.remove(name=name, by=_manager(request, name), reason=why.reason)
    return Status(204, None)


def _visible(request: HttpRequest) -> Any:
    visible = list(rights().visible_workflows(caller(request)).values_list("pk", flat=True))
    return Schedule.objects.filter(workflow_id__in=visible)


def _manager(request: HttpRequest, name: str) -> User:
    """The caller, who may manage this schedule; what one may not see does not exist."""
    user, found = caller(request), schedules.get(name)
    _refuse_stranger(user, found)
    _may_manage(user, found.workflow)
    return user


def _refuse_stranger(user: User, found: Schedule) -> None:
    if not any(rights().can(user, verb, found.workflow) for verb in ("see_runs", "steer_run")):
        raise ScheduleNotFound(name=found.name)


def _may_manage(user: User, workflow: Workflow) -> None:
    if not schedules.may_manage(user, workflow):
        raise Forbidden(verb="let this workflow start by itself")


def _shown(found: Schedule) -> ScheduleOut:
    return ScheduleOut.of(schedules.standings(Schedule.objects.filter(pk=found.pk))[0])
