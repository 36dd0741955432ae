"""Exact arithmetic of annuity loans. Money is whole cents, rates are basis points a year, months are whole: no floats.

The level payment is the annuity formula B·r / (1 − (1+r)^−n) with r = rate/12 as an exact fraction, rounded up to a
cent, so that the last payment is never the larger one. Interest of a month is rounded half up to a cent.
"""

from dataclasses import dataclass, replace
from fractions import Fraction

BASIS = 10_000
FLOOR_RATE_BP = 200  # the waterfall cuts a rate down to 2 %, by eighths of a percent, as HAMP did (MHA Handbook 5.1)
RATE_STEP = Fraction(25, 2)
LONGEST_MONTHS = 480
TARGET_BP = 3100  # of gross income: the payment that HAMP aimed at
MOST_FORBORNE_BP = 3000  # of the balance


@dataclass(frozen=True, slots=True)
class Terms:
    """A loan as it is to be paid. `rate_bp` counts hundredths of a percent, as a fraction because of eighths."""

    balance_cents: int
    rate_bp: Fraction
    months: int
    forborne_cents: int = 0  # due at the end, without interest; not part of the balance

    @property
    def payment_cents(self) -> int:
        """The level monthly payment."""
        return payment(self.balance_cents, self.rate_bp, self.months)


@dataclass(frozen=True, slots=True)
class Change:
    """One step of the waterfall: what was changed and the payment after it."""

    step: str
    detail: str
    payment_cents: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where the waterfall ended; `reached` says whether the payment is at or below the target."""

    terms: Terms
    changes: tuple[Change, ...]
    target_cents: int
    reached: bool


def payment(balance_cents: int, rate_bp: Fraction, months: int) -> int:
    """The level monthly payment in cents, rounded up. `rate_bp` 0 divides the balance by the months."""
    if balance_cents == 0:
        return 0
    monthly = rate_bp / (12 * BASIS)
    growth = (1 + monthly) ** months
    exact = balance_cents * monthly * growth / (growth - 1) if monthly else Fraction(balance_cents, months)
    return -(-exact.numerator // exact.denominator)


def schedule(terms: Terms) -> list[tuple[int, int, int]]:
    """Interest, principal and remaining balance of each month, in cents; the last one pays exactly what is left."""
    left, level, rows = terms.balance_cents, terms.payment_cents, []
    for month in range(1, terms.months + 1):
        interest = half_up(left * terms.rate_bp / (12 * BASIS))
        principal = left if month == terms.months else min(left, level - interest)
        left -= principal
        rows.append((interest, principal, left))
    return rows


def half_up(amount: Fraction) -> int:
    """The nearest whole number; halves go up."""
    return (2 * amount.numerator + amount.denominator) // (2 * amount.denominator)


def ratio_bp(part_cents: int, whole_cents: int) -> int:
    """`part` of `whole` in basis points, rounded up: a ratio just above a limit never looks as if it kept it."""
    return -(-part_cents * BASIS // whole_cents)


def most_payment(income_cents: int, other_cents: int) -> int:
    """The largest payment that, with what goes to taxes and insurance, stays within the target share of income."""
    return max(0, income_cents * TARGET_BP // BASIS - other_cents)


def waterfall(terms: Terms, *, arrears_cents: int, target_cents: int) -> Outcome:
    """Capitalise arrears, cut the rate, extend the term, forbear principal: each only as far as the target needs."""
    now = replace(terms, balance_cents=terms.balance_cents + arrears_cents)
    changes = [Change("capitalise arrears", f"{dollars(arrears_cents)} join the balance", now.payment_cents)]
    for change in (_cut_rate, _extend, _forbear):
        if now.payment_cents <= target_cents:
            break
        now, done = change(now, target_cents)
        changes += [done] if done else []
    return Outcome(now, tuple(changes), target_cents, now.payment_cents <= target_cents)


def dollars(cents: int) -> str:
    """An amount for people: `$1,000.01`."""
    return f"${cents // 100:,}.{cents % 100:02d}"


def percent(basis_points: Fraction | int) -> str:
    """A rate for people: `3.125 %`."""
    text = f"{float(basis_points) / 100:.3f}".rstrip("0").rstrip(".")
    return f"{text} %"


def _cut_rate(terms: Terms, target: int) -> tuple[Terms, Change | None]:
    rate = terms.rate_bp
    while rate > FLOOR_RATE_BP and payment(terms.balance_cents, rate, terms.months) > target:
        rate = max(Fraction(FLOOR_RATE_BP), rate - RATE_STEP)
    after = replace(terms, rate_bp=rate)
    detail = f"from {percent(terms.rate_bp)} to {percent(rate)}"
    return after, Change("cut the rate", detail, after.payment_cents) if rate != terms.rate_bp else None


def _extend(terms: Terms, target: int) -> tuple[Terms, Change | None]:
    months = terms.months
    while months < LONGEST_MONTHS and payment(terms.balance_cents, terms.rate_bp, months) > target:
        months = min(LONGEST_MONTHS, months + 12)
    after = replace(terms, months=months)
    detail = f"from {terms.months} to {months} months"
    return after, Change("extend the term", detail, after.payment_cents) if months != terms.months else None


def _forbear(terms: Terms, target: int) -> tuple[Terms, Change | None]:
    """The least forbearance that reaches the target, or the most that is allowed."""
    most = terms.balance_cents * MOST_FORBORNE_BP // BASIS
    low, high = 0, most
    while low < high:  # the payment falls as more is forborne, so bisection finds the least to the cent
        middle = (low + high) // 2
        reached = payment(terms.balance_cents - middle, terms.rate_bp, terms.months) <= target
        low, high = (low, middle) if reached else (middle + 1, high)
    after = replace(terms, balance_cents=terms.balance_cents - low, forborne_cents=low)
    return after, Change("forbear principal", f"{dollars(low)} due at the end without interest", after.payment_cents)
