"""The embedded PostgreSQL: our own foreground child, used by the supervisor, `manage.py bench` and the tests."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import psycopg
from psycopg import sql

from config import cluster
from config.datadir import DataDir, NeedsAttention
from config.leash import leashed

NAME = "watchkeeper"  # of the application's role and of its database
_PATIENCE_S = 20.0  # for a predecessor that still has to go
_RECOVERY_S = 600.0  # a crashed cluster may have much to replay
_STOP_S = 30.0
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    # Socket paths end at 107 characters; ours may be deeper. TCP on loopback with scram works from anywhere.
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "maintenance_work_mem": "128MB",
    "work_mem": "16MB",
    "random_page_cost": "1.1",
    # Compiling a plan costs more than our short statements take.
    "jit": "off",
    "wal_compression": "on",
    "max_wal_size": "2GB",
    "min_wal_size": "256MB",
    "checkpoint_timeout": "15min",
    # The task table is a queue: dead rows and stale statistics cost every claim.
    "autovacuum_naptime": "10s",
    "autovacuum_vacuum_scale_factor": "0.05",
    "autovacuum_vacuum_insert_scale_factor": "0.05",
    "autovacuum_analyze_scale_factor": "0.02",
    "autovacuum_vacuum_cost_limit": "2000",
    "log_lock_waits": "on",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_timezone": "UTC",
    "timezone": "UTC",
    # Stated, not left to a default: an acknowledged decision is on disk.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
}
_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_BUSY_PORT = ("could not bind", "Address already in use", "could not create any TCP/IP sockets")
_NOT_GONE_YET = ("lock file", "pre-existing shared memory block")


class Postgres:
    """One embedded server on one data directory. `durable=False` is for tests: fast, and lost on a power cut."""

    def __init__(self, data_dir: Path, *, durable: bool = True) -> None:
        self.home = DataDir(data_dir)
        self.version = ""
        self._durable = durable
        self._cluster: cluster.Cluster | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def url(self) -> str:
        """The application's address; it stays the same over restarts unless somebody else takes the port."""
        return f"postgresql://{NAME}:{self.home.secret('database')}@127.0.0.1:{self._port()}/{NAME}"

    @property
    def pid(self) -> int:
        """The postmaster's process id, or 0."""
        return self._process.pid if self._process else 0

    def start(self) -> str:
        """Serve the data directory and return its address; calling it again after a crash starts it anew.

        1. Make the cluster if there is none.
        2. Start; wait while a killed predecessor is still going, take another port if this one is taken.
        3. Wait until it answers, however long recovery takes.
        4. Make sure of the application's role and database.
        """
        self.home.create()
        self._cluster = cluster.prepare(self.home, durable=self._durable)
        self.version = self._cluster.version
        deadline = time.monotonic() + _PATIENCE_S
        while not self._serve():
            words = self._last_words()
            if time.monotonic() > deadline or not any(sign in words for sign in (*_BUSY_PORT, *_NOT_GONE_YET)):
                raise NeedsAttention(
                    f"PostgreSQL did not start: {words} The whole story is in {self.home.log('postgresql')}."
                )
            self._clear_the_way(words)
        self._ensure_database()
        return self.url

    def alive(self) -> bool:
        """Whether the server process runs."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Fast shutdown: open transactions are rolled back, everything is written."""
        process = self._process
        if process is None:
            return
        for ending, patience in ((signal.SIGINT, _STOP_S), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(ending)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(patience)
                break
        self._process = None

    def _serve(self) -> bool:
        """Start the process and wait until it answers; False if it ended instead."""
        assert self._cluster
        path = self.home.log("postgresql")
        self._log_start = path.stat().st_size if path.exists() else 0
        settings = _SETTINGS | {"port": str(self._port())} | ({} if self._durable else _NOT_DURABLE)
        command = [str(self._cluster.bin / "postgres"), "-D", str(self._cluster.folder.resolve())]
        command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        # SIGINT is a fast shutdown, so even a killed supervisor leaves a cleanly closed database behind.
        start = leashed(command, signal.SIGINT) | self._cluster.account.popen()
        with path.open("ab") as log:
            self._process = subprocess.Popen(**start, stdout=log, stderr=log, process_group=0)
        deadline = time.monotonic() + _RECOVERY_S
        while self.alive() and time.monotonic() < deadline:
            if self._answers():
                return True
            time.sleep(0.03)
        return False

    def _answers(self) -> bool:
        try:
            self.administrator().close()
        except psycopg.OperationalError:
            return False
        return True

    def administrator(self, database: str = "postgres") -> psycopg.Connection:
        """A session as the server's superuser; for setting up, and for tests."""
        return psycopg.connect(
            host="127.0.0.1",
            port=self._port(),
            user=cluster.SUPERUSER,
            password=self.home.secret("postgres"),
            dbname=database,
            connect_timeout=5,
            autocommit=True,
        )

    def _clear_the_way(self, words: str) -> None:
        if any(sign in words for sign in _BUSY_PORT):
            self._port(fresh=True)
            return
        time.sleep(0.3)
        self._drop_foreign_pid_file()

    def _drop_foreign_pid_file(self) -> None:
        """Remove a lock file that names a process which is not a PostgreSQL on this folder (a reboot reuses pids)."""
        assert self._cluster
        path = self._cluster.folder / "postmaster.pid"
        try:
            pid = int(path.read_text().split("\n", 1)[0])
            where = Path(f"/proc/{pid}/cwd").readlink()
        except FileNotFoundError:
            return  # gone meanwhile; PostgreSQL itself removes the file of a dead process
        except (ValueError, PermissionError):
            where = Path()
        if where != self._cluster.folder.resolve():
            path.unlink(missing_ok=True)

    def _last_words(self) -> str:
        with self.home.log("postgresql").open("rb") as log:
            log.seek(self._log_start)
            lines = log.read().decode(errors="replace").splitlines()
        telling = (
            [line for line in lines if "FATAL:" in line or "could not bind" in line]
            or lines[-1:]
            or ["no reason given"]
        )
        return telling[-1].rsplit("FATAL:", 1)[-1].strip()

    def _ensure_database(self) -> None:
        password = sql.Literal(self.home.secret("database"))
        role = sql.Identifier(NAME)
        with self.administrator() as connection:
            made = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [NAME]).rowcount
            verb = sql.SQL("ALTER" if made else "CREATE")
            connection.execute(sql.SQL("{} ROLE {} LOGIN CREATEDB PASSWORD {}").format(verb, role, password))
            if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [NAME]).rowcount:
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(role, role))
        for database in ("template1", NAME):  # what is made later from the template has it too
            self._bring_vector(database)

    def _bring_vector(self, database: str) -> None:
        """Only a superuser may install it: long-term memory searches with it, and says so where it is missing."""
        with self.administrator(database) as connection:
            if connection.execute("SELECT FROM pg_available_extensions WHERE name = 'vector'").rowcount:
                connection.execute("CREATE EXTENSION IF NOT EXISTS vector")

    def _port(self, *, fresh: bool = False) -> int:
        path = self.home.path / "postgres.port"
        if fresh or not path.exists():
            draft = path.with_name(f"postgres.port.{os.getpid()}")
            draft.write_text(str(_free_port()))
            draft.replace(path)
        return int(path.read_text())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
