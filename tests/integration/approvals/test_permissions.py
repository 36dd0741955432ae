"""Who may do what, asked at the one place."""

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.utils.functional import SimpleLazyObject

from approvals import access, permissions, tokens
from approvals.models import Gate, Profile
from approvals.roles import ROLES, VERBS
from orchestrator.models import Task, Workflow
from tests import people

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("role", list(ROLES))
def test_can_everywhere_is_exactly_what_the_role_says(role):
    user = people.person("ana", role)

    assert {verb for verb in VERBS if permissions.can(user, verb)} == set(ROLES[role])


def test_can_is_denied_to_strangers():
    gate = people.gate()
    closed = people.person("root", is_superuser=True, is_active=False)

    for user in (AnonymousUser(), people.person("eve"), closed):
        for verb in (*VERBS, "made_up"):
            for obj in (None, gate, gate.queue, gate.run, gate.workflow, user if user.pk else None):
                assert not permissions.can(user, verb, obj), (user, verb, obj)
        assert not permissions.visible_workflows(user)
        assert not permissions.visible_queues(user)
        assert not permissions.decidable_queues(user)


def test_can_refuses_verbs_that_nobody_named():
    assert not permissions.can(people.person("root", is_superuser=True), "fly")


def test_grant_on_a_queue_holds_there_and_only_there():
    mine, other = people.queue("mine"), people.queue("other")
    ana = people.person("ana", decides=mine)

    assert permissions.can(ana, "decide_gate", people.gate(queue="mine"))
    assert permissions.can(ana, "see_gate", mine)
    assert not permissions.can(ana, "see_gate", people.gate(queue="other"))
    assert not permissions.can(ana, "decide_gate", other)
    assert not permissions.can(ana, "decide_gate")
    assert permissions.can_somewhere(ana, "decide_gate")
    assert list(permissions.decidable_queues(ana)) == [mine]


def test_grant_to_see_does_not_decide():
    queue = people.queue()
    ana = people.person("ana", sees=queue)

    assert permissions.can(ana, "see_gate", people.gate())
    assert not permissions.can(ana, "decide_gate", people.gate())
    assert list(permissions.visible_queues(ana)) == [queue]


def test_grant_to_a_role_holds_for_its_members():
    queue = people.queue()
    ana, eve = people.person("ana", "Reviewer"), people.person("eve", "Auditor")

    access.grant(to=access.role_group("Reviewer"), permission="decide_gates", on=queue, by=None)

    for user in (ana, eve):
        permissions.refresh(user)
    assert permissions.can(ana, "decide_gate", people.gate())
    assert not permissions.can(eve, "decide_gate", people.gate())


@pytest.mark.parametrize("permission", ["see_runs", "start_run", "steer_run", "publish_version", "stop_workflow"])
def test_grant_on_a_workflow_holds_for_its_runs_tasks_and_versions(permission):
    run = people.run()
    other = people.workflow("other")
    ana = people.person("ana")
    access.grant(to=ana, permission=permission, on=run.workflow, by=None)
    permissions.refresh(ana)

    for obj in (run, run.workflow, run.version, Task.objects.of_run(run.pk).first()):
        assert permissions.can(ana, permission, obj)
        assert permissions.can(ana, "see_runs", obj)
    assert not permissions.can(ana, permission, other)
    assert not permissions.can(ana, permission)
    assert list(permissions.visible_workflows(ana)) == [run.workflow]
    assert list(permissions.visible_workflows(ana, permission)) == [run.workflow]


def test_grant_of_a_workflow_never_answers_for_a_queue_of_the_same_id():
    workflow = people.workflow()
    queue = people.queue()
    ana = people.person("ana")
    access.grant(to=ana, permission="see_runs", on=workflow, by=None)
    permissions.refresh(ana)

    assert not permissions.can(ana, "see_runs", queue)
    assert not permissions.can(ana, "see_gate", queue)


def test_global_verbs_do_not_hang_on_objects_they_do_not_belong_to():
    admin = people.person("adam", "Administrator")

    assert not permissions.can(admin, "manage_access", people.gate())
    assert not permissions.can(admin, "manage_access", people.workflow())


def test_rights_are_read_once_for_each_user_object(django_assert_num_queries):
    ana = people.person("ana", "Reviewer", decides=people.queue())
    gates = list(Gate.objects.select_related("run").filter(pk__in=[people.gate().pk for _ in range(3)]))
    request_user = SimpleLazyObject(lambda: ana)

    with django_assert_num_queries(1):
        for gate in gates:
            permissions.can(request_user, "decide_gate", gate)
            permissions.can(ana, "see_runs", gate.run)
            permissions.can_somewhere(ana, "see_gate")


def test_epoch_moves_with_every_change_and_refresh_sees_it():
    queue = people.queue()
    ana = people.person("ana", "Reviewer", decides=queue)
    gate = people.gate()
    assert permissions.can(ana, "decide_gate", gate)
    before = permissions.epoch()

    access.revoke(of=ana, permission="decide_gates", on=queue, by=None)

    assert permissions.epoch() == before + 1
    permissions.refresh(ana)
    assert not permissions.can(ana, "decide_gate", gate)


@pytest.mark.parametrize(
    ("scopes", "may_decide", "allowed"),
    [
        (["read"], False, {"see_gate"}),
        (["read"], True, {"see_gate"}),
        (["decide"], True, {"see_gate", "decide_gate"}),
        (["decide"], False, {"see_gate"}),
        (["run"], True, set()),
    ],
)
def test_token_narrows_its_owner_and_never_widens(scopes, may_decide, allowed):
    owner = people.person("ana", "Reviewer", decides=people.queue())
    _, secret = tokens.create(user=owner, name="script", scopes=scopes, may_decide=may_decide)
    user = tokens.verify(secret).user
    gate = people.gate()

    assert {verb for verb in ("see_gate", "decide_gate") if permissions.can(user, verb, gate)} == allowed
    assert not permissions.can(user, "start_run", people.workflow())
    assert bool(permissions.decidable_queues(user)) is ("decide_gate" in allowed)


def test_token_of_a_superuser_is_narrowed_too():
    _, secret = tokens.create(user=people.person("root", is_superuser=True), name="script", scopes=["read"])
    user = tokens.verify(secret).user

    assert permissions.can(user, "see_runs")
    assert not permissions.can(user, "stop_everything")
    assert not permissions.can(user, "decide_gate", people.gate())
    assert list(permissions.visible_workflows(user)) == list(Workflow.objects.all())
    assert not permissions.visible_workflows(user, "start_run")


@pytest.mark.parametrize("has_profile", [True, False])
def test_rights_bring_the_profile_along_and_that_there_is_none(has_profile, django_assert_num_queries):
    ana = people.person("ana", "Reviewer")
    if has_profile:
        Profile.objects.create(user=ana, time_zone="Asia/Kathmandu")
    user = User.objects.get(pk=ana.pk)
    permissions.rights_of(user)

    with django_assert_num_queries(0):
        found = getattr(user, "profile", None)

    assert (found.time_zone if found else None) == ("Asia/Kathmandu" if has_profile else None)


def test_profile_that_is_made_after_rights_were_read_is_found():
    user = people.person("ana", "Reviewer")
    permissions.rights_of(user)

    made, _ = Profile.objects.update_or_create(user=user, defaults={"language": "de"})

    assert user.profile == made
