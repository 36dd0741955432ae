"""What is asked of agents held against what they did; what falls short opens an item, once."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone

from agents.lifecycle import items
from agents.lifecycle.measuring import Measured, measure
from agents.models import Agent, AgentItem, QualityTarget
from agents.types import Json

LEAST: Final = {"accuracy": 10, "success": 20, "p95_ms": 20}  # observations; fewer prove too little for an item
MEASURES: Final = tuple(LEAST)


@dataclass(frozen=True, slots=True)
class Held:
    """One target against its actual value, as last measured over `n` observations. Shares 0-1, milliseconds."""

    measure: str
    target: float
    actual: float | None
    n: int

    @property
    def status(self) -> str:
        """met, missed, or unproven while there are too few observations."""
        if self.actual is None or self.n < LEAST[self.measure]:
            return "unproven"
        met = self.actual <= self.target if self.measure == "p95_ms" else self.actual >= self.target
        return "met" if met else "missed"

    @property
    def label(self) -> str:
        """What is measured, as people call it."""
        return LABELS[self.measure]

    @property
    def words(self) -> str:
        """Both values, as people read them."""
        return f"{_said(self.measure, self.actual)} against a target of {_said(self.measure, self.target)}"

    @property
    def target_words(self) -> str:
        """The target, as people read it."""
        return _said(self.measure, self.target)

    @property
    def actual_words(self) -> str:
        """The actual value, as people read it."""
        return _said(self.measure, self.actual)


def held(target: QualityTarget) -> list[Held]:
    """Every target that is set, against what was last measured."""
    return list(_held(target))


def _held(target: QualityTarget) -> Iterator[Held]:
    for name in MEASURES:
        if (asked := getattr(target, name)) is not None:
            known = target.measured.get(name, {})
            yield Held(name, asked, known.get("value"), known.get("n", 0))


def watch() -> int:
    """Measure every agent with targets, keep the values, and open items; how many were opened."""
    targets = QualityTarget.objects.select_related("agent").order_by("pk")
    return sum(check(target) for target in targets)


@transaction.atomic
def check(target: QualityTarget) -> int:
    """One agent: how many items were opened."""
    now = timezone.now()
    since = now - timedelta(hours=target.hours)
    measured = _as_json(measure(target.agent, since=since))
    QualityTarget.objects.filter(pk=target.pk).update(measured=measured, measured_at=now)
    target.measured, target.measured_at = measured, now
    return sum(_open(target, one, since) for one in held(target) if one.status == "missed")


def _open(target: QualityTarget, missed: Held, since: datetime) -> bool:
    """What a person has closed counts again only by what came after: until then it is old news."""
    closed = AgentItem.objects.filter(agent=target.agent, kind=missed.measure, closed_at__gt=since)
    if last := closed.order_by("-closed_at").values_list("closed_at", flat=True).first():
        fresh = _as_json(measure(target.agent, since=last + timedelta(minutes=1))).get(missed.measure, {})
        missed = Held(missed.measure, missed.target, fresh.get("value"), int(fresh.get("n") or 0))
    if missed.status != "missed":
        return False
    facts: dict[str, Json] = {"target": missed.target, "actual": missed.actual, "n": missed.n, "hours": target.hours}
    words = f"{LABELS[missed.measure]}: {missed.words}, over {missed.n} in {target.hours} h."
    return items.open_once(target.agent, missed.measure, words, facts)


def _as_json(found: Measured) -> dict[str, dict[str, float | int | None]]:
    return {
        "accuracy": {"value": found.accuracy, "n": found.decided},
        "success": {"value": found.success, "n": found.calls},
        "p95_ms": {"value": found.p95_ms, "n": found.calls},
    }


LABELS: Final = {"accuracy": "Accuracy", "success": "Success share", "p95_ms": "Latency p95"}


def _said(measure: str, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f} ms" if measure == "p95_ms" else f"{value * 100:.1f} %"


def target_of(agent: Agent) -> QualityTarget | None:
    """What is asked of this agent, if anything."""
    return QualityTarget.objects.filter(agent=agent).first()
