"""Budgets where people look for them: on the pages of a run, a workflow and an agent, and over the API."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from orchestrator.models import Budget, Run
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def mia() -> User:
    return factories.user("mia", "Workflow Orchestration Manager")


@pytest.fixture
def run() -> Run:
    factories.agent("reader")
    made = factories.workflow("flow", factories.steps("first", agents={"first": "reader"}))
    return factories.run(made, statuses=["running"])


def page(client: Client, user: User, address: str) -> str:
    client.force_login(user)
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_run_page_shows_what_is_spent_held_and_left_and_warns_at_80_percent(client, mia, run):
    Budget.objects.create(scope="run", ref=run.pk, resource="tokens", limit=1000, spent=850, reserved=100)
    Budget.objects.create(scope="run", ref=run.pk, resource="calls", limit=10, spent=2)

    shown = page(client, mia, reverse("orchestrator:run", args=[run.pk]))

    assert f"Tokens of run {run.pk}" in shown
    assert shown.count("over 80 %") == 1
    assert reverse("orchestrator:act", args=["run", run.pk, "set-budget"]) in shown


def test_run_without_budgets_shows_no_budgets(client, mia, run):
    assert "Held by calls" not in page(client, mia, reverse("orchestrator:run", args=[run.pk]))


def test_workflow_and_agent_pages_show_their_budgets_and_what_calls_cost(client, mia, run):
    Budget.objects.create(scope="workflow", ref=run.workflow_id, resource="cost", limit=5, spent=5)

    shown = page(client, mia, reverse("orchestrator:workflow", args=["flow"]) + "?tab=budgets")
    uses = page(client, mia, reverse("orchestrator:agent-uses", args=["reader"]))

    assert "Cost of workflow flow" in shown
    assert "used up" in shown
    assert "Its calls in the newest" in uses


def test_limit_is_set_with_a_reason_and_moved_budget_is_refused_beyond_what_is_unused(client, mia, run):
    client.force_login(mia)
    address = reverse("orchestrator:act", args=["run", run.pk, "set-budget"])

    silent = client.post(address, {"input.resource": "tokens", "input.limit": "500", "reason": ""})
    done = client.post(address, {"input.resource": "tokens", "input.limit": "500", "reason": "enough"})

    assert silent.status_code == 422
    assert done.status_code == 302
    assert Budget.objects.get(scope="run", ref=run.pk).limit == 500


def test_only_people_who_may_steer_set_a_runs_budget(client, run):
    client.force_login(factories.user("aud", "Auditor"))

    answer = client.post(reverse("orchestrator:act", args=["run", run.pk, "set-budget"]), {"reason": "x"})

    assert answer.status_code == 403
    assert not Budget.objects.exists()


def test_api_lists_budgets_and_moves_them(client, mia, run):
    writer = factories.agent("writer")
    for agent in (factories.task(run).agent, writer):
        Budget.objects.create(scope="run_agent", ref=run.pk, agent=agent, resource="tokens", limit=100, spent=40)
    client.force_login(mia)
    wanted = {"resource": "tokens", "from": "reader", "to": "writer", "amount": 60}

    def moved(amount: int) -> int:
        body = {"reason": "needed there", "answers": {**wanted, "amount": amount}}
        address = f"/api/v1/runs/{run.pk}/acts/move-budget"
        return client.post(address, body, content_type="application/json").status_code

    assert moved(61) == 422
    assert moved(60) == 200
    listed = client.get(f"/api/v1/runs/{run.pk}/budgets").json()
    assert {row["agent"]: (row["limit"], row["left"]) for row in listed} == {"reader": (40, 0), "writer": (160, 120)}
    assert client.get("/api/v1/workflows/flow/budgets").json() == []
    assert client.get("/api/v1/agents/nobody/budgets").status_code == 404
