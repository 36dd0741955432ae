"""The sequencer's leader is killed or hangs: a successor seals on within five seconds, no position is given twice."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.db import connection as django_connection

from orchestrator import db, ledger
from tests.event_log import append, sealed

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.chaos]
LEAD = """
import sys, time
import django
django.setup()
from orchestrator.sequencer import run_sequencer
end = time.monotonic() + 60
while time.monotonic() < end:
    run_sequencer(60)
    time.sleep(0.1)
"""


class Candidates:
    """Two processes that want to lead."""

    def __init__(self, folder: Path) -> None:
        at = django_connection.settings_dict
        who = f"{at['USER']}:{at['PASSWORD']}" if at["PASSWORD"] else at["USER"]
        address = f"postgresql://{who}@{at['HOST']}:{at['PORT']}/{at['NAME']}"
        environment = os.environ | {
            "DATABASE_URL": address, "WATCHKEEPER_DATA": str(folder), "DJANGO_SETTINGS_MODULE": "config.settings",
        }  # fmt: skip
        root = Path(__file__).parents[2]
        self.processes = [
            subprocess.Popen([sys.executable, "-c", LEAD], cwd=root, env=environment, stdout=subprocess.DEVNULL)
            for _ in range(2)
        ]

    def leader(self, writer: psycopg.Connection) -> subprocess.Popen:
        """Whichever process seals: with one stopped, sealing stops or does not."""
        found: dict[int, subprocess.Popen] = {}
        query = """
            SELECT a.client_port FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid
            WHERE a.application_name = 'watchkeeper sequencer' AND l.locktype = 'advisory' AND l.granted
              AND a.datname = current_database()
        """
        deadline = time.monotonic() + 30
        while (row := writer.execute(query).fetchone()) is None:
            assert time.monotonic() < deadline, "nobody leads"
        for process in self.processes:
            found |= dict.fromkeys(_ports_of(process.pid), process)
        return found[row[0]]

    def end(self) -> None:
        for process in self.processes:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()


def _ports_of(pid: int) -> set[int]:
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(link.readlink())
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return {int(row[1].rpartition(":")[2], 16) for row in rows if row[9] in inodes}


@pytest.fixture
def candidates(transactional_db: None, tmp_path: Path) -> Iterator[Candidates]:
    started = Candidates(tmp_path)
    yield started
    started.end()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_successor_of_a_lost_leader_seals_within_five_seconds(candidates, how, settings, tmp_path):
    settings.DATA_DIR = tmp_path
    with psycopg.connect(**db.connection_parameters()) as writer:
        ids = [append(writer) for _ in range(20)]
        candidates.leader(writer).send_signal(how)
        lost_at = time.monotonic()
        ids += [append(writer) for _ in range(20)]

        waiting = set(ids)
        while not waiting <= set(sealed(writer)):
            assert time.monotonic() < lost_at + 5, "no successor"
            ids.append(append(writer))
        # The newest is sealed a moment after it was written: only now that nothing is added can all of them be.
        while set(sealed(writer)) != set(ids):
            assert time.monotonic() < lost_at + 30, "the successor has stopped"

        candidates.end()
        assert sealed(writer) == ids
        assert [row[0] for row in writer.execute("SELECT pos FROM orchestrator_ledger ORDER BY pos")] == list(
            range(1, len(ids) + 1)
        )
    assert ledger.verify().fault is None
