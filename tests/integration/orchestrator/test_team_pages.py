"""Teams where people look for them: the list, one team, the dialogs and the API; and what the inbox asks of budgets."""

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from orchestrator.models import Budget, Event, Run, Task
from tests import factories

pytestmark = pytest.mark.django_db
MANAGER = "Workflow Orchestration Manager"


@pytest.fixture
def mia() -> User:
    return factories.user("mia", MANAGER, "Legal", first_name="Mia", last_name="Vogel")


@pytest.fixture
def legal(mia: User) -> Group:
    return Group.objects.get(name="Legal")


def limited(team: Group, limit: float, **columns: object) -> Budget:
    return Budget.objects.create(scope="team", ref=team.pk, **{"resource": "tokens", "limit": limit, **columns})


def page(client: Client, user: User, address: str) -> str:
    client.force_login(user)
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_list_shows_each_team_with_its_budgets_those_with_some_first(client, mia, legal):
    limited(legal, 1000, spent=850)

    shown = page(client, mia, "/teams/")

    assert shown.index(">Legal</a>") < shown.index(f">{MANAGER}</a>")
    assert "over 80 %" in shown
    assert "850 of 1,000" in shown


def test_page_shows_people_what_draws_on_it_and_every_change_with_its_reason(client, mia, legal):
    owned = factories.workflow("letters", owner=mia)
    factories.run(owned, started_by=mia)
    factories.run(factories.workflow("others"))
    limited(legal, 1000, spent=10)
    client.force_login(mia)
    address = reverse("orchestrator:act", args=["team", legal.pk, "set-budget"])
    client.post(address, {"input.resource": "tokens", "input.limit": "500", "reason": "a quiet month"})

    shown = page(client, mia, f"/teams/{legal.pk}/")

    assert "Mia Vogel" in shown
    assert "/workflows/letters/" in shown
    assert "/workflows/others/" not in shown
    assert '<dd class="num">1 ' in shown
    assert "a quiet month" in shown
    assert address in shown


def test_limit_is_refused_without_reason_and_to_whom_may_not_publish(client, mia, legal):
    address = reverse("orchestrator:act", args=["team", legal.pk, "set-budget"])
    told = {"input.resource": "tokens", "input.limit": "500"}
    client.force_login(mia)
    silent = client.post(address, {**told, "reason": ""})
    client.force_login(factories.user("nora", "Auditor"))
    strange = client.post(address, {**told, "reason": "mine"})

    assert (silent.status_code, strange.status_code) == (422, 403)
    assert not Budget.objects.exists()


def test_people_who_do_not_see_runs_see_their_own_teams_budgets_alone(client, legal):
    limited(legal, 1000)
    eve, rex = factories.user("eve", "Reviewer"), factories.user("rex", "Reviewer", "Legal")

    assert ">Legal</a>" not in page(client, eve, "/teams/")
    assert client.get(f"/teams/{legal.pk}/").status_code == 404
    assert ">Legal</a>" in page(client, rex, "/teams/")
    assert client.get(f"/teams/{legal.pk}/").status_code == 200


def test_api_lists_sets_and_moves_budgets_of_teams(client, mia, legal):
    other = Group.objects.create(name="Others")
    limited(other, 100, spent=40)
    client.force_login(mia)

    def act(name: str, team: Group, *, preview: bool = False, **answers: object) -> dict[str, object]:
        body = {"reason": "needed", "answers": {"resource": "tokens", **answers}}
        address = f"/api/v1/teams/{team.pk}/acts/{name}" + ("?preview=true" if preview else "")
        answer = client.post(address, body, content_type="application/json")
        return {"status": answer.status_code, **answer.json()}

    assert {row["name"] for row in client.get(f"/api/v1/teams/{legal.pk}/acts").json()} == {"record-bill", "set-budget"}
    assert act("set-budget", legal, limit=10)["status"] == 200
    told = act("move-budget", other, preview=True, **{"from": "Others", "to": "Legal", "amount": 60})
    assert told["lines"] == ["Tokens of team Others: from 100 to 40.", "Tokens of team Legal: from 10 to 70."]
    assert act("move-budget", other, **{"from": "Others", "to": "Legal", "amount": 61})["status"] == 422
    assert act("move-budget", other, **{"from": "Others", "to": "Legal", "amount": 60})["status"] == 200

    teams = {team["name"]: team for team in client.get("/api/v1/teams").json()}
    assert [(row["limit"], row["left"]) for row in teams["Legal"]["budgets"]] == [(70, 70)]
    assert client.get(f"/api/v1/teams/{other.pk}/budgets").json()[0]["left"] == 0
    changes = client.get(f"/api/v1/teams/{legal.pk}/changes").json()
    assert [(change["amount"], change["limit"], change["by"]) for change in changes] == [
        (60, None, "mia"),
        (None, 10, "mia"),
    ]
    assert client.get("/api/v1/teams/999999/budgets").status_code == 404


@pytest.fixture
def asking(mia: User) -> Task:
    factories.agent("reader")
    made: Run = factories.run(
        factories.workflow("flow", factories.steps("first", agents={"first": "reader"})), statuses=["waiting"]
    )
    budget = Budget.objects.create(scope="run", ref=made.pk, resource="cost", limit=5, spent=5)
    task = factories.task(made)
    Task.objects.filter(pk=task.pk).update(state={"budget": budget.pk, "need": 1, "attempt": task.attempt})
    return task


def test_card_of_a_used_up_budget_offers_to_raise_it_filled_in_to_those_who_may(client, mia, asking):
    shown = page(client, mia, f"/tasks/{asking.pk}/remedies/")

    assert f"/act/run/{asking.run_id}/set-budget/?answers=" in shown
    link = shown.split('class="btn" href="')[1].split('"')[0].replace("&amp;", "&")
    dialog = page(client, mia, link)
    assert 'value="10.0"' in dialog
    assert "Cost of run" in dialog
    for person in (factories.user("eve", "Reviewer"), factories.user("nora", "Auditor")):
        assert "set-budget" not in page(client, person, f"/tasks/{asking.pk}/remedies/")
    assert Event.objects.filter(kind="budget.changed").count() == 0
