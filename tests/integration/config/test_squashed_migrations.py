"""What the squashed migrations make is what those they stand for made; this goes when those go (ADR 11)."""

import difflib
import hashlib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from psycopg import sql

from config import cluster
from config.bench.server import drop
from config.bootstrap import TOOLS
from orchestrator.db import connection_parameters

APPS: Final = ("agents", "orchestrator", "approvals", "monitoring")
# What an installation of the morning of 29 November had; it goes on by the old files.
BEFORE: Final = (
    ("agents", "0012_memory_vectors"),
    ("orchestrator", "0022_event_months"),
    ("approvals", "0015_desk"),
    ("monitoring", "0001_measures"),
)


@contextmanager
def _database(name: str) -> Iterator[None]:
    """Django's connection is to an empty database, which is gone afterwards."""
    own = connection.settings_dict["NAME"]
    full = f"{own}_{name}"
    connection.close()
    with psycopg.connect(**{**connection_parameters(), "dbname": "postgres"}) as server:
        drop(server, full)
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(full)))
        connection.settings_dict["NAME"] = full
        try:
            yield
        finally:
            connection.close()
            connection.settings_dict["NAME"] = own
            ContentType.objects.clear_cache()  # the ids are another database's
            drop(server, full)


@pytest.fixture(scope="module")
def squashed(django_db_setup: None, django_db_blocker: Any) -> str:
    """What a first start leaves."""
    with django_db_blocker.unblock(), _database("squashed"):
        call_command("migrate", interactive=False, verbosity=0)
        return _contents()


@pytest.fixture(scope="module")
def unsquashed(django_db_setup: None, django_db_blocker: Any) -> str:
    """What the old files leave, half of them applied before an upgrade and half by it.

    Making it takes half a minute of processor time, so it is kept until a migration changes.
    """
    TOOLS.mkdir(parents=True, exist_ok=True)
    kept = TOOLS / f"unsquashed-{_sources()}.sql"
    if not kept.exists():
        with django_db_blocker.unblock(), _database("unsquashed"):
            _migrate_by_old_files()
            call_command("migrate", interactive=False, verbosity=0)
            contents = _contents()
        for other in TOOLS.glob("unsquashed-*.sql"):
            other.unlink(missing_ok=True)
        draft = kept.with_suffix(".draft")
        draft.write_text(contents)
        draft.replace(kept)
    return kept.read_text()


def _migrate_by_old_files() -> None:
    executor = MigrationExecutor(connection)
    executor.loader = MigrationLoader(connection, replace_migrations=False)
    executor.migrate([*BEFORE])


def _sources() -> str:
    """What both ways are made from."""
    root = Path(settings.BASE_DIR)
    digest = hashlib.sha256()
    for path in sorted([*root.glob("*/migrations/*.py"), *root.glob("orchestrator/sql/*.sql"), root / "uv.lock"]):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _contents() -> str:
    """The schema as `pg_dump` writes it, columns in their order, and how many rows each table has."""
    known = connection_parameters()
    here = {name: known[name] for name in ("host", "port", "user", "password", "dbname") if name in known}
    address = psycopg.conninfo.make_conninfo(**here)
    command = [str(cluster.binaries() / "pg_dump"), "--schema-only", "--dbname", address]
    dumped = subprocess.run(command, capture_output=True, text=True, check=False)
    if "server version mismatch" in dumped.stderr:
        pytest.skip(f"the server in DATABASE_URL is newer than pg_dump: {dumped.stderr}")
    assert dumped.returncode == 0, dumped.stderr
    schema = [line for line in dumped.stdout.splitlines() if not line.startswith(("\\restrict", "\\unrestrict"))]
    with connection.cursor() as cursor:
        tables = sorted({*connection.introspection.table_names(cursor)} - {"django_migrations"})
        for table in tables:
            cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table)))
            schema.append(f"-- {cursor.fetchone()[0]} rows in {table}")
    return "\n".join(schema)


def _squashed() -> dict[tuple[str, str], Migration]:
    """Ours that stand for others."""
    found = MigrationLoader(None).replacements
    return {node: migration for node, migration in found.items() if node[0] in APPS}


@pytest.mark.timeout(400)  # by the old files on a busy machine
def test_squashed_migrations_make_what_the_old_ones_made(squashed: str, unsquashed: str) -> None:
    other = difflib.unified_diff(unsquashed.splitlines(), squashed.splitlines(), "old", "squashed", n=0, lineterm="")

    assert "\n".join(other) == ""


@pytest.mark.django_db
def test_database_with_all_old_migrations_needs_none_of_the_squashed_ones() -> None:
    recorder = MigrationRecorder(connection)
    for node in _squashed():
        recorder.record_unapplied(*node)

    executor = MigrationExecutor(connection)
    planned = executor.migration_plan(executor.loader.graph.leaf_nodes())
    call_command("migrate", interactive=False, verbosity=0)

    assert planned == []
    assert {app for app, _ in _squashed()} == {*APPS}
    assert _squashed().keys() <= recorder.applied_migrations().keys()


@pytest.mark.django_db
def test_database_with_some_old_migrations_goes_on_by_the_old_files() -> None:
    recorder = MigrationRecorder(connection)
    every = MigrationLoader(None, replace_migrations=False).graph
    here = {node for start in BEFORE if start[0] != "monitoring" for node in every.forwards_plan(start)}
    for node in recorder.applied_migrations().keys() - here:
        recorder.record_unapplied(*node)

    executor = MigrationExecutor(connection)
    executor.loader.check_consistent_history(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())

    # One for all of the app that has nothing yet; of the others what is missing, one by one.
    at_once = {node for node in _squashed() if node[0] == "monitoring"}
    replaced = {node for one in at_once for node in _squashed()[one].replaces}
    one_by_one = {node for node in every.nodes if node[0] in APPS} - here - replaced - _squashed().keys()
    planned = {(migration.app_label, migration.name) for migration, _ in plan}
    assert {node for node in planned if node[0] in APPS} == one_by_one | at_once
