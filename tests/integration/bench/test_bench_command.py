"""`manage.py bench` end to end at a small size: what it prints, not how fast it is."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.conftest import PREPARED

pytestmark = pytest.mark.xdist_group("bench")  # each looks at what the others would leave on the server
ROOT = Path(__file__).resolve().parents[3]
EVERYWHERE = {"workload", "workers", "seconds", "peak_rss_mb", "floor_ms", "ratio", "spread"}


class Bench:
    """One run of the command to its end."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, str(ROOT / "manage.py"), "bench", *arguments]
        with subprocess.Popen(
            command, cwd=ROOT, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            self.stdout, self.stderr = process.communicate(timeout=110)
        self.pid, self.returncode = process.pid, process.returncode

    def left_behind(self) -> list[str]:
        """Databases that carry this process's id: other benches may be at work on the same server."""
        with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
            mine = f"watchkeeper_bench_{self.pid}_%"
            return [
                name for (name,) in connection.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [mine])
            ]


@pytest.mark.chaos
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("workload", "keys", "copies"),
    [
        ("chain", {"steps", "ms_per_step"}, False),
        ("crash", {"width", "lost", "repeated", "in_flight", "recovery_s", "all_again_s"}, True),
    ],
)
def test_bench_small_prints_one_object_and_leaves_nothing_behind(workload: str, keys: set[str], copies: bool) -> None:
    done = Bench(workload, "--json", "--scale", "0.2", "--schema", os.environ.get(PREPARED, "") if copies else "")

    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    told = json.loads(line)
    assert told.keys() >= EVERYWHERE | keys
    assert told["workload"] == workload
    assert told.get("lost", 0) == 0
    assert done.left_behind() == []


def test_bench_unknown_workload_is_refused_with_the_known_ones() -> None:
    done = Bench("sprint")

    assert done.returncode != 0
    assert "chain" in done.stderr


def test_bench_with_a_schema_that_is_not_there_says_so_and_leaves_nothing_behind() -> None:
    done = Bench("chain", "--schema", "nowhere")

    assert done.returncode != 0
    assert "The database “nowhere” cannot be copied" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.left_behind() == []
