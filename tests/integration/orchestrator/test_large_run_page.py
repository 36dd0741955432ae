"""A run whose map has thousands of items: its page asks the database as often as a small one's does."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from agents.types import Json
from orchestrator.models import Run, Task, task_id
from tests import factories

pytestmark = pytest.mark.django_db
FIRST = 100  # the number of the first spawned task, beyond the plan's steps


def wide(items: int) -> Run:
    made = factories.workflow("wide" + str(items), factories.steps("each", "close"))
    created = factories.run(made, statuses=["blocked"])
    parent = factories.task(created)
    fields = {"run": created, "workflow": made, "status": "waiting", "wait_for": "budget", "parent": parent.pk}
    fields |= {"version": created.version, "kind": "automated", "pending": 0}
    Task.objects.bulk_create(
        Task(id=task_id(created.pk, FIRST + n), key=f"each.{n}", spec={"step": _item(n)}, **fields)
        for n in range(items)
    )
    return created


def _item(number: int) -> dict[str, Json]:
    return {"index": FIRST + number, "key": f"each.{number}", "title": f"Item {number}", "kind": "automated"}


def queries_of(client: Client, address: str) -> int:
    client.get(address)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert client.get(address).status_code == 200
    return len(asked)


@pytest.mark.parametrize("tab", ["graph", "timeline", "narrative", "state"])
def test_run_page_of_many_waiting_items_asks_no_more_than_of_few(client, tab):
    client.force_login(factories.user("maria", "Workflow Orchestration Manager"))
    few, many = wide(3), wide(120)

    assert queries_of(client, f"/runs/{many.pk}/?tab={tab}") == queries_of(client, f"/runs/{few.pk}/?tab={tab}")
