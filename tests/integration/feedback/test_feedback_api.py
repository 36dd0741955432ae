"""The same through REST: one visit from feedback to an accepted proposal."""

import pytest
from django.test import Client

from tests import people
from tests.api import as_user
from tests.integration.feedback.conftest import learn

pytestmark = pytest.mark.django_db


def test_api_gives_answers_counts_and_tries(decided, ana):
    for verdict, confidence in (("approve", 0.75), ("edit", 0.7), ("reject", 0.3)):
        decided(verdict, confidence=confidence, causes=() if verdict == "approve" else ("other",))
    learn()
    lead = as_user(people.person("lena", "Quality Assurance Lead"))

    given = lead.post("/feedback", {"agent": "assessor", "rating": 2, "comment": "slow"})
    assert given.status_code == 201
    assert Client().get(given.json()["receipt"].replace("http://testserver", "")).status_code == 200
    answer = {"status": "declined", "answer": "It is as fast as it can be."}
    answered = lead.post(f"/feedback/{given.json()['id']}/answer", answer).json()
    assert (answered["status"], answered["sentiment"]) == ("declined", "negative")
    assert lead.get("/feedback?waiting=true").json() == []

    counted = lead.get("/feedback/patterns").json()
    assert (counted["n"], counted["stood"], counted["causes"]) == (
        3,
        1,
        [{"name": "other", "n": 2, "stood": None, "low": None, "high": None}],
    )
    pairs = lead.get("/feedback/lessons?agent=assessor").json()
    assert [(pair["verdict"], pair["output"]) for pair in pairs] == [
        ("reject", people.PROPOSAL),
        ("edit", people.PROPOSAL),
    ]
    chosen = lead.post(f"/feedback/lessons/{pairs[1]['id']}/choice", {"accepted": True})
    assert chosen.json()["example"] == "accepted"
    assert len(lead.get("/feedback/lessons.jsonl?accepted=true").content.splitlines()) == 1

    asked = {"workflow": "incident", "step": "assess", "when": "confidence < 0.5"}
    tried = lead.post("/proposals/backtest", asked).json()
    assert (tried["asked"], tried["saved"], tried["slipped"], tried["is_cut"]) == (3, 1, 1, False)
    assert tried["slips"][0]["verdict"] == "edit"
    wrong = lead.post("/proposals/backtest", {**asked, "when": "confidence <"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (422, "feedback_refused")
    assert lead.get("/proposals").json() == []
