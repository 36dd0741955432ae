"""A prompt version from draft to published: who may, what it needs, what is recorded."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from agents.models import Agent, AgentVersion, PromptVersion
from agents.prompts import evidence, services, uses
from agents.prompts.errors import (
    EvidenceMissing,
    OwnPrompt,
    PromptError,
    PromptFixed,
    PromptInvalid,
    PromptMoved,
    PromptRight,
    PromptUnknown,
)
from agents.prompts.services import Text
from approvals import access

pytestmark = pytest.mark.django_db

TEXT = Text("Sort: {{ text }}", [{"name": "text", "sample": "a letter"}], docs_link="docs/agents.md")


@pytest.fixture(autouse=True)
def _known() -> None:
    uses.forget()


def person(name: str, role: str = "Agent Development Specialist") -> User:
    user = User.objects.create_user(name)
    access.set_role(user_id=user.pk, role=role, by=None)
    return User.objects.get(pk=user.pk)


@pytest.fixture
def author() -> User:
    return person("ann")


@pytest.fixture
def reviewer() -> User:
    return person("quentin", "Quality Assurance Lead")


@pytest.fixture
def version(author: User) -> PromptVersion:
    return services.create(name="sorting", title="Sorting", text=TEXT, by=author)


def evaluated(version: PromptVersion, **facts: Any) -> None:
    result = {"suite": "functional", "reference": "e-1", "score": 91, "passed": True, **facts}
    evidence.record(version, evidence.Result(**result), by="ci")


def kinds() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT kind FROM orchestrator_event WHERE kind LIKE 'prompt.%%' ORDER BY id")
        return [kind for (kind,) in cursor.fetchall()]


def publish(version: PromptVersion, author: User, reviewer: User) -> PromptVersion:
    services.submit(version.pk, by=author)
    evaluated(version)
    return services.publish(version.pk, seen=version.digest, note="good", by=reviewer)


def test_version_is_drafted_reviewed_and_published(version: PromptVersion, author: User, reviewer: User) -> None:
    done = publish(version, author, reviewer)

    assert (done.status, done.reviewer) == ("published", reviewer)
    assert kinds() == ["prompt.drafted", "prompt.submitted", "prompt.evaluated", "prompt.published"]
    assert uses.published("sorting").ref == "sorting@1"
    assert uses.published("sorting@1").render({"text": "x"}) == "Sort: x"


def test_author_does_not_review_even_as_superuser(version: PromptVersion, author: User) -> None:
    User.objects.filter(pk=author.pk).update(is_superuser=True)
    services.submit(version.pk, by=author)
    evaluated(version)

    with pytest.raises(OwnPrompt):
        services.publish(version.pk, seen=version.digest, note="", by=User.objects.get(pk=author.pk))


def test_second_editor_does_not_review_either(version: PromptVersion, author: User) -> None:
    second = person("bob")
    changed = services.edit(version.pk, Text("Now: {{ text }}", TEXT.variables), seen=version.digest, by=second)
    services.submit(version.pk, by=author)

    with pytest.raises(OwnPrompt):
        services.send_back(version.pk, seen=changed.digest, note="no", by=second)


@pytest.mark.parametrize(
    "facts", [{"passed": False}, {"measured_at": timezone.now() - timedelta(days=1)}], ids=["failed", "older"]
)
def test_publishing_needs_passing_evidence_newer_than_the_change(
    version: PromptVersion, author: User, reviewer: User, facts: dict[str, Any]
) -> None:
    services.submit(version.pk, by=author)
    evaluated(version, **facts)

    with pytest.raises(EvidenceMissing):
        services.publish(version.pk, seen=version.digest, note="", by=reviewer)


def test_evidence_does_not_outlive_an_edit(version: PromptVersion, author: User, reviewer: User) -> None:
    evaluated(version)
    text = Text("Sort well: {{ text }}", TEXT.variables, docs_link="x")
    changed = services.edit(version.pk, text, seen=version.digest, by=author)
    services.submit(version.pk, by=author)

    with pytest.raises(EvidenceMissing):
        services.publish(version.pk, seen=changed.digest, note="", by=reviewer)


def test_publishing_asks_for_the_documentation(author: User, reviewer: User) -> None:
    bare = services.create(name="bare", title="", text=Text("Hello"), by=author)
    services.submit(bare.pk, by=author)
    evaluated(bare)

    with pytest.raises(PromptInvalid, match="documentation"):
        services.publish(bare.pk, seen=bare.digest, note="", by=reviewer)


def test_reviewer_publishes_what_they_saw_only(version: PromptVersion, author: User, reviewer: User) -> None:
    services.submit(version.pk, by=author)
    evaluated(version)

    with pytest.raises(PromptMoved):
        services.publish(version.pk, seen="0" * 64, note="", by=reviewer)


def test_sent_back_version_is_a_draft_again(version: PromptVersion, author: User, reviewer: User) -> None:
    services.submit(version.pk, by=author)
    with pytest.raises(PromptFixed):
        services.edit(version.pk, TEXT, seen=version.digest, by=author)

    services.send_back(version.pk, seen=version.digest, note="Say why.", by=reviewer)

    assert services.edit(version.pk, TEXT, seen=version.digest, by=author).status == "draft"


@pytest.mark.parametrize("role", ["Reviewer", "Auditor", "Administrator", "Quality Assurance Lead"])
def test_others_do_not_write(version: PromptVersion, role: str) -> None:
    with pytest.raises(PromptRight):
        services.edit(version.pk, TEXT, seen=version.digest, by=person("eve", role))


def test_published_version_is_fixed_by_the_database(version: PromptVersion, author: User, reviewer: User) -> None:
    publish(version, author, reviewer)

    with pytest.raises(PromptError):
        services.edit(version.pk, TEXT, seen=version.digest, by=author)
    with pytest.raises(IntegrityError), transaction.atomic():
        PromptVersion.objects.filter(pk=version.pk).update(template="other")
    with pytest.raises(IntegrityError), transaction.atomic():
        PromptVersion.objects.filter(pk=version.pk).delete()


def test_draft_is_used_by_nobody(version: PromptVersion) -> None:
    with pytest.raises(PromptUnknown):
        uses.published("sorting")
    with pytest.raises(PromptUnknown):
        uses.published("sorting@1")


def test_pinned_version_stays_while_the_newest_moves_on(version: PromptVersion, author: User, reviewer: User) -> None:
    publish(version, author, reviewer)
    second = services.draft(version.prompt, Text("2: {{ text }}", TEXT.variables, docs_link="d"), by=author)
    publish(second, author, reviewer)

    assert (uses.published("sorting").ref, uses.published("sorting@1").ref) == ("sorting@2", "sorting@1")


def an_agent(name: str, ref: str, *fields: str) -> None:
    agent = Agent.objects.create(name=name, title=name)
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in fields}}
    AgentVersion.objects.create(
        agent=agent, number=1, kind="llm", isolation="loop", entrypoint="a:b", input_schema=schema, digest="d",
        config={"prompt_ref": ref},
    )  # fmt: skip


def test_used_by_is_exact(version: PromptVersion) -> None:
    an_agent("one", "sorting@1", "text")
    an_agent("two", "sorting", "text")
    an_agent("three", "sorting-letters", "text")

    assert {(used.agent.name, ref) for used, ref in uses.used_by(version.prompt)} == {
        ("one", "sorting@1"),
        ("two", "sorting"),
    }


def test_version_that_its_agents_could_not_fill_is_not_published(
    version: PromptVersion, author: User, reviewer: User
) -> None:
    an_agent("two", "sorting", "title")

    with pytest.raises(PromptInvalid, match="two uses its newest version and its input has no text"):
        publish(version, author, reviewer)


@pytest.mark.parametrize("facts", [{"score": 101}, {"measured_at": timezone.now() + timedelta(days=9)}])
def test_impossible_evidence_is_refused(version: PromptVersion, facts: dict[str, Any]) -> None:
    with pytest.raises(PromptInvalid):
        evaluated(version, **facts)
