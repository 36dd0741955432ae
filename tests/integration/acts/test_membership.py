"""People come into teams and leave them, by page and by REST: who may, what it says before, what it leaves behind."""

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from approvals import access, permissions
from approvals.errors import SelfGrant
from orchestrator import acts
from orchestrator.acts import PlanChanged
from orchestrator.models import Budget, Event, Workflow
from tests import factories, people

pytestmark = pytest.mark.django_db
ADD, REMOVE = acts.find("team", "add-person"), acts.find("team", "remove-person")


@pytest.fixture
def adam() -> User:
    return people.person("adam", "Administrator")


@pytest.fixture
def zoe() -> User:
    return people.person("zoe")


@pytest.fixture
def legal() -> Group:
    return Group.objects.create(name="Legal")


def target(team: Group) -> acts.Target:
    return acts.of("team", team.pk)


def test_person_is_added_with_an_event_and_undone(adam: User, zoe: User, legal: Group) -> None:
    digest = acts.preview(ADD, target(legal), {"person": "zoe"}).digest

    done = acts.perform(ADD, target(legal), by=adam, reason="new here", answers={"person": "zoe"}, digest=digest)

    assert zoe.groups.filter(pk=legal.pk).exists()
    event = Event.objects.get(kind="team.person_added")
    assert (event.actor, event.data["user"], event.data["team"]) == ("user:adam", "zoe", "Legal")
    assert event.data["reason"] == "new here"
    assert done.undo is not None
    acts.perform(acts.find("team", done.undo.name), target(legal), by=adam, reason="no", answers=done.undo.answers)
    assert not zoe.groups.exists()
    assert Event.objects.filter(kind="team.person_removed").count() == 1


def test_role_is_a_team_whose_preview_names_what_is_gained_and_lost(adam: User, zoe: User) -> None:
    role = access.role_group("Auditor")

    gained = acts.preview(ADD, target(role), {"person": "zoe"}).plan.lines
    before = permissions.epoch()
    acts.perform(ADD, target(role), by=adam, reason="audit", answers={"person": "zoe"})

    assert any("See the audit trail" in line for line in gained)
    assert permissions.can(User.objects.get(pk=zoe.pk), "see_audit")
    assert permissions.epoch() == before + 1
    assert Event.objects.get(kind="role.granted", data__user="zoe").data["role"] == "Auditor"
    lost = acts.preview(REMOVE, target(role), {"person": "zoe"}).plan.lines
    assert any("no longer: " in line and "See the audit trail" in line for line in lost)


def test_right_that_another_team_gives_too_is_not_called_lost(adam: User) -> None:
    people.person("nora", "Workflow Orchestration Manager", "Performance Analytics Specialist")

    lines = acts.preview(REMOVE, target(access.role_group("Performance Analytics Specialist")), {"person": "nora"})

    assert "What they may do stays." in lines.plan.lines


def test_rights_granted_to_a_team_on_single_objects_are_named(zoe: User, legal: Group) -> None:
    flow = Workflow.objects.create(name="letters", title="Letters")
    access.grant(to=legal, permission="see_runs", on=flow, by=None)

    lines = acts.preview(ADD, target(legal), {"person": "zoe"}).plan.lines

    assert any("Letters" in line for line in lines)


def test_nobody_changes_their_own_teams(adam: User, legal: Group) -> None:
    with pytest.raises(SelfGrant):
        acts.perform(ADD, target(legal), by=adam, reason="mine", answers={"person": "adam"})

    assert not adam.groups.filter(pk=legal.pk).exists()
    assert not Event.objects.filter(kind="team.person_added").exists()


@pytest.mark.parametrize("role", ["Workflow Orchestration Manager", "Human Oversight Coordinator", "Auditor"])
def test_only_who_manages_access_may(role: str, legal: Group) -> None:
    other = people.person("other", role)

    assert not any(act.permits(other, target(legal)) for act in (ADD, REMOVE))


def test_team_changed_meanwhile_is_looked_at_again(adam: User, zoe: User, legal: Group) -> None:
    digest = acts.preview(ADD, target(legal), {"person": "zoe"}).digest
    access.grant(to=legal, permission="see_runs", on=Workflow.objects.create(name="x", title="X"), by=None)

    with pytest.raises(PlanChanged):
        acts.perform(ADD, target(legal), by=adam, reason="new", answers={"person": "zoe"}, digest=digest)

    assert not zoe.groups.exists()


def test_team_is_removed_only_when_nothing_depends_on_it(adam: User, zoe: User, legal: Group) -> None:
    remove = acts.find("team", "remove-team")
    zoe.groups.add(legal)
    assert "people in it" in remove.why_not(target(legal))
    zoe.groups.clear()
    budget = Budget.objects.create(scope="team", ref=legal.pk, resource="tokens", limit=1)
    assert "budgets" in remove.why_not(target(legal))
    budget.delete()
    assert "role" in remove.why_not(target(access.role_group("Reviewer")))

    acts.perform(remove, target(legal), by=adam, reason="never used")

    assert not Group.objects.filter(name="Legal").exists()


def test_page_offers_it_to_whoever_may_and_shows_what_came_of_it(client: Client, adam: User, legal: Group) -> None:
    people.person("zoe")
    client.force_login(adam)
    address = f"/act/team/{legal.pk}/add-person/"
    assert address in client.get(f"/teams/{legal.pk}/").content.decode()

    answer = client.post(address, {"input.person": "zoe", "reason": "she knows the law"})

    assert answer.status_code == 302
    page = client.get(f"/teams/{legal.pk}/").content.decode()
    assert "zoe added" in page
    assert "she knows the law" in page
    assert f"/act/team/{legal.pk}/remove-person/?answers=" in page
    mia = factories.user("mia", "Workflow Orchestration Manager")
    client.force_login(mia)
    assert "add-person" not in client.get(f"/teams/{legal.pk}/").content.decode()
    assert client.post(address, {"input.person": "mia", "reason": "me too"}).status_code == 403
