"""Each week some of what agents did is drawn for people, and what runs by the clock is known to Celery."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from agents.lifecycle import items
from agents.models import AgentItem
from config.celery import app
from orchestrator import weekly
from orchestrator.models import Task
from tests import factories

pytestmark = pytest.mark.django_db


def worked(agent: str, runs: int, *, ago: timedelta = timedelta()) -> list[int]:
    factories.agent(agent)
    found = factories.workflow(plan_steps=factories.steps("a", agents={"a": agent}))
    tasks = []
    for _ in range(runs):
        made = factories.task(factories.run(found))
        Task.objects.filter(pk=made.pk).update(status="succeeded", ended_at=timezone.now() - ago)
        tasks.append(made.pk)
    return tasks


def test_week_draws_some_steps_of_each_agent_once() -> None:
    tasks = worked("writer", 8)
    worked("idle", 1, ago=timedelta(days=8))

    assert weekly.draw() == 1
    assert weekly.draw() == 0

    item = AgentItem.objects.get()
    year, week, _day = timezone.now().isocalendar()
    assert (item.agent.name, item.kind, item.facts["of"]) == ("writer", f"review {year}-W{week:02}", 8)
    drawn = [one["task"] for one in item.facts["steps"]]
    assert len(drawn) == weekly.DRAWN
    assert set(drawn) < set(tasks)

    items.close(item.agent, item.kind, by="mo", reason="all as it should be")
    assert weekly.draw() == 0  # this week's is done
    AgentItem.objects.all().delete()
    assert weekly.draw() == 1
    assert [one["task"] for one in AgentItem.objects.get().facts["steps"]] == drawn  # whoever draws again


def test_beat_rings_by_itself_for_the_week_the_night_and_the_red_teams_month() -> None:
    slots = app.conf.beat_schedule
    app.loader.import_default_modules()
    assert {entry["task"] for entry in slots.values()} <= set(app.tasks)

    def due(name: str, at: datetime) -> bool:
        cron = slots[name]["schedule"]
        return (
            at.minute in cron.minute
            and at.hour in cron.hour
            and at.day in cron.day_of_month
            and at.isoweekday() % 7 in cron.day_of_week
        )

    monday = datetime(2026, 11, 30, 6, 10, tzinfo=UTC)
    assert due("draw-weekly", monday)
    assert not due("draw-weekly", monday + timedelta(days=1))
    assert all(due("evaluate-nightly", datetime(2026, 11, day, 2, 10, tzinfo=UTC)) for day in range(1, 31))
    assert due("evaluate-monthly", datetime(2026, 12, 1, 3, 10, tzinfo=UTC))
    assert not due("evaluate-monthly", datetime(2026, 12, 2, 3, 10, tzinfo=UTC))
