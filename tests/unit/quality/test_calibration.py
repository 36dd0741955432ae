"""Fits on outcomes whose truth the test made: what is well behaved is shown, what is not says why."""

import numpy as np
import pytest

from agents.quality import calibration


def outcomes(count: int, *, seed: int = 1, bend: float = 1.0) -> tuple[list[float], list[bool]]:
    """Claims whose true chance of being right is claim ** bend."""
    draw = np.random.default_rng(seed)
    claimed = draw.uniform(0.05, 0.99, count)
    return claimed.tolist(), (draw.uniform(size=count) < claimed**bend).tolist()


@pytest.mark.parametrize(("count", "method"), [(120, "platt"), (2000, "isotonic")])
def test_overconfidence_is_put_right(count: int, method: str) -> None:
    claimed, right = outcomes(count, bend=3)

    fit = calibration.fit(claimed, right)

    assert (fit.method, fit.outcomes, fit.right) == (method, count, sum(right))
    assert fit.usable, fit.why
    assert fit.error_before is not None
    assert fit.error_after is not None
    assert fit.error_after < fit.error_before / 2
    assert calibration.apply(fit.method, fit.params, 0.6) == pytest.approx(0.6**3, abs=0.12)
    assert sum(one.count for one in fit.after) == count


def test_calibrated_confidence_never_falls_as_the_claim_rises() -> None:
    claimed, right = outcomes(500)
    fit = calibration.fit(claimed, right)

    curve = [calibration.apply(fit.method, fit.params, at / 50) for at in range(51)]

    assert curve == sorted(curve)
    assert all(0 <= value <= 1 for value in curve)


def test_one_outlier_makes_no_certainty() -> None:
    claimed, right = outcomes(400)

    fit = calibration.fit([0.01, *claimed, 0.999], [True, *right, False])

    assert calibration.apply(fit.method, fit.params, 0.0) < 0.3
    assert 0.7 < calibration.apply(fit.method, fit.params, 1.0) < 1


def test_too_few_outcomes_are_not_shown() -> None:
    fit = calibration.fit(*outcomes(calibration.FEWEST - 1))

    assert not fit.usable
    assert "30 are needed" in fit.why


def test_outcomes_of_one_kind_are_not_shown() -> None:
    assert not calibration.fit([0.9] * 100, [True] * 98 + [False] * 2).usable


def test_claims_that_say_nothing_are_not_shown() -> None:
    draw = np.random.default_rng(3)

    fit = calibration.fit(draw.uniform(size=150).tolist(), (draw.uniform(size=150) < 0.5).tolist())

    assert not fit.usable
    assert fit.why


def test_calibration_error_of_known_bins() -> None:
    # two tenths: 0.85 said and half of four right; 0.15 said and none of two right
    error = calibration.calibration_error([0.85] * 4 + [0.15] * 2, [1, 1, 0, 0, 0, 0])

    assert error == pytest.approx((4 * 0.35 + 2 * 0.15) / 6)
