"""A decision's record is drafted from what was sealed and decided, and counts once a person has confirmed it (B173)."""

import hashlib
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.test import Client

from approvals.errors import NotPermitted, TextMissing
from approvals.models import Decision, DecisionRecord
from approvals.records import services
from approvals.services import decide
from orchestrator.models import Event
from tests import people

pytestmark = pytest.mark.django_db
EVIDENCE = [{"claim": "two hosts call out", "source": "netflow 12:03"}]


@pytest.fixture
def ana() -> Any:
    return people.person("ana", "Reviewer", decides=people.queue())


@pytest.fixture
def decided(ana: Any) -> Decision:
    gate = people.gate(evidence=EVIDENCE, alternatives=[{"title": "Watch it for a day"}])
    edited = {"summary": "Isolate host fin-db-03", "amount": 12.5}
    made = decide(
        gate_id=gate.pk, by=ana, verdict="edit", gate_version=gate.version, note="the other one", edited=edited
    )
    assert isinstance(made, Decision)
    return made


def browser(user: Any) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def path(decision: Decision) -> str:
    return f"/inbox/{decision.gate_id}/record/"


def test_draft_says_what_was_asked_decided_changed_and_on_which_grounds(ana: Any, decided: Decision):
    shown = browser(ana).get(path(decided)).content.decode()

    for said in (
        "Question: Isolate host (step assess of run", "If approved: The host loses its network.",
        "Approved with changes” by Ana", "the other one", "summary: Isolate host fin-db-02 → Isolate host fin-db-03",
        "two hosts call out · netflow 12:03", "Watch it for a day", decided.seal, "draft, not confirmed",
    ):  # fmt: skip
        assert said in shown, said
    assert not DecisionRecord.objects.exists()


def test_person_confirms_what_they_made_of_it_and_may_do_so_anew(ana: Any, decided: Decision):
    client = browser(ana)
    assert client.post(path(decided), {"text": "We isolated the other host."}).status_code == 302
    assert client.post(path(decided), {"text": "We isolated fin-db-03, after a call."}).status_code == 302

    newest = decided.records.first()
    assert newest is not None
    assert (newest.text, newest.confirmed_by, newest.is_edited) == ("We isolated fin-db-03, after a call.", ana, True)
    assert "Question: Isolate host" in newest.draft
    event = Event.objects.filter(kind="gate.recorded").last()
    assert event is not None
    assert event.data["sha256"] == hashlib.sha256(newest.text.encode()).hexdigest()
    shown = client.get(path(decided)).content.decode()
    assert "We isolated fin-db-03, after a call." in shown
    assert "We isolated the other host." in shown


def test_empty_record_is_refused_and_nobody_else_confirms(ana: Any, decided: Decision):
    with pytest.raises(TextMissing):
        services.confirm(decision_id=decided.pk, by=ana, draft="d", text=" \n")
    auditor = people.person("nora", "Auditor")
    with pytest.raises(NotPermitted):
        services.confirm(decision_id=decided.pk, by=auditor, draft="d", text="mine")
    assert browser(auditor).get(path(decided)).status_code == 200
    assert browser(auditor).post(path(decided), {"text": "mine"}).status_code == 403
    assert browser(people.person("eve", "Reviewer")).get(path(decided)).status_code == 404


def test_open_gate_has_no_record(ana: Any):
    gate = people.gate()
    assert browser(ana).get(f"/inbox/{gate.pk}/record/").status_code == 404


@pytest.mark.parametrize("change", ["update", "delete"])
def test_confirmed_record_never_changes(ana: Any, decided: Decision, change: str):
    services.confirm(decision_id=decided.pk, by=ana, draft="d", text="t")
    rows = DecisionRecord.objects.all()
    with pytest.raises(DatabaseError), transaction.atomic():
        rows.update(text="else") if change == "update" else rows._raw_delete(rows.db)


def test_settled_card_leads_to_it_and_evidence_holds_it(ana: Any, decided: Decision):
    from monitoring.forensics.dossier import _gate

    services.confirm(decision_id=decided.pk, by=ana, draft="d", text="as it was")
    assert path(decided) in browser(ana).get(f"/inbox/{decided.gate_id}/").content.decode()
    (told,) = _gate(decided.gate)["decisions"]
    assert told["records"][0]["note"] == "as it was"
