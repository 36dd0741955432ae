"""Hybrid steps: an agent drafts, a person completes the form; and the timekeeper that wakes what waits."""

import threading

import pytest
from django.db import connections

from approvals import desk, services
from approvals.errors import InvalidAnswer
from approvals.models import Decision, Gate
from orchestrator import domain_events, signals
from orchestrator.engine import timekeeper
from orchestrator.models import Event
from tests.engine import eventually, finished, publish, shift, start, statuses, task
from tests.hands import reviewer, violations

pytestmark = pytest.mark.django_db(transaction=True)

HYBRID = """
  - key: w
    type: hybrid
    agent: test-echo
    inputs: {text: "${input.text}", aside: not asked for}
    form: {type: object, properties: {text: {type: string, minLength: 3}, sign: {type: string}}, required: [text]}
    instructions: Complete it for ${input.who}.
    queue: default
"""


def test_person_completes_a_form_that_starts_from_the_draft_and_both_texts_are_kept() -> None:
    ana = reviewer()
    publish(HYBRID)
    run = start(text="Dear Sir", who="the bank")
    with shift():
        eventually(Gate.objects.exists)
        gate = Gate.objects.get()
        shown = desk.desk(gate, ana)
        assert {field.name: field.text for field in shown.fields} == {"text": "Dear Sir", "sign": ""}
        assert (gate.kind, shown.is_work, shown.instructions) == ("hybrid", True, "Complete it for the bank.")

        with pytest.raises(InvalidAnswer):
            services.decide(gate_id=gate.pk, by=ana, verdict="complete", gate_version=gate.version, edited={"text": ""})
        final = {"text": "Dear Madam", "sign": "Ana"}
        services.decide(gate_id=gate.pk, by=ana, verdict="complete", gate_version=gate.version, edited=final)
        eventually(lambda: finished(run))

    assert task(run, "w").output == final
    decision = Decision.objects.get()
    assert (decision.before["text"], decision.after) == ("Dear Sir", final)
    assert violations() == []


def test_work_that_a_person_has_done_has_an_event_with_its_assignment() -> None:
    """C041: whoever reads events from outside can wait for just this."""
    ana = reviewer()
    publish("  - {key: w, type: manual, queue: default, form: {type: object, properties: {done: {type: boolean}}}}")
    run = start()
    with shift():
        eventually(Gate.objects.exists)
        gate = Gate.objects.get()
        services.decide(gate_id=gate.pk, by=ana, verdict="complete", gate_version=gate.version, edited={"done": True})
        eventually(lambda: finished(run))

    told = Event.objects.get(run_id=run.pk, kind="gate.decided")
    assert domain_events.name_of(told.kind, told.data) == f"assignment.completed.{gate.pk}"


def test_draft_that_is_sent_back_is_drafted_again() -> None:
    ana = reviewer()
    publish(HYBRID)
    run = start(text="Dear Sir", who="the bank")
    with shift():
        eventually(Gate.objects.exists)
        gate = Gate.objects.get()
        services.decide(
            gate_id=gate.pk, by=ana, verdict="request_changes", gate_version=gate.version, note="warmer, please"
        )
        eventually(lambda: Gate.objects.filter(status="open").exists())

    assert Gate.objects.get(status="open").subject["proposal"]["note"] == "warmer, please"
    assert statuses(run) == {"w": "waiting"}


def test_timekeeper_wakes_what_waits_for_a_signal_by_itself_and_leads_alone() -> None:
    publish("  - {key: w, type: wait_event, event: go}")
    run = start()
    leaving = threading.Event()

    def lead() -> None:
        timekeeper.keep_time(30, leaving)
        connections.close_all()

    leader = threading.Thread(target=lead)
    leader.start()
    try:
        with shift():
            eventually(lambda: statuses(run)["w"] == "waiting", timers=False)
            eventually(lambda: not timekeeper.keep_time(0, leaving), timers=False)
            signals.publish(name="go", data={}, by=None)
            eventually(lambda: finished(run), timers=False)
    finally:
        leaving.set()
        leader.join(10)
    assert not leader.is_alive()
