"""Workflows, runs, tasks and stops over REST."""

import pytest

from approvals import access
from orchestrator.models import Run, Stop, Task
from tests import people
from tests.api import as_user

pytestmark = pytest.mark.django_db

MANAGER = "Workflow Orchestration Manager"
DEFINITION = """
metadata: {name: greeting, title: Greeting}
steps: [{key: note, type: manual, queue: oncall, form: {type: object}}]
"""


@pytest.fixture
def api():
    return as_user(people.person("max", MANAGER))


def start(api, *, key="", **order):
    headers = {"Idempotency_Key": key} if key else {}
    return api.post("/runs", {"workflow": people.workflow().name, "input": people.GIVEN, **order}, **headers)


def test_start_run_answers_with_the_run(api):
    response = start(api, title="Host on fire", correlation_id="inc-7", priority=4)

    run = Run.objects.get()
    answer = response.json()
    assert response.status_code == 201
    assert (answer["id"], answer["title"], answer["status"]) == (run.pk, "Host on fire", "running")
    assert (answer["correlation_id"], answer["priority"], answer["started_by"]) == ("inc-7", 4, "max")


def test_start_run_twice_with_one_key_starts_one_run(api):
    first, second = start(api, key="k-1"), start(api, key="k-1")

    assert first.json() == second.json()
    assert Run.objects.count() == 1


def test_start_run_with_a_used_key_and_another_body_is_refused(api):
    start(api, key="k-1")

    response = start(api, key="k-1", input={"host": "other"})

    assert response.status_code == 422
    assert response.json()["error"]["code"] == "idempotency_conflict"


def test_start_run_of_an_unknown_workflow_is_404(api):
    response = start(api, workflow="nope")

    error = response.json()["error"]
    assert response.status_code == 404
    assert error["code"] == "workflow_not_found"
    assert error["message"] == "There is no workflow named 'nope'"
    assert error["remedy"] == "publish it or check the spelling."


def test_runs_are_listed_newest_first_along_a_cursor(api):
    made = [people.run().pk for _ in range(5)]

    first = api.get("/runs?limit=2").json()
    second = api.get(f"/runs?limit=2&before={first['next']}").json()
    third = api.get(f"/runs?limit=2&before={second['next']}").json()

    assert [run["id"] for page in (first, second, third) for run in page["items"]] == made[::-1]
    assert third["next"] is None


def test_runs_are_narrowed_by_workflow_and_status(api):
    made = people.run()

    assert [run["id"] for run in api.get("/runs?workflow=incident&status=running").json()["items"]] == [made.pk]
    assert api.get("/runs?workflow=incident&status=failed").json()["items"] == []
    assert api.get("/runs?status=sleeping").status_code == 422


def test_get_run_tells_its_input_and_what_it_waits_for(api):
    answer = api.get(f"/runs/{people.run().pk}").json()

    assert answer["input"] == people.GIVEN
    assert answer["waits_for"]


def test_retry_of_a_running_run_is_a_conflict(api):
    response = api.post(f"/runs/{people.run().pk}/acts/retry", {"reason": "again"})

    assert response.status_code == 409
    assert response.json()["error"]["code"] == "illegal_transition"


def test_tasks_of_a_run_are_listed_along_a_cursor(api):
    run = people.run()

    first = api.get(f"/runs/{run.pk}/tasks?limit=2").json()
    second = api.get(f"/runs/{run.pk}/tasks?limit=2&after={first['next']}").json()

    assert [task["key"] for task in first["items"] + second["items"]] == ["assess", "approve", "note"]
    assert second["next"] is None


def test_get_task_tells_what_came_out(api):
    run = people.run()
    task = Task.objects.filter(run=run).order_by("id")[0]
    Task.objects.filter(pk=task.pk).update(output={"summary": "ok"})

    answer = api.get(f"/tasks/{task.pk}").json()

    assert (answer["key"], answer["run"], answer["output"], answer["attempts"]) == (
        "assess",
        run.pk,
        {"summary": "ok"},
        [],
    )


def test_workflows_are_listed_and_shown(api):
    people.workflow()

    assert [found["name"] for found in api.get("/workflows").json()] == ["incident"]
    assert api.get("/workflows/incident").json()["version"] == 1
    assert api.get("/workflows/nope").status_code == 404


def test_publish_answers_with_the_version_and_advice(api):
    people.queue()

    first = api.post("/workflows", {"source": DEFINITION})
    second = api.post("/workflows", {"source": DEFINITION})

    assert (first.status_code, first.json()["version"], second.json()["version"]) == (201, 1, 1)
    assert any("days are used" in line["message"] for line in first.json()["advice"])


def test_publish_of_a_broken_definition_lists_every_problem(api):
    response = api.post("/workflows", {"source": DEFINITION.replace("manual", "manuel"), "file": "greeting.yaml"})

    error = response.json()["error"]
    assert response.status_code == 422
    assert error["code"] == "definition_invalid"
    assert error["facts"]["problems"][0] | {"line": 0} == {
        "file": "greeting.yaml", "line": 0, "step": "note", "field": "type",
        "message": "'manuel' is not a type of step", "remedy": 'did you mean "manual"?',
    }  # fmt: skip


def test_validate_says_what_publishing_would_say_and_changes_nothing(api):
    people.queue()

    good = api.post("/workflows/validate", {"source": DEFINITION}).json()
    bad = api.post("/workflows/validate", {"source": "steps: []"}).json()

    assert (good["valid"], bad["valid"]) == (True, False)
    assert len(bad["problems"]) == 2
    assert api.get("/workflows").json() == []


def test_validate_reports_what_only_compiling_finds(api):
    source = DEFINITION + "dependencies: {note: [nope]}"

    assert (
        api.post("/workflows/validate", {"source": source}).json()["problems"][0]["message"] == '"nope" is not a step'
    )


def test_stop_and_lift(api):
    people.workflow()

    made = api.post("/stops", {"scope": "workflow", "name": "incident", "reason": "odd output"})
    again = api.post("/stops", {"scope": "workflow", "name": "incident", "reason": "odd output"})
    listed = api.get("/stops").json()
    lifted = api.post(f"/stops/{made.json()['id']}/lift", {"reason": "understood"})

    assert (made.status_code, again.status_code) == (201, 409)
    assert [(stop["name"], stop["stopped_by"]) for stop in listed] == [("incident", "max")]
    assert lifted.json()["lifted_by"] == "max"
    assert api.get("/stops").json() == []


def test_stop_of_what_one_may_not_stop_is_refused():
    people.workflow()
    api = as_user(people.person("ana", "Performance Analytics Specialist"))

    response = api.post("/stops", {"scope": "everything", "reason": "because"})

    assert response.status_code == 403
    assert not Stop.objects.exists()


def test_grant_on_one_workflow_opens_that_one_only():
    ana = people.person("ana", "Reviewer")
    granted, other = people.workflow("granted"), people.workflow("other")
    access.grant(to=ana, permission="steer_run", on=granted, by=None)
    mine, theirs = people.run(of=granted), people.run(of=other)
    api = as_user(ana)

    assert api.post(f"/runs/{mine.pk}/acts/pause", {"reason": "x"}).status_code == 200
    assert api.post(f"/runs/{theirs.pk}/acts/pause", {"reason": "x"}).status_code == 404
    assert api.get(f"/runs/{theirs.pk}").status_code == 404
    assert [run["id"] for run in api.get("/runs").json()["items"]] == [mine.pk]
    assert start(api, workflow="granted").status_code == 403
    assert start(api, workflow="other").status_code == 404
