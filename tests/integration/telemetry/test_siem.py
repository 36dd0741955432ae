"""Events for a SIEM: all of them, in order, at least once, pushed or fetched, and none of anybody's words."""

import json
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from monitoring.models import Outlet
from monitoring.telemetry import cef, db, taxonomy
from orchestrator import ledger
from orchestrator.models import Workflow
from tests import api, factories, people
from tests.integration.metrics.conftest import seal
from tests.receivers import free_port, receiving, syslog_server

pytestmark = pytest.mark.django_db
SECRET = "sk-proj-Zx81LmnoPqrStuVwx2345678901234567890AbCd"


def happen(count: int = 3) -> None:
    """A run of somebody's, and what people did; every text in it is one that must not go out."""
    known = Workflow.objects.filter(name="letters").first()
    run = factories.run(
        known or factories.workflow("letters", factories.steps("read")), input={"customer_id": "C-4711"}
    )
    for number in range(count):
        factories.event(run, "run.paused", actor="user:mia", reason=f"{SECRET} Erika", number=number)
    seal()


def positions(text: str) -> list[int]:
    return [json.loads(line)["pos"] for line in text.splitlines()]


def test_every_event_goes_out_in_order_with_nobodys_words(collector, lead, send):
    lead(siem=f"{collector.url}/intake")
    happen()

    assert send() == 3

    (path, headers, _body), *more = collector.requests
    assert (path, headers["Content-Type"], more) == ("/intake", "application/x-ndjson", [])
    lines = [json.loads(line) for line in collector.text.splitlines()]
    assert [line["type"] for line in lines] == ["human_override"] * 3
    assert [line["pos"] for line in lines] == list(range(lines[0]["pos"], lines[0]["pos"] + 3))
    assert {line["workflow"] for line in lines} == {"letters"}
    assert {len(line["customer_id"]) for line in lines} == {64}
    for canary in (SECRET, "Erika", "4711"):
        assert canary not in collector.text


def test_it_goes_on_where_it_stopped(lead, send):
    lead(siem=f"http://127.0.0.1:{free_port()}")
    happen()
    assert send() == 0
    happen(2)

    with receiving() as back:
        lead(siem=back.url)
        Outlet.objects.update(retry_at=timezone.now())
        assert send() == 5
        assert len(set(positions(back.text))) == 5
        happen(1)
        assert send() == 1
        assert positions(back.text) == sorted(set(positions(back.text)))
    assert Outlet.objects.get(pk="siem").lost == 0


def test_what_is_not_allowed_in_is_kept_and_tried_again(collector, lead, send, settings):
    lead(siem=collector.url)
    settings.SIEM_AUTHORIZATION = "Splunk wrong"
    collector.status = 401
    happen()

    assert send() == 0

    outlet = Outlet.objects.get(pk="siem")
    assert "401: it does not accept who we say we are" in outlet.problem
    assert SECRET not in outlet.problem
    collector.status, settings.SIEM_AUTHORIZATION = 200, "Splunk right"
    Outlet.objects.update(retry_at=timezone.now())
    assert send() == 3
    assert collector.requests[0][1]["Authorization"] == "Splunk right"


def test_syslog_gets_cef_one_message_an_event(lead, send):
    with syslog_server() as (port, messages):
        lead(siem=f"syslog+tcp://127.0.0.1:{port}", form="cef")
        happen()

        assert send() == 3

        assert len(messages) == 3
        head, _, text = messages[0].decode().partition(" CEF:0|")
        assert head.startswith("<109>1 20")  # audit, notice
        assert " watchkeeper - " in head
        assert text.startswith("Watchkeeper|Watchkeeper|1|run.paused|human_override|5|")


def test_a_stretch_says_the_same_however_it_is_asked_for(collector, lead, send):
    lead(siem=collector.url)
    happen()
    send()
    entries = [taxonomy.entry_of(one) for one in db.told(0, ledger.head())]

    fetched = api.as_user(people.person("aud", "Auditor"), "read").get("/telemetry/events?after=0&limit=1000")

    assert fetched.content.decode() == "".join(f"{cef.json_line(entry)}\n" for entry in entries)
    assert collector.text in fetched.content.decode()


def test_fetching_goes_by_a_cursor_that_skips_and_repeats_nothing():
    happen(5)
    client = api.as_user(people.person("aud", "Auditor"), "read")
    seal()
    end, after, found = ledger.head(), 0, []
    while True:
        answer = client.get(f"/telemetry/events?after={after}&limit=2&format=cef")
        after = int(answer["Watchkeeper-Next"])
        found += answer.content.decode().splitlines()
        if answer.status_code == 204:
            break
    assert len(found) == end == after
    assert all(line.startswith("CEF:0|") for line in found)


def test_who_may_not_see_the_trail_may_not_fetch_it():
    assert api.as_user(people.person("rev", "Reviewer"), "read").get("/telemetry/events").status_code == 403
    assert api.as_user(people.person("aud", "Auditor"), "run").get("/telemetry/events").status_code == 403


def test_a_stretch_of_a_large_run_reads_its_input_once(django_assert_num_queries: Any):
    run = factories.run(
        factories.workflow("big", factories.steps("read")), input={"customer": 5, "text": "x" * 900_000}
    )
    for _ in range(50):
        factories.event(run, "run.paused")
    seal()

    head = ledger.head()

    with django_assert_num_queries(1):
        found = db.told(0, head)

    assert {one.customer for one in found if one.run == run.pk} == {"5"}
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + db._ALL_EVENTS, db._asked(0, 10, ()))
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "CTE customers" in plan


def test_events_in_the_log_are_lines_with_the_same_words(lead, send, caplog):
    lead(log=True)
    happen(2)

    with caplog.at_level("INFO"):
        assert send() == 2

    text = caplog.text
    assert "run.paused" in text
    assert "human_override" in text
    for canary in (SECRET, "Erika", "4711"):
        assert canary not in text
