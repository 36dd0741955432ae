"""The pages and the API of prompts, through Django's client."""

import json

import pytest
from django.contrib.auth.models import User
from django.test import Client

from agents.models import PromptVersion
from agents.prompts import evidence, services
from agents.prompts.services import Text
from approvals import access

pytestmark = pytest.mark.django_db
TEXT = Text("Sort: {{ text }}", [{"name": "text", "sample": "<b>a letter</b>"}], docs_link="docs/agents.md")


def person(name: str, role: str) -> User:
    user = User.objects.create_user(name)
    access.set_role(user_id=user.pk, role=role, by=None)
    return User.objects.get(pk=user.pk)


@pytest.fixture
def author() -> User:
    return person("ann", "Agent Development Specialist")


@pytest.fixture
def version(author: User) -> PromptVersion:
    return services.create(name="sorting", title="Sorting", text=TEXT, by=author)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_prompt_is_written_and_published_on_pages(author: User) -> None:
    writer, reviewer = signed_in(author), signed_in(person("quentin", "Quality Assurance Lead"))
    form = {"name": "tone", "title": "Tone", "template": "Be {{ a }}", "variables": '[{"name":"a","sample":"kind"}]'}

    assert writer.post("/agents/prompts/new/", form | {"docs_link": "d"}).status_code == 302
    assert writer.post("/agents/prompts/tone/1/act/", {"act": "submit"}).status_code == 302
    made = PromptVersion.objects.get()
    review = {"act": "publish", "digest": made.digest}
    assert writer.post("/agents/prompts/tone/1/act/", review).status_code == 403
    assert reviewer.post("/agents/prompts/tone/1/act/", review).status_code == 409
    evidence.record(made, evidence.Result("functional", "e-1", 90, passed=True), by="ci")
    assert reviewer.post("/agents/prompts/tone/1/act/", review).status_code == 302

    made.refresh_from_db()
    assert made.status == "published"
    page = reviewer.get("/agents/prompts/tone/").content.decode()
    assert "Published" in page
    assert "functional" in page


def test_form_that_cannot_be_saved_keeps_what_was_typed(author: User) -> None:
    answer = signed_in(author).post(
        "/agents/prompts/new/", {"name": "a", "title": "A", "template": "{{ nobody }}", "variables": "[]"}
    )

    assert answer.status_code == 422
    assert "uses nobody without declaring it" in answer.content.decode()
    assert "{{ nobody }}" in answer.content.decode()


def test_sample_is_rendered_escaped(version: PromptVersion, author: User) -> None:
    page = signed_in(author).post("/agents/prompts/sorting/1/rendered/", {"values": ""}).content.decode()

    assert "Sort: &lt;b&gt;a letter&lt;/b&gt;" in page
    assert "<b>a letter" not in page


def test_versions_are_compared(version: PromptVersion, author: User) -> None:
    PromptVersion.objects.filter(pk=version.pk).update(status="published")
    services.draft(version.prompt, Text("Order: {{ text }}", TEXT.variables), by=author)

    page = signed_in(author).get("/agents/prompts/sorting/?version=2&against=1").content.decode()

    assert "Order: {{ text }}" in page
    assert "− Sort: {{ text }}" in page


@pytest.mark.parametrize("path", ["", "new/", "sorting/", "sorting/draft/"])
def test_strangers_see_no_prompts(version: PromptVersion, path: str) -> None:
    nobody = User.objects.create_user("nobody")

    assert signed_in(nobody).get(f"/agents/prompts/{path}").status_code == 403


def test_api_writes_and_refuses_like_the_pages(version: PromptVersion, author: User) -> None:
    client = signed_in(author)
    sent = {"template": "{{ text }}", "variables": [{"name": "text", "sample": 1}], "digest": version.digest}

    wrong = client.put("/api/v1/prompts/sorting/1", json.dumps(sent), content_type="application/json")
    assert wrong.status_code == 422
    assert wrong.json()["error"]["code"] == "prompt_invalid"
    sent["variables"] = [{"name": "text", "sample": "x"}]
    right = client.put("/api/v1/prompts/sorting/1", json.dumps(sent), content_type="application/json")
    assert right.json()["template"] == "{{ text }}"
    assert client.get("/api/v1/prompts/sorting/9").status_code == 404
    assert client.get("/api/v1/prompts").json() == [{"name": "sorting", "title": "Sorting", "versions": {"1": "draft"}}]
    own = client.post(
        "/api/v1/prompts/sorting/1/evidence",
        json.dumps({"suite": "s", "reference": "r", "score": 1, "passed": True}),
        content_type="application/json",
    )
    assert own.status_code == 403
