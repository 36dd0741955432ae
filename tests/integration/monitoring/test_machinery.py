"""Pages say when nothing makes runs go on: no worker, or a broker that is away."""

import re
from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from monitoring import machinery
from monitoring.machinery import troubles
from orchestrator import dispatch, events
from orchestrator.events import EventKind
from orchestrator.models import Doorbell, Shift, Task, Timer
from tests import factories

pytestmark = pytest.mark.django_db


class Bell:
    """A Celery task whose broker is away, or is not."""

    name = "orchestrator.tasks.work_shift"

    def __init__(self, problem: Exception | None = None) -> None:
        self._problem = problem

    def apply_async(self, **_kwargs: object) -> None:
        if self._problem is not None:
            raise self._problem


def shift(*, seen_s: float, ended: bool = False) -> Shift:
    at = timezone.now() - timedelta(seconds=seen_s)
    until = at + timedelta(seconds=settings.LEASE_SECONDS)
    return Shift.objects.create(
        process="w", capacity=1, started_at=at, renewed_at=at, lease_until=until, ended_at=at if ended else None
    )


def said() -> list[str]:
    return [str(trouble.what) for trouble in troubles()]


def test_a_stack_at_work_says_nothing():
    shift(seen_s=1)

    assert said() == []


def test_between_two_shifts_nothing_is_said():
    shift(seen_s=settings.LEASE_SECONDS, ended=True)

    assert said() == []


def test_workers_that_were_not_seen_for_two_leases_are_said_to_be_gone():
    shift(seen_s=3 * settings.LEASE_SECONDS)

    assert said() == ["No worker is at work"]


def test_workers_that_never_came_are_missed_once_work_is_ready():
    made = factories.run(factories.workflow(), statuses=["ready"])
    Task.objects.of_run(made.pk).update(ready_at=timezone.now())
    assert said() == []

    Task.objects.of_run(made.pk).update(ready_at=timezone.now() - timedelta(minutes=5))

    assert said() == ["No worker is at work"]


def test_a_doorbell_that_does_not_ring_is_said_for_a_while():
    shift(seen_s=1)
    assert not dispatch.ring(Bell(ConnectionRefusedError()))
    assert not dispatch.ring(Bell(ConnectionRefusedError()))  # again: still one row

    assert said() == ["The broker is away"]
    Doorbell.objects.update(failed_at=timezone.now() - timedelta(minutes=2))
    assert said() == []


def test_events_that_nobody_seals_are_said_within_seconds_and_not_at_once(monkeypatch: pytest.MonkeyPatch):
    shift(seen_s=1)
    events.append(EventKind.STOP_SET, actor="engine", data={})
    assert said() == []

    monkeypatch.setattr(machinery, "BEHIND", timedelta(seconds=-10))  # as if the event were that much older

    assert said() == ["The control worker is away or behind"]


def test_timers_that_nobody_fires_are_said_within_seconds_until_they_are():
    shift(seen_s=1)
    timer = Timer.objects.create(kind="task_timer", ref=1, due_at=timezone.now() - timedelta(seconds=5))
    assert said() == []

    Timer.objects.update(due_at=timezone.now() - timedelta(seconds=11))
    found = troubles()
    assert [str(trouble.what) for trouble in found] == ["The control worker is away or behind"]
    timer.refresh_from_db()
    assert found[0].since == timer.due_at

    Timer.objects.update(fired_at=timezone.now())
    assert said() == []


def test_a_doorbell_that_rings_leaves_no_trace():
    shift(seen_s=1)

    assert dispatch.ring(Bell())
    assert said() == []


def test_every_page_asks_for_it_at_once_and_again_by_the_clock(client: Client):
    shift(seen_s=3 * settings.LEASE_SECONDS)
    client.force_login(
        factories.user("mia", "Workflow Orchestration Manager"), backend="django.contrib.auth.backends.ModelBackend"
    )

    page = client.get("/").content.decode()
    asks = re.search(r'<div id="shell-machinery"[^>]*>', page)
    assert asks is not None
    assert 'hx-get="/shell/?part=machinery"' in asks[0]
    assert 'hx-trigger="load"' in asks[0]
    part = client.get("/shell/?part=machinery", headers={"HX-Request": "true"}).content.decode()
    assert "No worker is at work" in part
    assert 'hx-trigger="every 10s"' in part
