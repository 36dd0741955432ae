"""The page of what goes out where: one sentence each; links to traces; the alert when nobody is told any more."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone

from agents import tracing
from agents.tracing import trace_id_of
from monitoring.alerts import evaluation
from monitoring.models import Alert, Outlet, OwnSpan
from monitoring.telemetry import own_spans, page, runner
from tests import people
from tests.receivers import free_port

pytestmark = pytest.mark.django_db


def look(name: str = "Administrator") -> str:
    client = Client()
    client.force_login(people.person("adm", name), "django.contrib.auth.backends.ModelBackend")
    answer = client.get("/telemetry/")
    assert answer.status_code == 200
    return answer.content.decode()


def test_what_is_off_says_how_to_switch_it_on(settings: Any) -> None:
    text = look()

    assert text.count("Nothing is collected, and nothing goes out") == 3
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in text
    assert "Nobody has asked yet" in text


def test_what_fails_says_since_when_why_and_that_nothing_is_lost(lead: Any, settings: Any) -> None:
    lead(traces="https://collector.example.org:4318/secret-path", siem="https://siem.example.org/x?token=abc")
    since = timezone.now() - timedelta(minutes=7)
    Outlet.objects.filter(pk="traces").update(failing_since=since, problem="collector answered 503", failures=9)
    Outlet.objects.filter(pk="siem").update(sent=12, lost=1, sent_at=timezone.now())

    text = look().replace("\xa0", " ")

    assert "For 7 minutes: collector answered 503. What waits is kept" in text
    assert "12 went out, the last" in text
    assert "1 was refused and is lost." in text
    assert "https://collector.example.org:4318" in text
    assert "secret-path" not in text
    assert "token=abc" not in text


def test_five_minutes_without_success_raise_an_alert_that_goes_with_its_cause(lead: Any) -> None:
    lead(siem="https://siem.example.org/x")
    now = timezone.now()
    Outlet.objects.update(failing_since=now - timedelta(minutes=4))
    evaluation.tick(now)
    assert not Alert.objects.exists()

    evaluation.tick(now + timedelta(minutes=2))

    alert = Alert.objects.get()
    assert alert.rule.name == "export-fails"
    Outlet.objects.update(failing_since=None)
    evaluation.tick(now + timedelta(minutes=3))
    evaluation.tick(now + timedelta(minutes=5))  # calm for a minute
    alert.refresh_from_db()
    assert alert.cleared_at is not None


def test_runs_and_cards_link_to_their_trace_where_that_is_set(settings: Any) -> None:
    gate = people.gate()
    client = Client()
    client.force_login(people.person("mia", is_superuser=True), "django.contrib.auth.backends.ModelBackend")
    assert "tempo.example.org" not in client.get(f"/runs/{gate.run_id}/").content.decode()
    settings.TRACE_URL = "https://tempo.example.org/trace/{trace_id}"

    address = f'href="https://tempo.example.org/trace/{trace_id_of(gate.run.correlation_id)}"'
    assert address in client.get(f"/runs/{gate.run_id}/").content.decode()
    assert address in client.get(f"/inbox/{gate.pk}/").content.decode()


def test_whoever_rings_waits_for_nothing(lead: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lead(siem=f"https://127.0.0.1:{free_port()}/")
    held, go = threading.Event(), threading.Event()
    monkeypatch.setattr(runner.pump, "run", lambda _ways: (held.set(), go.wait(10)))

    assert runner.ring()
    assert held.wait(5)
    assert not runner.ring()  # still at it: no second one beside it
    go.set()


def test_spans_of_requests_that_nobody_fetches_are_bounded_and_counted(lead: Any, monkeypatch: Any) -> None:
    lead(traces="https://collector.example.org")
    monkeypatch.setattr(own_spans, "MOST", 3)
    now = timezone.now()
    for _ in range(5):
        with tracing.opened() as trace:
            own_spans.put(trace, name="x", kind="server", began=now, ended=now, failed=False, facts={})
    own_spans.flush()
    assert OwnSpan.objects.count() == 3
    assert Outlet.objects.get(pk="traces").lost == 2
    monkeypatch.setattr(own_spans, "MOST_ROWS", 1)
    assert own_spans.trim() == 2
    assert OwnSpan.objects.count() == 1


def test_a_database_that_is_away_costs_spans_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_rows: object) -> None:
        raise DatabaseError

    now = timezone.now()
    with monkeypatch.context() as patch:
        patch.setattr(own_spans.OwnSpan.objects, "bulk_create", away)
        with tracing.opened() as trace:
            own_spans.put(trace, name="x", kind="server", began=now, ended=now, failed=False, facts={})
        assert own_spans.flush() == 1
    assert own_spans._lost == 1
    monkeypatch.setattr(own_spans, "_lost", 0)


def test_sentences_are_whole_in_each_state() -> None:
    on = page.Shown("siem", "https://x", True)
    assert on.sentence == "Ready; nothing has happened yet that would go out."
