"""The event log refuses what is not a fact, hides secrets, and never changes a row."""

import psycopg
import pytest
from django.db import connection, transaction

from approvals.models import Decision
from orchestrator import events
from orchestrator.events import EventKind, EventRefused, append
from orchestrator.models import Event
from tests import people

pytestmark = pytest.mark.django_db

CHANGES = [
    pytest.param("UPDATE {} SET {} = {}", id="update"),
    pytest.param("DELETE FROM {}", id="delete"),
    pytest.param("TRUNCATE {} CASCADE", id="truncate"),
]
TABLES = [("orchestrator_event", "actor"), ("orchestrator_ledger", "hash"), ("approvals_decision", "note")]


def partition() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM orchestrator_event LIMIT 1")
        return cursor.fetchone()[0]


def seal() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM seal_events(0, '{}', 100, NULL)")


def test_append_stores_fact_with_database_time():
    pk = append(EventKind.RUN_STARTED, actor="user:ana", run_id=7, task_id=8, data={"workflow": 1})

    event = Event.objects.get(pk=pk)

    assert (event.kind, event.actor, event.run_id, event.task_id) == ("run.started", "user:ana", 7, 8)
    assert event.data == {"workflow": 1}


@pytest.mark.django_db(transaction=True)
def test_insert_takes_its_transaction_id_before_any_row_takes_its_own():
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("INSERT INTO orchestrator_event (kind, actor) SELECT 'run.started', 'engine' WHERE false")
        cursor.execute("SELECT pg_current_xact_id_if_assigned() IS NOT NULL")

        assert cursor.fetchone() == (True,)


@pytest.mark.parametrize(
    ("facts", "problem"),
    [
        pytest.param({"kind": "run.exploded", "actor": "engine"}, "no such kind", id="unknown-kind"),
        pytest.param({"kind": "run.started", "actor": ""}, "actor", id="no-actor"),
        pytest.param({"kind": "run.started", "actor": "a\x1fb"}, "actor", id="separator-in-actor"),
        pytest.param({"kind": "run.started", "actor": "a", "data": {"x": "y" * 20_000}}, "bytes", id="too-large"),
        pytest.param({"kind": "run.started", "actor": "a", "data": {"x": "\ud800"}}, "JSON", id="lone-surrogate"),
    ],
)
def test_append_of_what_is_not_a_fact_is_refused(facts, problem):
    with pytest.raises(EventRefused, match=problem):
        append(facts.pop("kind"), **facts)


@pytest.mark.parametrize(
    "secret",
    [
        "sk-ant-api03-AAAABBBBCCCCDDDDEEEE",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "Bearer abcdefghijklmnopqrstuvwxyz",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9.c2lnbmF0dXJl",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
        "wk_0123456789abcdefghijklmnop",
    ],
)
def test_append_with_a_secret_in_its_data_masks_it(secret):
    pk = append("run.paused", actor="engine", data={"reason": f"because {secret} leaked", "list": [{"deep": secret}]})

    stored = Event.objects.get(pk=pk).data

    assert secret not in str(stored)
    assert stored["reason"].startswith("because [masked]")


def test_append_with_a_secret_by_name_masks_it_and_keeps_counts():
    pk = append("run.paused", actor="engine", data={"password": "hunter2", "tokens_in": 12, "note": "plain"})

    assert Event.objects.get(pk=pk).data == {"password": "[masked]", "tokens_in": 12, "note": "plain"}


def test_append_in_a_rolled_back_transaction_leaves_nothing():
    with transaction.atomic():
        append("run.started", actor="engine", run_id=77)
        transaction.set_rollback(True)

    assert not Event.objects.filter(run_id=77).exists()


@pytest.mark.parametrize(("table", "column"), TABLES)
@pytest.mark.parametrize("change", CHANGES)
def test_change_of_evidence_as_owner_is_refused(change, table, column):
    append("run.started", actor="engine")
    seal()
    if table == "approvals_decision":
        Decision.objects.create(gate=people.gate(), verdict="expire", via="deadline", gate_version=1, seal="0" * 64)
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    with pytest.raises(Exception, match="is refused") as refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change.format(table, column, column))

    assert isinstance(refused.value.__cause__, psycopg.Error)
    assert refused.value.__cause__.sqlstate == "OR090"


@pytest.mark.parametrize("change", CHANGES)
def test_change_of_one_partition_as_owner_is_refused(change):
    append("run.started", actor="engine")

    with pytest.raises(Exception, match="is refused"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change.format(partition(), "actor", "actor"))


@pytest.mark.parametrize("table", ["orchestrator_event", "orchestrator_ledger"])
@pytest.mark.parametrize("change", CHANGES)
def test_change_of_evidence_as_application_role_is_refused_by_privilege(change, table):
    column = "actor" if table == "orchestrator_event" else "hash"
    append("run.started", actor="engine")

    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE wk_test_application")
        cursor.execute("SELECT grant_event_log('wk_test_application')")
        cursor.execute("SET LOCAL ROLE wk_test_application")
        with pytest.raises(Exception, match="permission denied"), transaction.atomic():
            cursor.execute(change.format(table, column, column))
        assert append("run.paused", actor="engine") > 0


def test_make_event_partitions_twice_makes_nothing_new():
    with connection.cursor() as cursor:
        cursor.execute("SELECT make_event_partitions(14)")
        cursor.execute("SELECT make_event_partitions(14)")
        assert cursor.fetchone() == (0,)


def test_event_goes_to_its_months_partition():
    append("run.started", actor="engine")

    assert partition() == f"orchestrator_event_{Event.objects.latest('id').at:%Y_%m}"


def test_every_kind_is_documented(request):
    text = (request.config.rootpath / "docs" / "architecture.md").read_text()

    assert [kind.value for kind in events.EventKind if kind.value not in text] == []
