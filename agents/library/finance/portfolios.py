"""Synthetic loan books: invented, because no bank may publish its own. The same seed makes the same book anywhere.

Sectors and their default probabilities are made up in the order that rating agencies' histories show (utilities
lowest, construction and restaurants highest); sizes follow a long tail, so that some borrowers are large.
"""

import math
import random

from agents.types import Json

_SECTORS = (("utilities", 12), ("health", 35), ("manufacturing", 90), ("retail", 160), ("construction", 260),
            ("restaurants", 340))  # fmt: skip


def book(seed: int, *, loans: int, tail: float) -> list[Json]:
    """`loans` loans of a book; a larger `tail` makes the largest ones larger."""
    chance = random.Random(f"book {seed}")
    made: list[Json] = []
    for number in range(1, loans + 1):
        sector, usual = chance.choice(_SECTORS)
        made.append(
            {
                "id": f"L{number:03d}",
                "borrower": f"Borrower {chance.randint(1, loans):03d}",
                "sector": sector,
                "exposure_cents": round(math.exp(chance.gauss(math.log(1_500_000_00), tail)) / 100_000) * 100_000
                + 100_000,
                "pd_bp": max(1, round(usual * math.exp(chance.gauss(0, 0.5)))),
                "lgd_percent": chance.choice((25, 35, 45, 45, 60)),
            }
        )
    return made
