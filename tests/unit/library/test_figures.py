"""Figures of a monthly series, against values worked out by hand or taken from the literature."""

import math

import pytest

from agents.library.business import figures
from agents.library.business.figures import Agreement


@pytest.mark.parametrize(
    ("k", "n", "bound"),
    [(15, 20, 0.5313), (0, 10, 0.0), (10, 10, 0.7225), (81, 263, 0.2553)],  # the last: Newcombe 1998, table I
)
def test_confidence_is_wilsons_lower_bound(k: int, n: int, bound: float) -> None:
    assert Agreement(k, n).confidence == pytest.approx(bound, abs=0.0002)


def test_nothing_agrees_with_nothing() -> None:
    assert Agreement(0, 0).confidence == 0.0


def test_growth_fall_and_scatter_of_a_series() -> None:
    values = [100.0, 110.0, 55.0, 66.0, 120.0]
    assert figures.growth(values) == pytest.approx(0.2)
    assert figures.worst_fall(values) == pytest.approx(0.5)  # from 110 to 55, not from the first value
    assert figures.worst_fall([1.0, 2.0, 3.0]) == 0.0
    assert figures.changes(values)[:2] == [pytest.approx(0.1), pytest.approx(-0.5)]
    assert figures.scatter([1.0, 2.0, 4.0]) == 0.0  # the same change each month
    assert figures.scatter([1.0, math.e, 1.0]) == pytest.approx(math.sqrt(2) * math.sqrt(12))


def test_a_company_is_held_against_the_median_of_its_peers_month_by_month() -> None:
    peers = {"a": [1.0, 2.0, 2.0], "b": [1.0, 1.1, 2.2], "c": [1.0, 0.5, 0.5]}
    assert figures.middle_path(peers) == [pytest.approx(0.1), pytest.approx(0.0)]
    ahead = figures.beats([1.0, 1.2, 1.0], figures.middle_path(peers))
    assert (ahead.k, ahead.n) == (1, 2)
