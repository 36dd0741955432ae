"""`make up` after the bootstrap: PostgreSQL, web, workers, control, beat and feed as children of one process.

Whatever ends the supervisor ends them all: Ctrl-C and SIGTERM in order, anything else by the kernel's leash.
"""

import errno
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from django.core.exceptions import ImproperlyConfigured

from config import commands, env, environment
from config.console import Console
from config.datadir import DEFAULT_PORT, DataDir, NeedsAttention
from config.language_model import VARIABLE, chosen_model
from config.postgres import Postgres
from config.processes import Child
from config.server_address import server_version

ROOT = Path(__file__).resolve().parent.parent
_PYTHON = sys.executable
# Beyond the drain: a shift looks once a second whether it should leave, gives back, and reports.
_AFTER_DRAIN_S = 5.0
_WEB_READY_S = 90.0
_FIRST_LOOK = "first-look"


class Stop(BaseException):
    """Somebody asked us to stop."""


class Supervisor:
    """One stack: started once, watched until it is asked to stop."""

    def __init__(self, console: Console, home: DataDir, *, host: str, port: int) -> None:
        self._console = console
        self._home = home
        self._host = host
        self._port = port
        self._stop_within = env.drain_seconds() + _AFTER_DRAIN_S
        self._model = chosen_model()
        self._feed_rate = env.feed_rate()
        self._postgres: Postgres | None = None
        self._children: list[Child] = []

    def run(self) -> None:
        """Start everything, say where it is, and keep it running until `Stop`."""
        self._home.create()
        self._home.lock()
        refuse_busy_port(self._host, self._port)
        try:
            env = self._environment(self._database())
            self._prepare(env)
            self._start(env)
            self._welcome()
            self._look_once(env)
            while True:
                self._tend()
                time.sleep(0.1)
        finally:
            self._stop()

    def _database(self) -> str:
        if url := os.environ.get("DATABASE_URL"):
            with self._console.step("PostgreSQL named by DATABASE_URL") as step:
                step.result = f"PostgreSQL {server_version(url)} (DATABASE_URL)"
            return url
        with self._console.step("PostgreSQL") as step:
            self._postgres = Postgres(self._home.path)
            url = self._postgres.start()
            step.result = f"PostgreSQL {self._postgres.version}"
        moved = (self._home.path / "postgres").resolve()
        if moved.parent != self._home.path.resolve():
            self._console.note(
                f"Its files are in {moved}, because PostgreSQL may not run as root and its user cannot enter here."
            )
        return url

    def _environment(self, database_url: str) -> dict[str, str]:
        shared = {
            "DATABASE_URL": database_url,
            "SECRET_KEY": os.environ.get("SECRET_KEY") or self._home.secret("django"),
            "WATCHKEEPER_DATA": str(self._home.path),
            "PORT": str(self._port),
            "PUBLIC_ORIGINS": os.environ.get("PUBLIC_ORIGINS")
            or f"http://localhost:{self._port},http://127.0.0.1:{self._port}",
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }
        if self._model:
            shared[VARIABLE] = self._model.address
        environment.share(self._home, shared)
        # Where the apps in EXTRA_APPS may be stays known to the children.
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        return os.environ | shared | {"PYTHONUNBUFFERED": "1", "PYTHONPATH": path}

    def _prepare(self, env: dict[str, str]) -> None:
        """Run `manage.py prepare`, showing what it is at; its output is in logs/prepare.log."""
        log = self._home.log("prepare")
        preparation = Child("prepare", [_PYTHON, str(ROOT / "manage.py"), "prepare"], env, self._home)
        self._children.append(preparation)
        with self._console.step("Schema, demo and static files") as step:
            preparation.start()
            while (code := preparation.poll()) is None:
                step.detail = preparation.last_words()
                time.sleep(0.1)
            step.failed = code != 0
        self._children.remove(preparation)
        if code:
            why = _sentence(preparation.last_words())
            raise NeedsAttention(f"The database could not be prepared: {why} The whole story is in {log}.")

    def _start(self, env: dict[str, str]) -> None:
        self._forget_what_passed()
        self._children = [Child(name, command, env, self._home) for name, command in self._commands()]
        with self._console.step("Web, workers, control, beat") as step:
            # The pages first: all at once, five Python processes share the processors and the pages come last.
            self._children[0].start()
            self._await_web()
            for child in self._children[1:]:
                child.start()
            step.result = ", ".join(child.name for child in self._children).capitalize()

    def _commands(self) -> Iterator[tuple[str, list[str]]]:
        yield "web", commands.web(self._host, self._port)
        shifts = int(os.environ.get("SHIFTS") or "2")
        yield "worker", commands.worker(f"worker-{self._port}", shifts=shifts)
        yield "control", commands.control(f"control-{self._port}")
        yield "beat", commands.beat()
        if env.words("MESSAGE_BRIDGES"):
            yield "bridge", [_PYTHON, str(ROOT / "manage.py"), "bridge"]
        if self._model and self._model.command:
            yield "model", list(self._model.command)
        if os.environ.get("DEMO") != "0" and self._feed_rate != "0" and any(ROOT.glob("*/management/commands/feed.py")):
            rate = ["--rate", self._feed_rate] if self._feed_rate else []
            yield "feed", [_PYTHON, str(ROOT / "manage.py"), "feed", *rate]

    def _forget_what_passed(self) -> None:
        # Beat rings again; what was rung weeks ago would only delay the first second.
        for message in (self._home.path / "broker" / "messages").glob("*"):
            message.unlink(missing_ok=True)
        # `feed --set-rate` is for the stack that runs: FEED_RATE must not be overruled by what was wanted last week.
        (self._home.path / "feed-rate").unlink(missing_ok=True)

    def _await_web(self) -> None:
        web, deadline = self._children[0], time.monotonic() + _WEB_READY_S
        while not self._web_answers():
            if web.stopped() or time.monotonic() > deadline:
                raise NeedsAttention(
                    f"The web server did not start: {web.last_words()} The whole story is in {web.log}."
                )
            time.sleep(0.1)

    def _web_answers(self) -> bool:
        connection = http.client.HTTPConnection(_reachable(self._host), self._port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            connection.getresponse()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return True

    def _local_url(self) -> str:
        return f"http://{_reachable(self._host)}:{self._port}/"

    def _welcome(self) -> None:
        console = self._console
        if self._model:
            console.note(f"Summaries of incidents are worded by {self._model.address} ({VARIABLE}).")
        console.say()
        console.say(f"Open {console.paint(self._local_url(), 'bold')}")
        passwords = self._home.path / "demo-passwords.json"
        if passwords.exists():
            users: dict[str, dict[str, str]] = json.loads(passwords.read_text())
            console.say()
            console.table(
                [("Sign in as", "Password", "Role"), *((name, u["password"], u["role"]) for name, u in users.items())]
            )
        else:
            console.say('An account to sign in with: make manage ARGS="access add NAME Administrator"')
        console.say()
        console.say(
            console.paint(f"Logs: {self._home.path / 'logs'}   Ctrl-C stops everything; the data is kept.", "dim")
        )

    def _look_once(self, env: dict[str, str]) -> None:
        """On the demo's first start, evaluate an agent beside what runs, so that there is something to look at."""
        command = ["nice", _PYTHON, str(ROOT / "manage.py"), "prepare", "--evaluate"]
        look = Child(_FIRST_LOOK, command, env, self._home)
        if os.environ.get("DEMO") != "0" and not look.log.exists():
            look.start()
            self._children.append(look)

    def _tend(self) -> None:
        self._children = [child for child in self._children if child.name != _FIRST_LOOK or not child.stopped()]
        if self._postgres and not self._postgres.alive():
            self._console.note("PostgreSQL ended unexpectedly; starting it again.")
            with self._console.step("PostgreSQL is back"):
                self._postgres.start()
        for child in self._children:
            if sentence := child.tend():
                self._console.note(sentence)

    def _stop(self) -> None:
        """Stop the children together, then PostgreSQL; a second request kills what is left."""
        try:
            if any(not child.stopped() for child in self._children) or self._postgres:
                with self._console.step("Stopped, data kept"):
                    self._stop_children()
                    if self._postgres:
                        self._postgres.stop()
        except Stop:
            self._console.note("Killed what was left.")
        finally:
            for child in self._children:
                child.kill()
            if self._postgres:
                self._postgres.stop()

    def _stop_children(self) -> None:
        for child in self._children:
            child.ask_to_stop()
        deadline = time.monotonic() + self._stop_within
        while time.monotonic() < deadline and not all(child.stopped() for child in self._children):
            time.sleep(0.05)


def _sentence(words: str) -> str:
    """An exception's last line without the name of its class."""
    return re.sub(r"^[\w.]+(?:Error|Configured|Exception): ", "", words)


def _reachable(host: str) -> str:
    """Where to find a server that listens on every address."""
    return {"0.0.0.0": "127.0.0.1", "::": "localhost"}.get(host, host)  # noqa: S104  looked up, not listened on


def refuse_busy_port(host: str, port: int) -> None:
    """Raise NeedsAttention when the address cannot be listened on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            free = port + 1 if port < 65535 else DEFAULT_PORT
            raise NeedsAttention(
                f"Port {port} is in use by another program; stop it, or choose another: make up PORT={free}."
            ) from None
        raise NeedsAttention(f"Cannot listen on {host} port {port} ({error.strerror}); correct HOST or PORT.") from None


def chosen_port() -> int:
    """PORT, or the default."""
    value = os.environ.get("PORT") or str(DEFAULT_PORT)
    if not value.isdigit() or not 1 <= int(value) <= 65535:
        raise NeedsAttention(f"PORT={value!r} is not a port number; choose one from 1 to 65535.")
    return int(value)


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """Turn Ctrl-C, SIGTERM and a closed terminal into `Stop`."""

    def ask(number: int, frame: FrameType | None) -> None:
        raise Stop

    asked = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, ask) for number in asked]
    try:
        yield
    finally:
        for number, handler in zip(asked, before, strict=True):
            signal.signal(number, handler)


def main() -> int:
    """Run one stack; the exit code is 0 when asked to stop, 1 when a person must put something right."""
    console = Console()
    console.say()
    console.say(console.paint("Watchkeeper", "bold"))
    console.say()
    try:
        with stop_on_signals():
            port = chosen_port()
            Supervisor(console, DataDir.of(ROOT, port), host=os.environ.get("HOST") or "127.0.0.1", port=port).run()
    except Stop:
        return 0
    except (NeedsAttention, ImproperlyConfigured) as problem:
        console.problem(str(problem))
    except subprocess.SubprocessError as error:
        console.problem(f"A process could not be started: {error}.")
    return 1


if __name__ == "__main__":
    sys.exit(main())
