"""Credit risk of a portfolio: expected loss, required capital, concentration, and a stress taken from real quarters.

Expected losses are exact: exposures are whole cents, default probabilities basis points a year, losses percent. The
capital charge is Basel's formula for corporate exposures (BCBS 128, paragraph 272, maturity 2.5 years); the stress is
Vasicek's conditional default probability (2002) under the worst year on record of the rise of US unemployment.
"""

import csv
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from statistics import NormalDist, fmean, pstdev

MACRO_FILE = Path(__file__).parent.parent / "data" / "macrodata.csv"
MACRO_SOURCE = "macrodata.csv of statsmodels 0.15.0 (FRED and BLS, 1959Q1-2009Q3, public domain)"
BASIS = 10_000
LOWEST_PD_BP = 3  # Basel's floor for corporates
MATURITY = 2.5
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Loan:
    """One exposure. `pd_bp` is its chance of default in a year, `lgd_percent` what is lost then."""

    id: str
    borrower: str
    sector: str
    exposure_cents: int
    pd_bp: int
    lgd_percent: int

    @property
    def pd(self) -> float:
        """The default probability that the formulas use: never below Basel's floor."""
        return max(LOWEST_PD_BP, self.pd_bp) / BASIS


@dataclass(frozen=True, slots=True)
class Stress:
    """A year of history as a stress: how far unemployment rose, against the usual year."""

    quarter: str
    rise: float  # percentage points in four quarters
    deviations: float  # of such rises above their mean
    years: int


def expected_loss(loans: Iterable[Loan]) -> Fraction:
    """The sum of exposure, probability and loss, in cents, exactly."""
    return sum((Fraction(one.exposure_cents * one.pd_bp * one.lgd_percent, BASIS * 100) for one in loans), Fraction(0))


def correlation(pd: float) -> float:
    """Basel's asset correlation: 24 % for the safest, 12 % for the weakest."""
    weight = (1 - math.exp(-50 * pd)) / (1 - math.exp(-50))
    return 0.12 * weight + 0.24 * (1 - weight)


def conditional_pd(pd: float, factor: float) -> float:
    """The default probability when the economy stands `factor` standard deviations below its mean (Vasicek)."""
    rho = correlation(pd)
    return _NORMAL.cdf((_NORMAL.inv_cdf(pd) + math.sqrt(rho) * factor) / math.sqrt(1 - rho))


def risk_weight(pd: float, lgd: float) -> float:
    """Risk-weighted assets as a share of the exposure; 0.9232 for 1 % and 45 %."""
    slope = (0.11852 - 0.05478 * math.log(pd)) ** 2
    unexpected = lgd * (conditional_pd(pd, _NORMAL.inv_cdf(0.999)) - pd)
    return unexpected * (1 + (MATURITY - 2.5) * slope) / (1 - 1.5 * slope) * 12.5


def risk_weighted_cents(loans: Iterable[Loan]) -> int:
    """Risk-weighted assets to the nearest cent."""
    return round(sum(one.exposure_cents * risk_weight(one.pd, one.lgd_percent / 100) for one in loans))


def stressed_loss_cents(loans: Iterable[Loan], deviations: float) -> int:
    """The loss expected in a year that stands so many deviations below the mean, to the nearest cent."""
    return round(sum(one.exposure_cents * conditional_pd(one.pd, deviations) * one.lgd_percent / 100 for one in loans))


def by_sector(loans: Iterable[Loan]) -> dict[str, int]:
    """Exposure in cents by sector, the largest first."""
    return _sums((one.sector, one.exposure_cents) for one in loans)


def by_borrower(loans: Iterable[Loan]) -> dict[str, int]:
    """Exposure in cents by borrower, the largest first."""
    return _sums((one.borrower, one.exposure_cents) for one in loans)


def herfindahl(parts: Iterable[int]) -> Fraction:
    """The sum of squared shares: 1/n for n equal parts, 1 for a single one."""
    amounts = list(parts)
    return Fraction(sum(amount * amount for amount in amounts), sum(amounts) ** 2)


@cache
def worst_year() -> Stress:
    """The four quarters in which unemployment rose the most, measured against all such rises on record."""
    quarters = _macro()
    rises = [after[1] - before[1] for before, after in zip(quarters, quarters[4:], strict=False)]
    worst = max(range(len(rises)), key=lambda at: rises[at])
    deviations = (rises[worst] - fmean(rises)) / pstdev(rises)
    return Stress(quarters[worst + 4][0], round(rises[worst], 2), round(deviations, 4), len(quarters) // 4)


def _macro() -> Sequence[tuple[str, float]]:
    with MACRO_FILE.open(newline="") as file:
        return [(f"{row['year']}Q{row['quarter']}", float(row["unemp"])) for row in csv.DictReader(file)]


def _sums(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    total: defaultdict[str, int] = defaultdict(int)
    for name, amount in pairs:
        total[name] += amount
    return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))
