"""Installing a template: page, request and command do the same, with a right, a reason and an event."""

from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from agents import registry
from approvals import demo
from approvals.models import Queue
from orchestrator import services
from orchestrator.acts import installing
from orchestrator.acts.refusals import ActImpossible, ActNotAllowed
from orchestrator.errors import ReasonMissing
from orchestrator.gallery import templates
from orchestrator.models import Event, Run, Workflow
from tests import people

pytestmark = pytest.mark.django_db
MANAGER = "Workflow Orchestration Manager"


@pytest.fixture(autouse=True)
def _agents() -> None:
    registry.autodiscover()
    registry.sync()


@pytest.fixture
def refunds() -> templates.Template:
    found = templates.find("refund-approval")
    assert found is not None
    return found


def signed_in(*roles: str) -> Client:
    client = Client()
    client.force_login(people.person("mia", *roles))
    return client


def test_manager_installs_in_one_click_and_tries_it(refunds: templates.Template) -> None:
    demo.seed_queues()
    client = signed_in(MANAGER)
    page = client.get("/gallery/refund-approval/").content.decode()
    assert "Install" in page
    assert "/gallery/refund-approval/try/0/" not in page

    client.post("/gallery/refund-approval/install/", {"reason": "We want it."})

    version = Workflow.objects.get(name="refund-approval").current_version
    assert version is not None
    assert version.source == refunds.source
    event = Event.objects.get(kind="workflow.installed")
    assert (event.actor, event.data["reason"], event.data["number"]) == ("user:mia", "We want it.", 1)
    page = client.get("/gallery/refund-approval/").content.decode()
    assert "Installed, v1" in page
    tried = client.post("/gallery/refund-approval/try/0/")
    run = Run.objects.get()
    assert tried["Location"] == f"/runs/{run.pk}/"
    assert run.input == refunds.samples[0].input


def test_installing_twice_says_so_and_changes_nothing(refunds: templates.Template) -> None:
    installing.install(refunds, by=None, reason="first")

    with pytest.raises(ActImpossible, match="already"):
        installing.install(refunds, by=None, reason="again")

    assert Workflow.objects.get().versions.count() == 1


def test_reason_is_needed(refunds: templates.Template) -> None:
    with pytest.raises(ReasonMissing):
        installing.install(refunds, by=None, reason=" ")


def test_queues_that_do_not_exist_are_made_only_by_who_may(refunds: templates.Template) -> None:
    mia = people.person("mia", MANAGER)

    with pytest.raises(ActNotAllowed, match="make the queues"):
        installing.install(refunds, by=mia, reason="why not")

    assert not Workflow.objects.exists()
    installing.install(refunds, by=None, reason="from the command line")
    assert Queue.objects.filter(name="refunds").exists()


@pytest.mark.parametrize("role", ["Agent Development Specialist", "Reviewer", "Auditor"])
def test_who_may_not_publish_installs_nothing(refunds: templates.Template, role: str) -> None:
    demo.seed_queues()

    assert signed_in(role).post("/gallery/refund-approval/install/", {"reason": "so"}).status_code == 403

    assert not Workflow.objects.exists()


def test_request_installs_and_lists() -> None:
    demo.seed_queues()
    client = signed_in(MANAGER)

    made = client.post("/api/v1/gallery/in-sequence/install", {"reason": "so"}, content_type="application/json")

    assert (made.status_code, made.json()) == (201, {"workflow": "in-sequence", "version": 1})
    listed = {one["name"]: one for one in client.get("/api/v1/gallery").json()}
    assert (listed["in-sequence"]["version"], listed["in-sequence"]["unchanged"]) == (1, True)
    assert listed["refund-approval"]["version"] is None
    assert client.get("/api/v1/gallery/nothing").status_code == 404
    found = client.get("/api/v1/gallery?domain=finance&q=refund").json()
    assert [one["name"] for one in found] == ["refund-approval"]


def test_command_installs_once_and_lists(capsys: Any) -> None:
    call_command("install_template", "in-sequence")
    call_command("install_template", "in-sequence")
    call_command("install_template", "--list")

    said = capsys.readouterr().out
    assert "in-sequence is installed as version 1." in said
    assert "installed already" in said
    assert "refund-approval" in said


def test_gallery_filters_by_domain_pattern_and_words() -> None:
    client = signed_in(MANAGER)

    page = client.get("/gallery/?domain=finance&pattern=swarm").content.decode()
    assert "No template matches" in page
    page = client.get("/gallery/?q=booked+trip").content.decode()
    assert "/gallery/booked-trip/" in page
    assert "/gallery/refund-approval/" not in page


def test_changed_workflow_is_shown_as_changed(refunds: templates.Template) -> None:
    demo.seed_queues()
    installing.install(refunds, by=None, reason="first")
    from_here = refunds.source.replace("Refund approval", "Our refunds", 1)
    services.publish(source=from_here, file="ours.yaml", by=None)

    page = signed_in(MANAGER).get("/gallery/refund-approval/").content.decode()
    assert "Installed and changed, v2" in page
    assert "Install again" in page
