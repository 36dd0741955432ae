"""What a run waits for, in lists and in the API: the same whatever its size, and what its own page says."""

from datetime import timedelta

import pytest
from django.utils import timezone

from orchestrator import queries, run_page
from orchestrator.models import Run, Task, Timer, task_id
from orchestrator.queries import RunFilter
from tests import factories, people
from tests.api import as_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager() -> factories.User:
    return factories.user("maria", "Workflow Orchestration Manager")


def run(count: int, *statuses: str) -> Run:
    made = factories.workflow(f"flow-{count}", factories.steps(*[f"s{n}" for n in range(count)]))
    return factories.run(made, statuses=statuses)


def in_list(user: factories.User) -> str:
    return str(queries.run_list(user, RunFilter()).rows[0].sentence)


def test_a_step_that_will_be_tried_again_is_named_with_its_time_in_the_list(manager):
    created = run(3, "succeeded", "waiting")
    due = timezone.now() + timedelta(minutes=5)
    Task.objects.filter(pk=task_id(created.pk, 1)).update(wait_for="retry")
    Timer.objects.create(kind="task_retry", ref=task_id(created.pk, 1), due_at=due)

    assert in_list(manager) == f"Waiting to try S1 again {due:%H:%M:%S} UTC after it failed."


@pytest.mark.parametrize("count", [200, 400])
def test_a_long_run_says_in_the_list_what_a_short_one_says(manager, count):
    created = run(count, *["succeeded"] * 5, *["running"] * 150)

    said = in_list(manager)

    assert said in ("Working on S5 and S6 and 148 more.", "Working on S5 and S154 and 148 more.")
    assert str(run_page.sentence_of(created)) == "Working on S5 and S6 and 148 more."


def test_a_long_run_that_waits_for_a_moment_says_so_in_the_list(manager):
    created = run(400, *["succeeded"] * 5, "waiting")
    Task.objects.filter(pk=task_id(created.pk, 5)).update(wait_for="budget")

    assert in_list(manager) == "S5 waits for a budget."


def test_an_approval_that_can_still_be_taken_back_is_no_longer_waited_for(manager):
    gate = people.gate(title="Isolate host fin-db-02")
    type(gate).objects.filter(pk=gate.pk).update(releases_at=timezone.now() + timedelta(seconds=30))

    assert "“Isolate host fin-db-02” is approved; it goes out" in str(run_page.sentence_of(gate.run))


def test_the_api_says_of_each_run_in_its_list_what_it_waits_for(manager):
    created = run(3, "succeeded", "running")

    answer = as_user(manager).get("/runs")

    assert [(item["id"], item["waits_for"]) for item in answer.json()["items"]] == [(created.pk, "Working on S1.")]
