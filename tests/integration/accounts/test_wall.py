"""A session left on a wall: it shows the floor for weeks and opens nothing else."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from orchestrator.models import Event
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def wall(client: Client) -> Client:
    client.force_login(factories.user("mia", "Workflow Orchestration Manager"))
    client.post("/account/wall/")
    return client


def test_it_shows_the_floor_as_a_wall_and_lasts_for_weeks(wall):
    page = wall.get("/")

    assert page.status_code == 200
    assert "data-wall" in page.text
    assert "Sign this screen out" in page.text
    assert "Leave wall mode" not in page.text
    left = Session.objects.get().expire_date - timezone.now()
    assert timedelta(days=29) < left < timedelta(days=31)
    assert Event.objects.filter(kind="session.on_wall", actor="user:mia").count() == 1


@pytest.mark.parametrize("part", ["tiles", "people", "needs", "flows", "agents", "events"])
def test_its_regions_go_on(wall, part):
    assert wall.get(f"/?part={part}", headers={"HX-Request": "true"}).status_code == 200


@pytest.mark.parametrize(
    "path", ["/runs/", "/inbox/", "/agents/", "/audit/", "/account/", "/stop/", "/search/?q=a", "/api/docs"]
)
def test_every_other_page_leads_back_to_the_floor(wall, path):
    answer = wall.get(path)

    assert (answer.status_code, answer["Location"]) == (302, "/")


@pytest.mark.parametrize("path", ["/stop/", "/account/tokens/make/", "/account/wall/", "/", "/api/v1/stops"])
def test_nothing_can_be_done_from_it(wall, path):
    assert wall.post(path, {"reason": "x"}).status_code == 403


def test_fragments_of_other_pages_are_refused(wall):
    assert wall.get("/runs/", headers={"HX-Request": "true"}).status_code == 403


def test_signing_it_out_gives_nobody_the_session_back(wall):
    answer = wall.post("/account/wall/end/")

    assert answer["Location"] == "/sign-in/"
    assert wall.get("/").status_code == 302
    assert Session.objects.filter(expire_date__gt=timezone.now(), session_data__contains="_auth").count() == 0


def test_who_may_not_see_the_floor_makes_no_wall(client: Client):
    client.force_login(factories.user("nobody"))

    assert client.post("/account/wall/").status_code == 403


def test_it_ends_with_the_right_to_see_the_floor(wall):
    factories.User.objects.get(username="mia").groups.clear()

    assert wall.get("/")["Location"] == "/sign-in/"
