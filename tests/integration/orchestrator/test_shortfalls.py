"""The run's page says that a map will need more documents than its agent may take, before the run halts there."""

from typing import Any

import pytest

from orchestrator.models import Task
from tests import factories
from tests.engine import eventually, publish, shift, start

pytestmark = pytest.mark.django_db(transaction=True)
MAP = "- {key: each, type: map, over: input.items, body: {type: automated, agent: test-apart}}"


@pytest.mark.parametrize(("items", "said"), [(101, True), (100, False)])
def test_map_that_is_wider_than_its_agents_documents_is_told_beforehand(client: Any, items: int, said: bool) -> None:
    publish(MAP)
    run = start(items=list(range(items)))
    with shift(capacity=1):
        eventually(lambda: Task.objects.of_run(run.pk).filter(parent__isnull=False).exists())
        Task.objects.of_run(run.pk).filter(status="ready").update(held=True)
    client.force_login(factories.user("mia", "Workflow Orchestration Manager"))
    page = client.get(f"/runs/{run.pk}/").content.decode()

    assert ("more documents in this run: it will halt there" in page) is said
