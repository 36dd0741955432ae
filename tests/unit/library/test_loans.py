"""Loan arithmetic against published and hand-worked figures, and its invariants for any loan."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.errors import Business
from agents.library.finance import loan_agents, loans
from agents.library.finance.loan_agents import Application
from agents.library.finance.loans import Terms

APPLICATION = {
    "loan_id": "L1", "balance_cents": 100_000_00, "rate_bp": 600, "months_left": 360, "months_behind": 2,
    "income_cents": 3_000_00, "taxes_insurance_cents": 200_00, "other_debts_cents": 100_00,
    "hardship": "Hours were cut.",
}  # fmt: skip
some_terms = st.builds(
    Terms,
    balance_cents=st.integers(100_00, 10_000_000_00),
    rate_bp=st.integers(0, 3000).map(Fraction),
    months=st.integers(1, 480),
)


@pytest.mark.parametrize(
    ("dollars", "rate_bp", "months", "cents"),
    [
        (100_000, 600, 360, 599_56),  # $599.55 as lenders round it; ours is rounded up, from 599.5505
        (200_000, 450, 180, 1529_99),
        (250_000, 700, 360, 1663_26),
        (1_200, 0, 12, 100_00),
        (1_000, 1200, 1, 1010_00),
    ],
)
def test_payment_is_the_annuity_rounded_up_to_a_cent(dollars: int, rate_bp: int, months: int, cents: int) -> None:
    assert loans.payment(dollars * 100, Fraction(rate_bp), months) == cents


@given(some_terms)
@settings(max_examples=150, deadline=None)
def test_schedule_repays_exactly_what_was_lent_and_never_more_in_a_month(terms: Terms) -> None:
    rows = loans.schedule(terms)

    assert sum(principal for _, principal, _ in rows) == terms.balance_cents
    assert rows[-1][2] == 0
    assert all(interest >= 0 and principal >= 0 for interest, principal, _ in rows)
    # Half a cent of interest may be rounded up each month, so the last payment may be above the level by that much.
    assert all(interest + principal <= terms.payment_cents for interest, principal, _ in rows[:-1])


@given(some_terms, st.integers(0, 50_000_00), st.integers(0, 100_000_00))
@settings(max_examples=60, deadline=None)
def test_waterfall_keeps_every_cent_and_stays_within_its_limits(terms: Terms, arrears: int, target: int) -> None:
    outcome = loans.waterfall(terms, arrears_cents=arrears, target_cents=target)
    after = outcome.terms

    assert after.balance_cents + after.forborne_cents == terms.balance_cents + arrears
    assert after.rate_bp == terms.rate_bp or loans.FLOOR_RATE_BP <= after.rate_bp < terms.rate_bp
    assert terms.months <= after.months <= max(terms.months, loans.LONGEST_MONTHS)
    assert after.forborne_cents * loans.BASIS <= loans.MOST_FORBORNE_BP * (terms.balance_cents + arrears)
    assert outcome.reached == (after.payment_cents <= target)


def test_waterfall_goes_only_as_far_as_the_target_needs() -> None:
    terms = Terms(200_000_00, Fraction(650), 300)
    payment = terms.payment_cents

    alone = loans.waterfall(terms, arrears_cents=0, target_cents=payment)
    rate = loans.waterfall(terms, arrears_cents=0, target_cents=payment - 1)
    forborne = loans.waterfall(terms, arrears_cents=0, target_cents=500_00)

    assert [change.step for change in alone.changes] == ["capitalise arrears"]
    assert rate.terms.rate_bp == Fraction(1275, 2)  # one eighth of a percent is enough
    assert [change.step for change in forborne.changes][-1] == "forbear principal"
    assert (
        forborne.terms.payment_cents
        <= 500_00
        < loans.payment(forborne.terms.balance_cents + 1_00, forborne.terms.rate_bp, 480)
    )


@pytest.mark.parametrize(("amount", "rounded"), [(Fraction(1, 2), 1), (Fraction(3, 2), 2), (Fraction(149, 100), 1)])
def test_halves_go_up(amount: Fraction, rounded: int) -> None:
    assert loans.half_up(amount) == rounded


def test_ratio_just_above_a_limit_never_looks_kept() -> None:
    assert loans.ratio_bp(31_00, 100_00) == 3100
    assert loans.ratio_bp(31_01, 100_00) == 3101
    assert loans.ratio_bp(310_001, 1_000_000) == 3101


def test_assessment_counts_housing_debts_and_arrears() -> None:
    found = loan_agents.assess(Application(**APPLICATION), None)  # type: ignore[arg-type]

    assert (found.payment_cents, found.arrears_cents) == (599_56, 2 * 599_56)
    assert found.housing_bp == -(-799_56 * 10_000 // 3_000_00)
    assert found.target_cents == 930_00 - 200_00
    assert found.surplus_cents == 3_000_00 - 799_56 - 100_00


def test_arrears_larger_than_the_balance_are_refused_in_a_sentence() -> None:
    given_ = Application(**{**APPLICATION, "balance_cents": 10_000_00, "months_left": 12, "months_behind": 24})

    with pytest.raises(Business, match=r"cannot owe .* of arrears .*\.$"):
        loan_agents.assess(given_, None)  # type: ignore[arg-type]


def test_a_loan_that_meets_every_rule_cannot_be_declined() -> None:
    application = Application(**APPLICATION)
    request = loan_agents.DeclineRequest(
        application=application,
        affordability=loan_agents.assess(application, None),  # type: ignore[arg-type]
        rules={"hardship": True, "term": True},
        terms_reached=True,
    )

    with pytest.raises(Business, match="nothing to decline"):
        loan_agents.draft_decline(request, None)  # type: ignore[arg-type]
