"""The API's doors: tokens, sessions with CSRF, scopes, throttling."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.test import Client

from approvals import tokens
from approvals.models import ApiToken, Decision
from config.api import limits
from orchestrator.models import Run
from tests import people
from tests.api import Api, as_user, in_browser

pytestmark = pytest.mark.django_db

MANAGER = "Workflow Orchestration Manager"


@pytest.fixture(autouse=True)
def full_buckets() -> Iterator[None]:
    limits.buckets.clear()
    yield
    limits.buckets.clear()


@pytest.fixture
def manager() -> User:
    return people.person("max", MANAGER)


def order() -> dict[str, object]:
    return {"workflow": people.workflow().name, "input": people.GIVEN}


@pytest.mark.parametrize(
    "secret",
    ["x", "wk_", "wk_" + "a" * 49, "Bearer", "wk_" + "\N{LATIN SMALL LETTER A WITH DIAERESIS}" * 49, "' OR 1=1 --"],
)
def test_wrong_token_is_401(secret: str) -> None:
    response = Api(secret.encode("ascii", "replace").decode()).get("/runs")

    assert response.status_code == 401
    assert response.json()["error"]["code"] == "token_invalid"


def test_token_with_one_letter_changed_is_401(manager: User) -> None:
    secret = as_user(manager).secret
    changed = secret[:10] + ("a" if secret[10] != "a" else "b") + secret[11:]

    assert Api(changed).get("/runs").status_code == 401


@pytest.mark.parametrize("fate", ["revoked", "expired", "owner_closed"])
def test_dead_token_is_401(manager: User, fate: str) -> None:
    api = as_user(manager)
    token = ApiToken.objects.get()
    if fate == "revoked":
        tokens.revoke(token_id=token.pk, by=manager)
    elif fate == "expired":
        ApiToken.objects.update(expires_at=token.created_at)
    else:
        User.objects.update(is_active=False)

    assert api.get("/runs").status_code == 401


def test_bad_token_is_refused_though_the_session_is_good(manager: User) -> None:
    browser = in_browser(manager)
    browser.secret = "wk_nonsense"

    assert browser.get("/runs").status_code == 401


def test_session_reads_without_csrf_token_and_writes_only_with_it(manager: User) -> None:
    browser = in_browser(manager)
    body = order()

    read = browser.get("/runs")
    refused = browser.post("/runs", body)
    browser.client.get("/styleguide/")
    done = browser.post("/runs", body, X_CSRFToken=browser.client.cookies["csrftoken"].value)

    assert (read.status_code, refused.status_code, done.status_code) == (200, 403, 201)
    assert refused.json()["error"]["code"] == "csrf_failed"
    assert Run.objects.count() == 1


def test_cross_site_form_with_session_is_refused(manager: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(manager, backend="django.contrib.auth.backends.ModelBackend")

    response = client.post(
        "/api/v1/stops", {"scope": "everything", "reason": "x"}, headers={"Origin": "https://evil.example"}
    )

    assert response.status_code == 403


def test_bearer_call_needs_no_csrf_token(manager: User) -> None:
    api = as_user(manager)
    api.client = Client(enforce_csrf_checks=True)

    assert api.post("/runs", order()).status_code == 201


def test_token_never_makes_tokens(manager: User) -> None:
    response = as_user(manager).post("/tokens", {"name": "more", "scopes": ["stop"]})

    assert response.status_code == 401
    assert ApiToken.objects.count() == 1


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", "/runs", "run"),
        ("POST", "/runs/{run}/acts/pause", "steer"),
        ("POST", "/stops", "stop"),
        ("POST", "/workflows", "publish"),
        ("GET", "/runs/{run}", "read"),
        ("GET", "/events", "read"),
        ("GET", "/gates", "read"),
    ],
)
def test_token_without_the_scope_is_refused(manager: User, method: str, path: str, scope: str) -> None:
    others = [other for other in ("read", "run", "steer", "stop", "publish") if other != scope]
    run = people.run()
    bodies: dict[str, object] = {
        "/runs": order(),
        "/stops": {"scope": "everything", "reason": "x"},
        "/workflows": {"source": "metadata: {name: x, title: X}"},
    }
    body = bodies.get(path, {"reason": "x"}) if method == "POST" else None
    filled = path.format(run=run.pk)

    without = as_user(manager, *others).call(method, filled, body)
    within = as_user(manager, scope).call(method, filled, body)

    assert without.status_code in {403, 404}
    assert within.status_code in {200, 201, 422}


@pytest.mark.parametrize(("scopes", "may_decide"), [(["decide"], False), (["read", "run"], True)])
def test_token_decides_only_with_scope_and_flag(scopes: list[str], may_decide: bool) -> None:
    gate = people.gate()
    api = as_user(people.person("ana", "Reviewer", decides=people.queue()), *scopes, may_decide=may_decide)

    response = api.post(f"/gates/{gate.pk}/decisions", {"version": 1, "verdict": "approve"})

    assert response.status_code == 403
    assert not Decision.objects.exists()


def test_token_of_the_requester_does_not_decide() -> None:
    ana = people.person("ana", "Reviewer", decides=people.queue())
    gate = people.gate(started_by=ana)

    response = as_user(ana).post(f"/gates/{gate.pk}/decisions", {"version": 1, "verdict": "approve"})

    assert response.status_code == 403
    assert response.json()["error"]["code"] == "separation_of_duties"


def test_failed_tokens_from_one_address_are_throttled_and_good_ones_are_not(manager: User) -> None:
    good = as_user(manager)
    good.get("/stops")
    answers = [Api(f"wk_{number}").get("/stops").status_code for number in range(int(limits.FAILURE.burst) + 3)]

    last = Api("wk_last").get("/stops")

    assert answers[0] == 401
    assert last.status_code == 429
    assert int(last["Retry-After"]) >= 1
    assert good.get("/stops").status_code == 200


def test_token_that_calls_too_often_is_throttled(manager: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("config.api.auth.TOKEN", limits.Rate(burst=3, per_second=0.01))
    api, other = as_user(manager), as_user(manager)

    answers = [api.get("/stops").status_code for _ in range(5)]

    assert answers == [200, 200, 200, 429, 429]
    assert api.get("/stops").json()["error"]["code"] == "too_many_requests"
    assert other.get("/stops").status_code == 200


def test_all_tokens_of_a_user_share_one_limit(manager: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("config.api.auth.USER", limits.Rate(burst=3, per_second=0.01))

    answers = [as_user(manager).get("/stops").status_code for _ in range(4)]

    assert answers == [200, 200, 200, 429]


def test_last_use_is_written_at_most_once_a_minute(manager: User) -> None:
    api = as_user(manager)
    api.get("/stops")
    first = ApiToken.objects.get().last_used_at

    api.get("/stops")

    assert first is not None
    assert ApiToken.objects.get().last_used_at == first


def test_bucket_refills_with_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(limits.time, "monotonic", lambda: now[0])
    buckets, rate = limits.Buckets(), limits.Rate(burst=2, per_second=0.5)

    taken = [buckets.take("a", rate) for _ in range(3)]
    now[0] += 2

    assert taken == [0, 0, 2]
    assert buckets.take("a", rate) == 0
