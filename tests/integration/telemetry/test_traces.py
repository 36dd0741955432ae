"""Spans: one trace a piece of work, from whoever asked to the tools; sent at least once, never waited for."""

import importlib.util
import os
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from agents import tracing
from approvals.models import Gate
from approvals.services import decide
from monitoring.models import Outlet, OwnSpan
from monitoring.telemetry import own_spans, pump
from orchestrator import events, ledger, sequencer
from orchestrator.models import Event, Run
from tests import engine, factories, people
from tests.receivers import free_port, listens, receiving

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "sk-proj-Zx81LmnoPqrStuVwx2345678901234567890AbCd"  # in every place where people and agents write
WORDS = "the patient Erika Mustermann, born 12.08.1964"
STEPS = """
  - {key: look, type: automated, agent: test-flaky, inputs: {times: 1, text: "${input.text}"}}
  - key: write
    type: automated
    agent: test-echo
    inputs: {what: "${input.text}", confidence: 0.4}
    gate: {when: "confidence < 0.5", queue: oncall, title: "Send it?"}
"""
CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture(autouse=True)
def answers_at_once(settings: Any) -> None:
    settings.UNDO_RUNWAY = {}


def seal() -> None:
    with sequencer.connect() as connection:
        sequencer.seal_all(connection)


def work_through(**options: Any) -> Run:
    """A run with a retry, a person's verdict and two agents; every text in it is one that must not go out."""
    engine.publish(STEPS, rest="dependencies: {write: [look]}")
    run = engine.start(text=f"{SECRET} {WORDS}", customer_id="C-4711", **options)
    reviewer = factories.user("root", is_superuser=True)
    with engine.shift():
        engine.eventually(lambda: Gate.objects.filter(run=run, status="open").exists())
        gate = Gate.objects.get(run=run)
        decide(gate_id=gate.pk, by=reviewer, verdict="approve", gate_version=gate.version, note=f"{SECRET} {WORDS}")
        engine.eventually(lambda: engine.finished(run))
    assert run.status == "succeeded"
    seal()
    return run


def test_a_run_is_one_trace_whose_spans_say_who_did_what(collector, lead, send):
    lead(traces=collector.url)

    run = work_through()
    assert send() > 0

    spans = [one for one in collector.spans() if one["trace"] == run.correlation_id]
    by_id = {one["id"]: one for one in spans}
    assert len(by_id) == len(spans)
    (root,) = [one for one in spans if one["name"] == "run flow"]
    assert root["parent"] == ""
    assert all(one["parent"] in by_id for one in spans if one is not root)
    named = {one["name"] for one in spans}
    assert {"run flow", "task look", "task write", "invoke_agent test-flaky", "invoke_agent test-echo", "retry",
            "decision oncall"} <= named  # fmt: skip
    layers = {one["name"]: one["facts"]["watchkeeper.layer"] for one in spans}
    assert layers["run flow"] == layers["task look"] == layers["retry"] == "coordinator"
    assert layers["invoke_agent test-echo"] == "execution"
    assert layers["decision oncall"] == "human"
    failed, done = [one for one in spans if one["name"] == "invoke_agent test-flaky"]
    assert (failed["failed"], done["failed"]) in ((True, False), (False, True))
    assert {one["facts"]["watchkeeper.attempt"] for one in (failed, done)} == {1, 2}
    assert all(one["began"] <= one["ended"] for one in spans)
    assert {one["service"] for one in spans} == {"watchkeeper"}
    (shift,) = [one for one in collector.spans() if one["name"] == "run work_shift"] or [None]
    assert shift is None or (shift["trace"], shift["id"]) in done["links"]


def test_nothing_that_people_or_agents_wrote_is_in_a_span(collector, lead, send):
    lead(traces=collector.url)

    work_through()
    send()

    for canary in (SECRET, "Mustermann", "12.08.1964", "C-4711", "Send it?"):
        assert canary not in collector.text, canary


def test_the_same_stretch_again_is_the_same_spans(collector, lead, send):
    lead(traces=collector.url)
    work_through()
    send()
    first = {(one["trace"], one["id"], one["name"], one["began"]) for one in collector.spans()}

    collector.requests.clear()
    Outlet.objects.update(pos=0)  # as if we had been killed between sending and noting it
    send()

    assert first <= {(one["trace"], one["id"], one["name"], one["began"]) for one in collector.spans()}


def test_a_collector_that_is_away_delays_nothing_and_gets_everything_later(lead, send):
    lead(traces=f"http://127.0.0.1:{free_port()}")

    run = work_through()  # ends, whoever listens
    assert send() == 0

    outlet = Outlet.objects.get(pk="traces")
    assert outlet.failing_since is not None
    assert "cannot be reached" in outlet.problem
    assert outlet.lost == 0
    before = outlet.pos
    assert send() == 0  # not asked again at once
    assert Outlet.objects.get(pk="traces").failures == 1

    with receiving() as back:
        lead(traces=back.url)
        Outlet.objects.update(retry_at=timezone.now())
        assert send() > 0
        assert run.correlation_id in {one["trace"] for one in back.spans()}
    outlet.refresh_from_db()
    assert (outlet.failing_since, outlet.problem, outlet.lost) == (None, "", 0)
    assert outlet.pos > before


def test_what_is_too_large_goes_in_halves_and_only_what_is_still_refused_is_lost(collector, lead, send):
    lead(traces=collector.url)
    run = work_through()
    collector.largest = 4_000

    send()

    outlet = Outlet.objects.get(pk="traces")
    assert outlet.lost == 0
    assert collector.refused >= 1
    assert len(collector.requests) > collector.refused  # each that was refused came in two
    assert f"run {run.workflow.name}" in {one["name"] for one in collector.spans()}
    collector.status = 400
    factories.event(run, "run.paused")
    seal()
    send()
    outlet.refresh_from_db()
    assert outlet.lost >= 1  # the event's span, and a shift's if one has just ended
    assert (outlet.failing_since, outlet.pos) == (None, ledger.head())


def test_a_fault_of_ours_is_seen_and_stops_no_other_outlet(collector, lead, monkeypatch):
    lead(traces=collector.url, log=True)
    events.append("stop.set", actor="user:mia")
    seal()

    def broken(after: int, until: int) -> tuple[int, int]:
        raise ZeroDivisionError

    ways = {
        "traces": pump.Way("traces", broken, skips=True),
        "log": pump.Way("log", lambda a, b: (b - a, 0), skips=True),
    }
    assert pump.run(ways) == 1

    assert "failed on our side (ZeroDivisionError)" in Outlet.objects.get(pk="traces").problem
    assert Outlet.objects.get(pk="log").sent == 1


def test_the_share_that_is_sent_is_of_whole_traces(collector, lead, send):
    lead(traces=collector.url, share=0.5)
    engine.publish("  - {key: a, type: automated, agent: test-echo}")
    runs = [engine.start() for _ in range(24)]
    with engine.shift():
        engine.eventually(lambda: all(engine.finished(run) for run in runs))
    seal()

    send()

    names: dict[str, set[str]] = {}
    for one in collector.spans():
        names.setdefault(one["trace"], set()).add(one["name"])
    found = [names[run.correlation_id] for run in runs if run.correlation_id in names]
    assert 2 <= len(found) <= 22
    assert all({"run flow", "task a", "invoke_agent test-echo"} <= one for one in found)


def test_a_run_asked_for_by_the_api_lies_in_its_callers_trace(collector, lead, send):
    lead(traces=collector.url)
    engine.publish("  - {key: a, type: automated, agent: test-echo}")
    client = Client()
    client.force_login(factories.user("root", is_superuser=True), "django.contrib.auth.backends.ModelBackend")

    answer = client.post(
        "/api/v1/runs", {"workflow": "flow", "input": {}}, "application/json", headers={"traceparent": CALLER}
    )
    assert answer.status_code == 201, answer.content
    run = Run.objects.get()
    with engine.shift():
        engine.eventually(lambda: engine.finished(run))
    seal()
    own_spans.flush()
    send()

    assert run.correlation_id == "4bf92f3577b34da6a3ce929d0e0e4736"
    spans = {one["name"]: one for one in collector.spans() if one["trace"] == run.correlation_id}
    request = spans["POST api/v1/runs"]
    assert request["parent"] == "00f067aa0ba902b7"
    assert request["kind"] == 2  # server
    assert spans["run flow"]["parent"] == request["id"]
    assert spans["task a"]["parent"] == spans["run flow"]["id"]
    assert spans["invoke_agent test-echo"]["parent"] == spans["task a"]["id"]
    assert not OwnSpan.objects.exists()


def test_a_persons_click_lies_in_the_trace_of_the_run_it_was_about(collector, lead, send):
    lead(traces=collector.url)
    gate = people.gate()
    client = Client()
    client.force_login(factories.user("root", is_superuser=True), "django.contrib.auth.backends.ModelBackend")

    answer = client.post(f"/inbox/{gate.pk}/claim/")
    assert answer.status_code < 400
    own_spans.flush()
    send()

    (request,) = [one for one in collector.spans() if one["kind"] == 2]
    assert request["trace"] == tracing.trace_id_of(gate.run.correlation_id)
    assert request["parent"] == tracing.span_id_of("run", gate.run_id)
    assert request["name"] == "POST inbox/<int:pk>/claim/"  # the address's pattern, never the address


def test_without_an_address_a_callers_trace_goes_on_and_nothing_is_kept(settings):
    assert settings.OUTLETS == []
    engine.publish("  - {key: a, type: automated, agent: test-echo}")
    client = Client()
    client.force_login(factories.user("root", is_superuser=True), "django.contrib.auth.backends.ModelBackend")

    client.post("/api/v1/runs", {"workflow": "flow", "input": {}}, "application/json", headers={"traceparent": CALLER})
    client.post("/api/v1/runs", {"workflow": "flow", "input": {}}, "application/json")

    first, second = Run.objects.order_by("pk")
    assert first.correlation_id == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert second.correlation_id != first.correlation_id
    assert Event.objects.get(kind="run.traced").data == {"parent": "00f067aa0ba902b7"}
    own_spans.flush()
    assert not OwnSpan.objects.exists()
    assert not Outlet.objects.exists()


@contextmanager
def real_collector(leads_to: str, folder: Path) -> Iterator[str]:
    """Rotel, a collector that others wrote, as a process of its own: its address."""
    found = importlib.util.find_spec("rotel")
    assert found is not None
    port = free_port()
    command = [
        str(Path(str(found.origin)).parent / "rotel-agent"), "start", "--otlp-http-endpoint", f"127.0.0.1:{port}",
        "--otlp-grpc-endpoint", f"127.0.0.1:{free_port()}", "--exporter", "otlp", "--otlp-exporter-protocol", "http",
        "--otlp-exporter-endpoint", leads_to, "--batch-timeout", "100ms", "--pid-file", str(folder / "pid"),
    ]  # fmt: skip
    library = {"LD_LIBRARY_PATH": str(sysconfig.get_config_var("LIBDIR") or "")}
    log = (folder / "log").open("w")
    process = subprocess.Popen(command, env={**os.environ, **library}, stdout=log, stderr=log)
    try:
        until = time.monotonic() + 30
        while not listens(port):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < until
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)
        log.close()


@pytest.mark.skipif(importlib.util.find_spec("rotel") is None, reason="no wheel of rotel for this Python")
def test_a_real_collector_takes_it_and_hands_on_what_it_understood(collector, lead, send, tmp_path):
    with real_collector(collector.url, tmp_path) as url:
        lead(traces=url)
        run = work_through()
        assert send() > 0
        engine.eventually(lambda: {"run flow", "task write"} <= {one["name"] for one in collector.spans()}, seconds=30)

    handed = {one["name"]: one for one in collector.spans() if one["trace"] == run.correlation_id}
    assert handed["task write"]["parent"] == handed["run flow"]["id"]
    assert handed["invoke_agent test-echo"]["facts"]["gen_ai.agent.name"] == "test-echo"
    assert Outlet.objects.get(pk="traces").lost == 0
