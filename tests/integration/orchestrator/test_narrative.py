"""A run's whole story: what agents were given and made, whom they called, what they said, and what its kin did."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from agents.models import Message, ModelCall, ToolCall
from orchestrator import narrative
from orchestrator.happenings import Entry
from orchestrator.models import Run
from tests import factories, people

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager() -> factories.User:
    return factories.user("maria", "Workflow Orchestration Manager")


@pytest.fixture
def run() -> Run:
    factories.agent("first-agent")
    made = factories.workflow("flow", factories.steps("first", "second", agents={"first": "first-agent"}))
    created = factories.run(made, statuses=["succeeded", "running"], correlation_id="case-7")
    first = factories.task(created)
    factories.event(created, "run.started", actor="feed", tasks=2)
    factories.event(created, "task.started", made=first, attempt=1)
    factories.finish(first, {"summary": "It beacons."}, tokens=1000, cost=0.5)
    factories.event(created, "task.succeeded", made=first, attempt=1)
    return created


def told(user: factories.User, *runs: Run) -> list[Entry]:
    return list(narrative.narrative(user, runs, everything=True).entries)


def line(entries: list[Entry], kind: str) -> Entry:
    return next(entry for entry in entries if entry.kind == kind)


def message(run: Run, text: str) -> Message:
    now = timezone.now()
    return Message.objects.create(
        uid=uuid4(), agent_id="first-agent", task_id=f"task-{factories.task(run).pk}", message_type="finding",
        payload=text, timestamp=now, to="second-agent", thread="t", correlation_id=run.correlation_id, ttl_s=60,
        digest="0" * 64, size=len(text), sent_by="agent:first-agent", expires_at=now + timedelta(minutes=1),
    )  # fmt: skip


def test_a_step_tells_what_it_was_given_and_made_and_what_that_took(manager, run):
    entries = told(manager, run)

    done, started = line(entries, "task.succeeded"), line(entries, "task.started")
    assert done.about == "first-agent v1 · 1,250 tokens · $0.5000"
    assert [(quote.title, "It beacons." in quote.text) for quote in done.quotes] == [("What it made", True)]
    assert "what it was given" in started.quotes[0].text


def test_a_tool_tells_what_went_in_and_what_came_back(manager, run):
    ToolCall.objects.create(
        seal="abc",
        key="k",
        correlation_id="case-7",
        given='{"host": "fin-db-02"}',
        got='{"seen": 9}',
        at=timezone.now(),
    )
    first = factories.task(run)
    factories.event(
        run, "tool.called", actor="agent:first-agent", made=first, tool="siem.search", version=2, seal="abc"
    )

    entry = line(told(manager, run), "tool.called")

    assert (entry.text, entry.name) == ("called the tool siem.search v2", "first-agent")
    assert [quote.text for quote in entry.quotes] == ['{"host": "fin-db-02"}', '{"seen": 9}']


def test_a_models_call_tells_its_prompts_revision_and_stands_at_its_time(manager, run):
    key = f"task-{factories.task(run).pk}-0"
    ModelCall.objects.create(key=key, correlation_id="case-7", attempt=1, agent="first-agent", model="smol",
                             prompt="triage@3", tokens_in=900, tokens_out=12, cost=Decimal("0.004"))  # fmt: skip
    factories.event(run, "run.paused", actor="user:maria", reason="later than the call")

    entries = told(manager, run)

    asked = line(entries, "model.called")
    assert (asked.text, asked.step) == ("asked smol with the prompt triage@3", "First")
    assert asked.about == "900 tokens in, 12 out · $0.0040"
    assert [entry.kind for entry in entries][:3] == ["run.paused", "model.called", "task.succeeded"]


def test_messages_are_told_to_those_who_may_see_them(manager, run):
    message(run, '{"found": "C2"}')
    analyst = factories.user("pia", "Performance Analytics Specialist")

    sent = line(told(manager, run), "message.sent")

    assert (sent.text, sent.quotes[0].text) == ("sent a message to second-agent", '{"found": "C2"}')
    assert "message.sent" not in [entry.kind for entry in told(analyst, run)]


def test_runs_with_the_same_correlation_id_are_told_together_each_by_its_number(manager, run):
    other = factories.run(run.workflow, title="Its child", correlation_id="case-7")
    factories.event(other, "run.started", actor="engine", tasks=2)
    factories.run(run.workflow, title="A stranger", correlation_id="case-8")

    related = narrative.related(manager, run)
    entries = told(manager, run, *related)

    assert [found.pk for found in related] == [other.pk]
    assert {entry.run for entry in entries} == {run.pk, other.pk}
    assert {entry.run for entry in told(manager, run)} == {None}


def test_a_run_that_one_may_not_see_is_not_told_of(run):
    stranger = people.person("sam", decides=people.queue())
    factories.run(run.workflow, correlation_id="case-7")

    assert narrative.related(stranger, run) == []


def test_the_page_offers_the_whole_case_and_shows_it(client: Client, manager, run):
    other = factories.run(run.workflow, title="Its child", correlation_id="case-7")
    factories.event(other, "run.paused", actor="user:maria", reason="the child rests")
    client.force_login(manager)

    alone = client.get(f"/runs/{run.pk}/?tab=narrative").text
    whole = client.get(f"/runs/{run.pk}/?tab=narrative&of=all").text

    assert "And 1 other with its correlation id" in alone
    assert "the child rests" not in alone
    assert "the child rests" in whole
    assert f'href="/runs/{other.pk}/"' in whole


def test_words_of_agents_are_escaped_and_their_hidden_characters_shown(client: Client, manager, run):
    factories.event(run, "tool.called", actor="agent:first-agent", made=factories.task(run), tool="t", seal="evil")
    ToolCall.objects.create(
        seal="evil", key="k", correlation_id="case-7", given="<script>alert(1)</script>\u202e", at=timezone.now()
    )
    client.force_login(manager)

    page = client.get(f"/runs/{run.pk}/?tab=narrative").text

    assert "<script>alert" not in page
    assert "U+202E" in page
