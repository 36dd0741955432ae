"""Sends in a thread of the control worker: no Celery task, and nobody who waits for one, waits for others' systems."""

import threading

import structlog
from django.db import connections

from monitoring.telemetry import pump, ways

log = structlog.get_logger(__name__)
_thread: threading.Thread | None = None


def ring() -> bool:
    """Let the thread send what is new; False while it is still at it."""
    global _thread
    if _thread is not None and _thread.is_alive():
        return False
    _thread = threading.Thread(target=_work, name="telemetry", daemon=True)
    _thread.start()
    return True


def _work() -> None:
    try:
        pump.run(ways.WAYS)
    except Exception:
        log.exception("telemetry.broken")
    finally:
        connections.close_all()
