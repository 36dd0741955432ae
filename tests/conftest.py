"""Shared by every test: a PostgreSQL of its own for the session, unless DATABASE_URL names one."""

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, connections, transaction
from django.template.base import PartialTemplate, Template
from django.test import TransactionTestCase
from django.utils import timezone, translation

from config import env
from config.bootstrap import BROWSER_TESTS
from config.postgres import NAME, Postgres
from tests import flush, prepared

_SERVER = pytest.StashKey[Postgres]()
PREPARED = "WATCHKEEPER_TEST_TEMPLATE"  # the database with our schema that those of tests are copied from


def pytest_configure(config: pytest.Config) -> None:
    """Start an embedded PostgreSQL once; xdist's workers inherit its address through the environment."""
    config.pluginmanager.register(LongestFirst())
    # Slow on purpose elsewhere: each of the thousands of people that tests make would cost a fifth of a second.
    hashers = "django.contrib.auth.hashers"
    settings.PASSWORD_HASHERS = [f"{hashers}.MD5PasswordHasher", f"{hashers}.PBKDF2PasswordHasher"]
    # Tests about anything else see what an approval does at once; those about taking it back say how long they have.
    settings.UNDO_RUNWAY = {}
    os.environ.setdefault("UNDO_RUNWAY", "none")  # of stacks that tests start
    # Tests of the card are about deciding; those of own judgement first ask for it.
    settings.OWN_VERDICT_FIRST = []
    # Pages are rendered without `collectstatic`: from the source tree, under plain names.
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    settings.STATIC_ROOT = None
    settings.WHITENOISE_USE_FINDERS = True
    settings.WHITENOISE_AUTOREFRESH = True  # looked up when asked for, not listed anew by every client of every test
    if not os.environ.get("DATABASE_URL") and not config.option.collectonly:
        config.stash[_SERVER] = _serve()
        # pytest-django has read the settings by now.
        settings.DATABASES["default"].update(env.database("DATABASE_URL", ""))
    if template := os.environ.get(PREPARED):
        # Django still applies what is missing, and keeps content types, permissions and roles in step.
        settings.DATABASES["default"].setdefault("TEST", {})["TEMPLATE"] = template


def _serve() -> Postgres:
    """A server of the session's own, with an empty database and one that has our schema."""
    folder = Path(tempfile.mkdtemp(prefix="watchkeeper-test-"))
    folder.chmod(0o711)  # the server's own user has to get to its data
    prepared.copy_into(folder)
    os.environ[PREPARED] = f"{NAME}_prepared"
    server = Postgres(folder, durable=False)
    os.environ["DATABASE_URL"] = server.start()
    with server.administrator() as connection:  # a test makes an application's role and acts as it
        connection.execute(f"ALTER ROLE {NAME} CREATEROLE")
        connection.execute(f"ALTER ROLE {NAME} SET createrole_self_grant = 'set, inherit'")
        connection.execute(f"GRANT SET ON PARAMETER session_replication_role TO {NAME}")  # for tests.flush
        if connection.info.server_version >= 16_00_00:
            # 4,096 rounds of hashing keep a stolen password; here they only make thousands of connections slow.
            connection.execute("SET scram_iterations = 1")
            connection.execute(f"ALTER ROLE {NAME} PASSWORD '{server.home.secret('database')}'")
        connection.execute(f"ALTER DATABASE {NAME} RENAME TO {NAME}_prepared")
        connection.execute(f"CREATE DATABASE {NAME} OWNER {NAME}")
    return server


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What is loaded here stays: it is not looked through for garbage, neither meanwhile nor between the tests."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what drives a browser: `make test` runs it apart, from the folders that it knows."""
    for item in items:
        if "playwright" in getattr(item, "fixturenames", ()):
            if not item.nodeid.startswith(BROWSER_TESTS):
                raise pytest.UsageError(f"{item.nodeid} drives a browser; it belongs in {' or '.join(BROWSER_TESTS)}.")
            item.add_marker(pytest.mark.browser)


class LongestFirst:
    """After everybody else has shuffled: else one worker runs a test of half a minute while the other has gone home."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        usual = int(config.getini("timeout"))
        items.sort(key=lambda item: -_most_seconds(item, usual))


def _most_seconds(item: pytest.Item, usual: int) -> int:
    """What a test may take; one that may take more than usual says so."""
    marker = item.get_closest_marker("timeout")
    return max(usual, int(marker.args[0])) if marker else usual


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the session's server and remove its data."""
    if server := config.stash.get(_SERVER, None):
        server.stop()
        shutil.rmtree(server.home.path, ignore_errors=True)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """pytest-django's own; in the end nobody else may hold the database that it drops."""
    yield
    flush.close()
    with django_db_blocker.unblock():
        connections.close_all()
        flush.end_other_sessions()


@pytest.fixture(scope="module")
def module_db(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The database for what all tests of a module look at: made once, there for each, and gone after the last.

    What a test does to it ends with that test, as with everything else it does. The database's `now()` is that of the
    module's beginning.
    """
    with django_db_blocker.unblock(), transaction.atomic():
        with connection.cursor() as cursor:  # on a busy machine it is idle for longer than the server lets others be
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        yield
        transaction.set_rollback(True)


@pytest.fixture(autouse=True, scope="session")
def _quick_flush() -> None:
    """Between transactional tests only what a test has written is deleted, evidence included."""
    djangos = TransactionTestCase._fixture_teardown
    TransactionTestCase._fixture_teardown = lambda self: flush.empty_database(lambda: djangos(self))


@pytest.fixture(autouse=True)
def _language_of_nobody() -> Iterator[None]:
    """A request leaves its person's language and time zone behind in the thread that answered it: here the test's."""
    yield
    translation.deactivate()
    timezone.deactivate()


@pytest.fixture(autouse=True, scope="session")
def _templates_as_they_are(django_test_environment: None) -> None:
    """Django's test client would keep a copy of the context of each template rendered, and no test looks at one."""
    Template._render = PartialTemplate._render = lambda self, context: self.nodelist.render(context)
