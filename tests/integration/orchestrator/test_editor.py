"""The editor of definitions: it checks, keeps what was typed, and publishes; nothing that is refused loses the text."""

import time

import pytest
from django.contrib.auth.models import User
from django.test import Client

from orchestrator.models import Event, Workflow, WorkflowDraft
from tests import engine, people

pytestmark = pytest.mark.django_db
STEP = "  - {key: a, type: automated, agent: test-echo, on_error: fail}\n"
GOOD = f"metadata: {{name: flow, title: Flow}}\nsteps:\n{STEP.replace('fail', 'ask')}"
BAD = GOOD.replace("agent:", "agnt:")
HTMX = {"HX-Request": "true"}


@pytest.fixture
def mia(client: Client) -> User:
    engine.publish(STEP)
    made = people.person("mia", "Workflow Orchestration Manager")
    client.force_login(made)
    return made


def checked(client: Client, source: str, path: str = "/editor/flow/", **more: str) -> str:
    answer = client.post(f"{path}?check=1", {"source": source, **more}, headers=HTMX)
    assert answer.status_code == 200
    return answer.content.decode()


def test_check_names_line_step_field_and_remedy_and_keeps_the_draft(client: Client, mia: User) -> None:
    shown = checked(client, BAD)

    assert "line 3" in shown
    assert "a · agnt" in shown
    assert "did you mean" in shown
    assert "Changes against v1" in shown
    assert WorkflowDraft.objects.get(user=mia).source == BAD
    assert BAD.splitlines()[2] in client.get("/editor/flow/").content.decode().replace("&#x27;", "'")


def test_check_says_what_publishing_would_do_without_doing_it(client: Client, mia: User) -> None:
    shown = checked(client, GOOD)

    assert "Version 2 of Flow becomes the current one." in shown
    assert 'name="digest"' in shown
    assert Workflow.objects.get(name="flow").versions.count() == 1


def test_published_with_a_reason_and_the_draft_is_gone(client: Client, mia: User) -> None:
    checked(client, GOOD)

    answer = client.post("/editor/flow/", {"source": GOOD.replace("\n", "\r\n"), "do": "publish", "reason": "better"})

    assert (answer.status_code, answer["Location"]) == (302, "/workflows/flow/")
    event = Event.objects.filter(kind="workflow.published").order_by("id").last()
    assert (event.data["reason"], event.data["number"]) == ("better", 2)
    assert Workflow.objects.get(name="flow").current_version.source == GOOD
    assert not WorkflowDraft.objects.exists()
    assert "/act/workflow/flow/bring-back/" in client.get("/workflows/flow/").content.decode()


@pytest.mark.parametrize(
    ("source", "reason", "status"), [(BAD, "why", 422), (GOOD, "", 422)], ids=["a problem", "no reason"]
)
def test_refused_publication_keeps_text_and_reason(
    source: str, reason: str, status: int, client: Client, mia: User
) -> None:
    answer = client.post("/editor/flow/", {"source": source, "do": "publish", "reason": reason})

    assert answer.status_code == status
    assert source.splitlines()[2] in answer.content.decode().replace("&#x27;", "'")
    assert Workflow.objects.get(name="flow").versions.count() == 1
    assert WorkflowDraft.objects.get(user=mia).source == source


def test_version_published_meanwhile_is_said_and_not_run_over(client: Client, mia: User) -> None:
    digest = checked(client, GOOD).partition('name="digest" value="')[2].partition('"')[0]
    engine.publish(STEP.replace("fail", "skip"))

    answer = client.post("/editor/flow/", {"source": GOOD, "do": "publish", "reason": "why", "digest": digest})

    assert answer.status_code == 409
    assert "begun from version 1; version 2 has been published since" in answer.content.decode()
    assert Workflow.objects.get(name="flow").versions.count() == 2


def test_new_workflow_is_begun_from_a_template_and_published(client: Client, mia: User) -> None:
    assert "metadata:" in client.get("/editor/?pattern=saga&template=1").content.decode()

    answer = client.post("/editor/", {"source": GOOD.replace("flow", "letters"), "do": "publish", "reason": "new"})

    assert answer["Location"] == "/workflows/letters/"


def test_starter_of_a_new_workflow_can_be_published_as_it_stands(client: Client, mia: User) -> None:
    shown = client.get("/editor/").content.decode()

    assert "my-workflow" in shown
    assert "is a new workflow, and yours" in shown
    assert "warnings" not in shown


def test_draft_is_its_authors_alone_and_discarded(client: Client, mia: User) -> None:
    checked(client, BAD)
    other = people.person("max", "Workflow Orchestration Manager")
    client.force_login(other)
    assert "agnt" not in client.get("/editor/flow/").content.decode()
    client.force_login(mia)

    client.post("/editor/flow/", {"source": BAD, "do": "discard"})

    assert not WorkflowDraft.objects.exists()
    assert "agnt" not in client.get("/editor/flow/").content.decode()


@pytest.mark.parametrize("role", ["Auditor", "Reviewer", "Administrator", "System Integration Engineer"])
@pytest.mark.parametrize("path", ["/editor/", "/editor/flow/"])
def test_editor_is_for_those_who_may_publish(path: str, role: str, client: Client, mia: User) -> None:
    client.force_login(people.person("other", role))

    assert client.get(path).status_code in (403, 404)
    assert client.post(path, {"source": GOOD, "do": "publish", "reason": "why"}).status_code in (403, 404)
    assert Workflow.objects.get(name="flow").versions.count() == 1
    assert not WorkflowDraft.objects.exists()


@pytest.mark.parametrize(
    "source",
    [
        "a: &a [x, x, x, x, x, x, x, x, x]\n" + "\n".join(f"b{i}: &b{i} [*a, *a, *a, *a, *a]" for i in range(30)),
        "[" * 50_000,
        "metadata: {name: flow}\nsteps:\n" + "".join(f"  - {{key: k{i}, type: nothing}}\n" for i in range(11_000)),
        "\x00\u202e" + GOOD,
    ],
    ids=["billion laughs", "deep", "11,000 steps", "invisible characters"],
)
def test_hostile_definition_is_answered_with_problems_in_a_second(source: str, client: Client, mia: User) -> None:
    began = time.process_time()

    shown = checked(client, source)

    assert "Cannot be published" in shown
    assert time.process_time() - began < 3  # one alone; the definitions' own tests hold each to a second


def test_markup_in_a_definition_is_text(client: Client, mia: User) -> None:
    shown = checked(client, GOOD.replace("key: a", 'key: "<img src=x onerror=alert(1)>"'))

    assert "<img src=x" not in shown
