"""Alerts in tests: what was before is no news, a tick some seconds from now, and which rules have an open alert."""

from datetime import timedelta

from django.utils import timezone

from monitoring.alerts import baselines, evaluation
from monitoring.models import Alert
from tests.hands import seal


def look_first() -> None:
    """What was before the first look is no news."""
    baselines.forget()
    seal()
    evaluation.tick()


def look_in(seconds: float) -> list[Alert]:
    """A tick so many seconds from now, at all that is sealed."""
    seal()
    return evaluation.tick(timezone.now() + timedelta(seconds=seconds))


def names() -> list[str]:
    """Of the rules whose alerts are open."""
    return sorted(Alert.objects.filter(closed_at=None).values_list("rule__name", flat=True))
