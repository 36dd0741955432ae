"""Celery tasks of this app: evaluations by schedule, and the watch over targets and canaries.

Those of evaluations only start a process of its own and return: an evaluation takes minutes and memory that no control
worker has to spare. The process looks by itself whether something is due and whether another one is at it.
"""

import subprocess
import sys
from dataclasses import dataclass

from celery import shared_task
from django.conf import settings

from agents import retention
from agents.lifecycle import watching


@dataclass(slots=True)
class _Started:
    """The last process that this worker has started, to be waited for when the next one is."""

    process: subprocess.Popen[bytes] | None = None


_started = _Started()


@shared_task
def evaluate_nightly() -> None:
    """Run the nightly suites, and calibrate what people have judged."""
    _start("nightly")


@shared_task
def evaluate_monthly() -> None:
    """Run the red team's suites."""
    _start("monthly")


@shared_task
def watch_agents() -> None:
    """Hold targets and canaries against what agents did; safe to lose, repeat or run twice at once."""
    watching.watch()


@shared_task
def forget_records() -> None:
    """Delete records whose time is over; safe to lose, repeat or run twice at once."""
    retention.forget()


def _start(schedule: str) -> None:
    if _started.process is not None and _started.process.poll() is None:
        return
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "evaluate", "--scheduled", schedule]
    _started.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, cwd=settings.BASE_DIR)
