"""`manage.py rehearse WORKFLOW`: run it with stub agents and injected faults; report what recovers by itself."""

import json
import os
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from agents.registry import autodiscover
from config.bench.server import Server
from config.bench.stack import TookTooLong
from config.console import Console
from config.datadir import NeedsAttention
from config.rehearsal.faults import drills
from config.rehearsal.rehearse import Rehearsed, Subject, rehearse
from config.rehearsal.sampling import sample
from config.supervisor import Stop, stop_on_signals
from orchestrator.models import Rehearsal, Run, Workflow


class Command(BaseCommand):
    help = "Rehearse a published workflow with stub agents and injected faults, on a database made for it."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which workflow, how often, in what form."""
        parser.add_argument("workflow", help="name of a published workflow")
        parser.add_argument("--runs", type=int, default=5, help="runs on each level (5)")
        parser.add_argument("--levels", type=int, default=99, help="stop after so many levels")
        parser.add_argument("--json", action="store_true", help="print the report as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Rehearse, print, and keep the report beside the version; exit 1 when it did not pass."""
        subject = _subject(options["workflow"])
        autodiscover()
        done = _apart(subject, levels=max(1, options["levels"]), runs=max(1, options["runs"]))
        _keep(done)
        if options["json"]:
            self.stdout.write(json.dumps(done.as_dict()))
        else:
            _print(done)
        if not done.passed:
            failed = done.levels[-1]
            raise CommandError(
                f"{subject.workflow} did not pass at “{failed.name}”: {failed.recovered} of {failed.injected} faults"
                f" recovered by themselves, runs ended as {failed.runs}. {failed.first_error}".rstrip()
            )


def _apart(subject: Subject, *, levels: int, runs: int) -> Rehearsed:
    """Rehearse on a server and databases made for it; afterwards this process is connected to its own again."""
    home, folder = dict(connection.settings_dict), settings.DATA_DIR
    server = Server(os.environ.get("DATABASE_URL", ""))
    try:
        with stop_on_signals():
            _say("starting PostgreSQL")
            server.start()
            known = drills()
            return rehearse(subject, known[:levels], outages=levels > len(known), runs=runs, server=server, say=_say)
    except Stop:
        raise CommandError("Stopped; nothing was kept.", returncode=130) from None
    except (NeedsAttention, TookTooLong) as problem:
        raise CommandError(str(problem)) from None
    finally:
        server.stop()
        connection.close()
        connection.settings_dict.update(home)
        settings.DATA_DIR = folder


def _subject(name: str) -> Subject:
    workflow = Workflow.objects.filter(name=name).select_related("current_version").first()
    if workflow is None or workflow.current_version is None:
        known = ", ".join(Workflow.objects.exclude(current_version=None).values_list("name", flat=True)[:10])
        raise CommandError(
            f"{name} is not a published workflow; publish it first, or choose one of: {known or 'none'}."
        )
    version = workflow.current_version
    newest = Run.objects.filter(workflow=workflow).order_by("-id").values_list("input", flat=True).first()
    given = newest if newest is not None else sample(version.plan.get("input_schema") or {"type": "object"})
    return Subject(name, version.number, version.source, given if isinstance(given, dict) else {})


def _keep(done: Rehearsed) -> None:
    workflow = Workflow.objects.get(name=done.workflow)
    version = workflow.versions.get(number=done.version)
    Rehearsal.objects.create(version=version, passed=done.passed, report=done.as_dict())


def _print(done: Rehearsed) -> None:
    rows: list[tuple[str, ...]] = [("Level", "Injected", "Recovered", "Asked for help", "Runs", "Seconds", "A run", "")]
    for level in done.levels:
        ended = ", ".join(f"{count} {status}" for status, count in sorted(level.runs.items()))
        rows.append(
            (
                level.name,
                str(level.injected),
                str(level.recovered),
                str(level.asked_for_help),
                ended,
                f"{level.seconds:.1f}",
                f"{level.run_seconds:.2f} s",
                "passed" if level.passed else "failed",
            )
        )
    Console().table(rows)


def _say(line: str) -> None:
    print(f"rehearse: {line}", file=sys.stderr, flush=True)
