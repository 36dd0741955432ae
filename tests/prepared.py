"""A data directory as the first `make up` leaves it, made once for each state of the schema and then copied.

Making one keeps a processor busy for ten seconds: initdb, migrations, all static files. The session's own server and
the stacks that tests start begin with a copy, and whoever starts on it brings up to date what has changed since, as
with anybody's data; only a test of beginning with nothing begins with nothing.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config.bootstrap import TOOLS
from config.postgres import Postgres

ROOT = Path(__file__).resolve().parents[1]
_OF_ONE_START = ("postgres.port", "logs")


def copy_into(folder: Path) -> None:
    """Fill a data directory that is empty or not there yet."""
    folder.mkdir(mode=0o711, exist_ok=True)
    with _alone():
        _copy(_made(), folder)


@contextmanager
def _alone() -> Iterator[None]:
    """One process at a time makes one, or copies what another might clear away."""
    TOOLS.mkdir(parents=True, exist_ok=True)
    with (TOOLS / "prepared.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _kept() -> Path:
    return TOOLS / f"prepared-{_state()}"


def _made() -> Path:
    kept = _kept()
    if kept.exists():
        return kept
    for other in TOOLS.glob("prepared-*"):
        shutil.rmtree(other)
    with tempfile.TemporaryDirectory(prefix="watchkeeper-prepared-") as folder:
        home = Path(folder)
        home.chmod(0o711)  # the server's own user has to get to its data
        _make(home)
        draft = TOOLS / "prepared-draft"
        draft.mkdir()
        _copy(home, draft)
        draft.rename(kept)
    return kept


def _state() -> str:
    """What the schema, its cluster and the events' partitions, one a month, are made from."""
    sources = [*ROOT.glob("*/migrations/*.py"), *ROOT.glob("orchestrator/sql/*.sql")]
    sources += [ROOT / "uv.lock", ROOT / "config" / "cluster.py", ROOT / "config" / "postgres.py"]
    here = f"{os.environ.get('POSTGRES_BIN')} {os.geteuid()} {time.strftime('%Y-%m', time.gmtime())}"
    digest = hashlib.sha256(here.encode())
    for path in sorted(sources):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _make(home: Path) -> None:
    server = Postgres(home, durable=False)
    address = server.start()
    try:
        subprocess.run(
            [sys.executable, "manage.py", "prepare"],
            cwd=ROOT,
            env=os.environ | {"DATABASE_URL": address, "WATCHKEEPER_DATA": str(home), "DEMO": "0"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=True,
        )
    finally:
        server.stop()
    for name in _OF_ONE_START:
        path = home / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _copy(home: Path, to: Path) -> None:
    """With owners: PostgreSQL serves only what is its own."""
    subprocess.run(["cp", "-a", f"{home}/.", str(to)], check=True)
