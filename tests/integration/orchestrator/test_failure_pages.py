"""What pages show of failures: what a run lacks, who is out of service, and stacks to those who may see them."""

import pytest
from django.test import Client
from django.utils import timezone

from orchestrator.models import Attempt, Breaker, Run
from tests import factories

pytestmark = pytest.mark.django_db
MISSING = {
    "status": "partial_success",
    "more": 0,
    "failed_agents": [
        {
            "task": 1, "step": "summary", "title": "Threat summary", "agent": "summary-agent", "message": "too slow",
            "error": "timeout_after_3_attempts", "impact": "<b>No summary</b>", "timed_out": True, "timeout": 60.0,
        }
    ],
}  # fmt: skip


def client_of(*roles: str) -> Client:
    client = Client()
    client.force_login(factories.user("", *roles))
    return client


def a_run(status: str) -> Run:
    incident = factories.workflow("incident", factories.incident_steps(), title="Incident response")
    return factories.run(incident, statuses=["succeeded", "failed", *["succeeded"] * 6], status=status)


def test_run_that_ended_in_part_says_what_is_missing_and_offers_the_acts():
    run = a_run("partial")
    Run.objects.filter(pk=run.pk).update(failed=1, outcome=MISSING)

    page = client_of("Workflow Orchestration Manager").get(f"/runs/{run.pk}/").content.decode()

    assert "timeout_after_3_attempts" in page
    assert "&lt;b&gt;No summary&lt;/b&gt;" in page
    assert "/act/task/1/retry_longer/" in page
    assert "/act/task/1/manual_review/" in page
    watched = client_of("Quality Assurance Lead").get(f"/runs/{run.pk}/").content.decode()
    assert "timeout_after_3_attempts" in watched
    assert "/act/task/1/retry_longer/" not in watched


def test_agent_out_of_service_is_shown_until_when_and_to_whom_it_may_be_put_back():
    agent = factories.agent("slow-agent")
    Breaker.objects.create(
        agent=agent, state="open", failures=3, opened_at=timezone.now(), last_error={"code": "timeout", "message": "x"}
    )

    seen = client_of("Auditor").get("/out-of-service/").content.decode()
    assert "slow-agent" in seen
    assert "one task tries it again" in seen
    assert "reset_breaker" not in seen
    may = client_of("Agent Development Specialist").get("/out-of-service/?agent=slow-agent").content.decode()
    assert "/act/agent/slow-agent/reset_breaker/" in may


def test_stack_of_an_error_is_shown_to_those_who_may_see_details():
    run = a_run("failed")
    task = factories.task(run, 1)
    Attempt.objects.filter(task=task).delete()
    Attempt.objects.create(
        task=task,
        number=1,
        status="failed",
        ended_at=timezone.now(),
        error={"code": "unexpected", "message": "It raised", "class": "KeyError", "stack": "a.py:7"},
    )
    address = f"/runs/{run.pk}/?task={task.key}"

    assert "a.py:7" in client_of("Agent Development Specialist").get(address).content.decode()
    assert "a.py:7" not in client_of("Auditor").get(address).content.decode()
    assert "It raised" in client_of("Auditor").get(address).content.decode()
