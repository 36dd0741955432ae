"""A jump of five sigma in tokens or duration of the demo's agents is an alert; what is usual is none (A046)."""

from datetime import timedelta

import pytest
from django.utils import timezone

from monitoring.alerts import baselines, evaluation, store
from monitoring.models import Alert, AlertCount
from tests import factories
from tests.hands import seal

pytestmark = pytest.mark.django_db(transaction=True)
DAYS = 20


def rhythm(name: str) -> None:
    """Twenty days of a demo agent: busy by day, calm at night, never quite the same."""
    now = timezone.now().replace(minute=0, second=0, microsecond=0)
    AlertCount.objects.bulk_create(
        AlertCount(seconds=3600, scope="agent", subject=name, at=at, numbers=numbers(at.hour, back))
        for back in range(1, 24 * DAYS)
        for at in [now - timedelta(hours=back)]
    )


def numbers(hour: int, back: int) -> dict[str, int]:
    calls = 100 + (60 if 8 <= hour < 18 else 0)
    return {"calls": calls, "tokens": calls * (90 + back * 37 % 21), "ms": calls * (40 + back * 53 % 9)}


@pytest.mark.parametrize(("sigma", "alerts"), [(5.0, 1), (2.0, 0)])
@pytest.mark.parametrize(
    ("rule", "counted", "jump"),
    [
        ("token-surge", "tokens", {"calls": 100, "ms": 4400}),
        ("slow-agent", "ms/calls", {"calls": 100, "tokens": 10000}),
    ],
)
def test_jump_is_told_of_by_its_size(rule: str, counted: str, jump: dict[str, int], sigma: float, alerts: int):
    baselines.forget()
    seal()
    evaluation.tick()
    factories.agent("severity-assessor")
    rhythm("severity-assessor")
    later = timezone.now() + timedelta(seconds=16)
    usual = baselines.usual("agent", "severity-assessor", counted, now=later)
    assert usual.is_known
    value = usual.level + sigma * usual.spread
    part, _slash, whole = counted.partition("/")
    amount = value * (jump[whole] if whole else 1)
    minute = timezone.now().replace(second=0, microsecond=0)
    store.add({("agent", "severity-assessor"): {minute: {**jump, part: amount}}})

    evaluation.tick(later)

    found = Alert.objects.filter(rule__name=rule, subject="severity-assessor")
    assert found.count() == alerts
    if alerts:
        assert found.get().rule.runbook
