"""What pages show of failures: what a run lacks, who is out of service, and stacks to those who may see them."""

import pytest
from django.test import Client
from django.utils import timezone

from orchestrator.models import Attempt, Breaker, Event, Run
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


def in_part() -> Run:
    run = a_run("partial")
    failure = {**MISSING["failed_agents"][0], "task": factories.task(run, 1).pk}
    Run.objects.filter(pk=run.pk).update(failed=1, outcome={**MISSING, "failed_agents": [failure]})
    return run


def test_inbox_lists_runs_that_ended_in_part_with_impact_confidence_and_one_click_acts():
    run = in_part()
    mia, qa = client_of("Workflow Orchestration Manager"), client_of("Quality Assurance Lead")
    missing = factories.task(run, 1).pk

    inbox, shown = mia.get("/inbox/").content.decode(), mia.get("/runs/incomplete/").content.decode()

    assert 'hx-get="/runs/incomplete/"' in inbox
    assert "&lt;b&gt;No summary&lt;/b&gt;" in shown
    assert "1.00, as no step states one; 5 of 6 steps gave their output: 0.83." in shown
    for act in ("retry_longer", "manual_review"):
        assert f"/act/task/{missing}/{act}/" in shown
        assert mia.get(f"/act/task/{missing}/{act}/").status_code == 200
    assert str(run.title) not in qa.get("/runs/incomplete/").content.decode()


def test_incomplete_result_that_is_accepted_leaves_the_inbox_once_with_a_reason():
    run = in_part()
    mia = client_of("Workflow Orchestration Manager")
    address = f"/act/run/{run.pk}/accept/"

    silent = mia.post(address, {"reason": ""}).status_code
    done = mia.post(address, {"reason": "good enough"}).status_code
    again = mia.post(address, {"reason": "good enough"}).status_code

    assert (silent, done, again) == (422, 302, 409)
    assert address not in mia.get("/runs/incomplete/").content.decode()
    run.refresh_from_db()
    assert run.status == "partial"
    assert Event.objects.get(run=run, kind="run.accepted").data["reason"] == "good enough"


def test_step_from_cache_names_the_run_that_its_result_is_of():
    run = a_run("succeeded")
    task = factories.task(run)
    factories.event(run, "task.succeeded", made=task, cached=(7 << 20) + 3)
    version = run.version
    version.plan["steps"][0]["cache_s"] = 60.0
    version.save(update_fields=["plan"])

    page = client_of("Auditor").get(f"/runs/{run.pk}/?task={task.key}").content.decode()

    assert 'From cache, of <a class="link" href="/runs/7/">run #7</a>' in page
