"""What a legal hold names is not deleted, whatever its time; and who may place one."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from agents import retention
from agents.models import Agent, Assessment, MemoryItem, ModelCall
from monitoring.models import LegalHold, Mention
from monitoring.retention import holds
from monitoring.retention.holds import HoldRefused
from orchestrator import failpoints
from orchestrator.failpoints import Injected
from orchestrator.models import Event, Run
from tests import factories

pytestmark = pytest.mark.django_db
LONG_AGO = timedelta(days=1000)


@pytest.fixture
def auditor() -> User:
    return factories.user("nora", "Auditor")


@pytest.fixture
def run() -> Run:
    """A run about INC-7 with records of every kind that a hold can keep, all of them old."""
    made = factories.run(factories.workflow())
    Mention.objects.create(kind="incident", name="INC-7", pos=1, run_id=made.pk)
    records(made)
    return made


def records(run: Run) -> None:
    at = timezone.now() - LONG_AGO
    one = Assessment.objects.create(
        task=run.pk, run=run.pk, attempt=1, workflow="w", step="s", agent="a", score=50, passed=True
    )
    call = ModelCall.objects.create(
        key=f"k{run.pk}", correlation_id=run.correlation_id, attempt=1, agent="a", model="m"
    )
    Assessment.objects.filter(pk=one.pk).update(assessed_at=at)
    ModelCall.objects.filter(pk=call.pk).update(at=at)
    remember(run, tags=["pii"], at=at)


def remember(run: Run, *, tags: list[str], at: object) -> None:
    agent, _made = Agent.objects.get_or_create(name="digger", defaults={"title": "Digger"})
    MemoryItem.objects.create(
        agent=agent, realm="w", layer="long", run=run.pk, text="x", tags=tags, source="agent", writer="agent:digger@1",
        created_at=at, expires_at=timezone.now() + timedelta(days=900), digest=f"{run.pk}{tags}{at}",
    )  # fmt: skip


def left() -> tuple[int, int, int]:
    return Assessment.objects.count(), ModelCall.objects.count(), MemoryItem.objects.count()


@pytest.mark.parametrize("what", ["run", "incident", "correlation"])
def test_what_is_held_stays_and_goes_once_it_is_released(run: Run, auditor: User, what: str) -> None:
    records(factories.run(factories.workflow("other")))  # of another run: nobody holds it
    name = {"run": f"#{run.pk}", "incident": "INC-7", "correlation": run.correlation_id}[what]
    hold = holds.place(what=what, name=name, reason="a claim", by=auditor)

    retention.forget()
    assert left() == (1, 1, 1)

    holds.release(hold.pk, reason="settled", by=auditor)
    retention.forget()
    assert left() == (0, 0, 0)
    told = Event.objects.filter(kind__in=("retention.held", "retention.released")).order_by("id")
    assert [(event.kind, event.actor, event.data["reason"]) for event in told] == [
        ("retention.held", "user:nora", "a claim"), ("retention.released", "user:nora", "settled"),
    ]  # fmt: skip


def test_tagged_data_is_forgotten_after_30_days_and_the_log_keeps_that_it_was_there(run: Run) -> None:
    MemoryItem.objects.all().delete()
    now = timezone.now()
    for tags, days in ((["pii"], 31), (["pii"], 29), ([], 31)):
        remember(run, tags=tags, at=now - timedelta(days=days))

    retention.forget()

    assert sorted((item.tags, (now - item.created_at).days) for item in MemoryItem.objects.all()) == [
        ([], 31), (["pii"], 29),
    ]  # fmt: skip
    told = Event.objects.filter(kind="retention.applied", data__what="tagged_memories").get()
    assert told.data == {"what": "tagged_memories", "count": 1, "days": 30}


@pytest.mark.parametrize(
    ("what", "name", "reason", "said"),
    [
        ("run", "abc", "x", "number"),
        ("run", "999999", "x", "no run"),
        ("incident", " ", "x", "which run"),
        ("planet", "mars", "x", "which run"),
        ("incident", "INC-7", " ", "why"),
    ],
)
def test_hold_that_says_too_little_is_refused(auditor: User, what: str, name: str, reason: str, said: str) -> None:
    with pytest.raises(HoldRefused, match=said):
        holds.place(what=what, name=name, reason=reason, by=auditor)


def test_nothing_is_held_twice_or_released_twice(auditor: User) -> None:
    hold = holds.place(what="incident", name="INC-7", reason="x", by=auditor)
    with pytest.raises(HoldRefused, match="held already"):
        holds.place(what="incident", name="INC-7", reason="y", by=auditor)
    holds.release(hold.pk, reason="z", by=auditor)

    with pytest.raises(HoldRefused, match="released already"):
        holds.release(hold.pk, reason="z", by=auditor)
    assert holds.place(what="incident", name="INC-7", reason="again", by=auditor).pk != hold.pk


def test_hold_that_cannot_be_recorded_is_not_placed(auditor: User) -> None:
    failpoints.configure("audit.record=raise")
    try:
        with pytest.raises(Injected):
            holds.place(what="incident", name="INC-7", reason="x", by=auditor)
    finally:
        failpoints.configure("")

    assert not LegalHold.objects.exists()


def test_page_places_and_releases_with_a_reason(auditor: User) -> None:
    browser = Client()
    browser.force_login(auditor, backend="django.contrib.auth.backends.ModelBackend")

    browser.post("/audit/holds/place/", {"what": "incident", "name": "INC-7", "reason": "a <b>claim</b>"})
    shown = browser.get("/audit/holds/").content.decode()
    refused = browser.post("/audit/holds/place/", {"what": "incident", "name": "INC-7", "reason": "again"})
    hold = LegalHold.objects.get()
    browser.post(f"/audit/holds/{hold.pk}/release/", {"reason": "settled"})

    assert "INC-7" in shown
    assert "<b>claim" not in shown
    assert (refused.status_code, "held already" in refused.content.decode()) == (422, True)
    assert LegalHold.objects.get().why_released == "settled"
    assert browser.post("/audit/holds/999999/release/", {"reason": "x"}).status_code == 404
