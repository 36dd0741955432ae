"""A workflow's schedules on its page, with and without JavaScript."""

import re

import pytest
from django.test import Client

from orchestrator import schedules
from orchestrator.models import Run, Schedule, ScheduledStart, Workflow
from orchestrator.schedules import Wanted
from tests import factories

pytestmark = pytest.mark.django_db
FORM = {
    "name": "nightly", "cron": "30 2 * * *", "zone": "Europe/Berlin", "input": "{}", "overlap": "skip", "missed": "run",
    "reason": "books",
}  # fmt: skip


@pytest.fixture
def flow() -> Workflow:
    return factories.workflow("incident", factories.incident_steps(), title="Incident response")


@pytest.fixture
def manager(client: Client) -> Client:
    client.force_login(factories.user("maria", "Workflow Orchestration Manager"))
    return client


def text_of(response) -> str:  # type: ignore[no-untyped-def]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", response.content.decode()))


def made(flow: Workflow) -> Schedule:
    maria = factories.User.objects.get(username="maria")
    wanted = Wanted("30 2 * * *", "Europe/Berlin", {})
    return schedules.create(name="nightly", workflow=flow, wanted=wanted, by=maria, reason="books")


def test_empty_tab_says_how_to_make_one(manager, flow):
    page = text_of(manager.get("/workflows/incident/?tab=schedules"))

    assert "No clock starts it" in page
    assert "Make schedule" in page


def test_schedule_is_made_changed_paused_and_removed_by_plain_forms(manager, flow):
    assert manager.post("/workflows/incident/schedules/", FORM).status_code == 302
    page = text_of(manager.get("/workflows/incident/?tab=schedules"))
    assert page.count("02:30") >= 5
    assert "“books”" in page

    address = "/workflows/incident/schedules/nightly"
    assert manager.post(f"{address}/change/", {**FORM, "cron": "0 4 * * *", "reason": "later"}).status_code == 302
    assert Schedule.objects.get().cron == "0 4 * * *"
    assert manager.post(f"{address}/pause/", {"reason": "holiday"}).status_code == 302
    assert "None while it is paused" in text_of(manager.get("/workflows/incident/?tab=schedules"))
    assert manager.post(f"{address}/resume/", {"reason": "back"}).status_code == 302
    assert manager.post(f"{address}/remove/", {"reason": "done"}).status_code == 302
    assert not Schedule.objects.exists()
    assert manager.post(f"{address}/remove/", {"reason": "done"}).status_code == 404


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cron": "99 2 * * *"}, "its minute is not valid"),
        ({"input": "{"}, "This is not JSON"),
        ({"input": "[]"}, "A JSON object is needed"),
        ({"name": "Not A Name"}, "name must be"),
        ({"reason": " "}, "reason"),
    ],
)
def test_refusal_keeps_what_was_typed(manager, flow, changes, said):
    refused = manager.post("/workflows/incident/schedules/", FORM | changes)

    assert refused.status_code == 422
    assert said in text_of(refused)
    assert 'value="Europe/Berlin"' in refused.content.decode()
    assert not Schedule.objects.exists()


def test_preview_without_and_with_javascript(manager, flow):
    plain = manager.post("/workflows/incident/schedules/", {**FORM, "preview": "1"})
    fragment = manager.get(
        "/workflows/incident/schedules/preview/?cron=0+12+29+2+*&zone=UTC", headers={"HX-Request": "true"}
    )
    wrong = manager.get("/workflows/incident/schedules/preview/?cron=x&zone=UTC", headers={"HX-Request": "true"})

    assert "It starts next on" in text_of(plain)
    assert not Schedule.objects.exists()
    assert "29 Feb 2028" in text_of(fragment)
    assert "<html" not in fragment.content.decode()
    assert "must have five fields" in text_of(wrong)


def test_run_now_starts_one_run_however_often_the_form_is_sent(manager, flow):
    made(flow)
    form = {"reason": "now", "key": "abc"}

    first = manager.post("/workflows/incident/schedules/nightly/run/", form)
    second = manager.post("/workflows/incident/schedules/nightly/run/", form)

    run = Run.objects.get()
    assert first["Location"] == second["Location"] == f"/runs/{run.pk}/"


def test_what_became_of_slots_is_shown_with_its_reason(manager, flow):
    found = made(flow)
    run = factories.run(flow, statuses=["running"])
    ScheduledStart.objects.create(schedule=found, slot="2026-05-01T00:30Z", outcome="started", run=run, late=True)
    ScheduledStart.objects.create(
        schedule=found, slot="2026-05-02T00:30Z", outcome="skipped", problem="a run of it is still alive"
    )

    page = text_of(manager.get("/workflows/incident/?tab=schedules"))

    assert re.search(r"1 May 2026, 02:30 CEST\s+started\s+late\s+#", page)
    assert re.search(r"2 May 2026, 02:30 CEST\s+left out\s+a run of it is still alive", page)


def test_upcoming_lists_what_one_may_see(manager, client, flow):
    made(flow)
    assert text_of(manager.get("/runs/upcoming/")).count("nightly") == 50

    client.force_login(factories.user("nora", "Reviewer"))
    assert client.get("/runs/upcoming/").status_code == 403


def test_hostile_reason_stays_text(manager, flow):
    manager.post("/workflows/incident/schedules/", {**FORM, "reason": "<script>alert(1)</script>"})

    assert "<script>alert(1)" not in manager.get("/workflows/incident/?tab=schedules").content.decode()
