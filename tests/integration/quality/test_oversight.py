"""What people and policies stopped: the three ratios of oversight."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone

from agents.models import Agent, ToolUse, Violation
from agents.quality.oversight import oversight
from approvals.models import Decision, Gate
from tests import factories, people

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent() -> Agent:
    return factories.agent("writer")


def decided(verdict: str, *, rule: str = "confidence < 0.8", after: Any = None, ago: timedelta = timedelta()) -> int:
    gate = people.gate(agent="writer", confidence=0.5)
    subject = {**gate.subject, "input": {"q": "x"}}
    Gate.objects.filter(pk=gate.pk).update(status="approved", settled_at=Now(), rule=rule, subject=subject)
    made = Decision(
        gate=gate, verdict=verdict, decided_by=User.objects.get_or_create(username="ana")[0], via="browser",
        gate_version=1, seal="s", before=gate.subject["proposal"], after=after, decided_at=timezone.now() - ago,
    )  # fmt: skip
    made.save()
    return gate.pk


def test_ratios_count_what_people_changed_what_was_asked_for_nothing_and_what_was_stopped(agent: Agent) -> None:
    for _ in range(3):
        decided("approve")
    decided("approve", rule="true")  # a step that always asks
    decided("approve", rule="sample of 5.000%, where this does not hold: true")
    decided("edit", after={"plan": "better"})
    decided("reject", rule="true")
    decided("reject", ago=timedelta(days=8))
    Violation.objects.create(agent=agent, version=1, rule="secret")
    uses: dict[str, Any] = {"agent": "writer", "tool": "pay", "hour": timezone.now(), "last_at": timezone.now()}
    ToolUse.objects.create(**uses, decision="denied", calls=4)
    ToolUse.objects.create(**uses, decision="allowed", calls=9)

    [row] = oversight().rows

    assert (row.weighed.decided, row.weighed.overridden) == (7, 2)
    assert (row.weighed.escalated, row.weighed.needless) == (4, 3)
    assert row.attempts == 5


def test_page_shows_the_ratios_with_their_definitions(agent: Agent) -> None:
    for _ in range(3):
        decided("reject")
    client = Client()
    client.force_login(
        factories.user("mo", "Quality Assurance Lead"), backend="django.contrib.auth.backends.ModelBackend"
    )

    page = client.get("/agents/quality/").content.decode()
    for words in (
        "Override ratio",
        "False escalations",
        "Violation attempts",
        "100\xa0%",
        "of 3",
        "sent back or rejected",
    ):
        assert words in page
