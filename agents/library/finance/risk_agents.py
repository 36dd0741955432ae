"""The agents of the banking-risk workflow: losses, concentration and stress side by side, then one report to sign."""

from typing import Literal

from pydantic import Field

from agents.context import AgentContext
from agents.errors import Business
from agents.library.compliance import escape
from agents.library.finance import credit_risk
from agents.library.finance.credit_risk import Loan
from agents.library.finance.loans import dollars, half_up, ratio_bp
from agents.library.handing_over import file_name
from agents.library.incident_contracts import Evidence, Strict
from agents.library.standing_in import OPEN, Skill, stand_in
from agents.registry import agent
from agents.types import Json

MINIMUM_BP = 800  # Basel: capital of 8 % of risk-weighted assets
LARGEST_BP = 2500  # Basel (BCBS 283): no borrower over a quarter of capital
LARGE_BP = 1000  # what counts as a large exposure
SECTOR_BP = 3000  # house limit: no sector over 30 % of the book


type Analysis = Literal["losses", "concentration", "stress"]


class LoanIn(Strict):
    """One exposure."""

    id: str = Field(min_length=1, max_length=64)
    borrower: str = Field(min_length=1, max_length=200)
    sector: str = Field(min_length=1, max_length=100)
    exposure_cents: int = Field(gt=0, le=10**15)
    pd_bp: int = Field(ge=0, lt=10_000)
    lgd_percent: int = Field(ge=0, le=100)


class Book(Strict):
    """A portfolio, and which of the three analyses is wanted of it. Capital is whole cents."""

    analysis: Analysis
    portfolio: str = Field(min_length=1, max_length=200)
    capital_cents: int = Field(gt=0, le=10**15)
    loans: list[LoanIn] = Field(min_length=1, max_length=1000)


class Breach(Strict):
    """A limit that is not kept, by how much, and what would keep it again."""

    limit: str
    what: str
    measured_bp: int
    limit_bp: int
    remedy: str


class Losses(Strict):
    """Expected loss, risk-weighted assets and what capital covers."""

    exposure_cents: int
    expected_loss_cents: int
    risk_weighted_cents: int
    capital_bp: int
    breaches: list[Breach]
    evidence: list[Evidence]


@agent(
    "credit-loss-analyst", title="Credit loss analyst", input=Book, output=Losses,
    capabilities=["risk.loss"], tags=["finance", "risk"], timeout=20,
)  # fmt: skip
def losses(given: Book, ctx: AgentContext) -> Losses:
    """Expected loss to the cent, and capital against risk-weighted assets by Basel's formula."""
    loans = _loans(given)
    weighted = credit_risk.risk_weighted_cents(loans)
    ratio = given.capital_cents * 10_000 // max(1, weighted)  # rounded down: a ratio just below never looks kept
    loss = half_up(credit_risk.expected_loss(loans))
    source = f"{given.portfolio}, {len(loans)} loans"
    return Losses(
        exposure_cents=sum(loan.exposure_cents for loan in loans),
        expected_loss_cents=loss,
        risk_weighted_cents=weighted,
        capital_bp=ratio,
        breaches=[_too_little("capital ratio", ratio, given.capital_cents, weighted)] if ratio < MINIMUM_BP else [],
        evidence=[
            Evidence(claim=f"A year's expected loss is {dollars(loss)}.", source=f"exposure x PD x LGD over {source}"),
            Evidence(
                claim=f"Capital is {_percent(ratio)} of {dollars(weighted)} risk-weighted assets.",
                source=f"BCBS 128 paragraph 272 over {source}",
            ),
        ],
    )


class Concentration(Strict):
    """How much hangs on few. The Herfindahl indices are in basis points."""

    sector_hhi_bp: int
    name_hhi_bp: int
    sectors: dict[str, int]
    large: dict[str, int]
    breaches: list[Breach]
    evidence: list[Evidence]


@agent(
    "concentration-analyst", title="Concentration analyst", input=Book, output=Concentration,
    capabilities=["risk.concentration"], tags=["finance", "risk"], timeout=20,
)  # fmt: skip
def concentration(given: Book, ctx: AgentContext) -> Concentration:
    """Sectors and borrowers against their limits; a breach names the least amount that has to go."""
    loans = _loans(given)
    sectors, names = credit_risk.by_sector(loans), credit_risk.by_borrower(loans)
    total, capital = sum(sectors.values()), given.capital_cents
    large = {name: held for name, held in names.items() if held * 10_000 >= LARGE_BP * capital}
    breaches = [
        _too_much("large exposure", name, held, capital, LARGEST_BP)
        for name, held in large.items() if held * 10_000 > LARGEST_BP * capital
    ] + [
        _too_much("sector", name, held, total, SECTOR_BP)
        for name, held in sectors.items() if held * 10_000 > SECTOR_BP * total
    ]  # fmt: skip
    top, held = next(iter(sectors.items()))
    return Concentration(
        sector_hhi_bp=half_up(credit_risk.herfindahl(sectors.values()) * 10_000),
        name_hhi_bp=half_up(credit_risk.herfindahl(names.values()) * 10_000),
        sectors=sectors,
        large=large,
        breaches=breaches,
        evidence=[
            Evidence(claim=f"The largest sector is {top}: {_percent(ratio_bp(held, total))}.", source=given.portfolio),
            Evidence(claim=f"{len(large)} borrowers are large exposures.", source="BCBS 283: 10 % of capital"),
        ],
    )


class StressResult(Strict):
    """What a repetition of the worst year on record would cost."""

    quarter: str
    rise_points: float
    deviations: float
    stressed_loss_cents: int
    capital_after_cents: int
    capital_bp: int
    breaches: list[Breach]
    evidence: list[Evidence]


@agent(
    "stress-tester", title="Stress tester", input=Book, output=StressResult,
    capabilities=["risk.stress"], tags=["finance", "risk"], timeout=20,
)  # fmt: skip
def stress(given: Book, ctx: AgentContext) -> StressResult:
    """Default probabilities under the worst rise of US unemployment on record, and the capital that is left."""
    loans, year = _loans(given), credit_risk.worst_year()
    loss = credit_risk.stressed_loss_cents(loans, year.deviations)
    after, weighted = given.capital_cents - loss, credit_risk.risk_weighted_cents(loans)
    ratio = after * 10_000 // max(1, weighted)
    breach = [_too_little("capital ratio under stress", ratio, after, weighted)] if ratio < MINIMUM_BP else []
    return StressResult(
        quarter=year.quarter,
        rise_points=year.rise,
        deviations=year.deviations,
        stressed_loss_cents=loss,
        capital_after_cents=after,
        capital_bp=ratio,
        breaches=breach,
        evidence=[
            Evidence(
                claim=f"Unemployment rose {year.rise:g} points in the year to {year.quarter}, {year.deviations:.1f} "
                f"standard deviations more than in a usual year.",
                source=credit_risk.MACRO_SOURCE,
            ),
            Evidence(
                claim=f"Such a year would cost {dollars(loss)} and leave capital of {_percent(ratio)}.",
                source=f"Vasicek's conditional default probabilities over {given.portfolio}",
            ),
        ],
    )


class Findings(Strict):
    """What the three found."""

    portfolio: str = Field(min_length=1, max_length=200)
    losses: Losses
    concentration: Concentration
    stress: StressResult


class RiskReport(Strict):
    """The report to sign. `confidence` is not stated: these are figures, not guesses."""

    portfolio: str
    level: Literal["low", "medium", "high"]
    breaches: list[Breach]
    in_words: str
    markdown: str
    evidence: list[Evidence]


@agent(
    "risk-reporter", title="Risk reporter", input=Findings, output=RiskReport,
    capabilities=["risk.report"], tags=["finance", "risk"], timeout=20,
)  # fmt: skip
def report(given: Findings, ctx: AgentContext) -> RiskReport:
    """One report: every figure with where it comes from, every breach with what would mend it."""
    parts = (given.losses, given.concentration, given.stress)
    breaches = [breach for part in parts for breach in part.breaches]
    evidence = [one for part in parts for one in part.evidence]
    grave = any("ratio" in breach.limit for breach in breaches)
    words = {0: "all limits are kept", 1: "1 limit is not kept"}.get(
        len(breaches), f"{len(breaches)} limits are not kept"
    )
    lines = [
        f"# Risk of {escape(given.portfolio)}", "", f"- Exposure: {dollars(given.losses.exposure_cents)}",
        f"- Expected loss: {dollars(given.losses.expected_loss_cents)} a year",
        f"- Capital ratio: {_percent(given.losses.capital_bp)}, {_percent(given.stress.capital_bp)} under stress",
        f"- Stress: the year to {given.stress.quarter}, a loss of {dollars(given.stress.stressed_loss_cents)}",
        "", "## Limits that are not kept", "",
        *(f"- **{b.limit}: {escape(b.what)}**, {_percent(b.measured_bp)} against {_percent(b.limit_bp)}. {b.remedy}"
          for b in breaches),
        *([] if breaches else ["None."]),
        "", "## Where each figure is from", "",
        *(f"- {escape(one.claim)} ({escape(one.source)})" for one in evidence), "",
    ]  # fmt: skip
    return RiskReport(
        portfolio=given.portfolio,
        level="high" if grave else "medium" if breaches else "low",
        breaches=breaches,
        in_words=words,
        markdown="\n".join(lines),
        evidence=evidence,
    )


class Filing(Strict):
    """A report as it was signed."""

    signed: RiskReport


class Filed(Strict):
    """The report as a file."""

    file_name: str
    markdown: str


@agent(
    "risk-filer", title="Files risk reports", input=Filing, output=Filed,
    capabilities=["risk.file"], tags=["finance", "risk"], timeout=20,
)  # fmt: skip
def file_report(given: Filing, ctx: AgentContext) -> Filed:
    """Hands over exactly what was signed."""
    return Filed(file_name=file_name("risk", given.signed.portfolio), markdown=given.signed.markdown)


def _loans(given: Book) -> list[Loan]:
    if len({loan.id for loan in given.loans}) < len(given.loans):
        message = f"A loan of {given.portfolio} is listed twice; every loan counts once."
        raise Business(message, code="listed_twice")
    return [Loan(**loan.model_dump()) for loan in given.loans]


def _too_little(limit: str, ratio: int, capital: int, weighted: int) -> Breach:
    missing = -(-weighted * MINIMUM_BP // 10_000) - capital
    return Breach(limit=limit, what="capital", measured_bp=ratio, limit_bp=MINIMUM_BP,
                  remedy=f"{dollars(missing)} of capital are missing.")  # fmt: skip


def _too_much(limit: str, what: str, held: int, whole: int, limit_bp: int) -> Breach:
    """The remedy of a sector counts that the whole shrinks with it: (held - x) <= limit (whole - x)."""
    over = held * 10_000 - limit_bp * whole
    shrinks = 10_000 - limit_bp if limit == "sector" else 10_000
    return Breach(limit=limit, what=what, measured_bp=ratio_bp(held, whole), limit_bp=limit_bp,
                  remedy=f"{dollars(-(-over // shrinks))} have to be sold or hedged.")  # fmt: skip


def _percent(basis_points: int) -> str:
    return f"{'-' * (basis_points < 0)}{abs(basis_points) // 100}.{abs(basis_points) % 100:02d} %"


def _analyse(given: Book, ctx: AgentContext) -> Losses | Concentration | StressResult:
    if given.analysis == "losses":
        return losses(given, ctx)
    return concentration(given, ctx) if given.analysis == "concentration" else stress(given, ctx)


_SKILLS = (
    Skill("signed", Filing, file_report),
    Skill("stress", Findings, report),
    Skill("analysis", Book, _analyse),
)


@agent(
    "risk-generalist", title="Risk generalist", input=OPEN, output=OPEN,
    capabilities=["risk.stand-in"], tags=["finance", "risk"], timeout=30,
)  # fmt: skip
def stand_in_for_risk(given: dict[str, Json], ctx: AgentContext) -> dict[str, Json]:
    """Does any step of a risk review by the same formulas."""
    return stand_in(_SKILLS, given, ctx)
