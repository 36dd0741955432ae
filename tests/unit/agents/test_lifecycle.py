"""agents.lifecycle without a database: latencies in buckets, the canary's share of tasks, and when it is worse."""

import random

import pytest

from agents.lifecycle.comparing import compare, difference, is_worse
from agents.lifecycle.histogram import bound_of, bucket_of, quantile
from agents.lifecycle.measuring import Measured
from agents.lifecycle.routes import Route, View, is_chosen


@pytest.mark.parametrize("ms", [0.0, 0.4, 1.0, 7.3, 99.9, 1_000.0, 250_000.0])
def test_latency_lies_at_most_a_fifth_below_the_bound_of_its_bucket(ms: float) -> None:
    bound = bound_of(bucket_of(ms))

    assert max(ms, 1.0) <= bound <= max(ms, 1.0) * 1.19


def test_p95_is_the_bound_within_which_95_of_100_calls_ended() -> None:
    counts = {bucket_of(10): 95, bucket_of(1000): 5}

    assert quantile(counts, 0.95) == bound_of(bucket_of(10))
    assert quantile({bucket_of(10): 94, bucket_of(1000): 6}, 0.95) == bound_of(bucket_of(1000))
    assert quantile({}, 0.95) is None


@pytest.mark.parametrize("share", [0, 1, 10, 50])
def test_canary_gets_its_share_of_tasks(share: int) -> None:
    chosen = sum(is_chosen("a", 2, run << 20, share=share) for run in range(20_000))

    assert chosen / 20_000 == pytest.approx(share / 100, abs=0.011)


def test_task_of_the_canary_stays_its_own_when_the_share_grows() -> None:
    tasks = [run << 20 for run in range(2_000)]

    small = {task for task in tasks if is_chosen("a", 2, task, share=10)}
    large = {task for task in tasks if is_chosen("a", 2, task, share=40)}

    assert small < large
    assert small != {task for task in tasks if is_chosen("a", 3, task, share=10)}


def test_canary_that_this_process_does_not_know_leaves_its_tasks_to_the_current_version() -> None:
    view = View({"nobody-knows": Route(1, 2, 50)})

    assert {view.version_for("nobody-knows", task) for task in range(100)} == {1}
    assert view.version_for("another", 1) is None


def test_interval_of_a_difference_is_that_of_newcombe() -> None:
    low, high = difference(56, 70, 48, 80)  # his example (1998), there at 95 %: 0.0524 to 0.3339

    assert low < 0.0524 < 0.2 < 0.3339 < high


@pytest.mark.parametrize(
    ("current", "canary", "measures"),
    [
        (Measured(100, 0), Measured(10, 9), ["success"]),
        (Measured(100, 0), Measured(9, 9), []),  # too few
        (Measured(100, 10), Measured(20, 3), []),  # no difference shown
        (Measured(100, 10), Measured(50, 0), []),  # better
        (Measured(decided=100, stood=95), Measured(decided=20, stood=5), ["accuracy"]),
        (
            Measured(scores=50, score=90, score_spread=5),
            Measured(scores=20, score=70, score_spread=10),
            ["score"],
        ),
        (Measured(50, 0, p95_ms=100), Measured(50, 0, p95_ms=160), ["p95_ms"]),
        (Measured(50, 0, p95_ms=100), Measured(50, 0, p95_ms=140), []),
        (Measured(), Measured(), []),
    ],
)
def test_canary_is_worse_only_where_the_rule_says_so(current: Measured, canary: Measured, measures: list[str]) -> None:
    assert [line.measure for line in is_worse(compare(current, canary))] == measures


def test_equal_versions_looked_at_again_and_again_are_hardly_ever_told_apart() -> None:
    dice, wrong = random.Random(7), 0
    for _trial in range(200):
        failed = [0, 0]
        for calls in range(1, 201):
            failed = [count + (dice.random() < 0.1) for count in failed]
            if calls % 10 == 0 and is_worse(compare(Measured(calls, failed[0]), Measured(calls, failed[1]))):
                wrong += 1
                break

    assert wrong <= 8  # 4 %; at 95 % a look it would be five times as many
