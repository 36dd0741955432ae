"""Digests are made once, told to who wished for them, and shown to nobody else; as a page and as a PDF."""

from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse

from approvals.models import Notice
from approvals.notices import composing, telling
from monitoring.digests import building, spans
from monitoring.digests import telling as digests
from monitoring.metrics import folding
from monitoring.models import Digest, DigestWish
from orchestrator.models import Event
from tests import people
from tests.integration.metrics.conftest import seal

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 30, 6, 15, tzinfo=UTC)  # a Monday


@pytest.fixture
def boss():
    return people.person("mia", "Workflow Orchestration Manager")


@pytest.fixture
def wished(boss):
    digests.wish(boss, "weekly", wanted=True)
    DigestWish.objects.update(since=NOW - timedelta(days=30))
    return boss


def test_a_digest_is_made_once_and_said_in_the_log(wished):
    assert digests.tell_due(now=NOW) == 1
    assert digests.tell_due(now=NOW + timedelta(hours=1)) == 0

    found = Digest.objects.get()
    assert (found.since, found.until) == (NOW.replace(day=23, hour=0, minute=0), NOW.replace(hour=0, minute=0))
    assert Event.objects.filter(kind="digest.made").count() == 1


def test_nobody_is_told_of_a_span_that_was_over_before_they_wished(boss):
    digests.wish(boss, "weekly", wanted=True)
    DigestWish.objects.update(since=NOW)

    assert digests.tell_due(now=NOW) == 0


def test_who_may_see_no_run_any_more_is_told_nothing(wished):
    wished.groups.clear()

    assert digests.tell_due(now=NOW) == 0


def test_the_person_is_told_with_a_way_to_the_page(wished):
    telling.tell()  # a log that nobody has read is read from its end
    digests.tell_due(now=NOW)
    seal()

    telling.tell()

    notice = Notice.objects.get(kind="digest")
    assert notice.recipient == wished
    assert notice.path == f"/analytics/digests/{Digest.objects.get().pk}/"
    assert "2026-11-23" in composing.sentence(notice)


def test_a_digest_is_shown_to_whom_it_was_told_alone(client, wished):
    digests.tell_due(now=NOW)
    address = reverse("monitoring:digest", args=[Digest.objects.get().pk])

    client.force_login(people.person("aud", "Auditor"))
    assert client.get(address).status_code == 404
    client.force_login(wished)
    assert "Against their targets" in client.get(address).text


@pytest.mark.parametrize("kind", spans.KINDS)
def test_the_one_under_way_is_a_page_and_a_pdf(client, boss, work, kind):
    folding.catch_up()
    client.force_login(boss)
    address = reverse("monitoring:digest-running", args=[kind])

    assert "Done without a person" in client.get(address).text
    answer = client.get(address + "?as=pdf")
    assert answer["Content-Type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")
    assert Digest.objects.count() == 0


def test_figures_of_a_digest_are_of_what_its_reader_may_see(boss, work):
    folding.catch_up()
    since, until = spans.now_running("weekly", datetime.now(tz=UTC))

    [targets, *_rest] = building.build(boss, "weekly", since, until)["sections"]
    [nothing, *_rest] = building.build(people.person("vic", "Reviewer"), "weekly", since, until)["sections"]

    assert targets["rows"][0][2] == "44"
    assert nothing["rows"][0][2] == "0"
