"""Rules, rotation, runbooks and game days, as people change and use them."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from agents.models import Agent
from monitoring import checks
from monitoring.alerts import game_days, handling, oncall, raising, rules, runbooks, shipped
from monitoring.alerts.errors import (
    AlertOver,
    AssigneeRefused,
    HandlingNotPermitted,
    RotationRefused,
    RuleRefused,
    StepNotPossible,
    StepUnknown,
)
from monitoring.alerts.findings import Finding
from monitoring.alerts.subjects import About
from monitoring.models import Alert, AlertRule, GameDay
from orchestrator import acts
from orchestrator.acts.refusals import ActNotAllowed, PlanChanged
from orchestrator.models import Event, Stop
from tests import factories, people

pytestmark = pytest.mark.django_db
MANAGER = "Workflow Orchestration Manager"
NEW = rules.Wanted("Costs too much", "agent", "cost > 5.0", "warning", runbook="token-surge")


@pytest.fixture(autouse=True)
def _rules() -> None:
    shipped.seed()


@pytest.fixture
def mia() -> User:
    return people.person("mia", MANAGER)


@pytest.fixture
def writer() -> Agent:
    return factories.agent("writer")


def raised(name: str, subject: str, *, drill: bool = False) -> Alert:
    finding = Finding(AlertRule.objects.get(name=name), subject, {"tokens": 9, "policy_violations": 5})
    return raising.raise_one(finding, About(subject.title()), timezone.now(), drill=drill)


def terms(*people_: str, **given: object) -> oncall.Terms:
    usual = {"days": 7, "hour": 9, "zone": "UTC", "starts_on": date(2026, 11, 23), "minutes": 5}
    return oncall.Terms(people_, **{**usual, **given})  # type: ignore[arg-type]


def test_rule_is_made_changed_and_removed_with_an_event_each(mia):
    rules.create("costly", NEW, by=mia, reason="new")
    rules.change("costly", rules.Wanted("Costs", "agent", "cost > 6.0", "critical"), by=mia, reason="higher")
    rules.remove("costly", by=mia, reason="done")

    told = Event.objects.filter(kind="alert.rule_changed", actor="user:mia").order_by("pk")
    assert [event.data["what"] for event in told] == ["made", "changed", "removed"]
    assert not AlertRule.objects.filter(name="costly").exists()


def test_who_may_not_edit_rules_changes_none(mia):
    dev = people.person("dev", "Agent Development Specialist")
    for act in (
        lambda: rules.create("costly", NEW, by=dev, reason="x"),
        lambda: rules.change("long-run", NEW, by=dev, reason="x"),
        lambda: rules.remove("long-run", by=dev, reason="x"),
        lambda: oncall.set_rotation(terms("mia"), by=dev, reason="x"),
    ):
        with pytest.raises(HandlingNotPermitted):
            act()


def test_rule_that_came_or_that_has_raised_is_switched_off_and_not_removed(mia):
    rules.create("costly", NEW, by=mia, reason="new")
    raised("costly", "writer")

    for name in ("costly", "long-run"):
        with pytest.raises(RuleRefused, match="switch it off"):
            rules.remove(name, by=mia, reason="x")


def test_rule_without_a_runbook_is_warned_of_by_the_check(mia):
    rules.create("costly", rules.Wanted("Costs", "agent", "cost > 5.0", "warning"), by=mia, reason="new")

    warned = checks.rules_lead_to_runbooks(databases=["default"])

    assert [warning.msg for warning in warned] == ["Alert rule 'costly' leads to no runbook."]


def test_seeding_again_leaves_what_people_changed(mia):
    found = shipped.find("long-run")
    assert found is not None
    rules.change(
        "long-run", rules.Wanted("Long", "run", "workflow_duration > 60000", "warning"), by=mia, reason="shorter"
    )

    assert shipped.seed() == 0
    assert AlertRule.objects.get(name="long-run").condition == "workflow_duration > 60000"


def test_turns_pass_over_who_is_gone_and_follow_the_calendar(mia):
    people.person("ben", MANAGER), people.person("cyd", MANAGER)
    oncall.set_rotation(terms("mia", "ben", "cyd"), by=mia, reason="start")
    User.objects.filter(username="ben").update(is_active=False)
    monday = datetime(2026, 11, 23, 9, tzinfo=UTC)

    names = [turn.person.username for turn in oncall.turns(monday, count=4)]

    assert names == ["mia", "cyd", "cyd", "mia"]
    assert oncall.turns(monday - timedelta(seconds=1), count=1)[0].person.username == "cyd"


@pytest.mark.parametrize(
    "wrong", [{"zone": "Mars/One"}, {"days": 0}, {"hour": 24}, {"minutes": 0}], ids=["zone", "days", "hour", "minutes"]
)
def test_rotation_that_cannot_be_is_refused(mia, wrong):
    with pytest.raises(RotationRefused):
        oncall.set_rotation(terms("mia", **wrong), by=mia, reason="x")
    with pytest.raises(RotationRefused):
        oncall.set_rotation(terms("mia", "mia"), by=mia, reason="x")
    people.person("ada", "Auditor")
    with pytest.raises(RotationRefused, match="may not handle"):
        oncall.set_rotation(terms("ada"), by=mia, reason="x")


def test_critical_alert_goes_on_until_everybody_is_told(mia):
    ben, cyd = people.person("ben", MANAGER), people.person("cyd", "Administrator")
    oncall.set_rotation(terms("mia", "ben"), by=mia, reason="start")
    alert = raised("policy-violations", "writer")
    told = Event.objects.get(kind="alert.raised", data__alert=alert.pk).data["to"]
    assert len(told) == 1

    assert oncall.pass_on(timezone.now()) == 0  # its time is not over
    oncall.pass_on(timezone.now() + timedelta(minutes=6))
    oncall.pass_on(timezone.now() + timedelta(minutes=12))
    oncall.pass_on(timezone.now() + timedelta(minutes=60))

    events = [event.data["to"] for event in Event.objects.filter(kind="alert.escalated").order_by("pk")]
    assert len(events) == 2
    assert {*told, *events[0]} == {mia.pk, ben.pk}
    assert set(events[1]) == {mia.pk, ben.pk, cyd.pk}


def test_page_says_that_somebody_looks_after_it_only_of_what_goes_on(client, mia):
    client.force_login(mia)
    going_on, over = raised("policy-violations", "reader"), raised("policy-violations", "writer")
    Alert.objects.filter(pk=over.pk).update(cleared_at=timezone.now())

    def told(alert: Alert) -> str:
        client.post(f"/alerts/{alert.pk}/acknowledge/")
        return client.get(f"/alerts/{alert.pk}/").content.decode()

    assert "You look after it now" in told(going_on)
    said = told(over)
    assert "it is closed with your answer" in said
    assert "You look after it now" not in said


def test_acknowledged_alert_goes_no_further(mia):
    oncall.set_rotation(terms("mia"), by=mia, reason="start")
    alert = raised("policy-violations", "writer")
    handling.acknowledge(alert.pk, by=mia)

    assert oncall.pass_on(timezone.now() + timedelta(hours=1)) == 0


def test_alert_is_handed_to_whoever_may_handle_it(mia):
    people.person("ben", MANAGER), people.person("ada", "Auditor")
    alert = raised("policy-violations", "writer")

    handling.assign(alert.pk, by=mia, to="ben")

    assert Alert.objects.get(pk=alert.pk).assigned_to == User.objects.get(username="ben")
    for name in ("ada", "nobody"):
        with pytest.raises(AssigneeRefused):
            handling.assign(alert.pk, by=mia, to=name)


def test_step_of_a_runbook_is_the_act_itself_and_is_done_once(mia, writer):
    alert = raised("policy-violations", "writer")
    first = runbooks.standing(alert, mia, may_handle=True)[0]
    target = acts.locate("agent", "writer")
    assert first.preview == acts.preview(acts.find("agent", "stop"), target, {})

    runbooks.perform(alert, "stop", by=mia, reason="breach", digest=first.preview.digest)

    assert Stop.objects.get(lifted_at=None).ref == writer.pk
    assert Event.objects.filter(kind="stop.set", actor="user:mia").count() == 1
    assert Event.objects.get(kind="alert.step_done").data["step"] == "stop"
    with pytest.raises(StepNotPossible):
        runbooks.perform(alert, "stop", by=mia, reason="again", digest=first.preview.digest)


def test_step_is_under_the_rights_of_whoever_does_it(mia, writer):
    lead = people.person("lea", "Quality Assurance Lead")  # handles alerts, and stops no agent
    alert = raised("policy-violations", "writer")

    standing = runbooks.standing(alert, lead, may_handle=True)[0]
    assert standing.preview is None
    assert standing.problem
    with pytest.raises(ActNotAllowed):
        runbooks.perform(alert, "stop", by=lead, reason="x", digest="x")
    assert not Stop.objects.exists()


def test_step_that_is_another_by_now_changes_nothing(mia, writer):
    alert = raised("policy-violations", "writer")

    with pytest.raises(PlanChanged):
        runbooks.perform(alert, "stop", by=mia, reason="x", digest="0" * 64)
    with pytest.raises(StepNotPossible):
        runbooks.perform(alert, "stop", by=mia, reason="x")
    with pytest.raises(StepUnknown):
        runbooks.perform(alert, "dance", by=mia)
    assert not alert.steps.exists()


def test_step_of_an_alert_that_is_over_changes_nothing(mia, writer):
    alert = raised("policy-violations", "writer")
    digest = runbooks.standing(alert, mia, may_handle=True)[0].preview.digest
    alert.cleared_at = alert.closed_at = timezone.now()
    alert.save(update_fields=["cleared_at", "closed_at"])

    with pytest.raises(AlertOver):
        runbooks.perform(alert, "stop", by=mia, reason="late", digest=digest)
    assert not Stop.objects.exists()


def test_game_day_tells_people_changes_nothing_and_is_recorded(mia, writer):
    call_command("game_day", "start", "guardrail-breach", "--about", "writer", "--by", "olga")
    day = GameDay.objects.get()
    assert day.alert.drill
    assert Event.objects.get(kind="alert.raised").data["to"] == [mia.pk]
    first = runbooks.standing(day.alert, mia, may_handle=True)[0]
    runbooks.perform(day.alert, "stop", by=mia, reason="rehearsed", digest=first.preview.digest)
    handling.acknowledge(day.alert_id, by=mia)

    call_command("game_day", "finish", str(day.pk), "--passed", "--result", "quick", "--by", "olga")

    day.refresh_from_db()
    assert (day.passed, day.result) == (True, "quick")
    assert day.answered_s is not None
    assert Alert.objects.get(pk=day.alert_id).closed_at is not None
    assert not Stop.objects.exists()
    assert Event.objects.filter(kind="alert.drilled").count() == 2


def test_one_game_day_of_a_runbook_at_a_time(writer):
    game_days.start("token-surge", by="olga", subject="writer")

    with pytest.raises(CommandError, match="under way"):
        call_command("game_day", "start", "token-surge")


@pytest.mark.parametrize(("critical", "shown"), [(3, 3), (5, 1)])
def test_many_critical_alerts_take_two_lines_of_a_page_and_few_a_line_each(
    mia: User, critical: int, shown: int
) -> None:
    rule = AlertRule.objects.filter(severity="critical").order_by("pk").first()
    assert rule is not None
    for number in range(critical):
        raised(rule.name, f"writer-{number}")
    client = Client()
    client.force_login(mia, backend="django.contrib.auth.backends.ModelBackend")

    page = client.get("/shell/?part=alerts").text

    assert page.count('id="shell-alert-') == shown
    assert ("critical alerts wait for an answer" in page) is (critical > 3)
