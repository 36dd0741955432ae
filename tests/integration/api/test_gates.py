"""Gates, decisions and tokens over REST."""

import pytest

from approvals.models import ApiToken, Decision
from tests import people
from tests.api import Api, as_user, in_browser

pytestmark = pytest.mark.django_db


@pytest.fixture
def gate():
    return people.gate()


@pytest.fixture
def api(gate):
    return as_user(people.person("ana", "Reviewer", decides=people.queue()))


def decide(api, gate, *, key="", **answer):
    headers = {"Idempotency_Key": key} if key else {}
    return api.post(f"/gates/{gate.pk}/decisions", {"version": 1, "verdict": "approve", **answer}, **headers)


def test_open_gates_are_listed(api, gate):
    listed = api.get("/gates").json()

    assert [(found["id"], found["queue"], found["may_decide"]) for found in listed] == [(gate.pk, "oncall", True)]
    assert api.get("/gates?queue=oncall&mine=true").json() == listed
    assert api.get("/gates?queue=other").json() == []


def test_card_tells_everything_a_reviewer_sees(api, gate):
    card = api.get(f"/gates/{gate.pk}").json()

    assert (card["proposal"], card["given"]) == (people.PROPOSAL, people.GIVEN)
    assert (card["version"], card["seal"], card["decision"]) == (1, gate.seal, None)
    assert "approve" in card["allowed"]


def test_decide_records_the_verdict(api, gate):
    response = decide(api, gate, verdict="edit", edited={"summary": "Only watch it"}, note="less")

    decision = Decision.objects.get()
    assert response.status_code == 200
    assert response.json()["id"] == decision.pk
    assert (decision.verdict, decision.via, decision.after) == ("edit", "api", {"summary": "Only watch it"})
    assert api.get(f"/gates/{gate.pk}").json()["decision"]["decided_by"] == "ana"


def test_decide_twice_with_one_key_gives_the_same_answer(api, gate):
    first, second = decide(api, gate, key="k-1"), decide(api, gate, key="k-1")

    assert (first.status_code, first.json()) == (200, second.json())
    assert Decision.objects.count() == 1


def test_decide_with_a_used_key_and_another_body_is_refused(api, gate):
    decide(api, gate, key="k-1")

    response = decide(api, gate, key="k-1", note="on second thought")

    assert response.status_code == 422
    assert response.json()["error"]["code"] == "idempotency_conflict"


def test_decide_a_settled_gate_says_by_whom_and_when(api, gate):
    decide(api, gate)
    bob = as_user(people.person("bob", "Reviewer", decides=people.queue()))

    response = decide(bob, gate, verdict="reject", note="no")

    error = response.json()["error"]
    assert response.status_code == 409
    assert error["code"] == "gate_already_settled"
    assert (error["facts"]["by"], error["facts"]["verdict"]) == ("Ana", "approve")
    assert error["facts"]["at"]


def test_decide_on_an_old_version_is_refused(api, gate):
    response = decide(api, gate, version=7)

    assert response.status_code == 409
    assert response.json()["error"]["code"] == "gate_changed"


@pytest.mark.parametrize(
    "answer", [{"verdict": "bless"}, {"verdict": "reject"}, {"edited": {"x": 1}, "verdict": "edit"}]
)
def test_decide_with_an_answer_that_does_not_fit_is_422(api, gate, answer):
    assert decide(api, gate, **answer).status_code == 422
    assert not Decision.objects.exists()


def test_token_is_shown_once_and_kept_as_a_hash():
    ana = people.person("ana", "Reviewer")
    browser = in_browser(ana)
    csrf = _csrf(browser)

    made = browser.post("/tokens", {"name": "script", "scopes": ["read"]}, X_CSRFToken=csrf).json()
    listed = browser.get("/tokens").json()

    assert made["secret"].startswith("wk_")
    assert "secret" not in listed[0]
    assert made["secret"] not in str(list(ApiToken.objects.values()))
    assert Api(made["secret"]).get("/stops").status_code == 200


def test_revoked_token_opens_nothing():
    ana = people.person("ana", "Reviewer")
    browser = in_browser(ana)
    api = as_user(ana)
    csrf = _csrf(browser)

    assert api.get("/stops").status_code == 200
    assert browser.call("DELETE", f"/tokens/{ApiToken.objects.get().pk}", X_CSRFToken=csrf).status_code == 200
    assert api.get("/stops").status_code == 401


def _csrf(browser):
    browser.client.get("/styleguide/")
    return browser.client.cookies["csrftoken"].value
