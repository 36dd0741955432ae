"""Paying a refund is an effect: whatever happens to the worker, money moves at most once."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from agents.context import AgentContext
from agents.library.payments import FilePayments
from agents.library.refund_agents import Payment, Receipt, pay_refund
from agents.types import AgentRequest
from orchestrator.engine.effects import TaskEffects
from orchestrator.models import Effect

pytestmark = pytest.mark.django_db(transaction=True)

PAYMENT = Payment(order_id="ORD-1", amount_cents=100_000)


@pytest.fixture
def provider(settings: Any, tmp_path: Path) -> FilePayments:
    settings.DATA_DIR = tmp_path
    return FilePayments(tmp_path / "payments")


async def _in_thread(call: Callable[..., Any], *given: Any) -> Any:
    """Run in another thread, as a shift does, and leave no connection behind."""

    def run() -> Any:
        try:
            return call(*given)
        finally:
            connection.close()

    return await asyncio.to_thread(run)


def _pay(attempt: int) -> Receipt:
    effects = TaskEffects(task_id=1 << 20, attempt=attempt, in_thread=_in_thread)
    request = AgentRequest(
        agent="refund-payer", version=None, input={}, key="task:1048576", attempt=attempt, timeout=5, effects=effects
    )
    return asyncio.run(pay_refund(PAYMENT, AgentContext(request)))


def test_pay_refund_twice_returns_one_receipt_and_pays_once(provider: FilePayments) -> None:
    first, second = _pay(1), _pay(2)

    assert first == second
    assert len(provider.receipts()) == 1
    assert list(Effect.objects.values_list("key", "status")) == [("refund", "confirmed")]


def test_pay_refund_after_a_worker_died_before_sending_pays_once(provider: FilePayments) -> None:
    Effect.objects.create(task_id=1 << 20, key="refund", status="sent", attempt=1)

    _pay(2)

    assert len(provider.receipts()) == 1
    assert Effect.objects.get().status == "confirmed"


def test_pay_refund_after_a_worker_died_before_hearing_back_takes_the_provider_s_receipt(
    provider: FilePayments,
) -> None:
    first = _pay(1)
    Effect.objects.update(status="sent", result=None)

    second = _pay(2)

    assert second == first
    assert len(provider.receipts()) == 1
    assert Effect.objects.get().status == "confirmed"


def test_pay_refund_that_the_provider_has_but_the_engine_lost_pays_nothing_more(provider: FilePayments) -> None:
    _pay(1)
    Effect.objects.all().delete()

    _pay(2)

    assert [receipt.amount_cents for receipt in provider.receipts()] == [100_000]
