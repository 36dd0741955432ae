"""REST v1: alerts, what is done about them, rules and their test on history, silences, who is on call."""

from typing import Annotated

from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router
from ninja.responses import Status

from monitoring.alerts import handling, history, oncall, queries, rules, runbooks, silences, visibility
from monitoring.alerts.api_schemas import (
    AcknowledgeIn,
    AlertOut,
    AlertRuleIn,
    AlertRuleKeptIn,
    AlertRuleOut,
    AlertsOut,
    AssignIn,
    ChronicOut,
    FiringOut,
    InputOut,
    RotationIn,
    SilenceIn,
    SilenceOut,
    StepIn,
    StepOut,
    TriedOut,
    TurnOut,
)
from monitoring.alerts.inputs import SCOPES
from monitoring.models import AlertRule
from orchestrator.api_errors import ERRORS, Cursor, Forbidden, Id, Name, caller

alert_routes = Router(tags=["Alerts"])


@alert_routes.get("", response={200: AlertsOut, **ERRORS}, summary="List alerts")
def list_alerts(
    request: HttpRequest,
    closed: Annotated[bool, Query(description="Those that are over instead.")] = False,
    before: Cursor = 0,
) -> AlertsOut:
    """What is open and you may see, unanswered and grave ones first."""
    user = _watcher(request)
    if not closed:
        return AlertsOut(alerts=[AlertOut.of(one.alert) for one in queries.open_lines(user)], before=None)
    lines, further = queries.closed(user, before=before)
    return AlertsOut(alerts=[AlertOut.of(one.alert) for one in lines], before=further or None)


@alert_routes.get("/chronic", response={200: list[ChronicOut], **ERRORS}, summary="List what keeps coming back")
def list_chronic(request: HttpRequest, days: Annotated[int, Query(ge=1, le=90)] = 30) -> list[ChronicOut]:
    """Ranked by how often it was raised."""
    return [
        ChronicOut(
            rule=one.rule.name, subject=one.subject, count=one.count, answered=one.answered,
            mean_seconds=one.mean_s, last_at=one.last_at,
        )
        for one in queries.chronic(_watcher(request), days=days)
    ]  # fmt: skip


@alert_routes.get("/inputs", response={200: list[InputOut], **ERRORS}, summary="List what rules may look at")
def list_inputs(request: HttpRequest) -> list[InputOut]:
    """The documented numbers of each scope."""
    _watcher(request)
    return [
        InputOut(scope=scope.name, name=one.name, meaning=str(one.words), unit=one.unit)
        for scope in SCOPES.values()
        for one in scope.inputs
    ]


@alert_routes.get("/rules", response={200: list[AlertRuleOut], **ERRORS}, summary="List alert rules")
def list_rules(request: HttpRequest) -> list[AlertRuleOut]:
    """All of them."""
    _watcher(request)
    return [AlertRuleOut.of(rule) for rule in AlertRule.objects.all()]


@alert_routes.post("/rules/test", response={200: TriedOut, **ERRORS}, summary="Test a rule on history")
def test_rule(request: HttpRequest, wanted: AlertRuleIn) -> TriedOut:
    """When it would have fired in the last fourteen days, on what you may see. Nothing is kept."""
    tried = history.replay(wanted.wanted(), user=_watcher(request))
    return TriedOut(
        count=tried.count, days=tried.days, looked=tried.looked, is_cut=tried.is_cut, problem=tried.problem,
        firings=[
            FiringOut(subject=one.subject, at=one.at, until=one.until, run=one.run_id, values=dict(one.values))
            for one in tried.shown
        ],
    )  # fmt: skip


@alert_routes.get("/rules/{name}", response={200: AlertRuleOut, **ERRORS}, summary="Get an alert rule")
def get_rule(request: HttpRequest, name: Name) -> AlertRuleOut:
    """By its name."""
    _watcher(request)
    return AlertRuleOut.of(rules.get(name))


@alert_routes.post("/rules/{name}", response={200: AlertRuleOut, **ERRORS}, summary="Make or change an alert rule")
def keep_rule(request: HttpRequest, name: Name, wanted: AlertRuleKeptIn) -> AlertRuleOut:
    """Make it, or change it if there is one of that name."""
    user = _watcher(request)
    rules.authorise(user)
    is_new = not AlertRule.objects.filter(name=name).exists()
    keep = rules.create if is_new else rules.change
    return AlertRuleOut.of(keep(name, wanted.wanted(), by=user, reason=wanted.reason))


@alert_routes.post("/rules/{name}/remove", response={204: None, **ERRORS}, summary="Remove an alert rule")
def remove_rule(request: HttpRequest, name: Name, why: AcknowledgeIn) -> Status[None]:
    """One that has raised nothing and did not come with the product."""
    rules.remove(name, by=_watcher(request), reason=why.note)
    return Status(204, None)


@alert_routes.get("/silences", response={200: list[SilenceOut], **ERRORS}, summary="List silences")
def list_silences(request: HttpRequest) -> list[SilenceOut]:
    """Those in force."""
    _watcher(request)
    return [SilenceOut.of(one) for one in silences.in_force()]


@alert_routes.post("/silences", response={201: SilenceOut, **ERRORS}, summary="Silence alerts")
def make_silence(request: HttpRequest, made: SilenceIn) -> Status[SilenceOut]:
    """Nobody is told of them until then."""
    user = _handler(request)
    rule = rules.get(made.rule) if made.rule else None
    end = made.until if made.until.tzinfo else made.until.replace(tzinfo=timezone.get_current_timezone())
    return Status(
        201, SilenceOut.of(silences.make(by=user, rule=rule, subject=made.subject, end=end, reason=made.reason))
    )


@alert_routes.post("/silences/{silence_id}/end", response={204: None, **ERRORS}, summary="End a silence")
def end_silence(request: HttpRequest, silence_id: Id) -> Status[None]:
    """People are told again."""
    silences.end(silence_id, by=_handler(request))
    return Status(204, None)


@alert_routes.get("/on-call", response={200: list[TurnOut], **ERRORS}, summary="See who is on call")
def see_on_call(request: HttpRequest, count: Annotated[int, Query(ge=1, le=50)] = 6) -> list[TurnOut]:
    """The turn that is on and those after it; empty without a rotation."""
    _watcher(request)
    return [
        TurnOut(person=turn.person.username, starts_at=turn.starts_at, ends_at=turn.ends_at)
        for turn in oncall.turns(timezone.now(), count=count)
    ]


@alert_routes.post("/on-call", response={200: list[TurnOut], **ERRORS}, summary="Set the on-call rotation")
def set_on_call(request: HttpRequest, wanted: RotationIn) -> list[TurnOut]:
    """In place of the one before."""
    terms = oncall.Terms(tuple(wanted.people), wanted.days, wanted.hour, wanted.zone, wanted.starts_on, wanted.minutes)
    oncall.set_rotation(terms, by=_watcher(request), reason=wanted.reason)
    return see_on_call(request)


@alert_routes.get("/{alert_id}", response={200: AlertOut, **ERRORS}, summary="Get an alert")
def get_alert(request: HttpRequest, alert_id: Id) -> AlertOut:
    """With its snapshot."""
    return AlertOut.of(handling.get(alert_id, _watcher(request)))


@alert_routes.post("/{alert_id}/acknowledge", response={200: AlertOut, **ERRORS}, summary="Acknowledge an alert")
def acknowledge_alert(request: HttpRequest, alert_id: Id, said: AcknowledgeIn) -> AlertOut:
    """You look after it; nobody else is told of it any more."""
    return AlertOut.of(handling.acknowledge(alert_id, by=_watcher(request), note=said.note))


@alert_routes.post("/{alert_id}/assign", response={200: AlertOut, **ERRORS}, summary="Hand an alert on")
def assign_alert(request: HttpRequest, alert_id: Id, to: AssignIn) -> AlertOut:
    """To somebody who may see and handle it; they are told."""
    return AlertOut.of(handling.assign(alert_id, by=_watcher(request), to=to.to))


@alert_routes.get("/{alert_id}/runbook", response={200: list[StepOut], **ERRORS}, summary="See an alert's runbook")
def see_runbook(request: HttpRequest, alert_id: Id) -> list[StepOut]:
    """Its steps, who has done which, and what the acts among them would do now."""
    user = _watcher(request)
    alert = handling.get(alert_id, user)
    steps = runbooks.standing(alert, user, may_handle=handling.may_handle(user))
    return [
        StepOut(
            key=one.step.key, title=one.title, text=one.text, done_by=one.done.by.username if one.done else None,
            plan=list(one.preview.plan.lines) if one.preview else [], problem=one.problem,
            digest=one.preview.digest if one.preview else "",
        )
        for one in steps
    ]  # fmt: skip


@alert_routes.post("/{alert_id}/runbook/{step}", response={204: None, **ERRORS}, summary="Do a step of a runbook")
def do_step(request: HttpRequest, alert_id: Id, step: Name, how: StepIn) -> Status[None]:
    """Carry out its act under your rights, or tick it off."""
    user = _watcher(request)
    alert = handling.get(alert_id, user)
    handling.authorise(user)
    runbooks.perform(alert, step, by=user, reason=how.reason, digest=how.digest)
    return Status(204, None)


def _watcher(request: HttpRequest) -> User:
    user = caller(request)
    if not visibility.may_enter(user):
        raise Forbidden(verb="see alerts")
    return user


def _handler(request: HttpRequest) -> User:
    user = _watcher(request)
    handling.authorise(user)
    return user
