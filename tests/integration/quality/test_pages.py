"""The pages and routes of quality and evaluations: what they show, to whom, and what may be changed there."""

import json
import re
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db.models.functions import Now
from django.test import Client

from agents.models import Agent, Assessment, AuthorityTable, Calibration, Evaluation, EvaluationCase, EvaluationItem
from agents.quality import store
from agents.quality.outcomes import outcomes_of
from approvals.models import Decision, Gate
from orchestrator.models import Event
from tests import people

pytestmark = pytest.mark.django_db


def person(role: str, name: str = "") -> Client:
    user = User.objects.create_user(name or role.partition(" ")[0].lower(), password="x")
    user.groups.add(Group.objects.get_or_create(name=role)[0])
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def lead() -> Client:
    return person("Quality Assurance Lead")


def assessment(agent: str = "writer", **changes: Any) -> Assessment:
    Agent.objects.get_or_create(name=agent, defaults={"title": agent.title()})
    columns: dict[str, Any] = {
        "task": Assessment.objects.count() + 1, "run": 1, "attempt": 1, "workflow": "w", "step": "s", "agent": agent,
        "score": 90.0, "passed": True,
    }  # fmt: skip
    return Assessment.objects.create(**{**columns, **changes})


def evaluation(**changes: Any) -> Evaluation:
    columns: dict[str, Any] = {
        "suite": "toy", "kind": "safety", "suite_digest": "s" * 64, "agent": "writer", "agent_version": 1,
        "agent_digest": "a" * 64, "dataset": "d", "dataset_digest": "d" * 64, "cases": 2, "measures": {"right": 0.5},
        "thresholds": {"right": {"at_least": 0.9, "at_most": None, "value": 0.5, "held": False}}, "passed": False,
        "trigger": "command", "started_at": Now(),
    }  # fmt: skip
    made = Evaluation.objects.create(**{**columns, **changes})
    for number, passed in ((1, True), (2, bool(changes.get("passed")))):
        EvaluationCase.objects.create(
            evaluation=made, number=number, case_digest=f"{number}" * 64, passed=passed, succeeded=True, latency_ms=1,
            marks={"right": float(passed)}, input={"text": "<b>in</b>"}, expected={"x": 1}, output={"x": number},
        )  # fmt: skip
    Agent.objects.get_or_create(name="writer", defaults={"title": "Writer"})
    return made


def test_quality_page_lists_agents_by_mean_score_and_says_when_there_are_none(lead: Client) -> None:
    assert "Nothing was assessed yet" in lead.get("/agents/quality/").content.decode()

    assessment("good", score=95)
    assessment("poor", score=40, passed=False)

    page = lead.get("/agents/quality/").content.decode()
    assert page.index("poor") < page.index("good")


def test_agent_page_sorts_by_score_and_shows_the_reliability_diagram_only_with_its_reason(lead: Client) -> None:
    assessment(score=95, step="high_one")
    assessment(score=40, passed=False, step="low_one", reasons=["accuracy: <script>alert(1)</script>"])
    bins = [{"count": 40, "confidence": 0.9, "right": 0.6}]
    Calibration.objects.create(
        agent="writer", method="platt", outcomes=40, right=24, usable=False, why="badly calibrated: off by 0.30",
        evidence={"before": bins, "after": bins},
    )  # fmt: skip

    page = lead.get("/agents/quality/writer/?sort=worst").content.decode()

    assert page.index("low_one") < page.index("high_one")
    assert "badly calibrated: off by 0.30" in page
    assert '<circle class="before" cx="210.0" cy="88.0"' in page
    assert "<script>alert(1)" not in page
    assert lead.get("/agents/quality/writer/?held=1").content.decode().count("high_one") == 0


def test_pages_are_refused_to_whoever_may_not_see_agents() -> None:
    stranger = Client()
    stranger.force_login(User.objects.create_user("nobody"), backend="django.contrib.auth.backends.ModelBackend")

    for address in ("/agents/quality/", "/agents/evaluations/"):
        assert stranger.get(address).status_code == 403
    assert stranger.get("/api/v1/evaluations").status_code == 403


def test_what_runs_hold_is_not_shown_to_who_may_see_agents_only() -> None:
    made = evaluation()
    assessment(passed=False, reasons=["verifier: the secret recipe"])
    reviewer = person("Reviewer")

    assert reviewer.get(f"/agents/evaluations/{made.pk}/").status_code == 200
    assert reviewer.get(f"/agents/evaluations/{made.pk}/cases/1/").status_code == 403
    assert reviewer.get(f"/api/v1/evaluations/{made.pk}/cases").status_code == 403
    assert reviewer.get("/api/v1/quality/assessments").status_code == 403
    page = reviewer.get("/agents/quality/writer/").content.decode()
    assert "held" in page
    assert "secret recipe" not in page


def test_evaluation_page_drills_down_to_a_case_whose_text_is_escaped(lead: Client) -> None:
    made = evaluation()

    page = lead.get(f"/agents/evaluations/{made.pk}/").content.decode()
    case = lead.get(f"/agents/evaluations/{made.pk}/cases/2/").content.decode()

    assert "≥ 0.9" in page
    assert f"/agents/evaluations/{made.pk}/cases/2/" in page
    assert f"/agents/evaluations/{made.pk}/cases/1/" not in page
    assert "&lt;b&gt;in" in case
    assert "<b>in</b>" not in case


def test_comparison_page_and_route_say_the_same(lead: Client) -> None:
    old, new = evaluation(), evaluation(agent_version=2, passed=True, measures={"right": 1.0})

    page = lead.get(f"/agents/evaluations/{new.pk}/against/{old.pk}/").content.decode()
    found = lead.get(f"/api/v1/evaluations/{new.pk}/against/{old.pk}").json()

    assert (found["won"], found["lost"], found["tied"], found["verdict"]) == (1, 0, 1, "no difference shown")
    assert "no difference shown" in page
    assert lead.get(f"/agents/evaluations/{new.pk}/against/{evaluation(suite_digest='x' * 64).pk}/").status_code == 404


def test_item_is_closed_with_a_reason_by_who_may_and_once(lead: Client) -> None:
    made = evaluation()
    item = EvaluationItem.objects.create(suite="toy", agent="writer", evaluation=made)
    address = f"/agents/evaluations/items/{item.pk}/close/"

    assert person("Auditor").post(address, {"reason": "fine"}).status_code == 403
    lead.post(address, {"reason": " "})
    item.refresh_from_db()
    assert item.closed_at is None

    lead.post(address, {"reason": "Version 2 mends it."})

    item.refresh_from_db()
    assert (item.closed_by, item.reason) == ("quality", "Version 2 mends it.")
    assert Event.objects.get(kind="evaluation.item_closed").actor == "user:quality"


def test_weights_are_versioned_and_need_a_reason(lead: Client) -> None:
    values = {"regulatory": "1", "sop": "0.7", "general": "0.5"}

    assert person("Auditor").post("/agents/quality/authority/", {**values, "reason": "x"}).status_code == 403
    lead.post("/agents/quality/authority/", {**values, "reason": ""})
    lead.post("/agents/quality/authority/", {**values, "sop": "7", "reason": "more"})
    assert not AuthorityTable.objects.exists()

    lead.post("/agents/quality/authority/", {**values, "reason": "Notes are worth less."})

    assert store.authority_weights() == {"regulatory": 1.0, "sop": 0.7, "general": 0.5}
    assert Event.objects.get(kind="quality.authority_changed").data["reason"] == "Notes are worth less."


def test_decisions_are_the_labels_of_a_calibration(lead: Client) -> None:
    Agent.objects.create(name="writer", title="Writer")
    for at in range(40):
        decided(confidence=0.9 if at % 2 else 0.3, verdict="approve" if at % 2 or at % 8 == 0 else "reject")

    known = outcomes_of("writer")
    lead.post("/agents/quality/writer/calibrate/")

    found = Calibration.objects.get()
    assert (len(known), sum(one.right for one in known)) == (40, 25)
    assert (found.outcomes, found.right, found.method, found.usable) == (40, 25, "platt", True)
    assert store.trust("writer", 0.9).value == pytest.approx(0.97, abs=0.06)
    assert store.trust("unknown", 0.9).value is None


def decided(*, confidence: float, verdict: str, after: dict[str, Any] | None = None) -> Decision:
    gate = people.gate(agent="writer", confidence=confidence)
    Gate.objects.filter(pk=gate.pk).update(status="approved", settled_at=Now())
    return Decision.objects.create(
        gate=gate, verdict=verdict, decided_by=User.objects.get_or_create(username="ana")[0], via="browser",
        gate_version=1, seal="s", before=gate.subject["proposal"], after=after,
    )  # fmt: skip


@pytest.mark.parametrize("value", ["123456789012345678901234567890", '"\\ud800"', '"\\u0000"'])
def test_cases_that_cannot_be_stored_are_refused_by_the_api(lead: Client, value: str) -> None:
    body = '{"name": "mine", "cases": [{"input": {"a": ' + value + "}}]}"

    answer = lead.post("/api/v1/evaluations/datasets", body, content_type="application/json")

    # Half a surrogate pair is no JSON that anything could answer for: it does not get as far as the route.
    assert answer.status_code in {400, 422}
    assert answer.json()["error"]["remedy"]


def test_dataset_of_decisions_holds_corrections_and_only_its_editors_take_it_away(lead: Client) -> None:
    edited = decided(confidence=0.5, verdict="edit", after={"plan": "as it should be"})
    Gate.objects.filter(pk=edited.gate_id).update(subject={**edited.gate.subject, "input": {"q": "edited"}})
    rejected = decided(confidence=0.5, verdict="reject")
    Gate.objects.filter(pk=rejected.gate_id).update(subject={**rejected.gate.subject, "input": {"q": "rejected"}})
    body = json.dumps({"name": "mine", "agent": "writer"})

    assert (
        person("Auditor").post("/api/v1/evaluations/datasets", body, content_type="application/json").status_code == 403
    )
    made = lead.post("/api/v1/evaluations/datasets", body, content_type="application/json").json()

    lines = lead.get(f"/agents/evaluations/datasets/{made['id']}.jsonl").content.splitlines()
    by_question = {line["input"]["q"]: line for line in map(json.loads, lines)}
    assert by_question["edited"]["expected"] == {"plan": "as it should be"}
    assert by_question["rejected"]["expected"] == {"not": rejected.gate.subject["proposal"]}
    assert by_question["edited"]["provenance"]["decision"] == edited.pk
    assert person("Reviewer").get(f"/agents/evaluations/datasets/{made['id']}.jsonl").status_code == 404


def test_suite_leads_to_its_agent_only_where_that_is_here(lead: Client) -> None:
    def links() -> set[str]:
        return set(re.findall(r'href="/agents/([a-z-]+)/"', suites_of(lead.get("/agents/evaluations/").text)))

    nowhere = links()
    Agent.objects.create(name="severity-assessor", title="Severity")

    assert nowhere == set()
    assert links() == {"severity-assessor"}


def suites_of(page: str) -> str:
    return page[page.index('aria-labelledby="suites-title"') :].partition("</section>")[0]
