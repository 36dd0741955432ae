"""Schedules over REST, with rights and refusals."""

from datetime import timedelta
from typing import Any

import pytest

from orchestrator import db
from orchestrator.engine import scheduling
from orchestrator.models import Run, Schedule
from tests import engine, people
from tests.api import as_user

pytestmark = pytest.mark.django_db
NIGHTLY = {"name": "nightly", "workflow": "billing", "cron": "30 2 * * 1-5", "zone": "Europe/Berlin", "reason": "books"}


@pytest.fixture
def api() -> Any:
    engine.publish("  - {key: a, type: automated, agent: test-echo}", name="billing")
    return as_user(people.person("mia", "Workflow Orchestration Manager"))


def test_schedule_lives_its_life_over_the_api(api: Any) -> None:
    made = api.post("/schedules", NIGHTLY)

    assert made.status_code == 201
    found = made.json()
    assert (found["overlap"], found["missed"], found["starts_as"], found["reason"]) == ("skip", "run", "mia", "books")
    assert len(found["next"]) == 5
    assert api.get("/schedules/nightly").json() == found
    assert api.get("/schedules").json() == [found]
    upcoming = api.get("/schedules/upcoming?limit=3").json()
    assert [start["at"] for start in upcoming] == found["next"][:3]

    changed = api.post("/schedules/nightly/change", {"cron": "0 4 * * *", "overlap": "queue", "reason": "later"}).json()
    assert (changed["cron"], changed["zone"], changed["overlap"]) == ("0 4 * * *", "UTC", "queue")
    assert changed["in_words"] == "At 04:00"
    paused = api.post("/schedules/nightly/pause", {"reason": "holiday"}).json()
    assert (paused["enabled"], paused["next"]) == (False, [])
    again = api.post("/schedules/nightly/pause", {"reason": "holiday"})
    assert (again.status_code, again.json()["error"]["code"]) == (422, "schedule_refused")
    assert api.post("/schedules/nightly/resume", {"reason": "back"}).json()["enabled"] is True

    first = api.post("/schedules/nightly/run", {"reason": "now"}, Idempotency_Key="k 1".replace(" ", "-"))
    second = api.post("/schedules/nightly/run", {"reason": "now"}, Idempotency_Key="k-1")
    assert (first.status_code, first.json()) == (201, second.json())
    assert Run.objects.get().pk == first.json()["run"]
    latest = api.get("/schedules/nightly").json()["latest"]
    assert [(start["outcome"], start["by_hand"]) for start in latest] == [("started", True)]

    assert api.post("/schedules/nightly/remove", {"reason": "done"}).status_code == 204
    assert api.get("/schedules/nightly").json()["error"]["code"] == "schedule_not_found"


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"cron": "61 * * * *"}, 422, "its minute is not valid"),
        ({"cron": "0 0 30 2 *"}, 422, "its day-of-month is not valid"),
        ({"zone": "Mars"}, 422, "time zone 'Mars' is not known"),
        ({"workflow": "nowhere"}, 404, "no workflow"),
        ({"overlap": "both"}, 422, ""),
        ({"reason": ""}, 422, ""),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(api: Any, changes: dict[str, str], status: int, said: str) -> None:
    refused = api.post("/schedules", NIGHTLY | changes)

    assert refused.status_code == status
    message = refused.json()["error"]["message"]
    assert said in message or said.lower() in message.lower()
    assert "\n" not in message
    assert not Schedule.objects.exists()


def test_preview_says_when_and_what_is_wrong(api: Any) -> None:
    good = api.get("/schedules/preview?cron=0+12+29+2+*&zone=UTC").json()
    bad = api.get("/schedules/preview?cron=nonsense&zone=UTC")

    assert good[0].startswith("2028-02-29T12:00:00")
    assert bad.status_code == 422
    assert "must have five fields" in bad.json()["error"]["message"]


def test_token_that_may_only_read_changes_nothing(api: Any) -> None:
    api.post("/schedules", NIGHTLY)
    reader = as_user(people.person("max", "Workflow Orchestration Manager"), "read")

    assert reader.get("/schedules/nightly").status_code == 200
    for verb in ("pause", "remove", "run", "change"):
        body = {"reason": "why"} | ({"cron": "0 1 * * *"} if verb == "change" else {})
        refused = reader.post(f"/schedules/nightly/{verb}", body)
        assert refused.status_code == 403, verb
    assert Schedule.objects.get().enabled


def test_schedule_made_through_a_token_fires_by_its_owners_own_rights(api: Any) -> None:
    api.post("/schedules", NIGHTLY)
    Schedule.objects.update(next_due=Schedule.objects.get().changed_at)

    scheduling.fire_due()

    assert Run.objects.get().started_by.username == "mia"  # type: ignore[union-attr]


def test_missed_starts_are_made_up_for_over_the_api_after_a_preview(api: Any) -> None:
    api.post("/schedules", NIGHTLY | {"cron": "0 0 * * *", "zone": "UTC", "overlap": "allow"})
    today = db.clock().date()
    given = {"answers": {"schedule": "nightly", "from": str(today - timedelta(days=2)), "to": str(today)}}

    preview = api.post("/workflows/billing/acts/backfill?preview=true", given).json()
    done = api.post(
        "/workflows/billing/acts/backfill", {**given, "reason": "the host was down", "digest": preview["digest"]}
    ).json()

    assert preview["lines"][0] == "3 runs start now."
    assert done["data"]["runs"] == list(Run.objects.order_by("pk").values_list("pk", flat=True))
    latest = api.get("/schedules/nightly").json()["latest"]
    assert [(start["outcome"], start["late"], start["by_hand"]) for start in latest] == [("started", True, True)] * 3
    refused = api.post("/workflows/billing/acts/backfill", {**given, "reason": "again"})
    assert (refused.status_code, "No slot in this range" in refused.json()["error"]["message"]) == (409, True)
