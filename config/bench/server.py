"""The PostgreSQL that the bench measures on: its own embedded one, or a new database on the one DATABASE_URL names."""

import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import psycopg
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection
from psycopg import sql

from config import env
from config.datadir import DataDir, NeedsAttention
from config.postgres import Postgres
from config.server_address import server_version
from orchestrator.engine.plans import plan_of

_TEMPLATE: Final = "template"


class Server:
    """Makes one empty database with our schema for each workload, and removes them all at the end."""

    def __init__(self, given: str, *, schema: str = "") -> None:
        """`given` is DATABASE_URL, or nothing: then a server of our own is started in a temporary folder.

        `schema` may name a database of the given server that has our schema and that nobody uses: copying it is a
        matter of a second, where migrating from nothing takes several.
        """
        self.folder = Path(tempfile.mkdtemp(prefix="watchkeeper-bench-"))
        self.folder.chmod(0o711)  # the server's own user has to get to its data
        self.version = ""
        self._given = given
        self._schema = schema
        self._postgres: Postgres | None = None
        self._prefix = f"watchkeeper_bench_{os.getpid()}_{secrets.token_hex(4)}_"
        self._made: list[str] = []

    def start(self) -> None:
        """Serve, and bring the schema into the database that the others are copied from."""
        if self._schema and not self._given:
            raise NeedsAttention("--schema names a database of the server in DATABASE_URL: set that, or leave it out.")
        if self._given:
            self.version = server_version(self._given)
            self._base = self._given
        else:
            self._postgres = Postgres(self.folder / "postgres-home")
            self._base = self._postgres.start()
            self.version = self._postgres.version
        self._use(self._create(_TEMPLATE, template=self._schema))
        call_command("migrate", interactive=False, verbosity=0)
        connection.close()

    def fresh(self, name: str) -> str:
        """Make a database for a workload, let Django use it in this process, and return its address."""
        return self._use(self._create(f"{name}_{len(self._made)}", template=f"{self._prefix}{_TEMPLATE}"))

    def stop(self) -> None:
        """Remove what was made."""
        connection.close()
        try:
            if self._given:
                self._drop()
        finally:
            if self._postgres:
                self._postgres.stop()
                DataDir(self._postgres.home.path).empty()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _create(self, name: str, *, template: str = "") -> str:
        full = f"{self._prefix}{name}"
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(full))
        if template:
            statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        try:
            with self._connect() as base:
                base.execute(statement)
        except psycopg.errors.InsufficientPrivilege:
            raise NeedsAttention(
                "The bench measures in a database of its own, and the user in DATABASE_URL may not make one; "
                "grant it CREATEDB, or unset DATABASE_URL to use the embedded server."
            ) from None
        except (psycopg.errors.InvalidCatalogName, psycopg.errors.ObjectInUse) as problem:
            raise NeedsAttention(
                f"The database “{template}” cannot be copied ({problem.diag.message_primary}); name one of that server "
                "that has our schema and that nobody uses, or leave --schema out."
            ) from None
        self._made.append(full)
        return full

    def _use(self, name: str) -> str:
        connection.close()
        url = urlunsplit(urlsplit(self._base)._replace(path=f"/{name}"))
        os.environ["DATABASE_URL"] = url
        # Django has read its settings by now; this is the dictionary that it connects by.
        connection.settings_dict.update(env.database("DATABASE_URL", ""))
        # What this process keeps by id is another row's in another database.
        plan_of.cache_clear()
        ContentType.objects.clear_cache()
        return url

    def _drop(self) -> None:
        with self._connect() as base:
            for name in reversed(self._made):
                drop(base, name)

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self._base, autocommit=True, connect_timeout=5)


def drop(base: psycopg.Connection[Any], name: str) -> None:
    """Remove a database, ending our own sessions in it.

    `WITH (FORCE)` is refused while autovacuum, which is the server's own, is in there; without it the server asks
    autovacuum to leave, and waits.
    """
    base.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s AND usename = current_user",
        [name],
    )
    base.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
