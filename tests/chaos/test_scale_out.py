"""Many machines in small: two workers and two web servers share one PostgreSQL, and Redis is what rings."""

import json
import os
import shutil
import signal
import statistics
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client
from kombu import Connection, Consumer, Producer, Queue
from psycopg import sql

import config.bench.agents  # registers the agents that the workers below run
import config.celery  # noqa: F401  names our transports
from agents import registry
from approvals import access, tokens
from approvals.models import Gate
from config import commands
from config.bench import definitions
from config.bench.server import drop
from config.datadir import DataDir
from config.processes import Child
from orchestrator import db, services
from orchestrator.models import Attempt, Event, Run, Task
from orchestrator.models import Shift as ShiftRow
from tests import people
from tests.chaos.conftest import ROOT, data_folder, free_port, until
from tests.live import open_socket

pytestmark = [pytest.mark.chaos, pytest.mark.xdist_group("scale_out")]
WAIT = 30.0  # the machine may be busy with other tests
AWAY = 20.0 if os.environ.get("WATCHKEEPER_CHAOS") == "full" else 0.0  # seconds without a broker, at least


class Redis:
    """A broker that can be killed and brought back, empty, at the same address."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self.client = redis.Redis(port=self.port)
        self.start()

    def start(self) -> None:
        memory_only = ["--save", "", "--appendonly", "no", "--dir", str(self._folder)]
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", *memory_only]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        until(self._answers, seconds=10, what="Redis answers")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self.client.close()

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.ConnectionError:
            return False


class Site:
    """The processes of several machines, and what a test does with them."""

    def __init__(self, folder: Path, broker: Redis) -> None:
        self.broker = broker
        self._home = DataDir(folder)
        self._home.create()
        self._env = os.environ | {
            "DATABASE_URL": _address(), "BROKER_URL": f"redis://127.0.0.1:{broker.port}/0", "SHIFTS": "4",
            "SHIFT_SECONDS": "2", "SHIFT_CAPACITY": "5", "EXTRA_APPS": "config.bench", "PYTHONPATH": str(ROOT),
            "WATCHKEEPER_DATA": str(folder), "SECRET_KEY": settings.SECRET_KEY, "STATIC_FROM_SOURCE": "1",
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }  # fmt: skip
        self.children: list[Child] = []
        self.ports = [self.serve(), self.serve()]
        self.workers = [self._start(name, commands.worker(name, shifts=2)) for name in ("one", "two")]
        self._start("control", commands.control("control"))
        self._start("beat", commands.beat())

    def serve(self) -> int:
        """Start another web server."""
        port = free_port()
        self._start(f"web-{port}", commands.web("127.0.0.1", port))
        return port

    def _start(self, name: str, command: list[str]) -> Child:
        child = Child(name, command, self._env, self._home)
        child.start()
        self.children.append(child)
        return child

    def shifts_by_worker(self, *, above: int = 0) -> list[int]:
        """How many shifts beyond an id each worker's processes have begun."""
        parents = [_parent(int(process.rpartition(":")[2])) for process in _processes(id__gt=above)]
        return [parents.count(worker.pid) for worker in self.workers]

    def decide(self, gate: Gate, secret: str) -> int:
        """Approve a gate through the second web server; the HTTP status."""
        body = json.dumps({"version": gate.version, "verdict": "approve"}).encode()
        headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
        address = f"http://127.0.0.1:{self.ports[1]}/api/v1/gates/{gate.pk}/decisions"
        with urllib.request.urlopen(urllib.request.Request(address, body, headers), timeout=20) as answer:
            return int(answer.status)


def _address() -> str:
    at = db.connection_parameters()
    who = f"{at['user']}:{at['password']}" if at.get("password") else at["user"]
    return f"postgresql://{who}@{at['host']}:{at['port']}/{at['dbname']}"


def _processes(**which: Any) -> list[str]:
    return list(ShiftRow.objects.filter(**which).values_list("process", flat=True))


_parents: dict[int, int] = {}


def _parent(pid: int) -> int:
    """Remembered, because a process that has ended cannot be asked."""
    if pid not in _parents:
        stat = Path(f"/proc/{pid}/stat")
        _parents[pid] = int(stat.read_text().rsplit(")", 1)[1].split()[1]) if stat.exists() else 0
    return _parents[pid]


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5).close()
    except OSError:
        return False
    return True


def _server() -> psycopg.Connection[Any]:
    """A session that makes and drops databases."""
    return psycopg.connect(**{**db.connection_parameters(), "dbname": "postgres"})


def _like_the_tests() -> str:
    """The template that the tests' own databases are copied from, if there is one."""
    template = connection.settings_dict["TEST"].get("TEMPLATE")
    return f" TEMPLATE {template}" if template else ""


@pytest.fixture(scope="module")
def database(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """A database of this module's own: its processes go on writing while one test ends and the next begins."""
    name = connection.settings_dict["NAME"]
    with django_db_blocker.unblock():
        connection.close()
        with _server() as server:
            drop(server, f"{name}_scale")
            server.execute(sql.SQL("CREATE DATABASE {}" + _like_the_tests()).format(sql.Identifier(f"{name}_scale")))
        connection.settings_dict["NAME"] = f"{name}_scale"
        try:
            call_command("migrate", interactive=False, verbosity=0)
            yield
        finally:
            connection.close()
            connection.settings_dict["NAME"] = name
            with _server() as server:
                drop(server, f"{name}_scale")


@pytest.fixture(scope="module")
def site(database: None) -> Iterator[Site]:
    """Two workers, two web servers, control, beat and Redis, all at work."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed; on Debian: apt-get install redis-server.")
    registry.sync()
    wide = definitions.side_by_side("wide", 20, seconds=0.3)
    for source in (wide, definitions.gated("gated"), definitions.chain("pair", 2)):
        services.publish(source=source, file="scale.json", by=None, make_queues=True)
    with data_folder() as folder:
        broker = Redis(folder)
        made = Site(folder, broker)
        try:
            until(lambda: all(map(_answers, made.ports)), seconds=60, what="both web servers answer")
            until(lambda: all(made.shifts_by_worker()), seconds=60, what="both workers are at work")
            yield made
        finally:
            for child in made.children:
                child.kill()
            broker.kill()


@pytest.fixture(scope="module")
def secret(site: Site) -> str:
    """A token that may decide."""
    queue = access.ensure_queue(name=definitions.QUEUE, title="Bench")
    reviewer = people.person("rita", "Reviewer", decides=queue)
    return tokens.create(user=reviewer, name="scale", scopes=["decide"], may_decide=True)[1]


@pytest.fixture(scope="module")
def watcher(site: Site) -> Client:
    """Somebody signed in who may see everything."""
    client = Client()
    client.force_login(people.person("walt", "Administrator"), backend="django.contrib.auth.backends.ModelBackend")
    return client


def _start(workflow: str) -> Run:
    return services.start_run(workflow=workflow, input={}, by=None, actor="feed")


def _succeeds(run: Run) -> Callable[[], bool]:
    return lambda: Run.objects.get(pk=run.pk).status == "succeeded"


def _open_gate(run: Run) -> Gate:
    until(Gate.objects.filter(run_id=run.pk, status="open").exists, seconds=WAIT, what="the gate is open")
    return Gate.objects.get(run_id=run.pk, status="open")


def _last_shift() -> int:
    return ShiftRow.objects.latest("id").pk


def test_one_run_is_worked_by_both_workers(site: Site) -> None:
    until(lambda: len(_processes(ended_at=None)) == 4, seconds=WAIT, what="four shifts are open")

    run = _start("wide")

    until(_succeeds(run), seconds=WAIT, what="the run has succeeded")
    site.shifts_by_worker()
    tasks = Task.objects.of_run(run.pk)
    shifts = Attempt.objects.filter(task__in=tasks).values_list("shift", flat=True)
    assert {_parent(int(p.rpartition(":")[2])) for p in _processes(pk__in=shifts)} == {w.pid for w in site.workers}


def test_a_decision_through_one_web_server_is_seen_on_the_other_within_a_second(
    site: Site, secret: str, watcher: Client
) -> None:
    runs = [_start("gated") for _ in range(3)]
    gates = [_open_gate(run) for run in runs]
    took = []

    with open_socket(site.ports[0], watcher) as socket:
        for run, gate in zip(runs, gates, strict=True):
            socket.join(f"gate:{gate.pk}")
            assert site.decide(gate, secret) == 200
            decided = time.monotonic()
            while f"gate:{gate.pk}" not in socket.hear("changed", seconds=WAIT)["regions"]:
                continue
            took.append(time.monotonic() - decided)
            until(_succeeds(run), seconds=WAIT, what="the run has succeeded")

    assert statistics.median(took) < 1, took


def test_a_flushed_broker_costs_nothing_but_doorbells(site: Site) -> None:
    before = _last_shift()
    runs = [_start("wide") for _ in range(4)]  # 80 tasks, of which four shifts take five each

    site.broker.client.flushall()
    ready = Task.objects.filter(run__in=runs, status="ready").count()

    assert ready >= 20
    until(lambda: all(_succeeds(run)() for run in runs), seconds=30, what="every run has succeeded")
    until(lambda: all(site.shifts_by_worker(above=before)), seconds=WAIT, what="both workers hear again")


def test_a_killed_broker_stops_neither_runs_nor_decisions(site: Site, secret: str) -> None:
    site.broker.kill()
    away = time.monotonic()
    try:
        before = _last_shift()
        gated, wide = _start("gated"), _start("wide")
        assert site.decide(_open_gate(gated), secret) == 200
        until(_succeeds(gated), seconds=WAIT, what="the decided run has succeeded")
        until(_succeeds(wide), seconds=WAIT, what="the run has succeeded")
        until(lambda: min(site.shifts_by_worker(above=before)) > 2, seconds=WAIT, what="shifts follow one another")
        until(lambda: time.monotonic() - away > AWAY, seconds=AWAY + WAIT, what="it was away for long enough")
    finally:
        site.broker.start()
        back = _last_shift()

    # Each of a worker's two processes may begin one more shift by itself; the third was asked for.
    until(lambda: min(site.shifts_by_worker(above=back)) > 2, seconds=60, what="both workers hear again")
    until(lambda: site.broker.client.llen("control") < 5, seconds=WAIT, what="nothing piles up")


def test_a_connection_whose_broker_died_closes_with_a_message_in_hand() -> None:
    """Celery closes it, a second time, before it connects again: a worker that raised there ended for good."""
    with data_folder() as folder:
        broker = Redis(folder)
        connection = Connection(f"redis://127.0.0.1:{broker.port}/0")
        received: list[Any] = []
        channel = connection.default_channel
        Consumer(channel, Queue("shifts"), callbacks=[lambda body, _: received.append(body)]).consume()
        Producer(channel).publish("ring", routing_key="shifts")
        connection.drain_events(timeout=5)
        broker.kill()
        connection.transport.client = None  # what Celery has seen to by then

        channel.close()

    assert received == ["ring"]


def test_a_broker_that_comes_back_four_times_under_load_is_heard_again(site: Site) -> None:
    runs = []
    for _ in range(4):
        runs += [_start("wide") for _ in range(2)]
        site.broker.kill()
        until(Task.objects.filter(run=runs[-1], status="succeeded").exists, seconds=WAIT, what="work goes on")
        site.broker.start()
    back = _last_shift()

    until(lambda: all(_succeeds(run)() for run in runs), seconds=WAIT, what="every run has succeeded")
    # Each of a worker's two processes may begin one more shift by itself; the third was asked for.
    until(lambda: min(site.shifts_by_worker(above=back)) > 2, seconds=60, what="both workers consume again")
    assert not Event.objects.filter(run__in=runs, kind="task.lost").exists()


def test_a_stranded_run_is_found_within_ten_seconds_and_told(site: Site) -> None:
    with transaction.atomic():  # no worker ever sees its first task ready
        run = _start("pair")
        first = Task.objects.of_run(run.pk).order_by("id").first()
        assert first is not None
        Task.objects.filter(pk=first.pk).update(status="succeeded", output={})
        Run.objects.filter(pk=run.pk).update(remaining=1)

    until(Gate.objects.filter(run=run, status="open").exists, seconds=10, what="people are asked")

    assert Gate.objects.get(run=run).rule == "nothing in this run could go on by itself"
    assert Event.objects.filter(run=run, kind="run.stranded").count() == 1


def test_a_web_server_with_open_sockets_stops_at_once(site: Site, watcher: Client) -> None:
    port = site.serve()
    server = site.children[-1]
    until(lambda: _answers(port), seconds=60, what="the web server answers")

    with open_socket(port, watcher) as socket:
        socket.join("floor")
        os.kill(server.pid, signal.SIGTERM)

        until(server.stopped, seconds=2.5, what="the web server has stopped")
        assert socket.close_code() == 1012
