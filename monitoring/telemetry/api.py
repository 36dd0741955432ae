"""REST v1: the events for a SIEM that fetches them itself, business figures that come in, and how the outlets are."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query, Router, Schema
from ninja.responses import Status
from pydantic import Field

from approvals import permissions
from monitoring.telemetry import business, cef, db, page, taxonomy
from monitoring.telemetry.business import Report
from orchestrator import ledger
from orchestrator.api_errors import ERRORS, MAX_RUN_ID, Cursor, Forbidden, Line, caller
from orchestrator.models import Run, Workflow

telemetry_routes = Router(tags=["Telemetry"])
NEXT = "Watchkeeper-Next"
_TYPES = {"json": "application/x-ndjson", "cef": "text/plain; charset=utf-8"}


class FigureIn(Schema):
    """What came of work, as your systems know it."""

    name: Line = Field(max_length=40, description="`tickets_closed`, `revenue_recovered`, or a name of your own.")
    value: float = Field(ge=-1e12, le=1e12, description="Is added to what was reported before.")
    key: Line = Field(min_length=1, max_length=200, description="Your id of this report: the same one counts once.")
    workflow: Line = Field("", max_length=100)
    run: int | None = Field(None, ge=1, le=MAX_RUN_ID)
    at: datetime | None = None


class ReportedOut(Schema):
    """Whether it was new."""

    is_new: bool


class SumOut(Schema):
    """What was reported under one name."""

    name: str
    reports: int
    sum: float


class OutletOut(Schema):
    """One system that is told."""

    name: str
    to: str
    behind: int
    sent: int
    lost: int
    sent_at: datetime | None
    failing_since: datetime | None
    problem: str


@telemetry_routes.get("/events", response={200: str, 204: None, **ERRORS}, summary="Fetch events for a SIEM")
def events_for_siem(
    request: HttpRequest,
    after: Cursor = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 500,
    format: Literal["json", "cef"] = "json",  # noqa: A002 - the word of the address
) -> HttpResponse:
    """A line each, JSON or CEF, in order. Ask again with `after` as `Watchkeeper-Next` says; 204: no more yet."""
    _require(caller(request), "see_audit", "fetch the events of everything")
    until = min(ledger.head(), after + limit)
    entries = [taxonomy.entry_of(one) for one in db.told(after, until)] if until > after else []
    lines = [cef.line(entry) if format == "cef" else cef.json_line(entry) for entry in entries]
    body = "".join(f"{line}\n" for line in lines)
    response = HttpResponse(body, content_type=_TYPES[format], status=200 if lines else 204)
    response[NEXT] = str(max(after, until))
    return response


@telemetry_routes.post("/figures", response={201: ReportedOut, 200: ReportedOut, **ERRORS}, summary="Report a figure")
def report_figure(request: HttpRequest, body: FigureIn) -> Status[ReportedOut]:
    """Of a workflow whose runs you may start, or of one of its runs; without either, of all."""
    user = caller(request)
    run = _run(user, body.run) if body.run else None
    workflow = run.workflow if run else _workflow(user, body.workflow) if body.workflow else None
    if not permissions.can(user, "start_run", workflow):
        raise Forbidden(verb="report figures of this")
    told = Report(body.name, body.value, body.key, body.at)
    is_new = business.report(told, by=f"user:{user.get_username()}", workflow=workflow, run=run)
    return Status(201 if is_new else 200, ReportedOut(is_new=is_new))


@telemetry_routes.get("/figures", response={200: list[SumOut], **ERRORS}, summary="Sum up reported figures")
def list_figures(
    request: HttpRequest, days: Annotated[int, Query(ge=1, le=400)] = 30, workflow: str = ""
) -> list[SumOut]:
    """Of one workflow that you may see, or of everything."""
    user = caller(request)
    found = _workflow(user, workflow) if workflow else None
    if found is None:
        _require(user, "see_runs", "see the figures of everything")
    since = timezone.now() - timedelta(days=days)
    rows = business.sums(since=since, workflow=found.pk if found else None)
    return [SumOut(name=name, reports=count, sum=total) for name, count, total in rows]


@telemetry_routes.get("/outlets", response={200: list[OutletOut], **ERRORS}, summary="See what goes out where")
def list_outlets(request: HttpRequest) -> list[OutletOut]:
    """Each system that is told, how far it is behind, what was lost, and since when it fails."""
    _require(caller(request), "see_metrics", "see what goes out where")
    return [
        OutletOut(
            name=one.name, to=one.to, behind=one.behind, sent=one.sent, lost=one.lost, sent_at=one.sent_at,
            failing_since=one.failing_since, problem=one.problem,
        )
        for one in page.outlets()
        if one.is_on
    ]  # fmt: skip


def _require(user: User, verb: str, words: str) -> None:
    if not permissions.can(user, verb):
        raise Forbidden(verb=words)


def _workflow(user: User, name: str) -> Workflow:
    found = permissions.visible_workflows(user).filter(name=name).first()
    if found is None:
        raise Http404
    return found


def _run(user: User, pk: int) -> Run:
    found = Run.objects.select_related("workflow").filter(pk=pk).first()
    if found is None or not permissions.can(user, "see_runs", found.workflow):
        raise Http404
    return found
