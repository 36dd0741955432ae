"""Sums of money that add up to the cent. Pure."""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

CENT: Final = Decimal("0.01")


def to_cents(amount: Decimal) -> int:
    """An amount in whole cents, rounded half to even."""
    return int(amount.quantize(CENT, ROUND_HALF_EVEN) * 100)


def split(amounts: Sequence[Decimal]) -> list[int]:
    """Each amount in cents, so that together they are the total's cents: none is off by a whole cent.

    Each is rounded down, and the cents that are missing go to those that lost most, of equals to the first
    (largest remainder).
    """
    exact = [amount * 100 for amount in amounts]
    floors = [int(one // 1) for one in exact]
    missing = to_cents(sum(amounts, Decimal(0))) - sum(floors)
    by_loss = sorted(range(len(exact)), key=lambda i: (floors[i] - exact[i], i))
    if missing < 0:  # the total was rounded down, and every line lies on a cent already
        by_loss = by_loss[::-1]
    for i in by_loss[: abs(missing)]:
        floors[i] += 1 if missing > 0 else -1
    return floors
