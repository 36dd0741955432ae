"""Changing who may do what."""

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection

from approvals import access, permissions
from approvals.errors import NotPermitted, SelfGrant, UnknownName
from orchestrator.models import Event
from tests import people

pytestmark = pytest.mark.django_db


def test_set_role_leaves_an_event_and_only_when_it_changes_something():
    adam, ana = people.person("adam", "Administrator"), people.person("ana")

    for held in (True, True, False, False):
        access.set_role(user_id=ana.pk, role="Auditor", by=adam, held=held)

    found = Event.objects.filter(actor="user:adam").order_by("id").values_list("kind", "data__user", "data__role")
    assert list(found) == [("role.granted", "ana", "Auditor"), ("role.revoked", "ana", "Auditor")]


def test_grant_and_revoke_leave_events_that_name_holder_permission_and_object():
    adam, ana, queue = people.person("adam", "Administrator"), people.person("ana"), people.queue()

    access.grant(to=ana, permission="decide_gates", on=queue, by=adam)
    access.revoke(of=ana, permission="decide_gates", on=queue, by=adam)

    found = Event.objects.filter(actor="user:adam").order_by("id").values_list("kind", "data__permission", "data__on")
    assert list(found) == [
        (kind, "decide_gates", "queue:oncall") for kind in ("permission.granted", "permission.revoked")
    ]


def test_first_account_of_an_empty_database_is_made_at_the_command_line(client, capsys):
    assert "Nobody has an account yet" in client.get("/sign-in/").content.decode()

    call_command("access", "add", "ada", "Administrator")

    password = capsys.readouterr().out.partition("password ")[2].split()[0]
    answer = client.post("/sign-in/", {"username": "ada", "password": password})
    assert answer.status_code == 302
    assert permissions.can(User.objects.get(username="ada"), "manage_access")
    with pytest.raises(CommandError, match="already"):
        call_command("access", "add", "Ada", "Auditor")


@pytest.mark.parametrize("role", ["Reviewer", "Human Oversight Coordinator", "Auditor"])
def test_change_without_the_right_is_refused(role):
    by, ana = people.person("eve", role), people.person("ana")

    with pytest.raises(NotPermitted):
        access.set_role(user_id=ana.pk, role="Administrator", by=by)
    with pytest.raises(NotPermitted):
        access.grant(to=ana, permission="decide_gates", on=people.queue(), by=by)
    with pytest.raises(NotPermitted):
        access.set_active(user_id=ana.pk, active=False, by=by)


@pytest.mark.parametrize("columns", [{}, {"is_superuser": True}], ids=["administrator", "superuser"])
def test_nobody_changes_their_own_rights(columns):
    adam, queue = people.person("adam", "Administrator", **columns), people.queue()

    with pytest.raises(SelfGrant):
        access.set_role(user_id=adam.pk, role="Human Oversight Coordinator", by=adam)
    with pytest.raises(SelfGrant):
        access.grant(to=adam, permission="decide_gates", on=queue, by=adam)
    with pytest.raises(SelfGrant):
        access.grant(to=access.role_group("Administrator"), permission="decide_gates", on=queue, by=adam)


def test_unknown_names_are_refused():
    ana = people.person("ana")

    with pytest.raises(UnknownName):
        access.set_role(user_id=ana.pk, role="Emperor", by=None)
    with pytest.raises(UnknownName):
        access.set_role(user_id=10**9, role="Auditor", by=None)
    with pytest.raises(UnknownName):
        access.grant(to=ana, permission="start_run", on=people.queue(), by=None)


@pytest.mark.django_db(transaction=True)
def test_change_for_a_role_wakes_every_member_once_it_commits():
    members = {people.person(name, "Reviewer").pk for name in ("ana", "sam")}
    people.person("nora", "Auditor")
    with connection.cursor() as cursor:
        cursor.execute("LISTEN wk_rights")

    access.grant(to=access.role_group("Reviewer"), permission="see_gates", on=people.queue(), by=None)

    woken = {int(notice.payload) for notice in connection.connection.notifies(timeout=5, stop_after=2)}
    assert woken == members


def test_closed_account_may_nothing_and_is_on_record():
    ana = people.person("ana", "Human Oversight Coordinator")

    access.set_active(user_id=ana.pk, active=False, by=None)

    assert not permissions.can(User.objects.get(pk=ana.pk), "see_floor")
    assert Event.objects.filter(kind="permission.revoked", data__user="ana", data__permission="sign_in").count() == 1


def test_sign_in_and_sign_out_are_events(client):
    ana = people.person("ana")

    client.force_login(ana)
    client.logout()

    kinds = Event.objects.filter(actor="user:ana").order_by("id").values_list("kind", flat=True)
    assert list(kinds) == ["session.signed_in", "session.signed_out"]


def test_access_command_gives_shows_and_takes(capsys):
    people.person("ana")
    people.queue()

    call_command("access", "role", "ana", "Reviewer")
    call_command("access", "grant", "ana", "decide_gates", "queue:oncall")
    call_command("access", "show", "ana")
    assert "decide_gate on queue oncall" in capsys.readouterr().out

    call_command("access", "revoke", "ana", "decide_gates", "queue:oncall")
    call_command("access", "role", "ana", "Reviewer", "--take")
    call_command("access", "show", "ana")
    assert "everywhere: nothing" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [("role", "nobody", "Reviewer"), ("grant", "ana", "decide_gates", "queue:none"), ("grant", "ana", "see_runs", "x")],
)
def test_access_command_names_what_it_does_not_know(arguments):
    people.person("ana")

    with pytest.raises(CommandError):
        call_command("access", *arguments)
