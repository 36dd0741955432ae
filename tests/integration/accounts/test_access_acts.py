"""Changes of access as acts: rehearsed by what saves them, recorded, undone, and confirmed by a second person."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.test import Client

from approvals import access, deciders, delegation, duties, permissions, stranded, tokens
from approvals.accounts import rehearsal, roles
from approvals.errors import ChangeRefused, LastAdministrator, NotPermitted, SecondPersonNeeded, SelfGrant
from approvals.models import AccessChange, ApiToken, Gate, Profile, Queue, RoleTerms
from approvals.roles import ROLES
from orchestrator import acts
from orchestrator.acts import PlanChanged, Target
from orchestrator.models import Event
from tests import people

pytestmark = pytest.mark.django_db
HERE = Target("everything")


@pytest.fixture
def adam() -> User:
    return people.person("adam", "Administrator")


@pytest.fixture
def ada() -> User:
    return people.person("ada", "Administrator")


@pytest.fixture
def zoe() -> User:
    return people.person("zoe")


def said(name: str, /, **answers: Any) -> acts.Preview:
    return acts.preview(acts.find("everything", name), HERE, answers)


def done(by: User, name: str, /, **answers: Any) -> acts.Done:
    return acts.perform(acts.find("everything", name), HERE, by=by, reason="because", answers=answers)


def fresh(user: User) -> User:
    return User.objects.get(pk=user.pk)


def state() -> list[object]:
    tables = (User.groups.through, Profile, RoleTerms, Queue, AccessChange, Event, ApiToken, Gate)
    return [list(table.objects.order_by("pk").values()) for table in tables]


def test_standing_of_everybody_is_what_each_ones_rights_are(adam: User) -> None:
    """The rehearsal reads all rights at once; it must read what every view reads for one."""
    queue = people.queue()
    people.person("rita", "Reviewer", decides=queue)
    people.person("root", is_superuser=True)
    made = roles.make(name="Night shift", copy_of="Human Oversight Coordinator", by=None)
    people.person("nils").groups.add(made)
    access.grant(to=access.role_group("Reviewer"), permission="start_run", on=people.workflow(), by=None)

    standing = rehearsal.standing()

    for user in User.objects.filter(is_active=True):
        rights = permissions.rights_of(user)
        single = {
            (verb, kind, ref)
            for kind, grants in (("workflow", rights.workflows), ("queue", rights.queues), ("agent", rights.agents))
            for verb, refs in grants.items()
            for ref in refs
            if verb not in rights.everywhere
        }
        assert standing.holds[user.pk] == {(verb, "", 0) for verb in rights.everywhere} | single, user.username


def test_role_is_rehearsed_given_recorded_and_undone(adam: User, zoe: User) -> None:
    before = state()
    preview = said("give-role", person="zoe", role="Auditor")
    assert state() == before  # made and taken back
    assert any("zoe may now" in line.lower() and "See the audit trail" in line for line in preview.plan.lines)

    gone = done(adam, "give-role", person="zoe", role="Auditor")

    assert permissions.can(fresh(zoe), "see_audit")
    event = Event.objects.get(kind="role.granted", data__user="zoe")
    assert (event.actor, event.data["reason"]) == ("user:adam", "because")
    assert gone.undo is not None
    done(adam, gone.undo.name, **gone.undo.answers)
    assert not permissions.can(fresh(zoe), "see_audit")


def test_preview_that_has_become_another_is_refused(adam: User, zoe: User) -> None:
    digest = said("give-role", person="zoe", role="Auditor").digest
    access.set_role(user_id=zoe.pk, role="Quality Assurance Lead", by=None)  # it gives less by now

    with pytest.raises(PlanChanged):
        acts.perform(
            acts.find("everything", "give-role"),
            HERE,
            by=adam,
            reason="x",
            answers={"person": "zoe", "role": "Auditor"},
            digest=digest,
        )


def test_account_with_a_role_is_made_as_it_was_previewed_and_named_in_the_preview(adam: User) -> None:
    """An account that is taken back has another number the next time: nobody may have agreed to a number."""
    answers = {"person": "rita", "name": "Rita Vane", "role": "Reviewer"}
    preview = said("invite-person", **answers)

    assert any(line.startswith("Rita Vane may now:") for line in preview.plan.lines)
    acts.perform(
        acts.find("everything", "invite-person"), HERE, by=adam, reason="x", answers=answers, digest=preview.digest
    )
    assert User.objects.get(username="rita").groups.get().name == "Reviewer"


def test_rehearsal_names_what_would_be_left_without_anyone(adam: User) -> None:
    queue = people.queue()
    people.person("rita", "Reviewer", decides=queue)
    people.gate(of=people.run(), title="Isolate fin-db-02")
    people.person("mia", "Workflow Orchestration Manager")

    closing = said("close-account", person="rita").plan
    publisher = said("take-role", person="mia", role="Workflow Orchestration Manager").plan
    admin = (
        said("take-role", person="adam", role="Administrator").plan if people.person("ada", "Administrator") else None
    )

    assert any("1 waiting decision" in line and "Isolate fin-db-02" in line for line in closing.warnings)
    assert any("Nobody could publish" in line and "Incident" in line for line in publisher.warnings)
    assert admin is not None
    assert any("fewer than two people could change access" in line for line in admin.warnings)


def test_quorum_counts_persons_when_accounts_are_linked(adam: User, ada: User) -> None:
    queue = people.queue()
    rita, second = people.person("rita", decides=queue), people.person("rita2", decides=queue)
    gate = people.gate(of=people.run())
    Gate.objects.filter(pk=gate.pk).update(approvals=2)

    plan = said("link-account", person="rita2", main="rita").plan

    assert any("1 waiting decision would be left" in line for line in plan.warnings)
    done(adam, "link-account", person="rita2", main="rita")
    assert Profile.objects.filter(user=second, same_as=rita).count() == 0  # takes two people
    change = AccessChange.objects.get()
    done(ada, "confirm-change", change=change.pk)
    assert duties.persons([second.pk]) == {second.pk: rita.pk}


RISKY = {
    "administrator": ("give-role", {"person": "zoe", "role": "Administrator"}),
    "moves gates": ("give-role", {"person": "zoe", "role": "Human Oversight Coordinator"}),
    "publishes": ("grant-right", {"to": "person:zoe", "right": "publish_version", "on": "workflow:incident"}),
    "high risk": ("grant-right", {"to": "person:zoe", "right": "Decide gates", "on": "queue:oncall"}),
    "invited": ("invite-person", {"person": "newcomer", "name": "New Comer", "role": "Administrator"}),
}


@pytest.mark.parametrize("kind", RISKY)
def test_risky_change_takes_two_people(kind: str, adam: User, ada: User, zoe: User) -> None:
    people.gate(of=people.run(), risk="critical")
    name, answers = RISKY[kind]
    if name == "grant-right" and "Decide" not in answers["right"]:
        answers = {**answers, "right": "Publish workflow versions"}
    held = rehearsal.standing().holds[zoe.pk]

    asked = done(adam, name, **answers)

    assert "Nothing has changed yet" in asked.words
    assert asked.undo is None
    assert rehearsal.standing().holds[zoe.pk] == held
    change = AccessChange.objects.get()
    with pytest.raises(ChangeRefused, match="yourself"):
        done(adam, "confirm-change", change=change.pk)
    _is_confirmed_by_nobody_who_gains_or_may_not(zoe, change, gains=kind != "invited")
    done(ada, "confirm-change", change=change.pk)

    if kind == "invited":
        assert permissions.can(User.objects.get(username="newcomer"), "manage_access")
    else:
        assert rehearsal.standing().holds[zoe.pk] != held
    change.refresh_from_db()
    assert (change.outcome, change.settled_by) == ("confirmed", ada)
    made = Event.objects.filter(data__confirmed_by="ada").order_by("-id").first()
    assert made is not None
    assert made.actor == "user:adam"


def _is_confirmed_by_nobody_who_gains_or_may_not(zoe: User, change: AccessChange, *, gains: bool) -> None:
    if gains:
        zoe.groups.add(roles.make(name="Deputies", copy_of="Administrator", by=None))
        with pytest.raises(SelfGrant):
            done(fresh(zoe), "confirm-change", change=change.pk)
        Group.objects.filter(name="Deputies").delete()
    with pytest.raises(NotPermitted):
        done(people.person("eve"), "confirm-change", change=change.pk)


def test_refused_change_changes_nothing(adam: User, ada: User, zoe: User) -> None:
    done(adam, "give-role", person="zoe", role="Administrator")
    change = AccessChange.objects.get()

    done(ada, "refuse-change", change=change.pk)

    assert not permissions.can(fresh(zoe), "manage_access")
    with pytest.raises(ChangeRefused, match="no longer"):
        done(ada, "confirm-change", change=change.pk)
    assert Event.objects.filter(kind="access.refused", actor="user:ada").exists()


def test_queue_that_grave_matters_are_passed_on_to_takes_two_people_too(adam: User, zoe: User) -> None:
    lead = Queue.objects.create(name="lead", title="Lead")
    head = Queue.objects.create(name="head", title="Head")
    aside = Queue.objects.create(name="aside", title="Aside")
    people.queue()
    Queue.objects.filter(name="oncall").update(escalates_to=lead)
    Queue.objects.filter(pk__in=[lead.pk, head.pk]).update(escalates_to=head)  # in a circle at its end
    people.gate(of=people.run(), risk="critical")

    for queue in (lead, head):
        with pytest.raises(SecondPersonNeeded):
            access.grant(to=zoe, permission="decide_gates", on=queue, by=adam)
    access.grant(to=zoe, permission="decide_gates", on=aside, by=adam)


def test_no_other_door_passes_the_second_person_by(adam: User, zoe: User) -> None:
    group, queue = access.role_group("Administrator"), people.queue()
    people.gate(of=people.run(), risk="critical")

    with pytest.raises(SecondPersonNeeded):
        access.set_role(user_id=zoe.pk, role="Administrator", by=adam)
    with pytest.raises(SecondPersonNeeded):
        acts.perform(
            acts.find("team", "add-person"),
            acts.of("team", _other_admin_team(group).pk),
            by=adam,
            reason="x",
            answers={"person": "zoe"},
        )
    with pytest.raises(SecondPersonNeeded):
        access.grant(to=zoe, permission="decide_gates", on=queue, by=adam)


def _other_admin_team(group: Group) -> Group:
    """A team that gives as much as a role of adam's, without being his own."""
    return roles.make(name="Deputies", copy_of=group.name, by=None)


def test_last_administrator_stays_and_nobody_changes_their_own(adam: User, zoe: User) -> None:
    root = people.person("root", is_superuser=True)
    User.objects.filter(pk=root.pk).update(is_active=False)

    with pytest.raises(LastAdministrator):
        access.set_role(user_id=adam.pk, role="Administrator", by=_deputy(), held=False)
    with pytest.raises(SelfGrant):
        done(adam, "give-role", person="adam", role="Auditor")
    with pytest.raises(SelfGrant):
        done(adam, "give-role", person="adam", role="Human Oversight Coordinator")


def _deputy() -> User:
    """Somebody whose right to change access goes with the change itself."""
    made = people.person("dan", "Administrator")
    assert permissions.can(made, "manage_access")  # read once, kept on the object
    made.groups.clear()
    return made


def test_closing_an_account_ends_what_it_held_and_hands_on_what_it_can(adam: User) -> None:
    queue, elsewhere = people.queue(), people.queue("elsewhere")
    rita = people.person("rita", "Reviewer", decides=queue)
    access.grant(to=rita, permission="decide_gates", on=elsewhere, by=None)
    sam = people.person("sam", "Reviewer", decides=queue)
    people.person("eli", decides=elsewhere)
    mine, stays = people.gate(of=people.run()), people.gate(of=people.run(), queue="elsewhere")
    Gate.objects.filter(pk__in=[mine.pk, stays.pk]).update(assigned_to=rita)
    Gate.objects.filter(pk=mine.pk).update(claimed_by=rita, claimed_until="2999-01-01T00:00Z")
    token, _secret = tokens.create(user=rita, name="script", scopes=["read"])
    browser = Client()
    browser.force_login(rita, backend="django.contrib.auth.backends.ModelBackend")

    plan = said("close-account", person="rita", hand_to="sam").plan
    facts = done(adam, "close-account", person="rita", hand_to="sam").data

    assert any("goes to sam" in line and "2" in line for line in plan.lines)
    mine.refresh_from_db()
    stays.refresh_from_db()
    assert (mine.assigned_to, mine.claimed_by) == (sam, None)
    assert stays.assigned_to == rita
    assert (facts["handed"], facts["left"], facts["tokens"]) == (1, 1, 1)
    token.refresh_from_db()
    assert token.revoked_at is not None
    assert browser.get("/inbox/").status_code == 302
    stranded.look()
    assert [item.kind for item in stranded.open_items()] == ["ghost"]
    assert not delegation.away_now()


def test_role_from_a_copy_gives_what_it_holds_and_follows_changes(adam: User, zoe: User) -> None:
    queue = people.queue()
    access.grant(to=access.role_group("Auditor"), permission="see_gates", on=queue, by=None)

    done(adam, "make-role", name="Night watch", copy_of="Auditor")
    done(adam, "give-role", person="zoe", role="Night watch")
    assert permissions.can(fresh(zoe), "see_audit")
    assert queue in permissions.visible_queues(fresh(zoe))

    done(adam, "drop-right", role="Night watch", right="See the audit trail")
    assert not permissions.can(fresh(zoe), "see_audit")
    done(adam, "add-right", role="Night watch", right="Decide gates")  # grave: it waits
    assert not permissions.can(fresh(zoe), "decide_gate")
    done(people.person("ada", "Administrator"), "confirm-change", change=AccessChange.objects.get().pk)
    assert permissions.can(fresh(zoe), "decide_gate")
    assert zoe.pk in deciders.by_queue()[queue.pk]
    assert zoe in deciders.holders("decide_gate")
    with pytest.raises(ChangeRefused, match="shipped"):
        roles.set_right(role="Auditor", right="decide_gate", held=True, by=None)

    done(adam, "remove-role", role="Night watch")
    assert not permissions.can(fresh(zoe), "decide_gate")


def test_shipped_roles_are_there_and_shipping_again_changes_nothing() -> None:
    assert set(Group.objects.filter(name__in=ROLES).values_list("name", flat=True)) == set(ROLES)
    before = list(Group.objects.order_by("pk").values())

    roles.ship()

    assert list(Group.objects.order_by("pk").values()) == before


def test_queues_are_made_changed_timed_and_never_go_in_a_circle(adam: User) -> None:
    done(adam, "make-queue", name="legal", title="Legal")
    made = done(adam, "make-queue", name="board", title="Board", escalates_to="legal")
    assert made.data["queue"] == "board"
    with pytest.raises(ChangeRefused, match="back to itself"):
        done(adam, "change-queue", queue="legal", title="Legal", escalates_to="board")

    hours = {"zone": "Europe/Berlin", "days": "mon, wed", "opens": "08:00", "closes": "12:00", "holidays": "2026-12-25"}
    timed = done(adam, "set-hours", queue="legal", **hours)

    calendar = Queue.objects.get(name="legal").calendar
    assert (calendar["days"], calendar["from"], calendar["holidays"]) == ([0, 2], "08:00", ["2026-12-25"])
    assert timed.undo is not None
    done(adam, timed.undo.name, **timed.undo.answers)
    assert Queue.objects.get(name="legal").calendar == {}
    renamed = done(adam, "change-queue", queue="legal", title="Law")
    assert renamed.undo is not None
    done(adam, renamed.undo.name, **renamed.undo.answers)
    assert Queue.objects.get(name="legal").title == "Legal"


def test_quorum_is_raised_by_one_and_lowered_by_two(adam: User) -> None:
    people.queue("legal")
    raised = done(adam, "set-quorum", queue="legal", high=2, critical=3)
    assert Queue.objects.get(name="legal").quorum == {"high": 2, "critical": 3}
    assert raised.undo is None  # taking it back would ask fewer people

    asked = done(adam, "set-quorum", queue="legal", high=1, critical=3)
    assert Queue.objects.get(name="legal").quorum == {"high": 2, "critical": 3}
    eve = people.person("eve", "Administrator")
    done(eve, "confirm-change", change=asked.data["change"])
    assert Queue.objects.get(name="legal").quorum == {"critical": 3}


def test_skills_are_kept_and_undone(adam: User, zoe: User) -> None:
    first = done(adam, "set-skills", person="zoe", skills="Fraud, german")
    assert Profile.objects.get(user=zoe).skills == ["fraud", "german"]
    assert first.undo is not None
    done(adam, first.undo.name, **first.undo.answers)
    assert Profile.objects.get(user=zoe).skills == []


@pytest.mark.parametrize("role", ["Reviewer", "Auditor", "Human Oversight Coordinator"])
def test_whoever_may_not_change_access_is_offered_nothing(role: str, zoe: User) -> None:
    eve = people.person("eve", role)

    allowed = {
        act.name for act in acts.acts_for("everything") if act.home.startswith("access:") and act.permits(eve, HERE)
    }

    edits_queues = {"make-queue", "change-queue", "set-hours", "set-quorum", "set-team-kind", "set-owner"}
    edits_queues |= {"give-part", "take-part", "set-rota"}
    assert allowed == (edits_queues if role == "Human Oversight Coordinator" else set())


def test_page_for_administrators_names_acts_and_commands_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    text = (Path(__file__).parents[3] / "docs" / "access.md").read_text()
    named = set(re.findall(r"\(`([a-z]+-[a-z]+)`\)", text))

    assert len(named) >= 3
    assert named <= {act.name for act in acts.acts_for("everything")}
    people.person("zoe")
    call_command("access", "link", "zoe")
    assert "/sign-in/join/" in capsys.readouterr().out
