"""`manage.py check_invariants`: everything that must hold of stored data, one line per violation."""

import sys
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandParser

from approvals import invariants as of_people
from orchestrator import invariants as of_runs


class Command(BaseCommand):
    help = "Check that events, runs, tasks, gates and the ledger agree; exit 1 with one line per violation."
    requires_system_checks = ()  # evidence must be readable whatever else is broken

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *, json: bool, **options: Any) -> None:
        found = [str(violation) for violation in of_runs.violations()]
        found += [f"gates: {sentence}." for sentence in of_people.violations()]
        if json:
            self.stdout.write(orjson.dumps({"ok": not found, "violations": found}).decode())
        else:
            for line in found:
                self.stdout.write(line)
            if not found:
                self.stdout.write("Everything holds.")
        if found:
            sys.exit(1)
