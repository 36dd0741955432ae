"""What is usual: a jump is found, a rhythm is not."""

import random
from datetime import UTC, datetime, timedelta
from math import pi, sin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.alerts import anomalies
from monitoring.alerts.anomalies import Hours

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
THRESHOLD = 4.0  # of the shipped rules


def rhythm(at: datetime, *, base: float, swing: float) -> float:
    """Busy by day, quiet by night."""
    return base + swing * (1 + sin(2 * pi * (at.hour - 6) / 24))


def past(chance: random.Random, *, base: float, swing: float, noise: float, days: int = 28) -> Hours:
    """Weeks of hours with a daily rhythm and normal noise."""
    hours = [NOW - timedelta(hours=back) for back in range(1, days * 24 + 1)]
    return {at: max(0.0, rhythm(at, base=base, swing=swing) + chance.gauss(0, noise)) for at in hours}


def test_jump_of_five_sigma_is_found_in_nearly_every_series():
    found = 0
    for seed in range(200):
        chance = random.Random(seed)
        base, swing = chance.uniform(2_000, 50_000), chance.uniform(0, 100_000)
        noise = base * chance.uniform(0.1, 0.3)
        usual = anomalies.usual_at(NOW.hour, past(chance, base=base, swing=swing, noise=noise))
        # What little of a large number counts as noise, the rule says: a series this quiet has a spread of its own.
        jump = rhythm(NOW, base=base, swing=swing) + 5 * max(noise, anomalies.LEAST_SPREAD * usual.level)
        found += usual.sigma(jump) > THRESHOLD

    assert found >= 190


def test_daily_rhythm_is_not_found():
    false = 0
    for seed in range(20):
        chance = random.Random(seed)
        series = past(chance, base=1_000, swing=40_000, noise=500)
        for hour in range(24):
            at = NOW + timedelta(hours=hour)
            value = rhythm(at, base=1_000, swing=40_000) + chance.gauss(0, 500)
            false += anomalies.usual_at(at.hour, series).sigma(value) > THRESHOLD

    assert false <= 1  # of 480 hours


def test_rhythm_would_be_found_without_regard_to_the_hour():
    """The test above can fail: held against all hours alike, the busy ones stand out of a night's spread."""
    series = past(random.Random(1), base=1_000, swing=40_000, noise=500)
    night = {at: value for at, value in series.items() if at.hour == 0}

    assert anomalies.usual_at(0, night).sigma(rhythm(NOW, base=1_000, swing=40_000)) > THRESHOLD


@given(level=st.floats(0, 1e7), days=st.integers(anomalies.LEAST_DAYS, 28), outliers=st.integers(0, 2))
def test_constant_is_usual_whatever_a_few_outliers_were(level, days, outliers):
    hours = {NOW - timedelta(days=back): level for back in range(1, days + 1)}
    for back in range(1, outliers + 1):
        hours[NOW - timedelta(days=back)] = level * 50 + 1_000

    usual = anomalies.usual_at(NOW.hour, hours)

    assert usual.level == pytest.approx(level)
    assert abs(usual.sigma(level)) < 0.001


@given(st.dictionaries(st.integers(1, 27 * 24), st.floats(0, 1e9), max_size=60), st.floats(0, 1e9))
def test_distance_is_always_a_number_and_grows_with_the_value(values, more):
    usual = anomalies.usual_at(NOW.hour, {NOW - timedelta(hours=back): value for back, value in values.items()})

    assert usual.spread > 0
    assert usual.sigma(usual.level + more) >= usual.sigma(usual.level) == 0


@pytest.mark.parametrize("days", range(anomalies.LEAST_DAYS))
def test_with_few_days_nothing_is_unusual(days):
    hours = {NOW - timedelta(days=back): 10.0 for back in range(1, days + 1)}

    assert anomalies.usual_at(NOW.hour, hours).sigma(1e9) == 0


def test_of_three_a_day_one_more_is_no_news():
    hours = {NOW - timedelta(days=back): 3.0 for back in range(1, 28)}

    assert anomalies.usual_at(NOW.hour, hours).sigma(4) < THRESHOLD
