"""Credit risk against Basel's own table, and figures that can be worked out by hand."""

import json
from fractions import Fraction
from pathlib import Path

import pytest

from agents.errors import Business
from agents.library.finance import credit_risk, portfolios, risk_agents
from agents.library.finance.credit_risk import Loan
from agents.library.finance.risk_agents import Book


def loan(name: str = "L1", *, borrower: str = "B1", sector: str = "retail", cents: int = 1_000_00, pd_bp: int = 100,
         lgd: int = 45) -> Loan:  # fmt: skip
    return Loan(name, borrower, sector, cents, pd_bp, lgd)


def book(analysis: str, *loans: Loan, capital: int = 1_000_00) -> Book:
    fields = ("id", "borrower", "sector", "exposure_cents", "pd_bp", "lgd_percent")
    listed = [{name: getattr(one, name) for name in fields} for one in loans]
    return Book.model_validate({"analysis": analysis, "portfolio": "P", "capital_cents": capital, "loans": listed})


@pytest.mark.parametrize(
    ("pd_percent", "weight"),
    # Basel II (BCBS 128), annex 5: illustrative risk weights of corporate exposures, LGD 45 %, maturity 2.5 years.
    [(0.03, 14.44), (0.05, 19.65), (0.1, 29.65), (0.25, 49.47), (0.5, 69.61), (1, 92.32), (2, 114.86), (5, 149.86),
     (10, 193.09), (20, 238.23)],
)  # fmt: skip
def test_risk_weight_is_that_of_basels_table(pd_percent: float, weight: float) -> None:
    assert 100 * credit_risk.risk_weight(pd_percent / 100, 0.45) == pytest.approx(weight, abs=0.011)


def test_expected_loss_is_exact() -> None:
    assert credit_risk.expected_loss([loan(cents=1_000_000_00, pd_bp=1, lgd=1)]) == 1_00
    assert credit_risk.expected_loss([loan(cents=333, pd_bp=7, lgd=45)]) == Fraction(333 * 7 * 45, 1_000_000)


def test_herfindahl_of_equal_parts_is_one_over_their_number() -> None:
    assert credit_risk.herfindahl([5] * 8) == Fraction(1, 8)
    assert credit_risk.herfindahl([9]) == 1


def test_conditional_pd_at_the_mean_economy_is_below_and_under_stress_above() -> None:
    assert credit_risk.conditional_pd(0.02, 0) < 0.02 < credit_risk.conditional_pd(0.02, 2)


def test_worst_year_is_the_one_that_history_knows() -> None:
    worst = credit_risk.worst_year()

    # US unemployment: 5.3 % in the second quarter of 2008, 9.1 % a year later, in the file as in the BLS's tables.
    assert (worst.quarter, worst.rise) == ("2009Q2", 3.8)
    assert 3 < worst.deviations < 4


def test_a_limit_is_kept_at_it_and_broken_a_cent_above() -> None:
    kept = risk_agents.concentration(book("concentration", loan(cents=250_00), capital=1_000_00), None)  # type: ignore[arg-type]
    broken = risk_agents.concentration(book("concentration", loan(cents=250_01), capital=1_000_00), None)  # type: ignore[arg-type]

    assert "large exposure" not in {one.limit for one in kept.breaches}
    assert next(one for one in broken.breaches if one.limit == "large exposure").remedy.startswith("$0.01 ")


def test_a_sectors_remedy_counts_that_the_book_shrinks_with_it() -> None:
    loans = [loan("a", sector="x", cents=40_00), loan("b", sector="y", cents=30_00), loan("c", sector="z", cents=30_00)]
    found = risk_agents.concentration(book("concentration", *loans, capital=10_000_00), None)  # type: ignore[arg-type]

    breach = next(one for one in found.breaches if one.what == "x")
    assert breach.remedy.startswith("$14.29 ")  # 40 - 14.29 is 30 % of 100 - 14.29
    assert (4000 - 1429) * 10 <= 3 * (10_000 - 1429) < (4000 - 1428) * 10 + 10


def test_missing_capital_is_the_least_that_reaches_the_minimum() -> None:
    given = book("losses", loan(cents=1_000_000_00), capital=10_000_00)
    found = risk_agents.losses(given, None)  # type: ignore[arg-type]

    missing = -(-found.risk_weighted_cents * 8 // 100) - 10_000_00
    assert found.capital_bp < 800
    assert found.breaches[0].remedy == f"{risk_agents.dollars(missing)} of capital are missing."


def test_a_loan_listed_twice_is_refused_in_a_sentence() -> None:
    with pytest.raises(Business, match=r"listed twice; every loan counts once\.$"):
        risk_agents.losses(book("losses", loan("a"), loan("a")), None)  # type: ignore[arg-type]


def test_shipped_books_are_what_their_seeds_make() -> None:
    lines = Path("orchestrator/gallery/banking-risk/inputs.jsonl").read_text().splitlines()
    shipped = [json.loads(line)["input"]["loans"] for line in lines]

    assert shipped == [
        portfolios.book(1, loans=120, tail=0.6),
        portfolios.book(2, loans=40, tail=1.5),
        portfolios.book(3, loans=160, tail=0.6),
    ]
