"""`traceparent` goes along with whatever leaves: calls of agents and tools elsewhere, messages, Celery's doorbells."""

import json
from typing import Any

import pytest
from celery.signals import task_postrun, task_prerun
from django.test import override_settings
from django.utils import timezone

from agents import tracing
from agents.messaging import cloud
from agents.messaging.envelope import Envelope
from agents.tools.running import ToolContext
from config import celery as doorbells
from monitoring.models import OwnSpan
from monitoring.telemetry import own_spans
from orchestrator import dispatch
from orchestrator.tasks import sweep
from tests import engine, outside
from tests.outside import STEP

CORRELATION = "4bf92f3577b34da6a3ce929d0e0e4736"
HEADER = f"00-{CORRELATION}-00f067aa0ba902b7-01"


def test_messages_on_others_buses_carry_it() -> None:
    envelope = Envelope(
        agent_id="reader", message_type="STATUS", payload={}, to="writer", timestamp=timezone.now(),
        correlation_id=CORRELATION, task_id="task-5",
    )  # fmt: skip

    headers, body = cloud.binary(envelope)

    assert tracing.parse(headers["ce-traceparent"]) == (CORRELATION, tracing.span_id_of("task", 5))
    assert cloud.parse(headers, body) == envelope
    structured = cloud.structured(envelope)
    assert tracing.parse(json.loads(structured[1])["traceparent"]) is not None
    assert cloud.parse(*structured) == envelope


def test_tools_know_what_to_send_along() -> None:
    context = ToolContext(agent="a", tool="t", scopes=(), key="task-5-0.abc", correlation_id=CORRELATION)

    assert tracing.parse(context.traceparent) == (CORRELATION, tracing.span_id_of("task", 5))


@pytest.mark.django_db(transaction=True)
def test_external_workers_are_told_it() -> None:
    _user, api = outside.worker()
    outside.registered(api)
    engine.publish(STEP)
    run = engine.start(text="hello")
    with engine.shift():
        engine.eventually(lambda: engine.task(run, "work").wait_for == "answer")
        (call,) = outside.fetched(api)
        outside.settled(api, call, output={"said": "hello"})
        engine.eventually(lambda: engine.finished(run))

    expected = (run.correlation_id, tracing.span_id_of("attempt", call["id"], call["attempt"]))
    assert tracing.parse(call["traceparent"]) == expected


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The headers of each message that is sent."""
    found: list[Any] = []
    monkeypatch.setattr(sweep, "apply_async", lambda **options: found.append(options["headers"]))
    return found


def test_a_doorbell_carries_the_trace_it_is_rung_in_for_one_hop(rung: list[Any]) -> None:
    dispatch.ring(sweep)
    with tracing.opened(HEADER) as trace:
        dispatch.ring(sweep)
        trace.by_message = True
        dispatch.ring(sweep)

    assert rung == [None, {"traceparent": trace.header}, None]


@pytest.mark.django_db
@pytest.mark.parametrize("records", [True, False])
def test_the_worker_that_hears_it_works_in_that_trace(records: bool) -> None:
    seen: list[str] = []

    class Request:
        headers = {"traceparent": HEADER}
        traceparent = HEADER

    class Task:
        name = "orchestrator.tasks.sweep"
        request = Request()

    assert doorbells._continue_trace in [receiver() for _key, receiver in task_prerun.receivers]
    assert doorbells._end_trace in [receiver() for _key, receiver in task_postrun.receivers]
    with override_settings(TRACES={"endpoint": "http://127.0.0.1:1/v1/traces" if records else "", "share": 1.0}):
        doorbells._continue_trace(task=Task())
        trace = tracing.current()
        assert trace is not None
        seen.append(trace.trace_id)
        doorbells._end_trace(task=Task(), state="SUCCESS")
    own_spans.flush()

    assert seen == [CORRELATION]
    assert tracing.current() is None
    kept = [(row.name, row.kind, row.parent) for row in OwnSpan.objects.all()]
    assert kept == ([("run sweep", "consumer", "00f067aa0ba902b7")] if records else [])
