"""What counts in buckets say, and where they keep silent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.lifecycle.histogram import bucket_of
from monitoring.metrics.spreads import Spread, share_limits, value_limits
from monitoring.metrics.tables import Bottleneck


def spread(times):
    counts = {}
    for ms in times:
        counts[bucket_of(ms)] = counts.get(bucket_of(ms), 0) + 1
    return Spread(counts, float(sum(times)))


@given(st.lists(st.floats(1, 1e6), min_size=100, max_size=300))
def test_a_quantile_is_never_below_the_true_one_and_at_most_a_fifth_above(times):
    ordered = sorted(times)
    for share, found in ((0.5, spread(times).p50), (0.95, spread(times).p95), (0.99, spread(times).p99)):
        true = ordered[max(0, -(-int(share * 100) * len(ordered) // 100) - 1)]
        assert found is not None
        assert true <= found * (1 + 1e-9)
        assert found <= true * 1.19 * (1 + 1e-6) or found == 1.0


@pytest.mark.parametrize(
    ("n", "p50", "p95", "p99"), [(4, 0, 0, 0), (5, 1, 0, 0), (19, 1, 0, 0), (20, 1, 1, 0), (100, 1, 1, 1)]
)
def test_too_few_say_nothing(n, p50, p95, p99):
    found = spread([100.0] * n)

    assert [one is not None for one in (found.p50, found.p95, found.p99)] == [bool(p50), bool(p95), bool(p99)]


def test_what_may_be_late_counts_as_late():
    found = spread([90.0] * 3 + [110.0] * 2)

    assert bucket_of(90) < bucket_of(100)
    assert found.within(100) == 3
    assert found.within(1_000_000) == 5
    assert found.within(1) == 0


def test_spreads_add_up():
    both = spread([10.0] * 5) + spread([10.0, 1000.0])

    assert (both.n, both.total) == (7, 1060.0)


def test_limits_of_a_share_are_wider_for_fewer():
    parts = [(90, 100), (95, 100)]
    few, many = share_limits(parts, n=10), share_limits(parts, n=1000)

    assert few is not None
    assert many is not None
    assert few.low < many.low < many.middle == pytest.approx(0.925)
    assert few.high == 1.0
    assert not many.holds(0.85)


def test_limits_need_enough_that_speak():
    assert share_limits([(5, 10)], n=10) is None
    assert value_limits([90.0] * 9) is None


def test_a_value_far_from_its_neighbours_lies_outside():
    limits = value_limits([90, 91, 90, 89, 90, 91, 90, 89, 90, 91])

    assert limits is not None
    assert limits.holds(92)
    assert not limits.holds(80)


@pytest.mark.parametrize(
    ("slow", "quick", "budget", "over"),
    [
        (3, 37, 1000, True),  # 7.5 % took longer
        (2, 38, 1000, False),  # 5 % may
        (3, 37, 4900, False),  # within the bucket of the budget itself: not surely over
        (3, 10, 1000, False),  # too few speak
        (40, 0, 0, False),  # nobody has said
    ],
)
def test_step_is_over_its_budget_when_more_than_five_of_a_hundred_surely_took_longer(slow, quick, budget, over):
    work = spread([5000.0] * slow + [200.0] * quick)

    assert Bottleneck(None, "a", Spread(), work, Spread(), budget_ms=budget).is_over is over
