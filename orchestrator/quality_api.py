"""REST v1: assessments, calibrations, datasets and evaluations."""

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Path, Query, Router, Schema
from pydantic import Field

from agents.evaluation import datasets, queries
from agents.evaluation.cases import Case, CasesRefused, read_jsonl, write_jsonl
from agents.evaluation.comparing import NotComparable, compare
from agents.evaluation.sources import cases_of
from agents.models import Assessment, Calibration, Dataset, Evaluation
from agents.quality import store
from agents.quality.queries import SHOWN
from orchestrator import quality_acts
from orchestrator.api_errors import ERRORS, Forbidden, Id, Name, Note, caller
from orchestrator.ports import gatekeeper, rights
from orchestrator.quality_acts import QualityRefused

quality_routes = Router(tags=["Quality"])
evaluation_routes = Router(tags=["Evaluations"])

AgentName = Annotated[str, Path(max_length=100, pattern=r"^[a-z0-9][a-z0-9_-]*$")]
OneName = Annotated[str, Query(max_length=100, pattern=r"^[a-z0-9_-]*$")]


class AssessmentOut(Schema):
    """One output held against what its step asks for."""

    task: int
    run: int
    attempt: int
    workflow: str
    step: str
    agent: str
    agent_version: int | None
    verifier: str
    score: float
    passed: bool
    reasons: list[str]
    components: list[Any]
    consensus: Any
    guardians: list[Any]
    claimed: float | None
    calibrated: float | None
    calibration: str
    assessed_at: datetime


class CalibrationOut(Schema):
    """How far an agent's claimed confidence can be trusted."""

    agent: str
    method: str
    outcomes: int
    right: int
    usable: bool
    why: str
    evidence: dict[str, Any]
    fitted_at: datetime


class EvaluationOut(Schema):
    """One suite run on one version of one agent."""

    id: int
    suite: str
    kind: str
    suite_digest: str
    agent: str
    agent_version: int
    agent_digest: str
    prompt_version: str
    dataset: str
    dataset_digest: str
    cases: int
    measures: dict[str, float | None]
    thresholds: dict[str, Any]
    passed: bool
    trigger: str
    started_at: datetime
    ended_at: datetime


class EvaluatedCaseOut(Schema):
    """What came of one case."""

    number: int
    case_digest: str
    passed: bool
    succeeded: bool
    latency_ms: float
    cost: float
    tokens: int
    marks: dict[str, float | None]
    input: dict[str, Any]
    expected: dict[str, Any]
    output: dict[str, Any] | None
    error: str
    tags: list[str]


class ComparisonOut(Schema):
    """Two evaluations on their common cases; `p` of the sign test, the interval of the difference by bootstrap."""

    old: int
    new: int
    verdict: str
    cases: int
    won: int
    lost: int
    tied: int
    difference: float
    low: float
    high: float
    p: float
    measures: dict[str, dict[str, float | None]]


class DatasetOut(Schema):
    """An immutable collection of cases. `personal`: how many cases hold what looks like personal data, by kind."""

    id: int
    name: str
    digest: str
    agent: str
    cases: int
    dropped: int
    contradicting: int
    personal: dict[str, int]
    created_by: str
    created_at: datetime


class CaseIn(Schema):
    """A case: what the agent is given and what is expected of it."""

    input: dict[str, Any] = Field(min_length=1)
    expected: dict[str, Any] = Field(default_factory=dict)
    tags: list[Annotated[str, Field(max_length=60)]] = Field(default_factory=list, max_length=20)
    provenance: dict[str, Any] = Field(default_factory=dict)


class DatasetIn(Schema):
    """Cases, or the name of an agent whose decisions become cases."""

    name: Name = Field(min_length=1)
    agent: str = Field(default="", max_length=100)
    cases: list[CaseIn] | None = Field(default=None, max_length=5000)


class CloseIn(Schema):
    """What came of it."""

    reason: Note


@quality_routes.get("/assessments", response={200: list[AssessmentOut], **ERRORS}, summary="List assessments")
def list_assessments(request: HttpRequest, agent: OneName = "", held: bool = False) -> list[Assessment]:
    """The newest first, at most 100. They quote what runs hold: only for who may see every run."""
    _require_runs(request)
    wanted: dict[str, Any] = ({"agent": agent} if agent else {}) | ({"passed": False} if held else {})
    rows = list(Assessment.objects.filter(**wanted).order_by("-id")[:SHOWN])
    # Whoever is yet to judge an output for themselves is not told what machines think of it.
    hidden = gatekeeper().hidden_tasks(caller(request), {row.run for row in rows})
    return [row for row in rows if row.task not in hidden]


@quality_routes.get("/calibrations/{agent}", response={200: CalibrationOut, **ERRORS}, summary="Get a calibration")
def get_calibration(request: HttpRequest, agent: AgentName) -> Calibration:
    """An agent's newest fit."""
    _require_see(request)
    found = store.newest_calibration(agent)
    if found is None:
        raise QualityRefused(why=f"{agent} has not been calibrated; post here to do it.")
    return found


@quality_routes.post("/calibrations/{agent}", response={200: CalibrationOut, **ERRORS}, summary="Calibrate an agent")
def post_calibration(request: HttpRequest, agent: AgentName) -> Calibration:
    """Fit its claims to people's decisions now; a fit that may not be shown is kept too, and says why."""
    return quality_acts.calibrate(agent=agent, by=caller(request))


@evaluation_routes.get("", response={200: list[EvaluationOut], **ERRORS}, summary="List evaluations")
def list_evaluations(request: HttpRequest, agent: OneName = "", suite: OneName = "") -> list[Evaluation]:
    """The newest first, at most 100."""
    _require_see(request)
    return list(queries.evaluations(agent=agent, suite=suite))


@evaluation_routes.get("/datasets", response={200: list[DatasetOut], **ERRORS}, summary="List datasets")
def list_datasets(request: HttpRequest) -> list[Dataset]:
    """The newest first, at most 100."""
    _require_see(request)
    return list(Dataset.objects.all()[:100])


@evaluation_routes.post("/datasets", response={200: DatasetOut, **ERRORS}, summary="Keep a dataset")
def post_dataset(request: HttpRequest, body: DatasetIn) -> Dataset:
    """Of the cases given, or of people's decisions about `agent` where none are."""
    user = caller(request)
    quality_acts.require(user)
    if body.cases is None and not body.agent:
        raise QualityRefused(why="Give cases, or the agent whose decisions become cases.")
    if body.cases is None:
        return quality_acts.keep_dataset(
            name=body.name, found=datasets.from_decisions(body.agent), agent=body.agent, kind="decisions", by=user
        )
    given = (Case(one.input, one.expected, tuple(one.tags), one.provenance) for one in body.cases)
    try:
        found = read_jsonl(write_jsonl(given))  # under the same limits as a file
    except (CasesRefused, TypeError) as problem:  # numbers beyond 64 bits, halves of characters
        raise QualityRefused(why=f"The cases cannot be stored: {problem}") from None
    return quality_acts.keep_dataset(name=body.name, found=found, agent=body.agent, kind="api", by=user)


@evaluation_routes.get("/datasets/{pk}/jsonl", response={200: Any, **ERRORS}, summary="Export a dataset")
def export_dataset(request: HttpRequest, pk: Id) -> HttpResponse:
    """One JSON object a line. It may hold personal data: only who may edit quality takes it away."""
    quality_acts.require(caller(request))
    found = Dataset.objects.filter(pk=pk).first()
    if found is None:
        raise QualityRefused(why=f"There is no dataset {pk}.")
    return HttpResponse(write_jsonl(cases_of(found)), content_type="application/x-ndjson")


@evaluation_routes.post("/items/{pk}/close", response={200: None, **ERRORS}, summary="Close a failed evaluation")
def post_close(request: HttpRequest, pk: Id, body: CloseIn) -> None:
    """Say what came of it."""
    quality_acts.close_item(item=pk, reason=body.reason, by=caller(request))


@evaluation_routes.get("/{pk}", response={200: EvaluationOut, **ERRORS}, summary="Get an evaluation")
def get_evaluation(request: HttpRequest, pk: Id) -> Evaluation:
    """One evaluation with its measures and thresholds."""
    _require_see(request)
    return queries.get_evaluation_or_404(pk)


@evaluation_routes.get("/{pk}/cases", response={200: list[EvaluatedCaseOut], **ERRORS}, summary="List evaluated cases")
def list_cases(
    request: HttpRequest, pk: Id, failed: bool = False, page: Annotated[int, Query(ge=0, le=10_000)] = 0
) -> list[Any]:
    """A hundred at a time. They hold what agents were given: only for who may see every run, or edits quality."""
    _require_cases(request)
    return list(queries.cases(queries.get_evaluation_or_404(pk), failed=failed, page=page))


@evaluation_routes.get("/{pk}/against/{other}", response={200: ComparisonOut, **ERRORS}, summary="Compare evaluations")
def get_comparison(request: HttpRequest, pk: Id, other: Id) -> ComparisonOut:
    """Evaluation `pk` against the older `other`, on the cases that both have."""
    _require_see(request)
    try:
        found = compare(queries.get_evaluation_or_404(other), queries.get_evaluation_or_404(pk))
    except NotComparable as problem:
        raise QualityRefused(why=str(problem)) from None
    pairs = found.pairs
    changes = {one.name: {"old": one.old, "new": one.new, "difference": one.difference} for one in found.changes}
    return ComparisonOut(
        old=other, new=pk, verdict=pairs.verdict, cases=pairs.cases, won=pairs.won, lost=pairs.lost, tied=pairs.tied,
        difference=pairs.difference, low=pairs.interval.low, high=pairs.interval.high, p=pairs.p, measures=changes,
    )  # fmt: skip


def _require_runs(request: HttpRequest) -> None:
    if not rights().can(caller(request), "see_runs"):
        raise Forbidden(verb="see all runs")


def _require_cases(request: HttpRequest) -> None:
    if not any(rights().can(caller(request), verb) for verb in ("see_runs", quality_acts.VERB)):
        raise Forbidden(verb="see what agents were given")


def _require_see(request: HttpRequest) -> None:
    if not rights().can(caller(request), "see_agents"):
        raise Forbidden(verb="see agents")
