"""Events over REST: in order, gap-free, and only what one may see."""

import pytest

from approvals import access
from orchestrator import events, ledger, services
from tests import people
from tests.api import as_user

pytestmark = pytest.mark.django_db(transaction=True)


def test_events_are_read_in_order_along_the_cursor(sealed):
    api = as_user(people.person("max", "Workflow Orchestration Manager"))
    run = people.run()
    services.pause_run(run_id=run.pk, by=people.person("eve"), reason="look")
    sealed()

    read, after = [], 0
    while True:
        page = api.get(f"/events?after={after}&limit=3").json()
        read += page["items"]
        after = page["next"]
        if after == page["head"]:
            break

    assert [event["pos"] for event in read] == list(range(1, ledger.head() + 1))
    assert read[-1]["kind"] == "run.paused"
    assert read[-1]["type"] is None
    assert api.get(f"/events?after={after}").json()["items"] == []


def test_events_of_other_workflows_and_of_access_are_not_shown(sealed):
    ana = people.person("ana", "Reviewer")
    granted, other = people.workflow("granted"), people.workflow("other")
    access.grant(to=ana, permission="see_runs", on=granted, by=None)
    mine, _theirs = people.run(of=granted), people.run(of=other)
    api = as_user(ana)
    sealed()

    page = api.get("/events").json()

    assert {event["run"] for event in page["items"]} == {mine.pk}
    assert page["next"] == page["head"] == ledger.head()


def test_events_are_narrowed_to_one_run(sealed):
    api = as_user(people.person("max", "Workflow Orchestration Manager"))
    people.run()
    wanted = people.run()
    events.append("stop.set", actor="engine", data={})
    sealed()

    assert {event["run"] for event in api.get(f"/events?run={wanted.pk}").json()["items"]} == {wanted.pk}


def test_events_without_the_right_are_refused():
    assert as_user(people.person("ana", "Reviewer")).get("/events").status_code == 403
