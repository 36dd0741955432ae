"""Shared by every test: a PostgreSQL of its own for the session, unless DATABASE_URL names one."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.test import TransactionTestCase

from config import env
from config.postgres import NAME, Postgres

_EVIDENCE = (
    "approvals_decision", "agents_dataset", "agents_datasetcase", "agents_evaluation", "agents_evaluationcase",
)  # fmt: skip
_SERVER = pytest.StashKey[Postgres]()


def pytest_configure(config: pytest.Config) -> None:
    """Start an embedded PostgreSQL once; xdist's workers inherit its address through the environment."""
    if os.environ.get("DATABASE_URL") or config.option.collectonly:
        return
    folder = Path(tempfile.mkdtemp(prefix="watchkeeper-test-"))
    folder.chmod(0o711)  # the server's own user has to get to its data
    server = config.stash[_SERVER] = Postgres(folder, durable=False)
    os.environ["DATABASE_URL"] = server.start()
    with server.administrator() as connection:  # a test makes an application's role and acts as it
        connection.execute(f"ALTER ROLE {NAME} CREATEROLE")
        connection.execute(f"ALTER ROLE {NAME} SET createrole_self_grant = 'set, inherit'")
    # pytest-django has read the settings by now.
    settings.DATABASES["default"].update(env.database("DATABASE_URL", ""))


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what drives a browser: `make test` runs it apart."""
    for item in items:
        if {"page", "context", "browser"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.browser)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the session's server and remove its data."""
    if server := config.stash.get(_SERVER, None):
        server.stop()
        shutil.rmtree(server.home.path, ignore_errors=True)


@pytest.fixture(autouse=True, scope="session")
def _flush_may_empty_evidence() -> None:
    """Let the flush between transactional tests empty what the product itself can only add to."""
    flush = TransactionTestCase._fixture_teardown

    def flush_evidence(self: TransactionTestCase) -> None:
        with connection.cursor() as cursor:
            for table in _EVIDENCE:
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        flush(self)
        with connection.cursor() as cursor:
            for table in _EVIDENCE:
                cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
            _empty_event_log(cursor)

    TransactionTestCase._fixture_teardown = flush_evidence


def _empty_event_log(cursor: CursorWrapper) -> None:
    """Unmanaged, so no flush knows of it. Ids go on counting: the mark says that none below can appear any more."""
    for table in ("orchestrator_event", "orchestrator_ledger"):
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(f"DELETE FROM {table}")
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    last = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM orchestrator_event_id_seq"
    cursor.execute(f"UPDATE orchestrator_ledger_mark SET low = ({last})")


@pytest.fixture(autouse=True)
def _static_files_from_source(settings: Any) -> None:
    """Pages are rendered without `collectstatic`: from the source tree, under plain names."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    settings.STATIC_ROOT = None
    settings.WHITENOISE_USE_FINDERS = True
