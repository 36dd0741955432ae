"""A run as it was at any of its events: rebuilt from facts, equal to what was stored, in a fixed number of queries."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orchestrator import sequencer, snapshots
from orchestrator.errors import EventNotInRun, SnapshotTooLarge
from orchestrator.invariants import violations
from orchestrator.models import Event, LedgerEntry, Run
from tests.engine import eventually, finished, publish, shift, start, statuses

pytestmark = pytest.mark.django_db(transaction=True)

CHAIN = """
- {key: a, type: automated, agent: test-keeper, inputs: {do: [[put, x, 1], [put, x, 2], [delete, y]]}}
- {key: b, type: automated, agent: test-keeper, inputs: {do: [[put, x, 1], [checkpoint, half way]]}
  , checkpoint: b is done}
- {key: c, type: automated, agent: test-flaky, inputs: {times: 1}}
"""


def ran() -> Run:
    publish(CHAIN, rest="dependencies: {b: [a], c: [b]}")
    run = start()
    with shift():
        eventually(lambda: finished(run))
    return run


def sealed(run: Run) -> dict[int, int]:
    """The places of a run's events in the ledger."""
    with sequencer.connect() as own:
        sequencer.seal_all(own)
    places = LedgerEntry.objects.filter(event_id__in=Event.objects.filter(run=run).values("id"))
    return dict(places.values_list("event_id", "pos"))


def event_of(run: Run, kind: str, number: int = 0) -> int:
    return list(Event.objects.filter(run=run, kind=kind).order_by("id").values_list("pk", flat=True))[number]


def test_the_newest_snapshot_is_what_is_stored():
    run = ran()

    found = snapshots.at_event(run, Event.objects.filter(run=run).latest("id").pk)

    assert found.state.status == run.status
    assert dict(zip(found.keys_of_tasks(), found.statuses, strict=True)) == statuses(run)
    assert {key: entry.value for key, entry in found.values().items()} == {"a.x": 2, "b.x": 1}
    assert list(found.state.checkpoints.values()) == ["half way", "b is done"]
    assert not list(violations())


def test_an_earlier_snapshot_is_the_run_as_it_was_then():
    run = ran()

    first = snapshots.at_event(run, event_of(run, "state.written"))
    middle = snapshots.at_event(run, event_of(run, "checkpoint.made", 1))

    assert first.statuses == ["running", "blocked", "blocked"]
    assert {key: entry.value for key, entry in first.values().items()} == {"a.x": 1}
    assert middle.statuses == ["succeeded", "succeeded", "ready"]
    assert middle.state.status == "running"


def test_a_snapshot_takes_the_same_few_queries_however_long_the_run():
    short, long = ran(), ran()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO orchestrator_event (run_id, task_id, kind, actor, data)"
            " SELECT %s, %s, CASE n %% 2 WHEN 0 THEN 'task.late_result' ELSE 'task.spoke' END, 'engine', '{}'"
            " FROM generate_series(1, 10000) AS n",
            [long.pk, long.pk << 20],
        )
    snapshots.graph_of(short.version_id)  # once a process
    counts = []
    for run in (short, long):
        last = Event.objects.filter(run=run).latest("id").pk
        with CaptureQueriesContext(connection) as queries:
            found = snapshots.at_event(run, last)
            found.values()
        counts.append(len(queries))

    assert found.facts > 10_000
    assert counts == [2, 2]


def test_a_place_in_the_ledger_is_the_event_that_lies_there():
    run = ran()
    places = sealed(run)

    for event, pos in places.items():
        assert snapshots.at_pos(run, pos).statuses == snapshots.at_event(run, event).statuses
    assert snapshots.at_pos(run, max(places.values()) + 5).state.status == "succeeded"


def test_a_place_before_the_run_is_refused():
    run = ran()
    places = sealed(run)

    with pytest.raises(EventNotInRun):
        snapshots.at_event(run, event_of(run, "run.started") - 1)
    with pytest.raises(EventNotInRun):
        snapshots.at_pos(run, min(places.values()) - 1)


def test_a_run_with_too_many_events_is_refused(monkeypatch):
    run = ran()
    monkeypatch.setattr(snapshots, "MOST_EVENTS", 3)

    with pytest.raises(SnapshotTooLarge, match="more than 3 events"):
        snapshots.at_event(run, event_of(run, "run.succeeded"))
