"""Rules about what is asked of agents, promised of workflows and queues, and given to runs."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone

from agents.models import QualityTarget
from approvals.able import promises
from approvals.models import Gate
from monitoring.alerts import evaluation, history, shipped, store, subjects
from monitoring.alerts.rules import Wanted
from monitoring.metrics import objectives
from monitoring.models import Alert, AlertCount, Measure, MeasureCursor, Objective
from orchestrator import events
from orchestrator.models import Budget, Run
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
    """A tick that looks at everything, in a minute of its own."""
    return look_in(61 + later)


def asked_of(name: str, measured: Mapping[str, Any], **asked: float) -> QualityTarget:
    return QualityTarget.objects.create(agent=factories.agent(name), measured=measured, **asked)


def ended(objective: Objective, *, good: int, bad: int, hours_ago: int = 0) -> None:
    """So many runs of its workflow that ended well or failed, in one hour and its day."""
    MeasureCursor.objects.get_or_create(id=1)
    hour = timezone.now().astimezone(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=hours_ago)
    Measure.objects.bulk_create(
        Measure(epoch=1, grain=grain, name=name, at=at, workflow=objective.workflow_id, n=n)
        for grain, at in (("h", hour), ("d", hour.replace(hour=0)))
        for name, n in (("run_succeeded", good), ("run_failed", bad))
    )


def promised(by: User, *, share: float = 0.99) -> Objective:
    return objectives.promise(
        workflow=factories.workflow("letters"), by=by, indicator="success", share=share, within_ms=None
    )


def tried(name: str, user: User) -> history.Tried:
    """A shipped rule on the last fourteen days."""
    rule = shipped.find(name)
    assert rule is not None
    return history.replay(Wanted(rule.title, rule.scope, rule.condition, rule.severity, rule.window), user=user)


def test_missed_targets_are_told_with_what_they_came_to_and_met_or_unproven_ones_are_not():
    asked_of(
        "writer", {"accuracy": {"value": 0.8, "n": 40}, "p95_ms": {"value": 900, "n": 40}}, accuracy=0.95, p95_ms=2000
    )
    asked_of("reader", {"accuracy": {"value": 0.97, "n": 40}}, accuracy=0.95)
    asked_of("novice", {"accuracy": {"value": 0.5, "n": 4}}, accuracy=0.95)

    look()

    alert = Alert.objects.get(rule__name="missed-targets")
    assert alert.message == "Agent Writer misses what is asked of it: accuracy 80 % instead of 95 %"
    assert (alert.subject, alert.severity) == ("writer", "warning")
    assert subjects.path(alert) == reverse("agents:agent", args=["writer"])


def test_missed_target_lasts_over_looks_at_what_changed_and_ends_when_it_is_met():
    target = asked_of("writer", {"success": {"value": 0.9, "n": 50}}, success=0.95)
    look()
    events.append("policy.refused", actor="agent:writer", data={"agent": "writer"})
    seal()
    alert = Alert.objects.get(rule__name="missed-targets")
    evaluation.tick(alert.raised_at)  # this agent has news, and nothing else is looked at
    alert.refresh_from_db()
    assert alert.calm_since is None

    QualityTarget.objects.filter(pk=target.pk).update(measured={"success": {"value": 0.99, "n": 50}})
    look(later=20)
    look(later=100)

    assert "missed-targets" not in names()


def test_missed_target_is_found_in_what_was(mia):
    minute = timezone.now().replace(second=0, microsecond=0) - timedelta(days=3)
    for n in range(3):
        store.keep_highest(
            minute + timedelta(minutes=n),
            {("agent", "writer"): {"missed": 1.0, "inaccuracy": 0.2, "accuracy_target": 0.95}},
        )

    found = tried("missed-targets", mia)
    exact = history.replay(Wanted("A", "agent", "accuracy < accuracy_target - 0.1", "warning", 1), user=mia)

    last = minute + timedelta(minutes=3)  # what was measured is not added up over the rule's five minutes
    assert [(one.subject, one.at, one.until) for one in found.firings] == [("writer", minute, last)]
    assert exact.firings[0].values["accuracy"] == pytest.approx(0.8)
    assert exact.firings[0].until == last


def test_worst_of_an_hour_is_what_is_kept_of_a_target():
    at = timezone.now()
    for share in (0.2, 0.1):
        store.keep_highest(at, {("agent", "writer"): {"inaccuracy": share, "accuracy_target": 0.95}})

    assert {row.numbers["inaccuracy"] for row in AlertCount.objects.filter(subject="writer")} == {0.2}


def test_each_minute_of_the_clock_is_sampled():
    asked_of("reader", {"success": {"value": 0.5, "n": 50}}, success=0.95)
    start = (timezone.now() + timedelta(minutes=2)).replace(second=59, microsecond=900_000)

    for seconds in (0, 59.9, 60.9):  # the last two lie in two minutes, less than a minute and more after the first
        evaluation.tick(start + timedelta(seconds=seconds))

    rows = AlertCount.objects.filter(subject="reader", seconds=60, at__gte=start - timedelta(minutes=1))
    assert rows.count() == 3


def test_promise_that_breaks_fast_is_critical_and_names_what_was_promised(mia):
    made = promised(mia)
    ended(made, good=60, bad=20)

    look()

    alert = Alert.objects.get(rule__name="promise-burns-fast")
    assert (alert.severity, alert.workflow_id, alert.subject) == ("critical", made.workflow_id, str(made.pk))
    assert alert.message.startswith(
        "Promise “Letters: 99.0 % of runs end with a result” is missed 25 times as often as allowed over an hour"
    )
    assert alert.data["values"]["burn_1h"] == 25.0
    assert subjects.path(alert) == reverse("monitoring:metrics-workflow", args=["letters"])


def test_promise_that_is_kept_or_of_which_too_few_speak_is_no_alert(mia):
    kept, few = promised(mia), objectives.promise(
        workflow=factories.workflow("memos"), by=mia, indicator="success", share=0.99, within_ms=None
    )  # fmt: skip
    ended(kept, good=1000, bad=2)
    ended(few, good=5, bad=10)

    look()

    assert [name for name in names() if name.startswith("promise")] == []


def test_promise_that_is_used_up_is_broken_and_no_longer_will_not_last(mia):
    made = promised(mia)
    ended(made, good=200, bad=4, hours_ago=30)  # twice what may go wrong, and slowly

    look()

    assert [name for name in names() if name.startswith("promise")] == ["promise-broken"]


def test_promise_lasts_over_looks_that_do_not_count_promises(mia):
    ended(promised(mia), good=10, bad=10)
    look()
    alert = Alert.objects.get(rule__name="promise-burns-fast")
    Measure.objects.all().delete()

    seal()
    evaluation.tick(alert.raised_at)  # in the same minute

    alert.refresh_from_db()
    assert alert.calm_since is None


def test_promise_of_a_queue_is_an_alert_of_that_queue():
    olga, queue = people.person("olga", "Human Oversight Coordinator"), people.queue()
    promises.promise(queue=queue, by=olga, within_s=600, share=0.9)
    for _ in range(20):
        people.gate(on_timeout="remind")
    Gate.objects.update(opened_at=timezone.now() - timedelta(hours=1))

    look()

    alert = Alert.objects.get(rule__name="promise-broken")
    assert (alert.subject, alert.queue_id, alert.workflow_id) == (f"queue:{queue.name}", queue.pk, None)
    assert subjects.path(alert) == reverse("approvals:oversight")


def test_promise_is_tried_on_what_was_by_who_may_see_its_workflow(mia):
    made = promised(mia)
    minute = timezone.now().replace(second=0, microsecond=0) - timedelta(days=2)
    for n in range(5):
        numbers = {"burn_1h": 20.0, "burn_6h": 16.0, "burn_3d": 5.0, "asked_6h": 40.0, "asked_3d": 90.0, "used": 0.5}
        store.keep_highest(minute + timedelta(minutes=n), {("promise", str(made.pk)): numbers})

    assert [(one.at, one.until) for one in tried("promise-burns-fast", mia).firings] == [
        (minute, minute + timedelta(minutes=5))
    ]
    assert tried("promise-burns-fast", people.person("rex", "Reviewer")).count == 0


@pytest.mark.parametrize(
    ("spent", "raised"),
    [(79, []), (80, ["run-budget-80"]), (95, ["run-budget-10-left", "run-budget-80"]),
     (100, ["run-budget-10-left", "run-budget-80", "run-budget-used-up"])],
)  # fmt: skip
def test_budget_of_a_run_warns_at_eighty_percent_at_ten_left_and_at_the_end(spent, raised):
    run = factories.run(factories.workflow())
    Budget.objects.create(scope="run", ref=run.pk, resource="tokens", limit=100, spent=spent)
    Budget.objects.create(scope="run", ref=run.pk, resource="calls", limit=100, spent=1)
    factories.run(factories.workflow())  # has no budget

    look()

    mine = Alert.objects.filter(rule__name__startswith="run-budget")
    assert sorted(mine.values_list("rule__name", flat=True)) == raised
    assert {alert.run_id for alert in mine} == ({run.pk} if raised else set())
    if raised:
        said = mine.get(rule__name="run-budget-80").message
        assert said == f"Run “{run.title}” has used {spent} % of its budget"


def test_budget_of_a_run_is_tried_on_the_runs_that_ended(mia):
    run, thrifty = (factories.run(factories.workflow(), status="succeeded") for _ in range(2))
    end: datetime = timezone.now() - timedelta(days=2)
    Run.objects.filter(pk__in=[run.pk, thrifty.pk]).update(ended_at=end)
    Budget.objects.create(scope="run", ref=run.pk, resource="cost", limit=2, spent=1.9)
    Budget.objects.create(scope="run", ref=thrifty.pk, resource="cost", limit=2, spent=0.2)

    found = tried("run-budget-80", mia)

    assert [one.run_id for one in found.firings] == [run.pk]
    assert found.firings[0].values["budget_used"] == pytest.approx(0.95)
