"""/metrics: the names as they were asked for, figures as a hand counts them, for who may read them and cheaply."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from prometheus_client.parser import text_string_to_metric_families

from agents import counted
from agents.models import Agent
from approvals import tokens
from monitoring.models import TallyCursor
from monitoring.telemetry import exposition, tallies
from orchestrator.models import Budget, Lane, Shift, Workflow
from tests import api, factories, people
from tests.integration.metrics.conftest import seal

pytestmark = pytest.mark.django_db
VERBATIM = {
    "prompt_latency_seconds", "tool_call_error_rate", "memory_read_count", "token_budget_remaining",
    "policy_violation_attempts",
}  # fmt: skip


def read() -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """What is said, by sample name and labels."""
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(exposition.text().decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def happen() -> None:
    known = Workflow.objects.filter(name="letters").first()
    run = factories.run(known or factories.workflow("letters", factories.steps("read")))
    task = factories.task(run)
    for outcome in ("done", "done", "kept", "failed"):
        factories.event(run, "tool.called", made=task, actor="agent:reader", tool="crm.find", outcome=outcome)
    factories.event(run, "guard.violated", made=task, agent="reader")
    factories.event(run, "tool.refused", made=task, actor="agent:reader", tool="crm.find")
    factories.event(run, "run.succeeded")
    factories.event(run, "gate.decided", actor="user:ana", verdict="approve", gate=1)
    seal()


def test_the_names_are_those_that_were_asked_for():
    text = exposition.text().decode()

    families = {family.name for family in text_string_to_metric_families(text)}
    assert families >= VERBATIM
    assert all(name.startswith("watchkeeper_") for name in families - VERBATIM)
    assert "policy_violation_attempts_total" not in text


def test_counters_say_what_a_hand_counts_since_somebody_first_asked():
    happen()
    assert not TallyCursor.objects.exists()
    assert tallies.count_on() == 0  # nobody has asked: nothing is counted
    exposition.text()

    happen()
    happen()
    tallies.count_on()

    found = read()
    tool, agent = (("tool", "crm.find"),), (("agent", "reader"),)
    assert found["watchkeeper_tool_calls_total"][tool] == 8
    assert found["watchkeeper_tool_call_errors_total"][tool] == 2
    assert found["policy_violation_attempts"][agent] == 4
    assert found["watchkeeper_runs_total"][("status", "succeeded"), ("workflow", "letters")] == 2
    assert found["watchkeeper_gates_total"][("verdict", "approve"), ("workflow", "letters")] == 2
    tallies.count_on()
    assert read() == found | {"watchkeeper_sequencer_lag_seconds": read()["watchkeeper_sequencer_lag_seconds"]}


def test_a_stretch_that_breaks_off_is_counted_once(monkeypatch):
    exposition.text()
    happen()

    with monkeypatch.context() as patch:
        patch.setattr(tallies, "_note", lambda _pos: 1 / 0)  # after counting, before the cursor has moved
        with pytest.raises(ZeroDivisionError):
            tallies.count_on()
    tallies.count_on()

    assert read()["watchkeeper_tool_calls_total"][("tool", "crm.find"),] == 4


def test_prompt_latency_is_a_histogram_and_memory_reads_are_counted():
    for seconds in (0.05, 0.3, 0.3, 7, 999):
        counted.default.observe(counted.PROMPT_SECONDS, "writer", "openai:gpt", seconds)
    counted.default.count(counted.MEMORY_READS, "writer")
    counted.write_down()
    counted.default.count(counted.MEMORY_READS, "writer")
    counted.write_down()

    found = read()

    key = (("agent", "writer"), ("model", "openai:gpt"))
    buckets = {dict(labels)["le"]: n for labels, n in found["prompt_latency_seconds_bucket"].items()}
    assert (buckets["0.1"], buckets["0.5"], buckets["10.0"], buckets["300.0"], buckets["+Inf"]) == (1, 3, 4, 4, 5)
    assert list(buckets.values()) == sorted(buckets.values())
    assert found["prompt_latency_seconds_count"][key] == 5
    assert found["prompt_latency_seconds_sum"][key] == pytest.approx(1006.65)
    assert found["memory_read_count"][("agent", "writer"),] == 2


def test_budgets_of_tokens_say_which_share_is_left():
    reader = factories.agent("reader")
    Budget.objects.create(scope="agent", ref=_id(reader), resource="tokens", limit=1000, spent=910)
    Budget.objects.create(scope="agent", ref=_id(reader), resource="cost", limit=1000, spent=910)

    assert read()["token_budget_remaining"] == {(("name", "reader"), ("scope", "agent")): pytest.approx(0.09)}


def _id(made: object) -> int:
    return Agent.objects.get(name=getattr(made, "name", "reader")).pk


def test_autoscalers_are_told_what_waits_and_how_many_workers_it_would_fill(settings):
    settings.SHIFT_CAPACITY = 100
    ready = {"default": 161.0, "blocking": 20.0, "eu": 1.0}

    assert exposition.workers_wanted("default", ready, {"default": 79}) == 4  # 240 of 80 each; threads: 20 of 6.4
    assert exposition.workers_wanted("eu", ready, {}) == 1
    assert exposition.workers_wanted("us", ready, {}) == 0
    Lane.objects.get_or_create(name="default")
    factories.run(factories.workflow("w", factories.steps("a")), statuses=["ready"])
    Shift.objects.create(process="w1", capacity=1000, lease_until="2999-01-01T00:00:00Z")
    found = read()
    assert found["watchkeeper_ready_tasks"][("lane", "default"), ("pool", "default")] == 1
    assert found["watchkeeper_workers"][("pool", "default"),] == 1
    assert found["watchkeeper_workers_wanted"][("pool", "default"),] == 1


def test_asking_costs_the_same_whatever_has_happened():
    exposition.text()
    with CaptureQueriesContext(connection) as little:
        exposition.text()
    for _ in range(20):
        happen()
    tallies.count_on()
    with CaptureQueriesContext(connection) as much:
        exposition.text()

    assert len(much) <= len(little) + 2
    assert len(much) <= 26


def test_every_web_process_says_the_same():
    exposition.text()
    happen()
    tallies.count_on()

    first, second = read(), read()

    first.pop("watchkeeper_sequencer_lag_seconds"), second.pop("watchkeeper_sequencer_lag_seconds")
    assert first == second


@pytest.mark.parametrize(
    ("role", "scopes", "status"),
    [
        ("System Integration Engineer", ["metrics"], 200),
        ("System Integration Engineer", ["read"], 200),
        ("System Integration Engineer", ["run"], 403),
        ("Reviewer", ["metrics"], 403),
    ],
)
def test_only_a_token_of_the_scope_whose_owner_may_is_answered(role, scopes, status):
    _, secret = tokens.create(user=people.person("one", role), name="prometheus", scopes=scopes)

    answer = Client().get("/metrics", headers={"Authorization": f"Bearer {secret}"})

    assert answer.status_code == status
    assert ("prompt_latency_seconds" in answer.content.decode()) == (status == 200)


def test_nobody_and_wrong_tokens_are_refused():
    assert Client().get("/metrics").status_code == 401
    assert Client().get("/metrics", headers={"Authorization": "Bearer wk_wrong"}).status_code == 401
    assert Client().post("/metrics").status_code in (403, 405)


def test_a_token_for_figures_opens_nothing_else():
    client = api.as_user(people.person("one", "Administrator"), "metrics")

    assert client.get("/telemetry/outlets").status_code == 200
    for path in ("/telemetry/events", "/events", "/metrics?span=7d"):
        assert client.get(path).status_code in (403, 404), path
    assert client.get("/runs").json() == {"items": [], "next": None}
    assert client.post("/runs", {"workflow": "incident", "input": {}}).status_code in (403, 404)


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200), ("::1", {}, 200), ("10.0.0.5", {}, 401), ("", {}, 401),
        ("127.0.0.1", {"X-Forwarded-For": "10.0.0.5"}, 401), ("127.0.0.1", {"Forwarded": "for=10.0.0.5"}, 401),
    ],
)  # fmt: skip
def test_this_machine_is_answered_only_where_that_was_said_and_no_proxy_asks(settings, address, headers, status):
    assert Client(REMOTE_ADDR="127.0.0.1").get("/metrics").status_code == 401
    settings.METRICS = "loopback"

    assert Client(REMOTE_ADDR=address).get("/metrics", headers=headers).status_code == status


def test_switched_off_it_says_how_to_switch_it_on(settings):
    settings.METRICS = "off"

    answer = Client(REMOTE_ADDR="127.0.0.1").get("/metrics")

    assert (answer.status_code, "METRICS=token" in answer.content.decode()) == (404, True)


def test_what_came_of_work_is_reported_once_and_told(settings):
    client = api.as_user(people.person("one", "Workflow Orchestration Manager"), "run", "read")
    report = {"name": "revenue_recovered", "value": 120.5, "key": "invoice-7"}

    assert client.post("/telemetry/figures", report).status_code == 201
    assert client.post("/telemetry/figures", report).json() == {"is_new": False}
    assert client.post("/telemetry/figures", {**report, "key": "invoice-8", "value": 9.5}).status_code == 201
    assert client.post("/telemetry/figures", {**report, "value": 1}).status_code == 422
    for name in ("Revenue", "watchkeeper_x", "memory_read_count", "x\ny"):
        assert client.post("/telemetry/figures", {**report, "key": name, "name": name}).status_code == 422, name

    assert client.get("/telemetry/figures").json() == [{"name": "revenue_recovered", "reports": 2, "sum": 130.0}]
    assert read()["revenue_recovered"] == {(("workflow", ""),): 130.0}
    poor = api.as_user(people.person("two", "Auditor"), "run", "read")
    assert poor.post("/telemetry/figures", {**report, "key": "k"}).status_code == 403
