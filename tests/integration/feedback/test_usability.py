"""The accessibility report: rounds held with people, what they found, and how it was mended. Empty until then."""

from datetime import date, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client

from approvals.errors import FeedbackNotFound, FeedbackRefused, NotPermitted
from approvals.feedback import usability
from approvals.feedback.models import UsabilityRound
from approvals.feedback.usability import Held
from orchestrator.models import Event
from tests import api, people

pytestmark = pytest.mark.django_db
DAY = date(2026, 6, 2)
HELD = Held("June", DAY, "Moderated, six tasks.", ("screen reader", "new to it"), 4, 24, 21)


@pytest.fixture
def quinn() -> User:
    return people.person("quinn", "Quality Assurance Lead")


def page(user: User) -> str:
    browser = Client()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return browser.get("/feedback/usability/").text


def test_report_says_that_nobody_has_looked_yet(quinn):
    text = page(quinn)

    assert "No round was held yet" in text
    assert "Nobody has looked yet" in text


def test_round_is_recorded_with_what_it_found_until_that_is_mended(quinn):
    browser = Client()
    browser.force_login(quinn, backend="django.contrib.auth.backends.ModelBackend")
    browser.post("/feedback/usability/record/", {
        "title": "June", "held_on": "2026-06-02", "method": "Moderated.", "groups": "screen reader\nnew to it\n",
        "people": "4", "tries": "24", "done": "21",
    })  # fmt: skip
    made = UsabilityRound.objects.get()
    browser.post(f"/feedback/usability/{made.pk}/find/", {"text": "The slider is silent.", "severity": "serious"})
    found = made.findings.get()
    assert "The slider is silent." in page(quinn).split("Rounds with people")[0]

    browser.post(f"/feedback/usability/findings/{found.pk}/close/", {"remedy": "It has a label now."})

    text = page(quinn)
    assert "The slider is silent." not in text.split("Rounds with people")[0]
    assert "It has a label now." in text
    assert "21 of 24 tasks completed without help" in text
    kinds = Event.objects.filter(kind__startswith="usability.", actor="user:quinn").order_by("id")
    assert list(kinds.values_list("kind", flat=True)) == ["usability.recorded", "usability.found", "usability.closed"]
    with pytest.raises(FeedbackRefused, match="closed already"):
        usability.close(finding_id=found.pk, remedy="again", by=quinn)


@pytest.mark.parametrize(
    "wrong",
    [
        {"groups": ("screen reader",)}, {"groups": (" ", "x")}, {"held_on": None}, {"title": " "}, {"method": ""},
        {"held_on": date.today() + timedelta(days=2)}, {"people": 0}, {"done": 25},
    ],
    ids=["one-group", "an-empty-group", "no-day", "no-name", "no-method", "tomorrow", "nobody", "more-done-than-tried"],
)  # fmt: skip
def test_round_that_says_too_little_is_refused(quinn, wrong):
    facts = {name: getattr(HELD, name) for name in Held.__dataclass_fields__} | wrong

    with pytest.raises(FeedbackRefused):
        usability.record(Held(**facts), by=quinn)

    assert not UsabilityRound.objects.exists()


def test_only_who_answers_for_quality_records(quinn):
    ana = people.person("ana", "Reviewer")
    made = usability.record(HELD, by=quinn)

    for act in (
        lambda: usability.record(HELD, by=ana),
        lambda: usability.find(round_id=made.pk, text="x", severity="minor", by=ana),
        lambda: usability.close(finding_id=1, remedy="x", by=ana),
    ):
        with pytest.raises(NotPermitted):
            act()
    with pytest.raises(FeedbackNotFound):
        usability.find(round_id=0, text="x", severity="minor", by=quinn)
    assert "Record a round" not in page(ana)


def test_programs_record_rounds_too(quinn):
    rest = api.as_user(quinn)
    body = {"title": "June", "held_on": "2026-06-02", "method": "x", "groups": ["a", "b"], "people": 2, "tries": 3}

    made = rest.post("/usability", {**body, "done": 3})
    found = rest.post(f"/usability/{made.json()['id']}/findings", {"text": "Silent.", "severity": "minor"})
    closed = rest.post(f"/usability/findings/{found.json()['id']}/close", {"remedy": "Labelled."})

    assert (made.status_code, found.status_code, closed.status_code) == (201, 201, 200)
    (listed,) = rest.get("/usability").json()
    assert listed["findings"][0]["remedy"] == "Labelled."
    assert rest.post("/usability", {**body, "done": 4}).status_code == 422
