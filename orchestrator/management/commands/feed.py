"""`manage.py feed`: start runs on sample input at a gentle, steady pace, so that a demonstration floor is alive.

It is an ordinary client of `services.start_run`: it goes on after the last run it started, holds still while everything
is stopped or too many runs are open, and outlives a database that is away for a while. `manage.py feed --set-rate 30`
changes the pace of the one that runs.
"""

import math
import os
import signal
import threading
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import InterfaceError, OperationalError, close_old_connections, connection
from django.utils import timezone

from agents.library.samples import Incidents, News, Refunds, Source
from orchestrator import services
from orchestrator.errors import IdempotencyConflict, InvalidInput, WorkflowNotFound, WorkflowNotPublished
from orchestrator.models import Run, Stop, Workflow
from orchestrator.states import RUN_LIVE

_RATE = "6"  # runs a minute
_BACKLOG = 200  # open runs
_LONGEST_PAUSE = 10.0  # seconds between two tries while the database is away
_LOOK_SECONDS = 2.0  # how soon another pace is noticed
# Of twenty runs: sixteen incidents, three refunds, one news text.
_PATTERN = (Incidents, Incidents, Refunds, Incidents, Incidents, Incidents, Incidents, News, Incidents, Refunds) + (
    (Incidents,) * 6 + (Refunds,) + (Incidents,) * 3
)


class Feed:
    """Which run comes next, and whether it may start now."""

    def __init__(self, sources: Sequence[Source], *, backlog: int) -> None:
        self._sources = sources
        self._backlog = backlog
        self._turn = 0
        self._next: dict[str, int] = {}

    def hindrance(self) -> str:
        """Why no run may start now; "" if one may."""
        if Stop.objects.filter(scope=Stop.Scope.EVERYTHING, lifted_at=None).exists():
            return "Everything is stopped; feeding goes on when the stop is lifted."
        still_open = Run.objects.filter(status__in=RUN_LIVE)
        if len(still_open.values_list("pk")[: self._backlog + 1]) > self._backlog:
            return f"More than {self._backlog} runs are open; feeding goes on when some have ended (--backlog)."
        return ""

    def start_next(self) -> Run | None:
        """Start the next run; None if its workflow is stopped or its sample was used before with other content."""
        source = self._sources[self._turn % len(self._sources)]
        self._turn += 1
        if self._is_stopped(source.workflow):
            return None
        if source.workflow not in self._next:
            self._next[source.workflow] = self._resume_at(source)
        sample = source.sample(self._next[source.workflow], timezone.now().date())
        run: Run | None = None
        # Refused: an older release submitted it differently, or the published version wants something else.
        with suppress(IdempotencyConflict, InvalidInput):
            run = services.start_run(
                workflow=sample.workflow, input=sample.input, by=None, idempotency_key=sample.key, actor="feed"
            )
        self._next[source.workflow] += 1
        return run

    @staticmethod
    def _is_stopped(workflow: str) -> bool:
        stopped = Stop.objects.filter(scope=Stop.Scope.WORKFLOW, lifted_at=None).values("ref")
        return Workflow.objects.filter(name=workflow, pk__in=stopped).exists()

    @staticmethod
    def _resume_at(source: Source) -> int:
        """The number after the newest run of ours; a run that was submitted twice is only started once."""
        fed = Run.objects.filter(workflow__name=source.workflow, idempotency_key__startswith="feed:")
        newest = fed.order_by("-id").values_list("idempotency_key", flat=True).first()
        return source.number_after(newest or "")


class Pace:
    """Runs a minute: as told at the start, until `set_pace` says otherwise."""

    def __init__(self, rate: float) -> None:
        self._rate = rate

    def seconds(self) -> float:
        """From one run to the next; infinity while the pace is 0."""
        # Missing or written by hand: the pace that is known goes on.
        with suppress(OSError, ArgumentTypeError):
            self._rate = _rate_or_zero(_pace_file().read_text().strip())
        return 60.0 / self._rate if self._rate else math.inf


def set_pace(rate: float) -> None:
    """Tell the running feed; it sees all of the file or nothing."""
    draft = _pace_file().with_name(f"feed-rate.{os.getpid()}")
    draft.write_text(f"{rate:g}\n")
    draft.replace(_pace_file())


def _pace_file() -> Path:
    return Path(settings.DATA_DIR) / "feed-rate"


def _rate(text: str) -> float:
    rate = _number(text)
    if not 0 < rate <= 6000:
        raise ArgumentTypeError(f"{text!r} is not a number of runs a minute above 0 and up to 6000.")
    return rate


def _rate_or_zero(text: str) -> float:
    return 0.0 if _number(text) == 0 else _rate(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return -1.0


class Command(BaseCommand):
    help = "Start runs on real incidents, news texts and synthesised refunds at a steady pace, until interrupted."
    requires_system_checks = []  # `prepare` has just checked; what pages need would stay in memory, 80 MB of it

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._said = ""
        self._asked_to_end = threading.Event()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """How fast, of what, and how many."""
        rate = os.environ.get("FEED_RATE") or _RATE
        parser.add_argument("--rate", type=_rate, default=rate, help="runs a minute (FEED_RATE; 6)")
        told = "change the pace of the feed that runs, and end; 0 holds it still"
        parser.add_argument("--set-rate", type=_rate_or_zero, default=None, help=told)
        parser.add_argument("--workflow", choices=[source.workflow for source in (Incidents, Refunds, News)])
        parser.add_argument("--limit", type=int, default=0, help="end after so many runs; 0 means never")
        parser.add_argument("--backlog", type=int, default=_BACKLOG, help="hold still above so many open runs (200)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Feed until interrupted or `limit` runs are started; with `--set-rate`, tell the feed that runs."""
        if options["set_rate"] is not None:
            connection.ensure_connection()  # of a stack that is not there, no feed is told anything
            set_pace(options["set_rate"])
            self.stdout.write(f"The feed that runs goes on at {options['set_rate']:g} runs a minute.")
            return
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, self._end)
        feed = Feed(self._sources(options["workflow"]), backlog=options["backlog"])
        self._run(feed, Pace(options["rate"]), limit=options["limit"])

    def _run(self, feed: Feed, pace: Pace, *, limit: int) -> None:
        started, pause = 0, 1.0
        while not self._asked_to_end.is_set():
            began = time.monotonic()
            try:
                started += self._start_one(feed) if pace.seconds() < math.inf else self._hold_still()
            except (OperationalError, InterfaceError):
                # Between two runs nothing is held: a new connection is all it takes.
                close_old_connections()
                self._say_once("The database does not answer; feeding goes on when it does.")
                self._asked_to_end.wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
                continue
            pause = 1.0
            if limit and started >= limit:
                return
            self._rest(pace, since=began)

    def _rest(self, pace: Pace, *, since: float) -> None:
        """Wait until the next run is due, by the pace of now and not of when the waiting began."""
        left = math.inf
        while left > _LOOK_SECONDS and not self._asked_to_end.is_set():
            left = since + pace.seconds() - time.monotonic()
            self._asked_to_end.wait(max(0.0, min(left, _LOOK_SECONDS)))

    def _hold_still(self) -> int:
        self._say_once("The pace is 0; feeding goes on when `manage.py feed --set-rate` names another.")
        return 0

    def _start_one(self, feed: Feed) -> int:
        if hindrance := feed.hindrance():
            self._say_once(hindrance)
            return 0
        try:
            run = feed.start_next()
        except (WorkflowNotFound, WorkflowNotPublished):
            self._say_once("A workflow is not published; run `manage.py seed_demo` and feeding goes on.")
            return 0
        self._said = ""
        return 1 if run else 0

    def _sources(self, workflow: str | None) -> list[Source]:
        known: dict[type[Source], Source] = {kind: kind() for kind in (Incidents, Refunds, News)}
        if not News.is_available():
            self.stdout.write("No news is fed: the corpus is not installed (uv sync --group demo).")
        return [
            known[kind]
            for kind in _PATTERN
            if kind.workflow == (workflow or kind.workflow) and (kind is not News or News.is_available())
        ]

    def _say_once(self, sentence: str) -> None:
        if sentence != self._said:
            self._said = sentence
            self.stdout.write(sentence)
            self.stdout.flush()

    def _end(self, number: int, frame: FrameType | None) -> None:
        self._asked_to_end.set()
