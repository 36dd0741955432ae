"""One workload's processes: Celery workers, control, beat and, where asked for, a web server, on an empty database."""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import psycopg
from django.conf import settings
from django.db import connection, transaction

from agents.registry import sync
from agents.types import Json
from config import commands
from config.bench import definitions, measure
from config.bench.server import Server
from config.datadir import DataDir
from config.processes import Child
from orchestrator import db, services

ROOT: Final = Path(__file__).resolve().parents[2]
_READY_S: Final = 90.0
_STOP_S: Final = 5.0
_SAY_EVERY_S: Final = 2.0


class TookTooLong(Exception):
    """Something that the bench waits for did not happen; the message says what, and what the processes said last."""


@dataclass(frozen=True, slots=True)
class Team:
    """How many worker processes, and how many tasks each may run at once."""

    workers: int = 2
    capacity: int = 1000


class Stack:
    """A running product on an empty database. Made by `running`."""

    def __init__(
        self,
        server: Server,
        name: str,
        team: Team,
        say: Callable[[str], None],
        extra: Mapping[str, str] | None = None,
    ) -> None:
        """`extra` are environment variables for every process."""
        self.team = team
        self.floor_ms = 0.0
        self._name = name
        self._say = say
        self._home = DataDir(server.folder / name)
        self._home.create()
        # Where this process would deliver and ring, too.
        settings.DATA_DIR = self._home.path
        self._env = self._environment(server.fresh(name)) | dict(extra or {})
        settings.SECRET_KEY = self._env["SECRET_KEY"]  # sessions made here are the web server's, too
        self._children: list[Child] = []
        self.raw: psycopg.Connection[Any] = psycopg.connect(**db.connection_parameters())

    # Processes

    def start(self) -> None:
        """Start the processes and wait until shifts are idle and events are sealed."""
        self.floor_ms = measure.floor_ms(self.raw)
        sync()
        self._worker = self._child("worker", commands.worker("worker", shifts=self.team.workers))
        self._child("control", commands.control("control"))
        self._child("beat", commands.beat())
        self.quiet(seconds=_READY_S)

    def serve(self) -> http.client.HTTPConnection:
        """Start the web server and return a connection that is kept alive."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        self.web_port = port
        self._web = self._child("web", commands.web("127.0.0.1", port))
        return self._connected()

    def restart_web(self) -> http.client.HTTPConnection:
        """Kill the web server, let it be started again, and return a connection to the new one."""
        self._web.kill()
        return self._connected()

    def _connected(self) -> http.client.HTTPConnection:
        web = http.client.HTTPConnection("127.0.0.1", self.web_port, timeout=30)
        self.until(lambda: _answers(web), what="the web server answers", seconds=_READY_S)
        return web

    def collect_static(self) -> None:
        """Bring the files that pages name to where the web server looks for them."""
        command = [sys.executable, str(ROOT / "manage.py"), "collectstatic", "--noinput", "-v", "0"]
        subprocess.run(command, cwd=ROOT, env=self._env, check=True, stdout=subprocess.DEVNULL)

    def stop(self) -> None:
        """End every process, in order if they go quickly."""
        self.raw.close()
        for child in self._children:
            if not child.stopped():
                child.ask_to_stop()
        deadline = time.monotonic() + _STOP_S
        while time.monotonic() < deadline and not all(child.stopped() for child in self._children):
            time.sleep(0.02)
        self.kill()

    def kill(self) -> None:
        """End every process at once."""
        for child in self._children:
            child.kill()
        connection.close()

    def worker_pids(self) -> list[int]:
        """The processes that work shifts."""
        return measure.children_of(self._worker.pid)

    def web_pid(self) -> int:
        """The process that serves pages."""
        return self._web.pid

    def peak_rss_mb(self) -> float:
        """The most memory that the processes working shifts have held, added up."""
        return sum(measure.peak_rss_mb(pid) for pid in self.worker_pids())

    def tend(self) -> None:
        """Start again what has ended, as the supervisor does."""
        for child in self._children:
            if sentence := child.tend():
                self._say(f"{self._name}: {sentence}")

    def _child(self, name: str, command: list[str]) -> Child:
        child = Child(name, command, self._env, self._home)
        self._children.append(child)
        child.start()
        return child

    def _environment(self, url: str) -> dict[str, str]:
        ours = {
            "DATABASE_URL": url,
            "WATCHKEEPER_DATA": str(self._home.path),
            "SECRET_KEY": self._home.secret("django"),
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "EXTRA_APPS": "config.bench",
            "SHIFTS": str(self.team.workers),
            "SHIFT_CAPACITY": str(self.team.capacity),
            "BROKER_URL": "",
        }
        return os.environ | ours

    # Work

    def publish(self, name: str, source: str) -> None:
        """Publish a workflow."""
        services.publish(source=source, file=f"{name}.json", by=None, make_queues=True)

    def submit(
        self, name: str, *, times: int = 1, given: Mapping[str, Json] | None = None
    ) -> tuple[list[int], datetime, datetime]:
        """Start runs in one transaction; returns them and the database's time before the first and at the commit."""
        with transaction.atomic():
            began = db.clock()
            runs = [
                services.start_run(workflow=name, input=given or {}, by=None, actor="feed").pk for _ in range(times)
            ]
            return runs, began, db.clock()

    def finish(self, runs: Sequence[int], *, seconds: float = 300) -> datetime:
        """Wait until runs have succeeded; returns the database's time of the last one's end."""
        # Times are the database's, so looking seldom costs no precision, and often would cost one of two cores.
        self.until(lambda: not self._unfinished(runs), what=f"{len(runs)} runs end", seconds=seconds, pause=0.05)
        states = dict(
            self.rows("SELECT status, max(ended_at) FROM orchestrator_run WHERE id = ANY(%s) GROUP BY 1", runs)
        )
        if set(states) != {"succeeded"}:
            raise TookTooLong(f"{self._name}: runs ended as {', '.join(states)}, not as succeeded.{self._last_words()}")
        ended: datetime = states["succeeded"]
        return ended

    def warm_up(self) -> None:
        """Let every worker process have loaded what the first task loads."""
        self.publish("warm-up", definitions.fan("warm-up", 8))
        for _ in range(10):
            runs, _, _ = self.submit("warm-up", times=4)
            self.finish(runs)
        self.quiet()

    def quiet(self, *, seconds: float = 60) -> None:
        """Wait until all shifts are idle and every event is sealed."""
        self.until(self._is_quiet, what="workers are idle and every event is sealed", seconds=seconds)

    def rows(self, statement: str, *arguments: Any) -> list[Any]:
        """What a query answers."""
        return self.raw.execute(statement.encode(), [_plain(argument) for argument in arguments]).fetchall()

    def value(self, statement: str, *arguments: Any) -> Any:
        """The one value that a query answers."""
        return self.rows(statement, *arguments)[0][0]

    def until(self, claim: Callable[[], object], *, what: str, seconds: float, pause: float = 0.01) -> None:
        """Wait until a claim is true, saying so when it takes long; TookTooLong after `seconds`."""
        began = said = time.monotonic()
        while not claim():
            now = time.monotonic()
            if now - began > seconds:
                raise TookTooLong(f"{self._name}: not within {seconds:.0f} s: {what}.{self._last_words()}")
            if now - said > _SAY_EVERY_S:
                said = now
                self._say(f"{self._name}: waiting until {what}, {now - began:.0f} s")
            self.tend()
            time.sleep(pause)

    def _unfinished(self, runs: Sequence[int]) -> bool:
        live = "SELECT EXISTS (SELECT FROM orchestrator_run WHERE id = ANY(%s) AND status IN ('running', 'paused'))"
        return bool(self.value(live, runs))

    def _is_quiet(self) -> bool:
        return bool(
            self.value(
                "SELECT (SELECT count(*) FROM orchestrator_shift WHERE ended_at IS NULL AND idle) = %s"
                " AND (SELECT max(id) FROM orchestrator_event)"
                " IS NOT DISTINCT FROM (SELECT max(event_id) FROM orchestrator_ledger)",
                self.team.workers,
            )
        )

    def _last_words(self) -> str:
        said = [f"{child.name} said: {words}" for child in self._children if (words := child.last_words())]
        return f" {' '.join(said)}" if said else ""


@contextmanager
def running(server: Server, name: str, team: Team, say: Callable[[str], None]) -> Iterator[Stack]:
    """A stack that is started, warmed up, and ended whatever happens."""
    stack = Stack(server, name, team, say)
    try:
        stack.start()
        stack.warm_up()
        yield stack
    except BaseException:
        stack.kill()
        raise
    finally:
        stack.stop()


def _answers(web: http.client.HTTPConnection) -> bool:
    try:
        web.request("GET", "/healthz")
        web.getresponse().read()
    except (OSError, http.client.HTTPException):
        web.close()
        return False
    return True


def _plain(argument: Any) -> Any:
    return list(argument) if isinstance(argument, tuple) else argument
