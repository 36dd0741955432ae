"""The feed starts real runs, goes on where it stopped, and holds still when it must."""

from collections.abc import Callable, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError

from agents import registry
from orchestrator import services
from orchestrator.management.commands import feed
from orchestrator.models import Run, Stop

LIBRARY = Path(services.__file__).parent / "library"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _published(db: None, settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    registry.autodiscover()
    registry.sync()
    for file in sorted(LIBRARY.glob("*.yaml")):
        services.publish(source=file.read_text(), file=file.name, by=None, make_queues=True)


def _feed(limit: int, **options: Any) -> str:
    said = StringIO()
    call_command("feed", rate=6000, limit=limit, stdout=said, **options)
    return said.getvalue()


def test_feed_starts_mostly_incidents_with_some_refunds_and_news() -> None:
    _feed(20)

    assert Run.objects.filter(workflow__name="incident-response").count() == 16
    assert Run.objects.filter(workflow__name="refund-approval").count() == 3
    assert Run.objects.filter(workflow__name="content-production").count() == 1


def test_feed_never_submits_the_severity_and_titles_runs_by_incident() -> None:
    _feed(1, workflow="incident-response")

    run = Run.objects.get()
    assert "severity" not in run.input
    assert run.title == f"{run.input['id']}: {run.input['title']}"[:300]
    assert run.idempotency_key == f"feed:0:{run.input['id']}"


def test_feed_started_again_goes_on_after_its_newest_run() -> None:
    _feed(3, workflow="incident-response")
    _feed(3, workflow="incident-response")

    keys = list(Run.objects.order_by("id").values_list("idempotency_key", flat=True))
    source = feed.Incidents()
    assert [source.number_after(key or "") for key in keys] == [1, 2, 3, 4, 5, 6]


def test_feed_above_the_backlog_holds_still_and_says_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed.threading, "Event", _EndsAfter(6))

    said = _feed(0, workflow="incident-response", backlog=2)

    assert Run.objects.count() == 3
    assert said.count("More than 2 runs are open") == 1


def test_feed_while_everything_is_stopped_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    Stop.objects.create(scope=Stop.Scope.EVERYTHING, reason="drill")
    monkeypatch.setattr(feed.threading, "Event", _EndsAfter(3))

    said = _feed(0)

    assert Run.objects.count() == 0
    assert said.count("Everything is stopped") == 1


def test_feed_with_one_workflow_stopped_starts_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = Run.objects.model.workflow.field.related_model.objects.get(name="incident-response")
    Stop.objects.create(scope=Stop.Scope.WORKFLOW, ref=stopped.pk, reason="drill")
    monkeypatch.setattr(feed.threading, "Event", _EndsAfter(20))

    _feed(0)

    assert set(Run.objects.values_list("workflow__name", flat=True)) == {"refund-approval", "content-production"}


def test_feed_without_a_database_for_a_while_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    start, failures = services.start_run, [OperationalError("server closed the connection"), OperationalError("again")]

    def unreliable(**given: Any) -> Run:
        if failures:
            raise failures.pop()
        return start(**given)

    monkeypatch.setattr(services, "start_run", unreliable)
    # The test's own connection lives in a transaction that must not be closed under it.
    monkeypatch.setattr(feed, "close_old_connections", lambda: None)
    monkeypatch.setattr(feed.threading, "Event", _EndsAfter(5))

    said = _feed(0, workflow="incident-response")

    keys = list(Run.objects.order_by("id").values_list("idempotency_key", flat=True))
    assert [feed.Incidents().number_after(key or "") for key in keys] == [1, 2, 3]
    assert said.count("The database does not answer") == 1


def test_feed_without_published_workflows_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    Run.objects.model.workflow.field.related_model.objects.update(current_version=None)
    monkeypatch.setattr(feed.threading, "Event", _EndsAfter(2))

    assert "seed_demo" in _feed(0)


@pytest.mark.parametrize("rate", ["0", "-1", "fast", "1e9", "nan"])
def test_feed_with_a_rate_that_is_none_is_refused_in_one_sentence(rate: str) -> None:
    with pytest.raises(CommandError, match="not a number of runs a minute"):
        call_command("feed", "--rate", rate)


def test_feed_that_waits_for_its_next_run_takes_on_another_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    event = _EndsAfter(6, then={2: lambda: call_command("feed", "--set-rate", "6000", stdout=StringIO())})
    monkeypatch.setattr(feed.threading, "Event", event)

    call_command("feed", rate=0.001, limit=3, workflow="incident-response", stdout=StringIO())

    assert Run.objects.count() == 3
    assert event.waited[:2] == [2.0, 2.0]  # it looks while it waits
    assert max(event.waited[2:]) < 0.02


def test_feed_at_pace_zero_holds_still_until_it_gets_another(monkeypatch: pytest.MonkeyPatch) -> None:
    feed.set_pace(0)
    event = _EndsAfter(9, then={4: lambda: feed.set_pace(6000)})
    monkeypatch.setattr(feed.threading, "Event", event)

    said = _feed(2)

    assert Run.objects.count() == 2
    assert said.count("The pace is 0") == 1
    assert event.waited[:4] == [2.0] * 4


def test_feed_with_an_unreadable_pace_keeps_its_own(tmp_path: Path) -> None:
    (tmp_path / "feed-rate").write_text("fast\n")

    assert feed.Pace(6).seconds() == 10.0


@pytest.mark.parametrize("rate", ["-1", "fast", "1e9", "nan"])
def test_feed_told_a_pace_that_is_none_is_refused_and_keeps_the_old(rate: str, tmp_path: Path) -> None:
    feed.set_pace(12)

    with pytest.raises(CommandError, match="not a number of runs a minute"):
        call_command("feed", f"--set-rate={rate}")

    assert [path.read_text() for path in tmp_path.iterdir()] == ["12\n"]


class _EndsAfter:
    """Stands in for threading.Event: waits for nothing, does what it is told after a wait, is set after so many."""

    def __init__(self, waits: int, then: Mapping[int, Callable[[], object]] | None = None) -> None:
        self._left = waits
        self._then = dict(then or {})
        self.waited: list[float] = []

    def __call__(self) -> "_EndsAfter":
        return self

    def is_set(self) -> bool:
        return self._left <= 0

    def set(self) -> None:
        self._left = 0

    def wait(self, seconds: float) -> bool:
        self._left -= 1
        self.waited.append(seconds)
        self._then.pop(len(self.waited), lambda: None)()
        return self.is_set()
