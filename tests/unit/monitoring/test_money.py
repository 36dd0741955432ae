"""Cents add up, whatever the amounts; forecasts and drivers are exact where they say so; the calculator's formulas."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.costs import forecasting, worth
from monitoring.costs.money import split, to_cents

AMOUNTS = st.lists(st.decimals(min_value=0, max_value=10**7, places=8), max_size=40)


@given(AMOUNTS)
def test_lines_add_up_to_the_total_to_the_cent_and_none_is_off_by_a_whole_cent(amounts):
    cents = split(amounts)

    assert sum(cents) == to_cents(sum(amounts, Decimal(0)))
    assert all(abs(Decimal(paid) - amount * 100) < 1 for paid, amount in zip(cents, amounts, strict=True))


def test_three_thirds_of_a_cent_are_one_cent_of_one_line():
    assert split([Decimal("0.00333333"), Decimal("0.00333333"), Decimal("0.00333334")]) == [0, 0, 1]


SPANS = st.dictionaries(
    st.sampled_from("abcdef"), st.tuples(st.integers(0, 500), st.floats(0, 10_000, allow_nan=False)), max_size=6
)


@given(SPANS, SPANS)
def test_drivers_add_up_to_the_whole_difference(before, now):
    found = forecasting.drivers(before, now)

    whole = sum(money for _, money in now.values()) - sum(money for _, money in before.values())
    assert sum(one.by_volume + one.by_price for one in found) == pytest.approx(whole, abs=1e-6)


def test_twice_the_runs_at_the_same_price_is_volume_alone():
    [one] = forecasting.drivers({"a": (10, 20.0)}, {"a": (20, 40.0)})

    assert (one.by_volume, one.by_price) == (20.0, 0.0)


def test_the_same_runs_at_a_higher_price_is_price_alone():
    [one] = forecasting.drivers({"a": (10, 20.0)}, {"a": (10, 30.0)})

    assert (one.by_volume, one.by_price) == (0.0, 10.0)


def test_a_steady_month_is_expected_to_go_on_with_no_doubt_about_it():
    found = forecasting.expected(50.0, [10.0] * 14, 5)

    assert (found.total, found.low, found.high) == (100.0, 100.0, 100.0)


def test_six_days_are_too_few_to_expect_anything():
    assert forecasting.expected(50.0, [10.0] * 6, 5).total is None


CASE = worth.Case(runs=100, by_hand=30, with_people=3, wage=60, per_run=0.5, platform=400)


def test_the_calculator_does_what_its_formulas_say():
    assert CASE.saved == pytest.approx(100 * 27 / 60 * 60)
    assert CASE.spent == pytest.approx(450)
    assert CASE.gain == pytest.approx(2250)
    assert CASE.roi == pytest.approx(5)
    assert CASE.pays_from == pytest.approx(400 / 26.5)


def test_the_tornado_begins_with_what_matters_most():
    bars = worth.tornado(CASE)

    assert {bar.name for bar in bars[:2]} <= {"runs", "by_hand", "wage"}
    assert [bar.width for bar in bars] == sorted((bar.width for bar in bars), reverse=True)
    platform = next(bar for bar in bars if bar.name == "platform")
    assert (platform.down, platform.up) == (pytest.approx(2330), pytest.approx(2170))


def test_what_costs_next_to_nothing_has_no_return_rather_than_an_endless_one() -> None:
    nearly_free = replace(CASE, per_run=0.0, platform=5e-324)
    assert nearly_free.roi is None
    assert replace(CASE, with_people=0.0, by_hand=5e-324, wage=60.0, per_run=0.0, platform=1e300).pays_from is None
