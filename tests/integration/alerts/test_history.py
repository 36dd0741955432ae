"""A rule tried on what was: the same numbers and the same condition as in the tick."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from monitoring.alerts import history, store
from monitoring.alerts.errors import RuleRefused
from monitoring.alerts.rules import Wanted
from monitoring.models import AlertCount
from orchestrator.models import Run
from tests import factories, people

pytestmark = pytest.mark.django_db
MANAGER = "Workflow Orchestration Manager"


@pytest.fixture
def mia() -> User:
    return people.person("mia", MANAGER)


def ended(minutes: float, *, days_ago: float, status: str = "succeeded", **fields: int) -> Run:
    run = factories.run(factories.workflow(), status=status)
    end = timezone.now() - timedelta(days=days_ago)
    Run.objects.filter(pk=run.pk).update(started_at=end - timedelta(minutes=minutes), ended_at=end, **fields)
    return run


def test_rule_about_runs_fires_once_for_each_run_of_two_weeks(mia):
    long = [ended(61, days_ago=2), ended(300, days_ago=13)]
    ended(59, days_ago=1)
    ended(90, days_ago=15)

    tried = history.replay(Wanted("Long", "run", "workflow_duration > 3600000", "warning"), user=mia)

    assert {one.run_id for one in tried.firings} == {run.pk for run in long}
    assert (tried.count, tried.looked, tried.days) == (2, 3, 14)
    assert sum(tried.by_day) == 2


def test_rule_about_a_window_fires_while_it_holds_and_not_again_within(mia):
    minute = timezone.now().replace(second=0, microsecond=0) - timedelta(days=3)
    bad = {minute + timedelta(minutes=n): {"calls": 10.0, "errors": 5.0} for n in range(4)}
    late = {minute + timedelta(hours=5): {"calls": 10.0, "errors": 9.0}}
    few = {minute: {"calls": 3.0, "errors": 3.0}}
    store.add({("tool", "search"): {**bad, **late}, ("tool", "rare"): few})

    wanted = Wanted("Fails", "tool", "tool_calls >= 10 && tool_error_rate > 0.2", "critical", 10)
    tried = history.replay(wanted, user=mia)

    assert [(one.subject, one.at) for one in tried.firings] == [
        ("search", minute), ("search", minute + timedelta(hours=5)),
    ]  # fmt: skip
    # Ten minutes after the last of the four bad ones the window has none left.
    assert tried.firings[0].until == minute + timedelta(minutes=13)


def test_surge_fires_and_the_days_before_do_not(mia):
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    AlertCount.objects.bulk_create(
        AlertCount(
            seconds=3600, scope="agent", subject="writer", at=hour - timedelta(hours=back),
            numbers={"tokens": 90_000 if back == 30 else 10_000 + (back * 37 % 11) * 200},
        )
        for back in range(1, 24 * 25)
    )  # fmt: skip

    tried = history.replay(Wanted("Surge", "agent", "tokens_sigma > 4.0", "warning"), user=mia)

    assert [one.at for one in tried.firings] == [hour - timedelta(hours=30)]


def test_measured_numbers_are_not_added_up(mia):
    minute = timezone.now().replace(second=0, microsecond=0) - timedelta(days=1)
    for n in range(5):
        store.keep_highest(minute + timedelta(minutes=n), {("lane", "default"): {"depth": 3_000.0}})

    fired = history.replay(Wanted("Deep", "lane", "queue_depth > 5000", "warning", 10), user=mia)
    lower = history.replay(Wanted("Deep", "lane", "queue_depth > 2000", "warning", 1), user=mia)

    assert (fired.count, lower.count) == (0, 1)


def test_nobody_tries_a_rule_on_workflows_that_they_may_not_see(mia):
    run = ended(61, days_ago=2)
    store.add({("workflow", run.workflow.name): {timezone.now().replace(second=0, microsecond=0): {"ended": 5.0}}})
    rex = people.person("rex", "Reviewer")

    for scope, condition in (("run", "workflow_duration > 0"), ("workflow", "runs_ended > 0")):
        wanted = Wanted("All", scope, condition, "info")
        assert history.replay(wanted, user=mia).count == 1
        assert history.replay(wanted, user=rex).count == 0


def test_condition_that_is_none_is_refused(mia):
    with pytest.raises(RuleRefused):
        history.replay(Wanted("No", "agent", "nonsense > 1", "info"), user=mia)
