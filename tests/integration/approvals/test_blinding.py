"""What a card keeps from somebody who is yet to judge is kept on the run's page, in its story and in the API, too."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client

from agents.models import Assessment
from approvals import services
from approvals.models import Gate
from monitoring import trail
from orchestrator import events
from orchestrator.definitions.plan import GateTerms
from orchestrator.engine import run_state
from orchestrator.engine.run_state import Write
from orchestrator.models import Task
from tests import api, people
from tests.hands import seal

pytestmark = pytest.mark.django_db(transaction=True)

BLIND = GateTerms(approvals=2, blind=True)
SCORE = "was given a quality score of 87"


@pytest.fixture
def gate() -> Gate:
    """A blind gate whose output claims a confidence and has a score."""
    found = people.gate(terms=BLIND, confidence=0.61)
    Task.objects.filter(pk=found.task_id).update(confidence=0.61)
    facts = {"score": 87, "passed": True, "confidence": 0.61}
    events.append(events.EventKind.QUALITY_ASSESSED, actor="engine", run_id=found.run_id, task_id=found.task_id,
                  data=facts)  # fmt: skip
    finding = [{"agent_id": "assessor", "confidence": 0.61, "finding": "It beacons"}]
    with transaction.atomic():
        run_state.write(
            found.run_id, Write("assess.findings", finding, reason="found"), writer="agent:assessor", task=found.task_id
        )
    facts = {"key": "assess.findings", "version": 1, "number": 1, "confidence": 0.61}
    events.append("finding.discovered", actor="agent:assessor", run_id=found.run_id, task_id=found.task_id, data=facts)
    Assessment.objects.create(
        task=found.task_id, run=found.run_id, attempt=1, workflow="incident", step="assess", agent="assessor",
        score=87, passed=True,
    )  # fmt: skip
    seal()
    return found


def reader(name: str, *, decides: bool) -> User:
    role = "Quality Assurance Lead" if not decides else "Auditor"  # both see every run
    return people.person(name, role, decides=people.queue() if decides else None)


def seen(user: User, gate: Gate) -> dict[str, Any]:
    """Everything of the run that this person is shown."""
    client, rest = Client(), api.as_user(user)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    page = client.get(f"/runs/{gate.run_id}/?tab=graph&task=assess").content.decode()
    story = client.get(f"/runs/{gate.run_id}/?tab=narrative").content.decode()
    told = rest.get(f"/events?run={gate.run_id}&limit=1000").json()["items"]
    return {
        "page": "61 %" in page or SCORE in page,
        "story": SCORE in story,
        "tasks": rest.get(f"/runs/{gate.run_id}/tasks").json()["items"][0]["confidence"],
        "task": rest.get(f"/tasks/{gate.task_id}").json()["confidence"],
        "trail": any("score" in line.detail or "0.61" in line.detail for line in trail.stream(user)),
        "state": "0.61" in str(rest.get(f"/runs/{gate.run_id}/state").json())
        or "0.61" in client.get(f"/runs/{gate.run_id}/?tab=state&key=assess.findings").content.decode()
        or "0.61" in str(rest.get(f"/runs/{gate.run_id}/state/assess.findings/diff").json())
        or "0.61" in client.get(f"/runs/{gate.run_id}/?tab=past").content.decode(),
        "events": [event["data"].get("score") for event in told if event["kind"] == "quality.assessed"],
        "assessments": len(rest.get("/quality/assessments").json()),
    }


NOTHING = {"page": False, "story": False, "tasks": None, "task": None, "events": [None], "assessments": 0,
           "trail": False, "state": False}  # fmt: skip
EVERYTHING = {"page": True, "story": True, "tasks": 0.61, "task": 0.61, "events": [87], "assessments": 1,
              "trail": True, "state": True}  # fmt: skip


def test_whoever_is_asked_blindly_reads_no_opinion_anywhere_until_they_have_voted(gate):
    ana = reader("ana", decides=True)

    before = seen(ana, gate)
    services.decide(gate_id=gate.pk, by=ana, verdict="approve", gate_version=1)
    after = seen(people.User.objects.get(pk=ana.pk), gate)

    assert before == NOTHING
    assert after == EVERYTHING


def test_whoever_only_looks_on_is_shown_everything(gate):
    assert seen(reader("quinn", decides=False), gate) == EVERYTHING


def test_high_risk_that_is_judged_by_oneself_first_is_kept_from_its_judge(gate, settings):
    settings.OWN_VERDICT_FIRST = ["medium"]
    Gate.objects.filter(pk=gate.pk).update(blind=False)

    assert seen(reader("ana", decides=True), gate) == NOTHING
