"""The demo seeds itself once, completely, and never again over what people changed."""

import json
import stat

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import PBKDF2PasswordHasher, check_password
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import RequestFactory

from agents.models import Policy, PromptVersion
from agents.policies import store
from approvals import demo, permissions
from approvals.answerable import raci
from approvals.models import Part, Queue
from approvals.roles import ROLES
from orchestrator.models import Workflow

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.DATA_DIR = tmp_path / "data"
    return settings.DATA_DIR


def test_seed_demo_makes_people_who_can_sign_in_with_what_is_on_disk(folder, client):
    call_command("seed_demo")

    path = folder / demo.PASSWORDS
    known = json.loads(path.read_text())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {entry["role"] for entry in known.values()} == set(ROLES)
    for username, entry in known.items():
        user = User.objects.get(username=username)
        assert user.check_password(entry["password"])
        assert user.get_full_name() == entry["name"]
        assert [group.name for group in user.groups.filter(name__in=ROLES)] == [entry["role"]]
        assert not user.is_superuser


def test_password_of_the_demo_has_all_its_rounds_after_the_first_sign_in(folder, settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    demo.seed_people(demo.seed_queues(), folder)
    password = json.loads((folder / demo.PASSWORDS).read_text())["ana"]["password"]

    signed_in = authenticate(RequestFactory().post("/"), username="ana", password=password)

    hashed = User.objects.get(username="ana").password
    assert signed_in
    assert PBKDF2PasswordHasher().decode(hashed)["iterations"] == PBKDF2PasswordHasher.iterations
    assert check_password(password, hashed)


def test_seed_demo_again_changes_nothing(folder):
    call_command("seed_demo")
    ana = User.objects.get(username="ana")
    ana.set_password("what ana chose")
    ana.save(update_fields=["password"])
    Queue.objects.filter(name="refunds").update(title="Refund desk", escalates_to=None)
    before = (folder / demo.PASSWORDS).read_text()

    call_command("seed_demo")

    ana.refresh_from_db()
    assert ana.check_password("what ana chose")
    assert Queue.objects.get(name="refunds").title == "Refund desk"
    assert (folder / demo.PASSWORDS).read_text() == before


def test_seed_demo_publishes_the_library_once():
    call_command("seed_demo")
    versions = set(Workflow.objects.values_list("name", "current_version_id"))

    call_command("seed_demo")

    assert len(versions) >= 3
    assert set(Workflow.objects.values_list("name", "current_version_id")) == versions


def test_every_demo_queue_has_someone_who_may_decide_and_ends_at_oversight():
    call_command("seed_demo")

    deciders = {queue.pk: 0 for queue in Queue.objects.all()}
    for user in User.objects.all():
        for queue in permissions.decidable_queues(user):
            deciders[queue.pk] += 1
    assert min(deciders.values()) >= 2
    for queue in Queue.objects.all():
        while queue.escalates_to is not None:
            queue = queue.escalates_to  # noqa: PLW2901
        assert queue.name == "oversight"


def test_every_queue_that_the_library_names_is_seeded():
    call_command("seed_demo")

    named = {
        step["gate"]["queue"]
        for workflow in Workflow.objects.select_related("current_version")
        for step in workflow.current_version.plan["steps"]
        if step.get("gate")
    }
    assert named
    assert named <= set(Queue.objects.values_list("name", flat=True))


def test_demo_policy_is_in_force_and_its_prompt_waits_for_a_review():
    call_command("seed_demo")
    call_command("seed_demo")

    assert {policy.name: policy.current.state for policy in Policy.objects.all()} == {
        "incident-lookups": "active",
        "business-series": "active",
        "content-desk": "active",
    }
    [version] = PromptVersion.objects.all()
    assert (version.status, version.author.username) == ("in_review", "dev")


def test_demo_policy_that_people_changed_stays_as_they_left_it():
    call_command("seed_demo")
    policy = Policy.objects.get(name="incident-lookups")
    store.revoke(policy, "techniques", by="user:ivo", reason="not now")

    call_command("seed_demo")

    assert policy.versions.count() == 1
    assert policy.revocations.count() == 1


def test_demo_has_a_hub_and_spokes_that_answer_for_what_is_theirs_and_a_second_administrator(folder):
    call_command("seed_demo")
    Part.objects.filter(matter="tools").delete()

    call_command("seed_demo")

    owned = {queue.name: queue.owner.name for queue in Queue.objects.select_related("owner") if queue.owner}
    assert set(owned) == set(demo.QUEUES)
    rows = {row.name or row.matter: row.gaps for row in raci.table()}
    assert rows["prompts"] == rows["incidents"] == rows["security-oncall"] == ()
    assert not Part.objects.filter(matter="tools").exists()  # as people left it
    assert User.objects.filter(groups__name="Administrator").count() == 2
