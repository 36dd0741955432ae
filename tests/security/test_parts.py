"""C003: who belongs to a team with steps in a run sees these, and of all others name and status.

The word CANARY stands in everything that was given to the run and its other steps, and in all that came of them.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db.models.functions import Now
from django.test import Client

from approvals import permissions, tokens
from approvals.models import Gate
from config.api.limits import buckets
from monitoring import admission, finding
from orchestrator import events, parts
from orchestrator.models import Artifact, Attempt, Run, StateEntry, Task, Workflow, WorkflowVersion, task_id
from tests import factories, people
from tests.security.cast import BACKEND, World, world
from tests.security.test_matrix import API, PAGES, PERSONAS, ask, mark, rows

pytestmark = pytest.mark.django_db

HIDDEN = "CANARY-of-another-team"
OWN = "HARMLESS-of-this-team"
# What being in the team opens, and nothing else does: to the part itself, and to the way there.
OPENED = {
    "GET runs/": "+",
    "GET runs/<int:pk>/": "+",
    "GET runs/<int:pk>/part/": "+",
    "GET /parts/{run_id}": "+",
}


@pytest.fixture(autouse=True)
def full_buckets() -> Iterator[None]:
    buckets.clear()
    yield
    buckets.clear()


@pytest.fixture
def there(db: None) -> World:
    made = world()
    assert [step["key"] for step in made.run.version.plan["steps"]] == ["assess", "approve", "note"]
    WorkflowVersion.objects.filter(pk=made.run.version_id).update(teams={"Legal": [0, 1], "Claims": [2]})
    _write_everywhere(made)
    return made


def _write_everywhere(there: World) -> None:
    run, secret = there.run, {"text": HIDDEN}
    Run.objects.filter(pk=run.pk).update(
        title=HIDDEN,
        input=secret,
        error={"code": "c", "message": HIDDEN, "step": "assess"},
        outcome=secret,
        correlation_id=HIDDEN,
    )
    for index in (0, 1):
        Task.objects.filter(pk=task_id(run.pk, index)).update(
            input=secret, output=secret, error={"code": "c", "message": HIDDEN}, note=HIDDEN
        )
        Attempt.objects.create(
            task_id=task_id(run.pk, index),
            number=9,
            status="failed",
            error={"code": "c", "message": HIDDEN},
            ended_at=Now(),
        )
    Gate.objects.filter(pk=there.gate.pk).update(title=HIDDEN)
    Artifact.objects.filter(pk=there.file.pk).update(name=f"{HIDDEN}.md")
    StateEntry.objects.create(run=run, key="assess.finding", version=1, value=secret, writer="assessor")
    events.append("finding.discovered", actor="agent:assessor", run_id=run.pk, task_id=there.gate.task_id, data=secret)
    Task.objects.filter(pk=task_id(run.pk, 2)).update(input={"text": OWN}, output={"text": OWN})


def member(*teams: str) -> User:
    """A reviewer without any grant who is in these teams."""
    found = people.person("member", "Reviewer")
    for name in teams:
        found.groups.add(Group.objects.get_or_create(name=name)[0])
    return User.objects.get(pk=found.pk)


def browser(user: User) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(user, backend=BACKEND)
    return client


def own_task(there: World) -> int:
    return task_id(there.run.pk, 2)


def test_team_opens_its_part_and_nothing_of_others_on_any_page_or_route(there):
    """Every address of the matrix: as for a reviewer without the team, but for the part; and never another's words."""
    client, column = browser(member("Claims")), list(PERSONAS).index("Reviewer")
    signed_in = {name: cookie.value for name, cookie in client.cookies.items()}

    found, said = {}, []
    for route, expected in (rows(PAGES) | rows(API)).items():
        client.cookies.clear()  # whatever was answered last may have taken them
        client.cookies.load(signed_in)
        response = ask(client, there, route)
        content = b"".join(response.streaming_content) if response.streaming else response.content
        if HIDDEN.encode() in content:
            said.append(route)
        if (answer := mark(response)) != expected[column]:
            found[route] = answer

    assert said == []
    assert found == OPENED


def test_part_shows_own_task_whole_and_others_by_name_and_status(there):
    client = browser(member("Claims"))

    assert client.get(f"/runs/{there.run.pk}/")["Location"] == f"/runs/{there.run.pk}/part/"
    assert client.get("/runs/")["Location"] == "/runs/parts/"
    listed = client.get("/runs/parts/").content.decode()
    page = client.get(f"/runs/{there.run.pk}/part/?task=note").content.decode()
    foreign = client.get(f"/runs/{there.run.pk}/part/?task=assess").content.decode()

    assert f"#{there.run.pk}" in listed
    for shown in (page, foreign):
        assert "Assess" in shown
        assert "Legal" in shown
        assert HIDDEN not in shown
    assert page.count(OWN) == 2
    assert OWN not in foreign


def test_api_tells_the_part_and_own_tasks_alone(there):
    client = browser(member("Claims"))

    told = client.get(f"/api/v1/parts/{there.run.pk}").json()
    own = client.get(f"/api/v1/tasks/{own_task(there)}").json()

    assert told["teams"] == ["Claims"]
    assert [(step["key"], step["team"], step["status"], step["task"]) for step in told["steps"]] == [
        ("assess", "Legal", "waiting", None),
        ("approve", "Legal", "blocked", None),
        ("note", "Claims", "blocked", own_task(there)),
    ]
    assert [item["run"] for item in client.get("/api/v1/parts").json()["items"]] == [there.run.pk]
    assert own["output"] == {"text": OWN}
    assert client.get(f"/api/v1/tasks/{there.gate.task_id}").status_code == 404
    # What may be read may not be steered.
    body = {"text": "mind the budget"}
    said = client.post(f"/api/v1/tasks/{own_task(there)}/notes", body, content_type="application/json")
    assert said.status_code == 403
    assert client.get(f"/api/v1/tasks/{own_task(there)}/acts").status_code == 404


def test_part_is_heard_of_and_found_by_its_number_alone(there):
    user = member("Claims")

    heard = admission.admitted(user, {f"run:{there.run.pk}", "runs", "workflows", f"gate:{there.gate.pk}", "audit"})

    assert heard == {f"run:{there.run.pk}", "runs"}
    assert [hit.href for hit in finding.find(user, str(there.run.pk)) if hit.group == "Runs"] == [
        f"/runs/{there.run.pk}/part/"
    ]
    assert finding.find(user, HIDDEN[:6]) == []
    assert finding.find(user, HIDDEN) == []


@pytest.mark.parametrize("teams", [(), ("Other",), ("Claims ",)], ids=["none", "another", "a third"])
def test_who_is_in_no_such_team_sees_no_part(there, teams):
    user = member(*teams)

    assert not parts.some(user)
    assert browser(user).get(f"/runs/{there.run.pk}/part/").status_code == 404
    assert browser(user).get(f"/api/v1/parts/{there.run.pk}").status_code == 404
    assert admission.admitted(user, {f"run:{there.run.pk}"}) == frozenset()


def test_role_with_the_name_of_a_team_opens_no_part(there):
    WorkflowVersion.objects.filter(pk=there.run.version_id).update(teams={"Reviewer": [0, 1, 2]})

    assert not parts.some(member())


def test_part_ends_with_the_team_the_account_and_the_tokens_scope(there):
    user = member("Claims")
    limited, _ = tokens.create(user=User.objects.get(pk=user.pk), name="t", scopes=["run"])

    assert parts.some(user)
    assert not parts.some(permissions.act_through(limited))
    user.groups.remove(Group.objects.get(name="Claims"))
    assert not parts.some(User.objects.get(pk=user.pk))
    user.groups.add(Group.objects.get(name="Claims"))
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert not parts.some(User.objects.get(pk=user.pk))


def test_whoever_sees_the_workflows_runs_sees_all_of_them_as_ever(there):
    manager = there.browser("Workflow Orchestration Manager")

    page = manager.get(f"/runs/{there.run.pk}/?task=assess").content.decode()

    assert HIDDEN in page
    assert manager.get(f"/runs/{there.run.pk}/part/").status_code == 404


def test_what_a_step_has_started_is_its_teams_and_what_undoes_one_is_nobodys(there):
    user, run = member("Claims"), there.run
    for index, parent, key in ((3, own_task(there), "note.0"), (4, task_id(run.pk, 0), "assess.0"), (5, None, "undo")):
        Task.objects.create(
            id=task_id(run.pk, index), run=run, workflow=run.workflow, version=run.version, key=key, kind="automated",
            status="succeeded", lane="default", pending=0, parent=parent, spec={"step": {"index": index, "key": key}},
            output={"text": OWN if parent == own_task(there) else HIDDEN},
        )  # fmt: skip

    own = [parts.is_own(user, Task.objects.get(pk=task_id(run.pk, index))) for index in (2, 3, 4, 5, 0)]

    assert own == [True, True, False, False, False]
    told = browser(user).get(f"/api/v1/parts/{run.pk}").json()
    assert [step["spawned"] for step in told["steps"]] == [{}, {}, {"succeeded": 1}]


def test_run_of_an_older_version_shows_whose_steps_were_whose_then(there):
    """A step that has become the team's in a later version opens no run of the version before."""
    workflow = Workflow.objects.get(pk=there.run.workflow_id)
    WorkflowVersion.objects.filter(pk=there.run.version_id).update(teams={"Legal": [0, 1, 2]})
    made = factories.publish(workflow, factories.steps("one"))
    WorkflowVersion.objects.filter(pk=made.pk).update(teams={"Claims": [0]})
    user: Any = member("Claims")

    assert parts.some(user)
    assert not parts.runs(user).exists()
