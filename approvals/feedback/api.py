"""REST v1: feedback, lessons, patterns, improvements; proposals and gate backtests."""

from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from ninja import Query, Router
from ninja.responses import Status

from agents.expressions import ExpressionError
from approvals import permissions
from approvals.errors import FeedbackNotFound, FeedbackRefused, NotPermitted
from approvals.feedback import examples, giving, links, measuring, proposals, survey, trying, watching
from approvals.feedback import patterns as counting
from approvals.feedback.api_schemas import (
    AnswerIn,
    BacktestOut,
    ChoiceIn,
    FeedbackIn,
    FeedbackOut,
    GivenOut,
    ImprovementOut,
    LessonOut,
    LinkIn,
    LinkOut,
    MonthOut,
    NewLinkOut,
    OutcomeIn,
    PatternsOut,
    ProposalDetailOut,
    ProposalOut,
    RuleIn,
    SurveyIn,
    TallyOut,
    WhyIn,
    WindowOut,
)
from approvals.feedback.backtest import backtest
from approvals.feedback.models import Feedback, Improvement, Lesson
from orchestrator.api_errors import ERRORS, Id, Limit, Line, caller
from orchestrator.models import Workflow

feedback_routes = Router(tags=["Feedback"])
proposal_routes = Router(tags=["Proposals"])


@feedback_routes.get("", response={200: list[FeedbackOut], **ERRORS}, summary="List feedback")
def list_feedback(
    request: HttpRequest, waiting: bool = False, agent: Annotated[Line | None, Query()] = None, limit: Limit = 50
) -> list[FeedbackOut]:
    """What was said of what you may see, the newest first; `waiting`: only what has no answer."""
    found = giving.visible(_watcher(request))
    if waiting:
        found = found.filter(status=Feedback.Status.OPEN)
    if agent:
        found = found.filter(agent=agent)
    return [FeedbackOut.of(row) for row in found.order_by("-id")[:limit]]


@feedback_routes.post("", response={201: GivenOut, **ERRORS}, summary="Give feedback")
def give_feedback(request: HttpRequest, said: FeedbackIn) -> Status[GivenOut]:
    """Say what you think of a run, a task or an agent; the receipt says later what came of it."""
    user = _watcher(request)
    about = giving.about(user, run=said.run, task=said.task, agent=said.agent)
    form = giving.Said(said.rating, said.comment, tuple(said.causes))
    made, secret = giving.give(about, form, by=user)
    made.refresh_from_db(fields=["at"])
    receipt = request.build_absolute_uri(reverse("feedback:receipt", args=[secret]))
    return Status(201, GivenOut(**FeedbackOut.of(made).model_dump(), receipt=receipt))


@feedback_routes.post("/{feedback_id}/answer", response={200: FeedbackOut, **ERRORS}, summary="Answer feedback")
def answer_feedback(request: HttpRequest, feedback_id: Id, said: AnswerIn) -> FeedbackOut:
    """Say what came of it."""
    user = _watcher(request)
    return FeedbackOut.of(
        giving.answer(feedback_id, by=user, status=said.status, text=said.answer, version=said.version)
    )


@feedback_routes.post("/links", response={201: NewLinkOut, **ERRORS}, summary="Make a link for feedback")
def make_link(request: HttpRequest, wanted: LinkIn) -> Status[NewLinkOut]:
    """A form without an account for one run or task; its address is a secret and shown once."""
    user = _watcher(request)
    made, secret = links.make(
        run_id=wanted.run, task_id=wanted.task, by=user, about=wanted.about, queue=wanted.queue, days=wanted.days
    )
    address = request.build_absolute_uri(reverse("feedback:form", args=[secret]))
    return Status(201, NewLinkOut(**LinkOut.of(made), address=address))


@feedback_routes.delete("/links/{link_id}", response={200: LinkOut, **ERRORS}, summary="Revoke a link")
def revoke_link(request: HttpRequest, link_id: Id) -> dict[str, Any]:
    """It opens nothing any more."""
    return LinkOut.of(links.revoke(link_id, by=_watcher(request)))


@feedback_routes.get("/patterns", response={200: PatternsOut, **ERRORS}, summary="Patterns of judgement")
def get_patterns(
    request: HttpRequest,
    days: Annotated[int, Query(description="7, 30, 90 or 365.")] = counting.DAYS,
    agent: Annotated[Line | None, Query()] = None,
    cause: Annotated[Line | None, Query()] = None,
) -> PatternsOut:
    """Counted by agent, prompt, step, cause, reason, verdict and week."""
    asked = {"days": str(days), "agent": agent or "", "cause": cause or ""}
    found = counting.patterns(_watcher(request), counting.Wanted.of(asked), aggregates=False)
    return PatternsOut(
        days=found.wanted.days, n=found.total.n, stood=found.total.stood, agents=_counts(found.agents),
        prompts=_counts(found.prompts), steps=_counts(found.steps),
        causes=[TallyOut(name=one.key, n=one.count) for one in found.causes],
        reasons=[TallyOut(name=one.key, n=one.count) for one in found.reasons],
        verdicts=[TallyOut(name=one.key, n=one.count) for one in found.verdicts],
        weeks=[TallyOut(name=one.starts.isoformat(), n=one.n, stood=one.stood) for one in found.weeks],
        rating=found.rating, rated=found.rated, demanded=found.demanded, given=found.given,
    )  # fmt: skip


@feedback_routes.get("/lessons", response={200: list[LessonOut], **ERRORS}, summary="List corrections")
def list_lessons(
    request: HttpRequest, agent: Annotated[Line | None, Query()] = None, limit: Limit = 50
) -> list[LessonOut]:
    """Outputs that people changed or refused, with what they put in their place, the newest first."""
    found = examples.corrections(_watcher(request))
    return [LessonOut.of(one) for one in (found.filter(agent=agent) if agent else found)[:limit]]


@feedback_routes.get("/lessons.jsonl", response={200: None, **ERRORS}, summary="Export corrections as cases")
def export_lessons(
    request: HttpRequest, agent: Annotated[Line | None, Query()] = None, accepted: bool = False
) -> HttpResponse:
    """JSONL that `manage.py dataset import` reads: input, expected, tags, provenance."""
    user = _watcher(request)
    found = examples.corrections(user)
    found = found.filter(agent=agent) if agent else found
    found = found.filter(example=Lesson.Example.ACCEPTED) if accepted else found
    return HttpResponse(examples.export(user, found), content_type="application/jsonl; charset=utf-8")


@feedback_routes.post("/lessons/{lesson_id}/choice", response={200: LessonOut, **ERRORS}, summary="Judge a correction")
def choose_lesson(request: HttpRequest, lesson_id: Id, choice: ChoiceIn) -> LessonOut:
    """Let it teach, or not."""
    return LessonOut.of(examples.choose(lesson_id, by=_watcher(request), accepted=choice.accepted))


@feedback_routes.get("/improvements", response={200: list[ImprovementOut], **ERRORS}, summary="List improvements")
def list_improvements(request: HttpRequest, closed: bool = False, limit: Limit = 50) -> list[ImprovementOut]:
    """Work that the figures ask for: open, or closed."""
    _watcher(request)
    found = Improvement.objects.filter(closed_at__isnull=not closed)
    return [ImprovementOut.of(row) for row in found[:limit]]


@feedback_routes.post(
    "/improvements/{improvement_id}/close", response={200: ImprovementOut, **ERRORS}, summary="Close an improvement"
)
def close_improvement(request: HttpRequest, improvement_id: Id, said: OutcomeIn) -> ImprovementOut:
    """Say what was done about it."""
    return ImprovementOut.of(watching.close(improvement_id, by=_watcher(request), outcome=said.outcome))


@feedback_routes.get("/survey", response={200: list[MonthOut], **ERRORS}, summary="Satisfaction by month")
def get_survey(request: HttpRequest) -> list[MonthOut]:
    """The mean with its n, by month."""
    _watcher(request)
    return [MonthOut(month=f"{one.starts:%Y-%m}", n=one.n, mean=one.mean, half=one.half) for one in survey.months()]


@feedback_routes.post("/survey", response={200: list[MonthOut], **ERRORS}, summary="Say how satisfied you are")
def answer_survey(request: HttpRequest, said: SurveyIn) -> list[MonthOut]:
    """This month's answer; a later one takes its place."""
    survey.answer(by=_watcher(request), score=said.score, comment=said.comment)
    return get_survey(request)


@proposal_routes.get("", response={200: list[ProposalOut], **ERRORS}, summary="List proposals")
def list_proposals(request: HttpRequest, limit: Limit = 50) -> list[dict[str, Any]]:
    """Changes of gates that the figures speak for, those that wait first."""
    return [ProposalOut.of(row) for row in proposals.visible(_watcher(request))[:limit]]


@proposal_routes.post("/backtest", response={200: BacktestOut, **ERRORS}, summary="Try a gate's rule on the past")
def try_rule(request: HttpRequest, asked: RuleIn) -> BacktestOut:
    """What another rule would have changed on decisions that you may see. Nothing is saved."""
    user = _watcher(request)
    workflow = Workflow.objects.select_related("current_version").filter(name=asked.workflow).first()
    if workflow is None or not permissions.can(user, "see_runs", workflow):
        raise FeedbackNotFound(what=f"workflow {asked.workflow}")
    gate = next((one for one in trying.gates_of(workflow) if one.key == asked.step), None)
    if gate is None:
        raise FeedbackNotFound(what=f"gate {asked.step} in {asked.workflow}")
    rule = trying.rule_of(gate, asked.when, None if asked.sample is None else str(asked.sample))
    try:
        return BacktestOut.of(backtest(workflow, gate.key, rule, user=user, limit=asked.newest))
    except ExpressionError as problem:
        raise FeedbackRefused(why=str(problem)) from problem


@proposal_routes.get("/{proposal_id}", response={200: ProposalDetailOut, **ERRORS}, summary="Get a proposal")
def get_proposal(request: HttpRequest, proposal_id: Id) -> dict[str, Any]:
    """With its data, and what it came to since it was accepted."""
    user = _watcher(request)
    row = proposals.visible(user).filter(pk=proposal_id).first()
    if row is None:
        raise FeedbackNotFound(what=f"proposal {proposal_id}")
    found = measuring.measured(row, user)
    told = ProposalOut.of(row)
    if found is None:
        return told
    otherwise = BacktestOut.of(found.otherwise) if found.otherwise else None
    return {**told, "before_it": _window(found.before), "after_it": _window(found.after), "otherwise": otherwise}


@proposal_routes.post("/{proposal_id}/accept", response={200: ProposalOut, **ERRORS}, summary="Accept a proposal")
def accept_proposal(request: HttpRequest, proposal_id: Id, said: WhyIn) -> dict[str, Any]:
    """Change the gate by publishing the workflow's next version; some gates need two people to agree."""
    return ProposalOut.of(proposals.accept(proposal_id, by=_watcher(request), reason=said.reason)[0])


@proposal_routes.post("/{proposal_id}/decline", response={200: ProposalOut, **ERRORS}, summary="Decline a proposal")
def decline_proposal(request: HttpRequest, proposal_id: Id, said: WhyIn) -> dict[str, Any]:
    """Leave the gate as it is."""
    return ProposalOut.of(proposals.decline(proposal_id, by=_watcher(request), reason=said.reason))


def _watcher(request: HttpRequest) -> Any:
    user = caller(request)
    if not any(permissions.can_somewhere(user, verb) for verb in ("see_agents", "see_runs", "see_gate")):
        raise NotPermitted(verb="see feedback")
    return user


def _counts(rows: list[counting.Row]) -> list[TallyOut]:
    return [
        TallyOut(name=row.name, n=row.n, stood=row.stood, low=row.interval.low, high=row.interval.high) for row in rows
    ]


def _window(window: measuring.Window) -> WindowOut:
    return WindowOut(**{name: getattr(window, name) for name in WindowOut.model_fields})
