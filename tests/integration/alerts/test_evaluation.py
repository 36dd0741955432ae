"""The tick: from what happens to an alert, once, and until it is over."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from approvals.models import Notice
from approvals.notices import telling
from monitoring.alerts import handling, rules, silences, store
from monitoring.alerts.errors import AcknowledgedAlready, AlertNotFound, HandlingNotPermitted, SilenceRefused
from monitoring.alerts.rules import Wanted
from monitoring.models import Alert, AlertCount, AlertRule, Severity
from orchestrator import events
from orchestrator.models import Breaker, Budget, Event, Lane, Run
from orchestrator.ports import GateTerms
from tests import factories, people
from tests.alerts import look_first, look_in, names
from tests.hands import seal

pytestmark = pytest.mark.django_db(transaction=True)
MANAGER = "Workflow Orchestration Manager"


@pytest.fixture(autouse=True)
def _first_look() -> None:
    look_first()


@pytest.fixture
def mia() -> User:
    return people.person("mia", MANAGER)


def look(*, later: float = 0) -> list[Alert]:
    """A tick that looks at everything, `later` seconds from now."""
    return look_in(16 + later)


def failed(**facts: Any) -> Run:
    run = factories.run(factories.workflow(), status="failed", **facts)
    events.append("run.failed", actor="engine", run_id=run.pk)
    return run


def tool_calls(name: str, outcomes: str) -> None:
    """One call for each sign: "+" went well."""
    for sign in outcomes:
        outcome = "done" if sign == "+" else "timeout"
        events.append("tool.called", actor="agent:a", data={"tool": name, "outcome": outcome})


def hours_of(scope: str, subject: str, numbers: Callable[[int], dict[str, int]], *, hours: int) -> None:
    """What was counted of a thing in each of the hours before this one."""
    now = timezone.now().replace(minute=0, second=0, microsecond=0)
    AlertCount.objects.bulk_create(
        AlertCount(
            seconds=3600, scope=scope, subject=subject, at=now - timedelta(hours=back), numbers=numbers(back)
        )
        for back in range(1, hours)
    )  # fmt: skip


def test_failed_run_raises_one_critical_alert_with_a_snapshot(mia):
    run = failed(statuses=["succeeded", "failed", "skipped"])

    look()
    look()

    alert = Alert.objects.get(rule__name="failed-run")
    assert (alert.run_id, alert.severity, alert.occurrences) == (run.pk, Severity.CRITICAL, 1)
    assert alert.data["values"]["workflow_status"] == "FAILED"
    assert alert.data["values"]["tasks_failed"] == 1
    assert f"“{run.title}” failed" in alert.message
    assert Event.objects.filter(kind="alert.raised", data__alert=alert.pk).count() == 1


def test_failed_run_raises_again_only_when_it_fails_again(mia):
    run = failed()
    look()
    handling.acknowledge(Alert.objects.get(rule__name="failed-run").pk, by=mia)
    look()
    assert names() == []

    events.append("run.failed", actor="engine", run_id=run.pk)
    look()

    assert names() == ["failed-run"]


def test_many_failed_runs_of_one_workflow_are_told_of_once(mia):
    made = factories.workflow()
    runs = [factories.run(made, status="failed") for _ in range(15)]
    for run in runs:
        events.append("run.failed", actor="engine", run_id=run.pk)

    look()

    mine = Alert.objects.filter(rule__name="failed-run")
    assert mine.count() == 11
    storm = mine.get(subject=f"many:{made.name}")
    assert storm.occurrences == 5
    assert storm.data["more"] == 5


def test_live_run_past_an_hour_warns_and_is_over_when_it_ends(mia):
    run = factories.run(factories.workflow(), minutes=61)
    factories.run(factories.workflow(), minutes=58)

    look()
    assert [alert.run_id for alert in Alert.objects.filter(rule__name="long-run")] == [run.pk]

    Run.objects.filter(pk=run.pk).update(ended_at=timezone.now(), status="succeeded")
    events.append("run.succeeded", actor="engine", run_id=run.pk)
    look(later=20)

    assert Alert.objects.get(rule__name="long-run").cleared_at is not None


def test_tool_that_fails_a_third_of_its_calls_is_told_in_one_sentence(mia):
    tool_calls("search_web", "+" * 28 + "-" * 12)
    tool_calls("fine", "+" * 40)
    tool_calls("rare", "-" * 3)

    raised = look()

    assert [alert.subject for alert in raised if alert.scope == "tool"] == ["search_web"]
    assert Alert.objects.get(scope="tool").message == "Tool search_web failed 12 of 40 calls in 10 min"


def test_usual_number_of_errors_is_told_where_it_is_known(mia):
    hours_of("tool", "search_web", lambda back: {"calls": 200, "errors": 6}, hours=24 * 10)
    tool_calls("search_web", "+" * 28 + "-" * 12)

    look()

    assert Alert.objects.get(scope="tool").message.endswith("in 10 min; usual: 1")


def test_token_surge_is_found_and_the_usual_is_not(mia):
    for name in ("calm", "wild"):
        factories.agent(name)
        hours_of("agent", name, lambda back: {"tokens": 10_000 + back % 7 * 300}, hours=24 * 20)
    minute = timezone.now().replace(second=0, microsecond=0)
    store.add({("agent", "calm"): {minute: {"tokens": 11_000}}, ("agent", "wild"): {minute: {"tokens": 90_000}}})

    look()

    assert [alert.subject for alert in Alert.objects.filter(rule__name="token-surge")] == ["wild"]


def test_budgets_overdue_gates_breakers_and_workers_are_watched(mia):
    agent = factories.agent("writer")
    Budget.objects.create(scope="agent", ref=agent.pk, resource="tokens", limit=100, spent=92)
    Breaker.objects.create(agent=agent, state="open")
    gate = people.gate()
    type(gate).objects.filter(pk=gate.pk).update(deadline_at=timezone.now() - timedelta(minutes=5))

    look()

    assert {"budget-80", "budget-10-left", "out-of-service", "overdue-gates"} <= set(names())
    assert Alert.objects.get(rule__name="budget-80").message == "92 % of tokens of agent writer is used"
    assert Alert.objects.get(rule__name="overdue-gates").queue_id == gate.queue_id


def test_nobody_works_only_once_a_task_has_waited_longer_than_a_worker_takes_to_start(mia, settings):
    task = factories.task(factories.run(factories.workflow()))
    ready_at = timezone.now() + timedelta(seconds=10)  # a tick looks from the sixteenth second
    type(task).objects.filter(pk=task.pk).update(status="ready", ready_at=ready_at)
    Lane.objects.get_or_create(name=task.lane)

    look()
    assert "no-workers" not in names()

    look(later=settings.LEASE_SECONDS)
    assert Alert.objects.get(rule__name="no-workers").message == "No worker is at work, and 1 task is ready"


def test_what_is_gravest_is_an_alert_at_once_that_only_who_answers_for_queues_can_switch_off(mia):
    cleo = people.person("cleo", "Human Oversight Coordinator")
    people.gate(risk="critical")  # one person decides it
    look()
    assert "gravest-waits" not in names()
    people.gate(risk="critical", terms=GateTerms(approvals=2))

    look()

    alert = Alert.objects.get(rule__name="gravest-waits")
    assert (alert.severity, alert.message) == (
        "critical", "1 matter of critical risk waits for several people in Oncall",
    )  # fmt: skip
    rule = alert.rule
    off = Wanted(
        rule.title, rule.scope, rule.condition, rule.severity, rule.window, rule.subject, rule.runbook, enabled=False
    )
    with pytest.raises(HandlingNotPermitted):
        rules.change("gravest-waits", off, by=mia, reason="noise")
    assert rules.change("gravest-waits", off, by=cleo, reason="noise").enabled is False


def test_warning_closes_itself_and_a_critical_alert_waits_to_be_acknowledged(mia):
    budget = Budget.objects.create(scope="agent", ref=factories.agent().pk, resource="tokens", limit=100, spent=120)
    look()
    assert {"budget-80", "budget-used-up"} <= set(names())

    Budget.objects.filter(pk=budget.pk).update(spent=10)
    look(later=20)
    assert {"budget-80", "budget-used-up"} <= set(names())  # it may come back within the minute
    look(later=100)

    assert names() == ["budget-used-up"]
    used_up = Alert.objects.get(rule__name="budget-used-up")
    assert used_up.cleared_at is not None
    handling.acknowledge(used_up.pk, by=mia)
    assert names() == []


def test_condition_that_comes_back_within_a_minute_is_the_same_alert(mia):
    budget = Budget.objects.create(scope="agent", ref=factories.agent().pk, resource="tokens", limit=100, spent=85)
    look()
    Budget.objects.filter(pk=budget.pk).update(spent=10)
    look(later=20)
    Budget.objects.filter(pk=budget.pk).update(spent=85)

    look(later=40)

    alert = Alert.objects.get(rule__name="budget-80")
    assert alert.occurrences == 2
    assert alert.calm_since is None


def test_rule_that_cannot_be_worked_out_says_so_and_stops_no_other(mia):
    AlertRule.objects.create(
        name="broken", title="Broken", scope="run", condition="tasks_total / tasks_ended > 1", severity="warning"
    )
    factories.run(factories.workflow(), minutes=61)

    look()

    assert AlertRule.objects.get(name="broken").problem
    assert names() == ["long-run"]


def test_second_acknowledgement_says_who_was_first(mia):
    ben = people.person("ben", MANAGER)
    Budget.objects.create(scope="agent", ref=factories.agent().pk, resource="tokens", limit=100, spent=120)
    look()
    pk = Alert.objects.get(rule__name="budget-used-up").pk
    handling.acknowledge(pk, by=mia, note="looking")

    with pytest.raises(AcknowledgedAlready, match="Mia has acknowledged"):
        handling.acknowledge(pk, by=ben)

    assert Event.objects.filter(kind="alert.acknowledged").count() == 1


def test_only_who_may_handle_alerts_acknowledges_and_nobody_sees_other_workflows(mia):
    failed()
    look()
    pk = Alert.objects.get(rule__name="failed-run").pk

    with pytest.raises(HandlingNotPermitted):
        handling.acknowledge(pk, by=people.person("ada", "Auditor"))
    with pytest.raises(AlertNotFound):
        handling.acknowledge(pk, by=people.person("rex", "Reviewer"))


def test_those_whose_turn_it_is_are_told_and_let_go_when_somebody_answers(mia):
    telling.tell()
    failed()
    look()
    seal()
    telling.tell()
    told = Notice.objects.get(kind="alert", recipient=mia)
    assert told.risk == "critical"
    assert told.path == f"/alerts/{Alert.objects.get(rule__name='failed-run').pk}/"

    handling.acknowledge(Alert.objects.get(rule__name="failed-run").pk, by=mia)
    seal()
    telling.tell()

    told.refresh_from_db()
    assert told.withdrawn_at is not None


def test_silence_needs_an_end_within_a_week_and_a_subject(mia):
    now = timezone.now()
    rule = AlertRule.objects.get(name="failed-run")
    for facts in ({"end": now + timedelta(days=8)}, {"end": now}, {"reason": " "}, {"rule": None}):
        usual = {"rule": rule, "subject": "", "end": now + timedelta(hours=1), "reason": "deploying"}
        with pytest.raises(SilenceRefused):
            silences.make(by=mia, **{**usual, **facts})


def test_silenced_alert_is_listed_and_nobody_is_told_until_the_silence_ends(mia):
    rule = AlertRule.objects.get(name="failed-run")
    made = silences.make(by=mia, rule=rule, subject="", end=timezone.now() + timedelta(hours=1), reason="deploying")
    failed()

    look()

    alert = Alert.objects.get(rule=rule)
    assert alert.silenced_until == made.until
    assert Event.objects.get(kind="alert.raised", data__alert=alert.pk).data["to"] == []
    silences.end(made.pk, by=mia)
    alert.refresh_from_db()
    assert alert.silenced_until is None


def test_lost_tick_is_made_up_for_and_nothing_is_counted_twice(mia):
    tool_calls("search_web", "-" * 12)
    look()
    look()

    row = AlertCount.objects.get(seconds=60, scope="tool", subject="search_web", numbers__has_key="calls")
    assert row.numbers["calls"] == 12
