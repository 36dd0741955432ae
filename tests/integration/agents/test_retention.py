"""Records go when their time is over: in bounded batches, with an event, and not while somebody holds them."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from agents import retention
from agents.models import Assessment, ModelCall, PartialText, ToolCall, ToolUse
from agents.tasks import forget_records
from orchestrator.models import Event

pytestmark = pytest.mark.django_db
OLD = timedelta(days=401)


@pytest.fixture
def records() -> None:
    """One old and one young record of each kind."""
    now = timezone.now()
    for number, at in enumerate((now - OLD, now)):
        assessment = Assessment.objects.create(
            task=number, run=1, attempt=1, workflow="w", step="s", agent="a", score=50, passed=True
        )
        Assessment.objects.filter(pk=assessment.pk).update(assessed_at=at)
        ToolUse.objects.create(agent="a", tool="t", decision="allowed", hour=at, last_at=at)
        called = ModelCall.objects.create(key=f"k{number}", correlation_id="c", attempt=1, agent="a", model="m")
        ModelCall.objects.filter(pk=called.pk).update(at=at)
        ToolCall.objects.create(seal=f"s{number}", key="k", correlation_id="c", given="{}", at=at)
        PartialText.objects.create(
            key=f"k{number}", correlation_id="c", agent="a", attempt=1, text="so far", updated_at=at
        )


def left() -> list[int]:
    return [model.objects.count() for model in (Assessment, ToolUse, ModelCall, ToolCall, PartialText)]


def told() -> list[dict[str, Any]]:
    return list(Event.objects.filter(kind="retention.applied").order_by("id").values_list("data", flat=True))


def test_only_what_is_too_old_goes_and_an_event_says_how_much(records):
    forget_records()

    assert left() == [1, 1, 1, 1, 1]
    assert not ModelCall.objects.filter(key="k0").exists()
    assert told() == [
        {"what": "assessments", "count": 1, "days": 365},
        {"what": "tool_uses", "count": 1, "days": 400},
        {"what": "model_calls", "count": 1, "days": 400},
        {"what": "tool_calls", "count": 1, "days": 30},
    ]
    forget_records()
    assert len(told()) == 4  # nothing to do tells nothing


def test_operator_says_how_long(records, settings):
    settings.RETENTION_DAYS = {**settings.RETENTION_DAYS, "model_calls": 500}

    forget_records()

    assert left() == [1, 1, 2, 1, 1]


def test_what_somebody_holds_stays_however_old(records, monkeypatch):
    monkeypatch.setitem(retention.HOLDS, "model_calls", [lambda: ModelCall.objects.filter(correlation_id="c")])

    forget_records()

    assert left() == [1, 1, 2, 1, 1]
    monkeypatch.setitem(retention.HOLDS, "model_calls", [])
    forget_records()
    assert left() == [1, 1, 1, 1, 1]


def test_batches_are_bounded_and_the_next_go_takes_up_the_rest(monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 2)
    monkeypatch.setattr(retention, "MOST_BATCHES", 2)
    at = timezone.now() - OLD
    ToolUse.objects.bulk_create(
        ToolUse(agent="a", tool=f"t{number}", decision="allowed", hour=at, last_at=at) for number in range(5)
    )

    assert retention.forget()["tool_uses"] == 4
    assert retention.forget()["tool_uses"] == 1
    assert [one["count"] for one in told()] == [2, 2, 1]
