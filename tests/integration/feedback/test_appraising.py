"""Rating, reasons and root causes beside a verdict: kept, demanded where the gate demands, refused in one sentence."""

from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.test import Client

from approvals import runways, services
from approvals.errors import AppraisalInvalid, CauseMissing, RatingMissing
from approvals.feedback.appraising import Given
from approvals.models import Appraisal, Decision, Vote
from orchestrator.definitions.plan import GateTerms
from tests import people

pytestmark = pytest.mark.django_db

FULL = Given(4, {"clarity": 2}, ("unsourced", "clear"), ("prompt_gap",))


def decide(gate: Any, by: Any, verdict: str, given: Given | None = None) -> Decision | Vote:
    return services.decide(gate_id=gate.pk, by=by, verdict=verdict, gate_version=1, note="why", appraisal=given)


def test_decide_keeps_what_was_said_beside_it_and_nothing_where_nothing_was(ana):
    gate = people.gate()
    decision = decide(gate, ana, "reject", FULL)

    kept = Appraisal.objects.get()
    assert (kept.decision, kept.by, kept.rating, kept.rubric) == (decision, ana, 4, {"clarity": 2})
    assert (kept.reasons, kept.causes) == (["unsourced", "clear"], ["prompt_gap"])
    decide(people.gate(), ana, "approve")
    assert Appraisal.objects.count() == 1
    with pytest.raises(DatabaseError), transaction.atomic():
        Appraisal.objects.update(rating=5)


def test_decide_keeps_it_with_each_vote(ana):
    gate = people.gate(terms=GateTerms(approvals=2))
    vote = decide(gate, ana, "approve", FULL)

    assert Appraisal.objects.get().vote == vote


@pytest.mark.parametrize(
    ("demand", "verdict", "given", "refusal"),
    [
        ("on_change", "reject", Given(rating=1), CauseMissing),
        ("on_change", "request_changes", None, CauseMissing),
        ("on_change", "approve", None, None),
        ("on_change", "terminate", Given(causes=("other",)), None),
        ("always", "approve", None, RatingMissing),
        ("always", "approve", Given(rating=5), None),
        ("always", "reject", Given(rating=1), CauseMissing),
        ("", "reject", None, None),
        ("", "reject", Given(causes=("nonsense",)), AppraisalInvalid),
        ("", "reject", Given(reasons=("nonsense",)), AppraisalInvalid),
        ("", "reject", Given(rubric={"clarity": 6}), AppraisalInvalid),
    ],
)
def test_decide_demands_what_the_gate_demands(ana, demand, verdict, given, refusal):
    gate = people.gate(terms=GateTerms(feedback=demand))

    if refusal is None:
        assert decide(gate, ana, verdict, given)
        return
    with pytest.raises(refusal) as told:
        decide(gate, ana, verdict, given)
    assert str(told.value).count(". ") == 0  # one sentence
    assert not Decision.objects.exists()


def test_form_of_the_card_brings_it_and_keeps_it_through_a_refusal(ana, client: Client):
    gate = people.gate(terms=GateTerms(feedback="on_change"))
    client.force_login(ana, backend="django.contrib.auth.backends.ModelBackend")
    sent = {"verdict": "reject", "version": "1", "note": "Wrong host.", "reasons": ["unsafe"], "rating": "2"}

    refused = client.post(f"/inbox/{gate.pk}/decide/", sent)
    assert refused.status_code == 422
    assert "root cause" in refused.text
    assert 'value="unsafe" checked' in refused.text

    assert client.post(f"/inbox/{gate.pk}/decide/", {**sent, "causes": ["wrong_facts"]}).status_code == 302
    assert Appraisal.objects.get().causes == ["wrong_facts"]


def test_what_was_said_of_an_approval_goes_out_with_it(ana, settings):
    settings.UNDO_RUNWAY = {"medium": 60.0}
    gate = people.gate()
    decide(gate, ana, "approve", FULL)
    assert not Appraisal.objects.exists()

    decision = runways.let_go(gate_id=gate.pk, by=ana)

    kept = Appraisal.objects.get()
    assert (kept.decision, kept.rating, kept.rubric, kept.causes) == (decision, 4, {"clarity": 2}, ["prompt_gap"])
