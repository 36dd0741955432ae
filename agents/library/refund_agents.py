"""The agents of the refund-approval workflow. Amounts are whole cents everywhere, so that a limit compares exactly."""

import asyncio
from dataclasses import asdict
from datetime import date
from typing import Literal

from django.conf import settings
from pydantic import BaseModel, ConfigDict, Field

from agents.context import AgentContext
from agents.errors import Business
from agents.library.incident_contracts import Evidence
from agents.library.payments import FilePayments
from agents.registry import agent
from agents.types import Json

RETURN_DAYS = 60


class Strict(BaseModel):
    """A contract that names all its fields."""

    model_config = ConfigDict(extra="forbid")


class RefundRequest(Strict):
    """What a customer asks back."""

    order_id: str = Field(min_length=1, max_length=64)
    customer: str = Field(min_length=1, max_length=200)
    amount_cents: int = Field(gt=0, le=10_000_000_00)
    paid_cents: int = Field(gt=0, le=10_000_000_00)
    currency: Literal["USD"] = "USD"
    reason: str = Field(default="", max_length=2000)
    ordered_on: date
    requested_on: date


class Check(Strict):
    """The facts a reviewer needs. `amount` is for people; `amount_cents` is what is paid."""

    order_id: str
    amount_cents: int
    currency: str
    amount: str
    share_percent: int
    days: int
    within_policy: bool
    risk: Literal["low", "medium", "high"]
    evidence: list[Evidence]


@agent(
    "refund-checker",
    title="Refund checker",
    input=RefundRequest,
    output=Check,
    capabilities=["refund.check"],
    tags=["refunds"],
    timeout=20,
)
def check_refund(request: RefundRequest, ctx: AgentContext) -> Check:
    """Checks a request against the order and the return policy; refuses more than was paid."""
    if request.amount_cents > request.paid_cents:
        asked, paid = dollars(request.amount_cents), dollars(request.paid_cents)
        message = f"Order {request.order_id} was paid {paid}; {asked} cannot be refunded."
        raise Business(message, code="more_than_paid")
    days = (request.requested_on - request.ordered_on).days
    within = 0 <= days <= RETURN_DAYS
    large = request.amount_cents > 5_000_00
    return Check(
        order_id=request.order_id,
        amount_cents=request.amount_cents,
        currency=request.currency,
        amount=dollars(request.amount_cents),
        share_percent=100 * request.amount_cents // request.paid_cents,
        days=days,
        within_policy=within,
        risk="high" if large and not within else "medium" if large or not within else "low",
        evidence=[
            Evidence(
                claim=f"{dollars(request.amount_cents)} of {dollars(request.paid_cents)} is asked back.",
                source=f"order {request.order_id}",
            ),
            Evidence(
                claim=f"{days} days passed since the order; the policy allows {RETURN_DAYS}.",
                source=f"order {request.order_id}, return policy",
            ),
            Evidence(claim="The customer gives this reason.", source="request", quote=request.reason),
        ],
    )


class Payment(Strict):
    """The approved refund."""

    order_id: str
    amount_cents: int = Field(gt=0)
    currency: Literal["USD"] = "USD"


class Receipt(Strict):
    """The provider's answer and the receipt as a file."""

    reference: str
    order_id: str
    amount_cents: int
    currency: str
    paid_at: str
    markdown: str


@agent(
    "refund-payer",
    title="Refund payer",
    input=Payment,
    output=Receipt,
    capabilities=["payment.refund"],
    tags=["refunds"],
    timeout=30,
)
async def pay_refund(payment: Payment, ctx: AgentContext) -> Receipt:
    """Pays a refund once: the engine remembers the effect, and the provider knows the key if the engine could not."""
    provider = FilePayments(settings.DATA_DIR / "payments")

    async def send() -> Json:
        receipt = await asyncio.to_thread(
            provider.refund,
            key=ctx.key,
            order_id=payment.order_id,
            amount_cents=payment.amount_cents,
            currency=payment.currency,
        )
        return asdict(receipt)

    async def ask() -> Json:
        receipt = await asyncio.to_thread(provider.find, ctx.key)
        return asdict(receipt) if receipt else None

    paid = await ctx.once("refund", send, reconcile=ask)
    assert isinstance(paid, dict)
    return Receipt.model_validate({**paid, "markdown": _receipt(payment, str(paid["reference"]), str(paid["paid_at"]))})


def dollars(cents: int) -> str:
    """An amount for people: `$1,000.01`."""
    return f"${cents // 100:,}.{cents % 100:02d}"


def _receipt(payment: Payment, reference: str, paid_at: str) -> str:
    amount = f"{dollars(payment.amount_cents)} {payment.currency}"
    return f"# Refund {reference}\n\n- Order: {payment.order_id}\n- Amount: {amount}\n- Paid: {paid_at}\n"
