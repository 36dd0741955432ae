"""Somebody has twelve minutes: which cards to look at, by how long such cards took before and what is at stake."""

import statistics
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from django.db.models import F
from django.utils import timezone

from approvals.models import Decision, Gate
from approvals.queries import Row

# Seconds for a card, where nobody has decided one of its step with the card open: an assumption, not a measurement.
ASSUMED: Final = {"low": 45.0, "medium": 90.0, "high": 180.0, "critical": 300.0}
_LOOKED_AT: Final = 500  # of the newest decisions
_ENOUGH: Final = 3
_LONGEST: Final = 1800.0  # a card that was open for longer was not looked at all that time


def chosen(rows: Sequence[Row], until: datetime) -> tuple[list[Row], float]:
    """The rows that fit into the time until then, the most urgent first, and the seconds that they should take.

    `rows` come in the order of harm times time left. One that is too long for what is left gives way to the next.
    """
    left = max(0.0, (until - timezone.now()).total_seconds())
    usual = _usual([row.gate for row in rows])
    found: list[Row] = []
    needed = 0.0
    for row in rows:
        takes = usual[row.gate.pk]
        if row.may_decide and needed + takes <= left:
            found.append(row)
            needed += takes
    return found, needed


def _usual(gates: Sequence[Gate]) -> dict[int, float]:
    """Seconds that each of these cards should take: the median of its step's decisions, from opening the card on."""
    workflows = {gate.workflow_id for gate in gates}
    rows = (
        Decision.objects.filter(
            gate__workflow__in=workflows,
            gate__presence__user=F("decided_by"),
            decided_at__gt=F("gate__presence__first_at"),
        )
        .order_by("-id")
        .values_list("gate__workflow", "gate__step", "decided_at", "gate__presence__first_at")[:_LOOKED_AT]
    )
    took: dict[tuple[int, str], list[float]] = defaultdict(list)
    for workflow, step, decided, opened in rows:
        took[workflow, step].append(min(_LONGEST, (decided - opened).total_seconds()))
    medians = {key: statistics.median(spans) for key, spans in took.items() if len(spans) >= _ENOUGH}
    worst = max(ASSUMED.values())
    return {gate.pk: medians.get((gate.workflow_id, gate.step), ASSUMED.get(gate.risk, worst)) for gate in gates}
