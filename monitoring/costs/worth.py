"""What automation is worth: a calculator whose formulas are shown, and what its answer depends on most. Pure.

Energy: 0.24 Wh for a median text prompt of a hosted assistant, serving included (Google, "Measuring the environmental
impact of delivering AI at Google Scale", August 2025, arXiv:2508.15734). Models and prompts differ by more than
tenfold: an order of magnitude, no meter.
"""

import math
from dataclasses import dataclass, fields, replace
from typing import Final

WH_PER_CALL: Final = 0.24
ENERGY_SOURCE: Final = "Google 2025, arXiv:2508.15734: 0.24 Wh for a median text prompt, serving included"
SWING: Final = 0.2
FORMULAS: Final = (
    "saved = runs × (minutes by hand − people's minutes per run) ÷ 60 × wage",
    "spent = runs × money per run + platform",
    "gain = saved − spent",
    "ROI = gain ÷ spent",
    "pays from = platform ÷ (saved per run − money per run), runs",
)


@dataclass(frozen=True, slots=True)
class Case:
    """What goes in: of one month."""

    runs: float
    by_hand: float  # minutes
    with_people: float  # minutes that people still spend on a run
    wage: float  # dollars an hour
    per_run: float  # dollars
    platform: float  # dollars

    @property
    def saved(self) -> float:
        """Dollars of people's time."""
        return self.runs * (self.by_hand - self.with_people) / 60 * self.wage

    @property
    def spent(self) -> float:
        """Dollars."""
        return self.runs * self.per_run + self.platform

    @property
    def gain(self) -> float:
        """Dollars."""
        return self.saved - self.spent

    @property
    def roi(self) -> float | None:
        """Gain for each dollar spent; None where nothing is spent."""
        return quotient(self.gain, self.spent)

    @property
    def pays_from(self) -> float | None:
        """Runs a month from which it pays; None where no number of runs does."""
        each = (self.by_hand - self.with_people) / 60 * self.wage - self.per_run
        return quotient(self.platform, each) if each > 0 else None


def quotient(one: float, other: float) -> float | None:
    """One over the other; None for nothing, and for so little that no number holds what comes out."""
    found = one / other if other else math.inf
    return found if math.isfinite(found) else None


@dataclass(frozen=True, slots=True)
class Bar:
    """One input moved down and up by a fifth, all others held: what the gain comes to."""

    name: str
    value: float
    down: float
    up: float

    @property
    def width(self) -> float:
        """How much it matters."""
        return abs(self.up - self.down)


def tornado(case: Case, *, swing: float = SWING) -> list[Bar]:
    """Every input's bar, what matters most first."""
    bars = []
    for field in fields(case):
        value = getattr(case, field.name)
        down = replace(case, **{field.name: value * (1 - swing)}).gain
        up = replace(case, **{field.name: value * (1 + swing)}).gain
        bars.append(Bar(field.name, value, down, up))
    return sorted(bars, key=lambda bar: (-bar.width, bar.name))


def energy_wh(model_calls: int) -> float:
    """An estimate of what so many calls of models took."""
    return model_calls * WH_PER_CALL
