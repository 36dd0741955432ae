"""How much a workflow makes in a week, what people reject of it, and how long one takes."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from orchestrator.models import Run
from orchestrator.pace import pace_of
from tests import factories, people

pytestmark = pytest.mark.django_db


def ended(made: factories.Workflow, status: str, *, hours: float, code: str = "", days: float = 0) -> None:
    run = factories.run(made, status=status)
    at = timezone.now() - timedelta(days=days)
    error = {"code": code} if code else None
    Run.objects.filter(pk=run.pk).update(started_at=at - timedelta(hours=hours), ended_at=at, error=error)


def test_pace_counts_a_week_and_takes_the_median() -> None:
    made = factories.workflow("content")
    for hours in (1, 2, 9):
        ended(made, "succeeded", hours=hours)
    ended(made, "failed", hours=1, code="rejected")
    ended(made, "failed", hours=1, code="timeout")
    ended(made, "cancelled", hours=1)
    ended(made, "succeeded", hours=1, days=8)
    factories.run(made)

    pace = pace_of(made)

    assert (pace.made, pace.rejected, pace.ended) == (3, 1, 5)
    assert pace.rejection == 0.2
    assert pace.cycle == timedelta(hours=2)
    assert not pace.at_least


def test_pace_stands_on_the_workflows_page() -> None:
    made = factories.workflow("content")
    ended(made, "succeeded", hours=2)
    ended(made, "failed", hours=1, code="rejected")
    client = Client()
    client.force_login(people.person("mia", "Workflow Orchestration Manager"))

    page = client.get("/workflows/content/?tab=runs").content.decode()

    assert "Rejected by people" in page
    assert "50\xa0%" in page
    assert "2 h" in page
