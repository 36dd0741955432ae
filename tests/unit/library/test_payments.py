"""The demonstration's payment provider pays once a key."""

import threading
from pathlib import Path

import pytest

from agents.errors import Business
from agents.library.payments import FilePayments, Receipt


def test_refund_twice_with_one_key_pays_once(tmp_path: Path) -> None:
    provider = FilePayments(tmp_path)

    first = provider.refund(key="run-1", order_id="A", amount_cents=100_000, currency="USD")
    second = provider.refund(key="run-1", order_id="A", amount_cents=100_000, currency="USD")

    assert first == second
    assert provider.receipts() == [first]


def test_refund_with_a_used_key_and_another_amount_is_refused(tmp_path: Path) -> None:
    provider = FilePayments(tmp_path)
    provider.refund(key="run-1", order_id="A", amount_cents=100_000, currency="USD")

    with pytest.raises(Business, match="nothing was paid"):
        provider.refund(key="run-1", order_id="A", amount_cents=100_001, currency="USD")

    assert len(provider.receipts()) == 1


def test_refund_raced_by_many_threads_pays_once(tmp_path: Path) -> None:
    barrier = threading.Barrier(8)
    got: list[Receipt] = []

    def pay() -> None:
        barrier.wait()
        got.append(FilePayments(tmp_path).refund(key="same", order_id="A", amount_cents=5, currency="USD"))

    threads = [threading.Thread(target=pay) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(got)) == 1
    assert len(got) == 8
    assert len(FilePayments(tmp_path).receipts()) == 1
    assert list(tmp_path.glob("*.tmp")) == []
