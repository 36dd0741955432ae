"""Empties the database between transactional tests, in milliseconds where Django's TRUNCATE of every table takes tens.

Truncating makes new files for each table and index, and then each content type and permission is made anew. Nearly
every test leaves a few rows in a few tables: deleting those is far less work, and what belongs in an empty database
keeps its ids.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from orchestrator.db import connection_parameters

EVIDENCE = (
    "approvals_decision", "approvals_vote", "approvals_appraisal", "approvals_decisionrecord",
    "agents_dataset", "agents_datasetcase",
    "agents_evaluation", "agents_evaluationcase",
)  # fmt: skip
# Unmanaged, so no flush of Django's knows of them.
EVENT_LOG = ("orchestrator_event", "orchestrator_ledger")
_SWOLLEN = 4_000_000  # bytes of one table: from here on truncating pays, and leaves no dead rows to the next tests
SESSION = "tests.flush"  # what it is called among the server's sessions
_sessions: list[psycopg.Connection[Any]] = []  # one at most
_kept: list[str] = []  # tables whose rows belong in an empty database; a copy of each is in the schema `kept`


def empty_database(flush: Callable[[], None]) -> None:
    """Leave nothing but what belongs in an empty database.

    `flush` is Django's own; it goes first and where it is the better way, or the only one: deleting past triggers and
    foreign keys takes a right that the tests' own server grants (`tests.conftest`), and another one may not.
    """
    # A test may look at another database next, where content types have other ids; Django's flush forgets them, too.
    ContentType.objects.clear_cache()
    session = own_session() if _kept else None
    if session and not _swollen(session):
        connection.close()  # as Django does next; what a test has left open in it would be waited for
        with session.transaction(), session.cursor() as cursor:
            _delete_rows(cursor)
        return
    with connection.cursor() as cursor:
        for table in EVIDENCE:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    flush()
    with transaction.atomic(), connection.cursor() as cursor:
        for table in EVIDENCE:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        _empty_event_log(cursor)
        if _may_pass_triggers(cursor):
            _keep_what_is_left(cursor)


def close() -> None:
    """Let go of the database."""
    while _sessions:
        _sessions.pop().close()


def end_other_sessions() -> None:
    """End what a test has left open, the answer to a page that had gone away say: nobody could drop the database."""
    here = connection_parameters()
    with psycopg.connect(**here | {"dbname": "postgres"}) as session:
        left = session.execute(
            "SELECT pid, application_name, query FROM pg_stat_activity WHERE datname = %s AND usename = current_user",
            [here["dbname"]],
        ).fetchall()
        for pid, name, query in left:
            session.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
            said = f"A test left a session open ({name or 'no name'}); its last statement: {query}"
            print(said, file=sys.__stderr__)  # after the last test nothing else is heard from its process


def own_session() -> psycopg.Connection[Any]:
    """One that stays: reading about 135 tables and all their indexes costs a new one three times the work itself."""
    if _sessions and _sessions[0].info.dbname != connection.settings_dict["NAME"]:
        close()
    try:
        _sessions[0].execute("SELECT")
    except (IndexError, psycopg.OperationalError):  # some tests end every session but their own
        close()
        _sessions.append(psycopg.connect(**connection_parameters() | {"application_name": SESSION}))
    return _sessions[0]


def _swollen(session: psycopg.Connection[Any]) -> bool:
    found = session.execute(
        "SELECT max(pg_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    return bool((found.fetchone() or [0])[0] > _SWOLLEN)


def _delete_rows(cursor: psycopg.Cursor[Any]) -> None:
    """The locks are TRUNCATE's: whatever still writes or reads is waited for, or the test it belongs to fails."""
    tables = sorted({*connection.introspection.django_table_names(include_views=False), *EVENT_LOG})
    gone = [table for table in tables if table not in _kept]
    cursor.execute(
        ";".join(
            [
                "SET LOCAL session_replication_role = replica",
                f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE",
                *(f"DELETE FROM {table}" for table in gone),
                *(statement for table in _kept for statement in _restoring(table)),
            ]
        )
    )
    _move_mark(cursor)
    _enable_triggers(cursor)


def _restoring(table: str) -> Sequence[str]:
    return (
        f"DELETE FROM {table} AS it WHERE NOT EXISTS (SELECT FROM kept.{table} AS kept WHERE ROW(kept.*) = ROW(it.*))",
        f"INSERT INTO {table} (TABLE kept.{table} EXCEPT TABLE {table})",
    )


def _enable_triggers(cursor: psycopg.Cursor[Any]) -> None:
    """Some tests disable a table's own triggers and leave it to us to put them back."""
    cursor.execute("SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'D'")
    for (table,) in cursor.fetchall():
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def _empty_event_log(cursor: CursorWrapper) -> None:
    for table in EVENT_LOG:
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(f"DELETE FROM {table}")
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    _move_mark(cursor)


def _move_mark(cursor: CursorWrapper | psycopg.Cursor[Any]) -> None:
    """Ids go on counting: the ledger's mark says that none below can appear any more."""
    last = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM orchestrator_event_id_seq"
    cursor.execute(f"UPDATE orchestrator_ledger_mark SET low = ({last})")


def _may_pass_triggers(cursor: CursorWrapper) -> bool:
    cursor.execute(
        "SELECT current_setting('server_version_num')::int >= 150000"
        " AND has_parameter_privilege('session_replication_role', 'SET')"
    )
    return bool(cursor.fetchone()[0])


def _keep_what_is_left(cursor: CursorWrapper) -> None:
    """Copy the rows that a flush itself makes: content types and permissions."""
    _kept.clear()
    cursor.execute("DROP SCHEMA IF EXISTS kept CASCADE")
    cursor.execute("CREATE SCHEMA kept")
    for table in sorted(connection.introspection.django_table_names(include_views=False)):
        if _has_rows(cursor, table):
            cursor.execute(f"CREATE TABLE kept.{table} AS TABLE {table}")
            _kept.append(table)


def _has_rows(cursor: CursorWrapper, table: str) -> Any:
    cursor.execute(f"SELECT EXISTS (SELECT FROM {table})")
    return cursor.fetchone()[0]
