"""The time machine: a run as it was after any event, by its number, by a place of the ledger, and of one step."""

import pytest
from django.test import Client

from orchestrator import time_machine
from orchestrator.models import LedgerEntry, Run
from tests import factories
from tests.integration.feedback.conftest import seal

pytestmark = pytest.mark.django_db


@pytest.fixture
def run() -> Run:
    made = factories.workflow("flow", factories.steps("first", "second"))
    created = factories.run(made, statuses=["succeeded", "running"])
    first, second = factories.task(created), factories.task(created, 1)
    factories.event(created, "run.started", tasks=2)
    factories.event(created, "task.started", made=first, attempt=1)
    factories.event(factories.run(made), "run.started", tasks=2)  # another run's event, between this run's
    factories.event(created, "task.succeeded", made=first, attempt=1)
    factories.event(created, "task.started", made=second, attempt=1)
    return created


@pytest.fixture
def client(client: Client) -> Client:
    client.force_login(factories.user("maria", "Workflow Orchestration Manager"))
    return client


def test_a_place_of_the_ledger_leads_to_the_runs_last_event_at_or_before_it(run):
    seal()
    places = list(LedgerEntry.objects.order_by("pos").values_list("pos", flat=True))

    numbers = [time_machine.past(run, {"pos": str(pos)})["number"] for pos in places]

    assert numbers == [1, 2, 2, 3, 4]
    assert time_machine.past(run, {"pos": str(places[-1] + 1000)})["number"] == 4


def test_a_step_shows_how_it_was_then_and_everything_that_happened_to_it(run):
    then = time_machine.past(run, {"n": "2", "task": "first"})["then"]

    assert (then.title, then.counts, then.attempt) == ("First", (("running", 1),), 1)
    assert [event.number for event, _entry in then.events] == [2, 3]


@pytest.mark.parametrize("task", ["nonsense", "~first", "a\x00b"])
def test_a_step_that_is_none_is_not_shown(run, task):
    assert time_machine.past(run, {"task": task})["then"] is None


def test_the_slider_keeps_its_place_in_the_address(client, run):
    answer = client.get(f"/runs/{run.pk}/?tab=past&n=2&task=first&part=tab&by=slider", headers={"HX-Request": "true"})

    assert answer["HX-Replace-Url"] == f"/runs/{run.pk}/?tab=past&n=2&task=first"
    assert "HX-Replace-Url" not in client.get(f"/runs/{run.pk}/?tab=past&n=2&part=tab", headers={"HX-Request": "true"})


def test_the_page_links_each_box_to_the_step_as_it_was(client, run):
    page = client.get(f"/runs/{run.pk}/?tab=past&n=2").text

    assert f'href="/runs/{run.pk}/?tab=past&amp;n=2&amp;task=first"' in page
