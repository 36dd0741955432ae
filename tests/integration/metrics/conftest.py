"""A ledger full of work whose figures are known."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from orchestrator.models import Attempt, Run, Task
from tests import factories

KINDS = {"succeeded": "task.succeeded", "failed": "task.retry_scheduled", "expired": "task.lost"}


def seal() -> None:
    """Seal what this test's own transaction has written, as no sequencer can see it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(event_id), 0) FROM orchestrator_ledger")
        head = cursor.fetchone()[0]
        cursor.execute("SELECT last_pos FROM seal_events(%s, '{}', 100000, NULL)", [head])


def attempt(made: Task, number: int = 1, status: str = "succeeded", *, ms: float = 500, **fields: Any) -> Attempt:
    """One ended try, and the event that speaks of it."""
    ended = fields.pop("ended_at", timezone.now())
    row = Attempt.objects.create(
        task=made, number=number, status=status, agent_version=fields.pop("version", 1),
        started_at=ended - timedelta(milliseconds=ms), ended_at=ended, **fields,
    )  # fmt: skip
    factories.event(made.run, KINDS.get(status, "task.waiting"), made=made, attempt=number)
    return row


def finished(run: Run, kind: str = "run.succeeded", *, actor: str = "engine") -> None:
    """The run's end as the log tells it."""
    factories.event(run, kind, actor=actor)


@pytest.fixture
def work(db: None) -> dict[str, Any]:
    """Two workflows; 40 runs of the first end well, ten of them with a person's act, four others fail."""
    factories.agent("reader")
    factories.agent("writer")
    steps = factories.steps("read", "write", agents={"read": "reader", "write": "writer"})
    first, second = factories.workflow("letters", steps), factories.workflow("other", steps)
    for i in range(44):
        run = factories.run(first, statuses=["succeeded", "succeeded"], status="succeeded")
        factories.event(run, "run.started")
        one, two = factories.task(run, 0), factories.task(run, 1)
        for task in (one, two):
            began = timezone.now() - timedelta(milliseconds=500)
            Task.objects.filter(pk=task.pk).update(ready_at=began - timedelta(milliseconds=100), started_at=began)
        attempt(one, tokens_in=100, tokens_out=20, cost=0.002)
        if i < 6:
            attempt(two, 1, "failed", cost=0.001)
            Task.objects.filter(pk=two.pk).update(attempt=2)
            attempt(two, 2, cost=0.001)
        else:
            attempt(two, cost=0.001)
        if i < 10:
            factories.event(run, "task.edited", actor="user:mia", made=one)
        finished(run, "run.failed" if i >= 40 else "run.succeeded")
    run = factories.run(second, statuses=["succeeded", "running"])
    attempt(factories.task(run, 0), cost=1.25)
    seal()
    return {"first": first, "second": second}
