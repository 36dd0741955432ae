"""The agents of the loan-modification workflow. They compute and write; whether a loan is eligible, CEL rules say."""

from dataclasses import asdict
from fractions import Fraction
from typing import Literal

from django.conf import settings
from pydantic import Field

from agents.context import AgentContext
from agents.errors import Business
from agents.library.compliance import escape
from agents.library.finance import loans
from agents.library.handing_over import enter_once, take_back
from agents.library.incident_contracts import Evidence, Strict
from agents.library.registers import FileRegister
from agents.library.standing_in import OPEN, Skill, stand_in
from agents.registry import agent
from agents.types import Json

CENTS = 1_000_000_000_00


class Application(Strict):
    """A loan, who pays it, and what they can pay. All money is whole cents."""

    loan_id: str = Field(min_length=1, max_length=64)
    balance_cents: int = Field(gt=0, le=CENTS)
    rate_bp: int = Field(ge=0, le=3000)
    months_left: int = Field(ge=1, le=480)
    months_behind: int = Field(ge=0, le=120)
    income_cents: int = Field(gt=0, le=CENTS)
    taxes_insurance_cents: int = Field(ge=0, le=CENTS)
    other_debts_cents: int = Field(ge=0, le=CENTS)
    hardship: str = Field(default="", max_length=2000)


class Affordability(Strict):
    """What the loan costs now and what the household could pay. Ratios are basis points of gross income."""

    payment_cents: int
    arrears_cents: int
    housing_bp: int
    debt_bp: int
    target_cents: int
    surplus_cents: int
    in_words: str
    evidence: list[Evidence]


@agent(
    "affordability-analyst", title="Affordability analyst", input=Application, output=Affordability,
    capabilities=["loan.assess"], tags=["lending"], timeout=20,
)  # fmt: skip
def assess(given: Application, ctx: AgentContext) -> Affordability:
    """Computes payment, arrears, housing and debt ratio to the cent from the application's own figures."""
    level = loans.payment(given.balance_cents, Fraction(given.rate_bp), given.months_left)
    housing = level + given.taxes_insurance_cents
    arrears = level * given.months_behind
    if arrears >= given.balance_cents:
        message = f"Loan {given.loan_id} cannot owe {loans.dollars(arrears)} of arrears on less than that of balance."
        raise Business(message, code="figures_contradict")
    found = Affordability(
        payment_cents=level,
        arrears_cents=arrears,
        housing_bp=loans.ratio_bp(housing, given.income_cents),
        debt_bp=loans.ratio_bp(housing + given.other_debts_cents, given.income_cents),
        target_cents=loans.most_payment(given.income_cents, given.taxes_insurance_cents),
        surplus_cents=given.income_cents - housing - given.other_debts_cents,
        in_words="",
        evidence=[],
    )
    words = f"{loans.dollars(level)} a month; housing takes {loans.percent(found.housing_bp)} of gross income"
    source = f"application {given.loan_id}"
    return found.model_copy(
        update={
            "in_words": words,
            "evidence": [
                Evidence(claim=f"The level payment is {loans.dollars(level)}.", source=f"annuity formula on {source}"),
                Evidence(claim=f"{given.months_behind} payments are missed: {loans.dollars(arrears)}.", source=source),
                Evidence(
                    claim=f"Housing takes {loans.percent(found.housing_bp)}, all debts {loans.percent(found.debt_bp)} "
                    f"of {loans.dollars(given.income_cents)} gross income.",
                    source=source,
                ),
                Evidence(claim="The borrower gives this hardship.", source=source, quote=given.hardship),
            ],
        }
    )


class TermsRequest(Strict):
    """The loan and the payment to reach."""

    loan_id: str = Field(min_length=1, max_length=64)
    balance_cents: int = Field(gt=0, le=CENTS)
    rate_bp: int = Field(ge=0, le=3000)
    months_left: int = Field(ge=1, le=480)
    arrears_cents: int = Field(ge=0, le=CENTS)
    target_cents: int = Field(ge=0, le=CENTS)


class StepTaken(Strict):
    """One step of the waterfall."""

    step: str
    detail: str
    payment_cents: int


class ProposedTerms(Strict):
    """The modified loan. `total_interest_cents` and `total_paid_cents` are summed from its schedule."""

    loan_id: str
    balance_cents: int
    rate_percent: str
    rate_bp_times_2: int  # eighths of a percent are half basis points
    months: int
    forborne_cents: int
    payment_cents: int
    payment_before_cents: int
    target_cents: int
    reached: bool
    total_interest_cents: int
    total_paid_cents: int
    steps: list[StepTaken]
    in_words: str
    evidence: list[Evidence]


@agent(
    "modification-planner", title="Modification planner", input=TermsRequest, output=ProposedTerms,
    capabilities=["loan.propose"], tags=["lending"], timeout=30,
)  # fmt: skip
def propose(given: TermsRequest, ctx: AgentContext) -> ProposedTerms:
    """Goes down the waterfall until the payment is affordable: arrears, rate, term, forbearance."""
    before = loans.Terms(given.balance_cents, Fraction(given.rate_bp), given.months_left)
    outcome = loans.waterfall(before, arrears_cents=given.arrears_cents, target_cents=given.target_cents)
    after, rows = outcome.terms, loans.schedule(outcome.terms)
    interest = sum(row[0] for row in rows)
    return ProposedTerms(
        loan_id=given.loan_id,
        balance_cents=after.balance_cents,
        rate_percent=loans.percent(after.rate_bp),
        rate_bp_times_2=int(after.rate_bp * 2),
        months=after.months,
        forborne_cents=after.forborne_cents,
        payment_cents=after.payment_cents,
        payment_before_cents=before.payment_cents,
        target_cents=outcome.target_cents,
        reached=outcome.reached,
        total_interest_cents=interest,
        total_paid_cents=interest + after.balance_cents + after.forborne_cents,
        steps=[StepTaken(**asdict(change)) for change in outcome.changes],
        in_words=_in_words(outcome, before),
        evidence=[
            Evidence(claim=f"{change.step.capitalize()}: {change.detail}, then {loans.dollars(change.payment_cents)}.",
                     source="waterfall, computed from the application")
            for change in outcome.changes
        ],
    )  # fmt: skip


def _in_words(outcome: loans.Outcome, before: loans.Terms) -> str:
    terms, target = outcome.terms, loans.dollars(outcome.target_cents)
    how = f"{loans.dollars(before.payment_cents)} becomes {loans.dollars(terms.payment_cents)} a month"
    return f"{how} over {terms.months} months at {loans.percent(terms.rate_bp)}" + (
        "" if outcome.reached else f"; {target}, what the household can pay, is not reached"
    )


class OfferRequest(Strict):
    """Terms that fit, and what they were found from."""

    terms: ProposedTerms
    affordability: Affordability


class Offer(Strict):
    """What is put before a person where it costs the lender much, and what is entered."""

    loan_id: str
    payment: str
    payment_cents: int
    payment_cut_cents: int
    balance_cents: int
    rate_bp_times_2: int
    months: int
    forborne_cents: int
    in_words: str
    evidence: list[Evidence]


@agent(
    "offer-writer", title="Offer writer", input=OfferRequest, output=Offer,
    capabilities=["loan.offer"], tags=["lending"], timeout=20,
)  # fmt: skip
def write_offer(given: OfferRequest, ctx: AgentContext) -> Offer:
    """Puts terms and what they rest on side by side; refuses terms that do not reach what the household can pay."""
    terms = given.terms
    if not terms.reached:
        message = f"The terms of loan {terms.loan_id} ask for more than the household can pay; there is no offer."
        raise Business(message, code="terms_do_not_fit")
    return Offer(
        loan_id=terms.loan_id,
        payment=loans.dollars(terms.payment_cents),
        payment_cents=terms.payment_cents,
        payment_cut_cents=max(0, terms.payment_before_cents - terms.payment_cents),
        balance_cents=terms.balance_cents,
        rate_bp_times_2=terms.rate_bp_times_2,
        months=terms.months,
        forborne_cents=terms.forborne_cents,
        in_words=terms.in_words,
        evidence=[*terms.evidence, *given.affordability.evidence],
    )


class DeclineRequest(Strict):
    """What an adverse decision is drafted from: each rule by its outcome, as the workflow's CEL found it."""

    application: Application
    affordability: Affordability
    rules: dict[str, bool]
    terms_reached: bool | None = None


class Reason(Strict):
    """A principal reason, in words that a borrower can act upon."""

    rule: str
    text: str


class AdverseNotice(Strict):
    """A drafted refusal. It leaves the house only after a person has decided."""

    loan_id: str
    reasons: list[Reason]
    letter: str
    evidence: list[Evidence]


_REASONS = {
    "hardship": "No hardship is named, and a modification needs one.",
    "behind_or_burdened": "Payments are on time and housing takes no more than 31 % of gross income.",
    "can_pay": "After housing and debts nothing is left of the income, so no payment could be kept up.",
    "term": "Fewer than 12 months are left, too few to spread the arrears over.",
}


@agent(
    "adverse-notice-drafter", title="Adverse notice drafter", input=DeclineRequest, output=AdverseNotice,
    capabilities=["loan.decline"], tags=["lending"], timeout=20,
)  # fmt: skip
def draft_decline(given: DeclineRequest, ctx: AgentContext) -> AdverseNotice:
    """Drafts a refusal with every rule that was not met, and what the borrower may do; decides nothing."""
    failed = [Reason(rule=rule, text=_REASONS.get(rule, rule)) for rule, holds in given.rules.items() if not holds]
    if given.terms_reached is False:
        target = loans.dollars(given.affordability.target_cents)
        failed.append(Reason(rule="terms", text=f"No terms within the programme's limits reach {target} a month."))
    if not failed:
        message = f"Loan {given.application.loan_id} meets every rule, so there is nothing to decline."
        raise Business(message, code="nothing_to_decline")
    lines = "\n".join(f"- {reason.text}" for reason in failed)
    letter = (
        f"# Loan {escape(given.application.loan_id)}: no modification\n\n"
        f"We cannot modify your loan. The principal reasons:\n\n"
        f"{lines}\n\nYou may ask for a review within 60 days, and send figures that have changed."
    )
    source = f"eligibility rules, application {given.application.loan_id}"
    return AdverseNotice(
        loan_id=given.application.loan_id,
        reasons=failed,
        letter=letter,
        evidence=[
            *(Evidence(claim=reason.text, source=source) for reason in failed),
            *given.affordability.evidence,
        ],
    )


class Amendment(Strict):
    """What the servicing system records: exactly the terms that were agreed."""

    loan_id: str = Field(min_length=1, max_length=64)
    new_payment_cents: int = Field(gt=0)
    balance_cents: int = Field(gt=0)
    rate_bp_times_2: int = Field(ge=0)
    months: int = Field(ge=1, le=480)
    forborne_cents: int = Field(ge=0)


class Amended(Strict):
    """The servicing system's entry, and the letter to the borrower."""

    reference: str
    loan_id: str
    state: Literal["in force", "withdrawn"]
    letter: str


@agent(
    "loan-servicer", title="Loan servicer", input=Amendment, output=Amended,
    capabilities=["loan.amend"], authority=["loan-servicing"], tags=["lending"], timeout=30,
)  # fmt: skip
def amend(given: Amendment, ctx: AgentContext) -> Amended:
    """Enters the amendment once, whatever the number of attempts, and writes the letter that tells of it."""
    reference = enter_once(_register(), "amendment", given.model_dump(), ctx)
    rate = loans.percent(Fraction(given.rate_bp_times_2, 2))
    letter = (
        f"# Loan {escape(given.loan_id)}: modified terms\n\n"
        f"- Monthly payment: {loans.dollars(given.new_payment_cents)}\n"
        f"- Balance: {loans.dollars(given.balance_cents)}\n- Rate: {rate} a year\n- Term: {given.months} months\n"
        f"- Due at the end, without interest: {loans.dollars(given.forborne_cents)}\n- Reference: {reference}\n"
    )
    return Amended(reference=reference, loan_id=given.loan_id, state="in force", letter=letter)


class Withdrawal(Strict):
    """An amendment to take back."""

    reference: str = Field(min_length=1, max_length=64)
    loan_id: str = Field(min_length=1, max_length=64)


@agent(
    "loan-amendment-withdrawer", title="Withdraws amendments", input=Withdrawal, output=Amended,
    capabilities=["loan.withdraw"], authority=["loan-servicing"], tags=["lending"], timeout=30,
)  # fmt: skip
def withdraw(given: Withdrawal, ctx: AgentContext) -> Amended:
    """Takes an amendment out of force; the entry and its reason stay on record."""
    entry = take_back(_register(), given.reference)
    return Amended(reference=entry.reference, loan_id=given.loan_id, state="withdrawn", letter="")


def _register() -> FileRegister:
    return FileRegister(settings.DATA_DIR / "loan-amendments", "LM")


_SKILLS = (
    Skill("new_payment_cents", Amendment, amend),
    Skill("rules", DeclineRequest, draft_decline),
    Skill("terms", OfferRequest, write_offer),
    Skill("target_cents", TermsRequest, propose),
    Skill("income_cents", Application, assess),
)


@agent(
    "lending-generalist", title="Lending generalist", input=OPEN, output=OPEN, capabilities=["loan.stand-in"],
    authority=["loan-servicing"], tags=["lending"], timeout=30,
)  # fmt: skip
def stand_in_for_lending(given: dict[str, Json], ctx: AgentContext) -> dict[str, Json]:
    """Does any step of a modification by the same arithmetic and the same register, which knows an entry by its key."""
    return stand_in(_SKILLS, given, ctx)
