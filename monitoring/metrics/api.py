"""REST v1: figures of what the caller may see, what is behind them, what is promised of workflows."""

from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import Http404, HttpRequest
from ninja import Query, Router, Schema
from ninja.responses import Status
from pydantic import Field

from approvals import permissions
from monitoring.metrics import behind, kpis, objectives, reading, tables
from monitoring.metrics.kpis import Figures
from monitoring.metrics.objectives import Kept
from monitoring.metrics.spreads import Spread
from orchestrator.api_errors import ERRORS, Forbidden, Name, Text, caller
from orchestrator.models import Workflow

metric_routes = Router(tags=["Metrics"])

SpanName = Annotated[Literal["24h", "7d", "30d", "90d"], Query(description="Whole hours or days (UTC) up to now.")]


class FigureOut(Schema):
    """One figure with what speaks for it. Shares are 0-1, times milliseconds."""

    key: str
    title: str
    definition: str
    unit: str
    value: float | None = Field(description="null where too few speak: see n and fewest.")
    n: int
    of: str
    fewest: int
    target: float | None
    met: bool | None
    interval: list[float] | None


class SpreadOut(Schema):
    """Times in milliseconds: upper bounds, at most 19 % above the true value; null where too few speak."""

    n: int
    mean: float | None
    p50: float | None
    p95: float | None
    p99: float | None


class BottleneckOut(Schema):
    """Where one step's time went, in all, in milliseconds."""

    workflow: str
    step: str
    queue_ms: float
    work_ms: float
    human_ms: float
    tries: int
    gates: int


class BehindOut(Schema):
    """One run, try or gate behind a figure."""

    run: int
    title: str
    workflow: str
    step: str
    agent: str
    at: datetime
    says: str
    ms: float | None
    gate: int | None


class BurnWindowOut(Schema):
    """A stretch up to now, and how many times faster than allowed it uses up the error budget."""

    name: str
    n: int
    good: int
    burn: float


class ObjectiveOut(Schema):
    """What is promised of a workflow, and how it is kept."""

    workflow: str
    indicator: str
    share: float
    within_ms: float | None
    days: int
    n: int
    good: int
    budget_left: float | None
    burning: str
    windows: list[BurnWindowOut]


class ObjectiveIn(Schema):
    """A promise. `within_ms` is left out for success."""

    share: float
    within_ms: float | None = None
    days: int = 30
    reason: Text = ""


class BaselineIn(Schema):
    """How long the same work takes by hand, and where that comes from."""

    minutes: float
    source: Annotated[Text, Field(min_length=1)]


class BaselineOut(Schema):
    """A stated time by hand."""

    workflow: str
    minutes: float
    source: str
    stated_at: datetime


@metric_routes.get("", response={200: list[FigureOut], **ERRORS}, summary="Read figures")
def figures(request: HttpRequest, span: SpanName = "7d", workflow: str = "") -> list[FigureOut]:
    """All figures, over a span, of one workflow or of all that you may see."""
    f = _figures(request, span, workflow)
    return [_figure(make(f)) for make in (*kpis.TARGETED, *kpis.OTHERS)]


@metric_routes.get("/latency", response={200: dict[str, SpreadOut], **ERRORS}, summary="Read latencies by part")
def latency(request: HttpRequest, span: SpanName = "7d", workflow: str = "", agent: str = "") -> dict[str, SpreadOut]:
    """Wait for a worker (queue), work, wait for people (human), start to result (completion)."""
    f = _figures(request, span, workflow, agent)
    return {name: _spread(one) for name, one in f.times.items()}


@metric_routes.get("/bottlenecks", response={200: list[BottleneckOut], **ERRORS}, summary="Rank steps by their time")
def bottlenecks(request: HttpRequest, span: SpanName = "7d", workflow: str = "") -> list[BottleneckOut]:
    """Steps by the time that they took in all, machine and people apart, the longest first."""
    f = _figures(request, span, workflow)
    return [
        BottleneckOut(
            workflow=one.workflow.name if one.workflow else "", step=one.step, queue_ms=one.queue.total,
            work_ms=one.work.total, human_ms=one.human.total, tries=one.work.n, gates=one.human.n,
        )
        for one in tables.bottlenecks(f.span, f.scope)
    ]  # fmt: skip


@metric_routes.get("/behind/{key}", response={200: list[BehindOut], **ERRORS}, summary="See what is behind a figure")
def what_is_behind(request: HttpRequest, key: Name, span: SpanName = "7d", workflow: str = "") -> list[BehindOut]:
    """The runs, tries or gates that a figure counts or that speak against it, a hundred at most."""
    f = _figures(request, span, workflow)
    found = behind.behind(key, f)
    if found is None:
        raise Http404
    return [
        BehindOut(
            run=one.run, title=one.title, workflow=one.workflow, step=one.step, agent=one.agent, at=one.at,
            says=one.says, ms=one.ms, gate=one.gate,
        )
        for one in found.lines
    ]  # fmt: skip


@metric_routes.get("/objectives", response={200: list[ObjectiveOut], **ERRORS}, summary="List what is promised")
def list_objectives(request: HttpRequest) -> list[ObjectiveOut]:
    """Of the workflows that you may see, with error budgets and burn rates."""
    user = caller(request)
    _authorise(user)
    return [_kept(one) for one in objectives.kept(user)]


@metric_routes.put(
    "/objectives/{workflow}/{indicator}", response={200: ObjectiveOut, **ERRORS}, summary="Promise something"
)
def promise(request: HttpRequest, workflow: Name, indicator: Name, body: ObjectiveIn) -> ObjectiveOut:
    """Of a workflow that you may publish: success, completion, queue, work or human."""
    user = caller(request)
    made = objectives.promise(
        workflow=_workflow(user, workflow), by=user, indicator=indicator, share=body.share, within_ms=body.within_ms,
        days=body.days, reason=body.reason,
    )  # fmt: skip
    return _kept(objectives.how(made))


@metric_routes.delete(
    "/objectives/{workflow}/{indicator}", response={204: None, **ERRORS}, summary="Promise it no longer"
)
def withdraw(request: HttpRequest, workflow: Name, indicator: Name) -> Status[None]:
    """Take back what was promised."""
    user = caller(request)
    objectives.withdraw(workflow=_workflow(user, workflow), by=user, indicator=indicator)
    return Status(204, None)


@metric_routes.post("/baselines/{workflow}", response={201: BaselineOut, **ERRORS}, summary="State a time by hand")
def state_baseline(request: HttpRequest, workflow: Name, body: BaselineIn) -> Status[BaselineOut]:
    """How long the same work takes without the workflow; the newest statement counts."""
    user = caller(request)
    found = _workflow(user, workflow)
    made = objectives.state_baseline(workflow=found, by=user, minutes=body.minutes, source=body.source)
    said = BaselineOut(workflow=found.name, minutes=made.minutes, source=made.source, stated_at=made.stated_at)
    return Status(201, said)


def _figures(request: HttpRequest, span: str, workflow: str, agent: str = "") -> Figures:
    user = caller(request)
    _authorise(user)
    found = _workflow(user, workflow) if workflow else None
    return Figures(user, reading.span_of(span), reading.scope_of(user, workflow=found, agent=agent[:100]))


def _authorise(user: Any) -> None:
    if not permissions.can_somewhere(user, "see_runs"):
        raise Forbidden(verb="see figures")


def _workflow(user: Any, name: str) -> Workflow:
    _authorise(user)
    found = permissions.visible_workflows(user).filter(name=name).first()
    if found is None:
        raise Http404
    return found


def _figure(tile: kpis.Tile) -> FigureOut:
    return FigureOut(
        key=tile.key, title=str(tile.title), definition=str(tile.definition), unit=tile.unit,
        value=tile.value if tile.is_said else None, n=tile.n, of=str(tile.of), fewest=tile.fewest, target=tile.target,
        met=tile.is_met, interval=list(tile.interval) if tile.interval and tile.is_said else None,
    )  # fmt: skip


def _spread(one: Spread) -> SpreadOut:
    return SpreadOut(n=one.n, mean=one.mean, p50=one.p50, p95=one.p95, p99=one.p99)


def _kept(one: Kept) -> ObjectiveOut:
    return ObjectiveOut(
        workflow=one.objective.workflow.name, indicator=one.objective.indicator, share=one.objective.share,
        within_ms=one.objective.within_ms, days=one.objective.days, n=one.n, good=one.good,
        budget_left=round(one.left, 4) if one.is_said else None, burning=one.burning,
        windows=[BurnWindowOut(name=w.name, n=w.n, good=w.good, burn=w.burn) for w in one.windows],
    )  # fmt: skip
