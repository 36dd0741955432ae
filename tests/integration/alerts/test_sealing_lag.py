"""How late events are sealed: from when somebody could have sealed them."""

from datetime import timedelta

import pytest
from django.utils import timezone

from monitoring.alerts import measuring
from orchestrator import events

pytestmark = pytest.mark.django_db


def lag_after(seconds: float) -> float:
    return measuring.measure(timezone.now() + timedelta(seconds=seconds))["system", ""]["lag_s"]


def test_event_that_stays_unsealed_gets_late(monkeypatch):
    monkeypatch.setattr(measuring, "_STARTED", timezone.now() - timedelta(hours=1))
    events.append("role.granted", actor="user:adam", data={"user": "zoe", "role": "Reviewer"})

    assert 60 <= lag_after(60) < 65


def test_what_a_stack_finds_when_it_starts_is_not_late_yet(monkeypatch):
    events.append("role.granted", actor="user:adam", data={"user": "zoe", "role": "Reviewer"})
    monkeypatch.setattr(measuring, "_STARTED", timezone.now() + timedelta(seconds=55))

    assert 5 <= lag_after(60) < 10
