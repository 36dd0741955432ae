"""The sequencer: every event, once, in order, whoever commits when."""

import random
import threading
import time
from itertools import pairwise

import psycopg
import pytest

from orchestrator import ledger
from orchestrator import sequencer as sequencing
from orchestrator.sequencer import Sequencer, run_sequencer, seal_all
from tests.event_log import append, sealed

pytestmark = pytest.mark.django_db(transaction=True)


def seal_until(sequencer: Sequencer, ids: set[int], *, seconds: float = 20) -> list[int]:
    """Turn until all these events are sealed."""
    deadline = time.monotonic() + seconds
    while not ids <= set(found := sealed(sequencer.connection)):
        assert time.monotonic() < deadline, f"not sealed: {sorted(ids - set(found))[:5]}"
        sequencer.turn()
    return found


def test_turn_with_events_seals_them_in_order_without_gap(sequencer, writer):
    ids = [append(writer) for _ in range(5)]

    count, pos = sequencer.turn()

    assert (count, pos) == (5, 5)
    assert sealed(writer) == ids


def test_turn_with_nothing_new_seals_nothing(sequencer, writer):
    append(writer)
    sequencer.turn()

    assert sequencer.turn() == (0, None)


def test_turn_while_an_earlier_event_is_uncommitted_seals_the_later_and_then_the_earlier(sequencer, writer, connect):
    slow = connect()
    with slow.transaction():
        early = append(slow, run_id=1)
        late = append(writer, run_id=2)
        sequencer.turn()
        assert sealed(writer) == [late]

    found = seal_until(sequencer, {early})

    assert found == [late, early]


def test_turn_after_a_rollback_gives_up_the_missing_id(sequencer, writer):
    with writer.transaction(force_rollback=True):
        append(writer)
    last = append(writer)

    deadline = time.monotonic() + 20
    while sequencer.low < last:
        assert time.monotonic() < deadline
        sequencer.turn()

    assert sequencer.missing == set()


def test_turn_while_a_writer_holds_an_id_never_gives_it_up(sequencer, writer, connect):
    slow = connect()
    with slow.transaction():
        early = append(slow)
        append(writer)
        for _ in range(5):
            sequencer.turn()

        assert early in sequencer.missing

    assert early in seal_until(sequencer, {early})


def test_turn_while_an_insert_is_between_its_id_and_its_row_does_not_lose_it(sequencer, writer, connect):
    """INSERT takes its id, then evaluates a slow column: only the trigger has it hold a transaction id by then."""
    append(writer)  # the sequence's own log record would hand out a transaction id now and then
    slow = connect()
    row = "('task.started', 'slow', to_jsonb(pg_sleep(1)::text))"
    insert = f"INSERT INTO orchestrator_event (kind, actor, data) VALUES {row}"
    thread = threading.Thread(target=slow.execute, args=[insert])
    thread.start()
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND pid = %s"
    deadline = time.monotonic() + 10
    while writer.execute(waiting, [slow.info.backend_pid]).fetchone() == (0,):
        assert time.monotonic() < deadline

    after = append(writer)
    while thread.is_alive():
        sequencer.turn()
    thread.join()
    seal_until(sequencer, {after})
    sequencer.turn()

    (slow_id,) = writer.execute("SELECT id FROM orchestrator_event WHERE actor = 'slow'").fetchone()
    assert slow_id < after
    assert slow_id in sealed(writer)


def test_open_after_a_leader_died_goes_on_with_the_missing(sequencer, writer, connect):
    slow = connect()
    with slow.transaction():
        early = append(slow)
        late = append(writer)
        sequencer.turn()
        sequencer.store_low()
        sequencer.connection.close()
    successor = Sequencer(connect())

    successor.open()
    found = seal_until(successor, {early})

    assert found == [late, early]
    assert [row[0] for row in writer.execute("SELECT pos FROM orchestrator_ledger ORDER BY pos")] == [1, 2]


def test_turn_with_an_id_from_nowhere_refuses(sequencer, writer):
    append(writer)
    insert = "INSERT INTO orchestrator_event (id, kind, actor) OVERRIDING SYSTEM VALUE VALUES (%s, 'run.started', 'x')"
    writer.execute(insert, [10**12])

    with pytest.raises(sequencing.ImpossibleEventId):
        sequencer.turn()


def test_run_sequencer_while_another_leads_returns_at_once(writer):
    stop = threading.Event()
    leader = threading.Thread(target=run_sequencer, args=[30, stop])
    leader.start()
    held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s"
    deadline = time.monotonic() + 10
    while writer.execute(held, [sequencing.LOCK]).fetchone() == (0,):
        assert time.monotonic() < deadline

    assert run_sequencer(30) is False

    stop.set()
    leader.join(10)
    assert run_sequencer(0) is True


def test_run_sequencer_announces_the_last_position(writer):
    writer.execute("LISTEN wk_ledger")
    stop = threading.Event()
    leader = threading.Thread(target=run_sequencer, args=[30, stop])
    leader.start()
    append(writer)

    (note,) = list(writer.notifies(timeout=10, stop_after=1))
    stop.set()
    leader.join(10)

    assert note.payload == "1"


def test_concurrent_writers_with_rollbacks_and_a_slow_one_lose_nothing_and_keep_each_runs_order(
    sequencer, writer, connect
):
    written: list[list[int]] = [[] for _ in range(4)]
    slow = connect()
    slow_transaction = slow.transaction()
    slow_transaction.__enter__()
    early = append(slow, run_id=99)

    def work(run_id: int, connection: psycopg.Connection) -> None:
        chance = random.Random(run_id)
        for _ in range(150):
            with connection.transaction(force_rollback=chance.random() < 0.2) as transaction:
                ids = [append(connection, run_id=run_id) for _ in range(chance.randint(1, 5))]
            if not transaction.force_rollback:
                written[run_id] += ids

    threads = [threading.Thread(target=work, args=[run_id, connect()]) for run_id in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        sequencer.turn()
    kept = {event_id for ids in written for event_id in ids}
    seal_until(sequencer, kept)  # the slow writer holds nobody up
    slow_transaction.__exit__(None, None, None)
    found = seal_until(sequencer, kept | {early})

    assert len(found) == len(set(found))
    assert set(found) == kept | {early}
    place = {event_id: pos for pos, event_id in enumerate(found)}
    for ids in written:
        assert all(place[one] < place[next_one] for one, next_one in pairwise(ids))


def test_seal_all_seals_what_is_visible_and_stores_the_mark(writer):
    ids = [append(writer) for _ in range(3)]

    assert seal_all(writer) == 3

    assert writer.execute("SELECT low FROM orchestrator_ledger_mark").fetchone() == (ids[-1],)
    assert writer.execute("SELECT count(*) FROM find_unsealed()").fetchone() == (0,)


def test_find_unsealed_names_an_event_below_the_mark(writer):
    append(writer)
    lost = append(writer)
    seal_all(writer)
    writer.execute("ALTER TABLE orchestrator_ledger DISABLE TRIGGER USER")
    writer.execute("DELETE FROM orchestrator_ledger WHERE event_id = %s", [lost])
    writer.execute("ALTER TABLE orchestrator_ledger ENABLE TRIGGER USER")

    assert [row[0] for row in writer.execute("SELECT event_id FROM find_unsealed()")] == [lost]


def test_tend_makes_partitions_and_counts_what_was_passed_over(writer):
    lost = append(writer)
    seal_all(writer)

    assert ledger.tend() == 0

    writer.execute("ALTER TABLE orchestrator_ledger DISABLE TRIGGER USER")
    writer.execute("DELETE FROM orchestrator_ledger WHERE event_id = %s", [lost])
    writer.execute("ALTER TABLE orchestrator_ledger ENABLE TRIGGER USER")
    assert ledger.tend() == 1
