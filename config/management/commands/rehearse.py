"""`manage.py rehearse WORKFLOW`: run it with stub agents and injected faults; report what recovers by itself.

With `--gallery` every template that is shipped, side by side.
"""

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from agents.registry import autodiscover
from config.bench.server import Server
from config.bench.stack import TookTooLong
from config.console import Console
from config.datadir import NeedsAttention
from config.rehearsal import subjects
from config.rehearsal.faults import drills
from config.rehearsal.rehearse import Rehearsed, Subject, in_all, rehearse
from config.supervisor import Stop, stop_on_signals
from orchestrator.engine.plans import plan_of
from orchestrator.models import Rehearsal, Workflow


class Command(BaseCommand):
    help = "Rehearse a published workflow with stub agents and injected faults, on a database made for it."
    requires_system_checks = ()  # `migrate` has made them; they load every page, and nobody looks at one here

    def add_arguments(self, parser: CommandParser) -> None:
        """Which workflow, how often, in what form."""
        parser.add_argument("workflow", nargs="?", default="", help="name of a published workflow")
        parser.add_argument("--gallery", action="store_true", help="every template that is shipped, side by side")
        parser.add_argument("--runs", type=int, default=0, help="runs on each level (5; of each template 2)")
        parser.add_argument("--levels", type=int, default=99, help="stop after so many levels")
        parser.add_argument("--json", action="store_true", help="print the report as one JSON object")
        parser.add_argument(
            "--schema", default="", help="copy this database of the server in DATABASE_URL, do not migrate"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Rehearse, print, and keep a workflow's report beside its version; exit 1 when it did not pass."""
        if options["gallery"] == bool(options["workflow"]):
            raise CommandError("Name one published workflow, or say --gallery.")
        autodiscover()
        if options["gallery"]:
            self._rehearse_gallery(options)
        else:
            self._rehearse_one(options)

    def _rehearse_one(self, options: dict[str, Any]) -> None:
        try:
            subject = subjects.published(options["workflow"])
        except subjects.NotPublished as refusal:
            raise CommandError(str(refusal)) from None
        (done,) = _apart(
            [subject], levels=max(1, options["levels"]), runs=options["runs"] or 5, schema=options["schema"]
        )
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

    def _rehearse_gallery(self, options: dict[str, Any]) -> None:
        done = _apart(
            subjects.shipped(), levels=max(1, options["levels"]), runs=options["runs"] or 2, schema=options["schema"]
        )
        told = in_all(done)
        if options["json"]:
            self.stdout.write(json.dumps(told))
        else:
            _print_all(done, told)
        if not told["passed"]:
            failed = [one.workflow for one in done if not one.passed]
            raise CommandError(f"{len(failed)} of {len(done)} templates did not pass: {', '.join(failed)}.")


def _apart(chosen: Sequence[Subject], *, levels: int, runs: int, schema: str) -> list[Rehearsed]:
    """Rehearse on a server and databases made for it; afterwards this process is connected to its own again."""
    home, folder = dict(connection.settings_dict), settings.DATA_DIR
    server = Server(os.environ.get("DATABASE_URL", ""), schema=schema)
    try:
        with stop_on_signals():
            _say("starting PostgreSQL")
            server.start()
            known = drills()
            outages = levels > len(known)
            return rehearse(chosen, known[:levels], outages=outages, runs=max(1, runs), server=server, say=_say)
    except Stop:
        raise CommandError("Stopped; nothing was kept.", returncode=130) from None
    except (NeedsAttention, TookTooLong) as problem:
        raise CommandError(str(problem)) from None
    finally:
        server.stop()
        connection.close()
        connection.settings_dict.update(home)
        plan_of.cache_clear()  # by ids of the database that is gone
        settings.DATA_DIR = folder


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


def _print_all(done: Sequence[Rehearsed], told: dict[str, Any]) -> None:
    rows: list[tuple[str, ...]] = [("Template", "Levels", "Injected", "Recovered", "Asked for help", "")]
    for one in done:
        facts, failed = one.as_dict(), [level for level in one.levels if not level.passed]
        words = "; ".join(f"failed at “{level.name}”: {level.runs} {level.first_error}" for level in failed)
        asked = sum(level.asked_for_help for level in one.levels)
        counts = (len(one.levels), facts["injected"], facts["recovered"], asked)
        rows.append((one.workflow, *map(str, counts), words or "passed"))
    rows.append(("all", "", str(told["injected"]), str(told["recovered"]), "", f"{told['recovered_share']:.1%}"))
    Console().table(rows)


def _say(line: str) -> None:
    print(f"rehearse: {line}", file=sys.stderr, flush=True)
