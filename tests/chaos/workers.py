"""Real Celery workers on the test's database and a broker of their own; the test itself is the control plane."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db import Error, connection
from kombu import Connection

from agents.registry import sync
from config.celery import app
from orchestrator import services
from orchestrator.engine import sweep
from orchestrator.engine.lanes import DEFAULT, queue_of
from orchestrator.models import Run
from orchestrator.models import Shift as ShiftRow
from orchestrator.states import RUN_TERMINAL
from orchestrator.tasks import work_shift
from tests.chaos.app import agents as _agents  # noqa: F401 - registered here too, so that workflows can name them

ROOT = Path(__file__).resolve().parents[2]
LEASE = 3


def address() -> str:
    """The database that this process uses."""
    at = connection.settings_dict
    who = f"{at['USER']}:{at['PASSWORD']}" if at["PASSWORD"] else at["USER"]
    return f"postgresql://{who}@{at['HOST']}:{at['PORT']}/{at['NAME']}"


@dataclass
class Site:
    """Workers that share a folder, and what the control worker and beat would do for them."""

    folder: Path
    shifts: int = 2
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _rung_at: float = 0

    def environment(self, **more: str) -> dict[str, str]:
        """What every process of this site is started with."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTEST"))}
        return inherited | {
            "DATABASE_URL": address(),
            "WATCHKEEPER_DATA": str(self.folder),
            "BROKER_URL": "filesystem://",
            "EXTRA_APPS": "tests.chaos.app",
            "PYTHONPATH": str(ROOT),
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "LEASE_SECONDS": str(LEASE),
            "SHIFTS": str(self.shifts),
            "SHIFT_SECONDS": "30",
        } | more  # fmt: skip

    def worker(self, children: int = 1, *, tree: Path = ROOT, **more: str) -> subprocess.Popen[bytes]:
        """Start a worker with so many processes in its pool; `more` goes into its environment.

        `tree` is the source that it runs: this one, or that of an earlier release.
        """
        queue = queue_of(more.get("POOL", DEFAULT))
        command = [sys.executable, "-m", "config.celery_command", "worker", "-Q", queue, "-P", "prefork", "-c"]
        command += [str(children), "--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "WARNING"]
        command += ["-n", f"chaos-{len(self.workers)}@%h"]
        log = self.folder.joinpath(f"worker-{len(self.workers)}.log").open("wb")
        process = subprocess.Popen(
            command,
            cwd=tree,
            env=self.environment(PYTHONPATH=str(tree), **more),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        log.close()
        self.workers.append(process)
        return process

    def open(self, *pools: int) -> None:
        """Start workers and wait until every shift is open."""
        for children in pools:
            self.worker(children)
        self.until(lambda: live_shifts() == self.shifts, seconds=60, what="every shift is open")

    def tend(self) -> None:
        """What the control worker and beat do all the time; a database that is away is tried again later."""
        try:
            sweep.sweep()
            sweep.fire_timers()
            missing = self.shifts - live_shifts()
        except Error:
            connection.close()
            return
        if missing > 0 and time.monotonic() > self._rung_at + 1:
            self._rung_at = time.monotonic()
            self.ring(missing)

    def ring(self, times: int = 1, *, pool: str = DEFAULT) -> None:
        """Ask a pool's workers for shifts."""
        folder = self.folder / "broker" / "messages"
        folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "broker" / "control").mkdir(exist_ok=True)
        options = {"data_folder_in": str(folder), "data_folder_out": str(folder)}
        options["control_folder"] = str(self.folder / "broker" / "control")
        with Connection("filesystem://", transport_options=options) as broker:
            for _ in range(times):
                app.send_task(work_shift.name, connection=broker, queue=queue_of(pool))

    def until(self, claim: Callable[[], object], *, seconds: float, what: str) -> None:
        """Tend the site until a claim is true."""
        deadline = time.monotonic() + seconds
        while not _holds(claim):
            assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}\n{self.said()}"
            self.tend()
            time.sleep(0.05)

    def records(self, what: str) -> list[dict[str, Any]]:
        """What agents wrote down."""
        path = self.folder / "record"
        lines = path.read_text().splitlines() if path.exists() else []
        return [found for found in map(json.loads, lines) if found["what"] == what]

    def started(self, run: Run) -> list[dict[str, Any]]:
        """The starts of a run's agents."""
        return [found for found in self.records("start") if int(found["key"].split("-")[1]) >> 20 == run.pk]

    def said(self) -> str:
        """The ends of the workers' logs."""
        return "\n".join(path.read_text()[-1500:] for path in sorted(self.folder.glob("worker-*.log")))

    def end(self) -> None:
        """End every worker; their pools go with them."""
        for process in self.workers:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()


def _holds(claim: Callable[[], object]) -> bool:
    try:
        return bool(claim())
    except Error:  # the database is away
        connection.close()
        return False


def live_shifts() -> int:
    """How many are open."""
    return ShiftRow.objects.filter(ended_at=None).count()


def begin(steps: str, *, rest: str = "", name: str = "chaos", **given: Any) -> Run:
    """Publish a workflow and start a run of it with this input."""
    sync()
    source = f"metadata: {{name: {name}, title: Chaos}}\nsteps:\n{steps}\n{rest}"
    services.publish(source=source, file="t.yaml", by=None, make_queues=True)
    return services.start_run(workflow=name, input=given, by=None, actor="feed")


def ended(run: Run) -> bool:
    """Whether a run has ended; refreshes it."""
    run.refresh_from_db()
    return run.status in RUN_TERMINAL
