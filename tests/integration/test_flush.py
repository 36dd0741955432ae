"""Between transactional tests the database is emptied: by Django's flush at first, then by deleting what is there."""

import psycopg
import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection

from approvals.models import Decision
from orchestrator import db
from orchestrator.models import Event, LedgerEntry, Run
from tests import people
from tests.flush import empty_database, own_session
from tests.hands import seal

pytestmark = pytest.mark.django_db(transaction=True)


def delete_rows() -> None:
    empty_database(lambda: pytest.fail("everything was truncated"))


@pytest.fixture(scope="module", autouse=True)
def _truncated_once(django_db_setup: None, django_db_blocker) -> None:
    """So that the tests below are about deleting."""
    with django_db_blocker.unblock():
        empty_database(lambda: call_command("flush", interactive=False, verbosity=0, reset_sequences=False))


def test_evidence_and_what_it_is_about_are_deleted_and_the_ledger_goes_on():
    gate, ana = people.gate(), people.person("ana")
    Decision.objects.create(gate=gate, verdict="approve", decided_by=ana, via="api", gate_version=1, seal="")
    seal()
    last = Event.objects.latest("id").pk

    delete_rows()

    left = [model.objects.count() for model in (Run, Decision, User, Event, LedgerEntry)]
    assert left == [0, 0, 0, 0, 0]
    people.run()
    seal()
    assert LedgerEntry.objects.count() == Event.objects.count() > 0
    assert Event.objects.earliest("id").pk > last


def test_what_an_empty_database_holds_is_put_back_under_its_ids():
    before = [set(model.objects.values_list()) for model in (ContentType, Permission)]
    ContentType.objects.create(app_label="made", model="up")
    Permission.objects.filter(codename__startswith="add_").delete()
    Permission.objects.filter(codename="view_user").update(name="May look")

    delete_rows()

    assert [set(model.objects.values_list()) for model in (ContentType, Permission)] == before


def test_triggers_that_a_test_disabled_work_again():
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE approvals_decision DISABLE TRIGGER USER")

    delete_rows()

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_trigger WHERE tgenabled <> 'O'")
        assert cursor.fetchone() == (0,)


def test_transaction_that_a_test_left_open_is_not_overlooked():
    with psycopg.connect(**db.connection_parameters()) as left_open:
        left_open.execute("BEGIN")
        left_open.execute("SELECT * FROM auth_user")
        own_session().execute("SET lock_timeout = '50ms'")
        try:
            with pytest.raises(psycopg.errors.LockNotAvailable):
                delete_rows()
        finally:
            own_session().execute("SET lock_timeout = '5s'")


def test_database_is_emptied_after_a_test_that_ended_every_other_session():
    User.objects.create(username="ana")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    delete_rows()

    assert not User.objects.exists()
