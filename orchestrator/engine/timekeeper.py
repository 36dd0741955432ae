"""The timekeeper: fires timers within a fifth of a second of their time, and at once what is due when it commits.

One leader, in the control worker, by a session lock. It listens to `wk_timers` on a connection of its own; a
doorbell may be lost, so it also looks by itself.
"""

import time
from typing import Any, Final

import psycopg
import structlog
from django.db import DatabaseError, connection

from orchestrator import db
from orchestrator.engine import sweep
from orchestrator.sequencer import Stopper

LOCK: Final = 0x57_4B_71_3E  # advisory lock of the one leader
POLL_SECONDS: Final = 0.2
_AWAY_SECONDS: Final = 1.0
_GUARDS: Final = (
    "-c statement_timeout=30s -c lock_timeout=5s"
    # A leader that hangs or whose machine is gone gives up the lock with its session.
    " -c idle_session_timeout=60s -c tcp_keepalives_idle=2 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=2"
)

log = structlog.get_logger()


def keep_time(seconds: float, stop: Stopper) -> bool:
    """Lead for about `seconds`, or return False at once when another process leads."""
    parameters = db.connection_parameters() | {"application_name": "watchkeeper timekeeper", "options": _GUARDS}
    with psycopg.connect(**parameters) as listening:
        row = listening.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone()
        if row is None or not row[0]:
            return False
        listening.execute("LISTEN wk_timers")
        _lead(listening, stop, until=time.monotonic() + seconds)
        listening.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
    return True


def _lead(listening: psycopg.Connection[Any], stop: Stopper, *, until: float) -> None:
    while time.monotonic() < until and not stop.is_set():
        try:
            sweep.fire_timers()
        except DatabaseError as problem:
            log.warning("timekeeper.waits", problem=type(problem).__name__)
            connection.close()
            stop.wait(_AWAY_SECONDS)
        for _note in listening.notifies(timeout=POLL_SECONDS, stop_after=1):
            pass
