"""`manage.py verify_ledger`: prove that no sealed event was changed, or name the first position that was."""

import sys
from pathlib import Path
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError, CommandParser

from orchestrator import anchors, ledger


class Command(BaseCommand):
    help = "Recompute the hash chain, compare it with the signed anchors, name the first bad position."
    requires_system_checks = ()  # evidence must be readable whatever else is broken

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument("--export", metavar="FILE", help="also write the events for docs/verify_export.py")

    def handle(self, *, json: bool, export: str | None, **options: Any) -> None:
        try:
            result = ledger.verify()
        except anchors.UnreadableAnchor as error:
            raise CommandError(str(error)) from error
        if export:
            with Path(export).open("wb") as file:
                file.writelines(ledger.export())
        if json:
            self.stdout.write(orjson.dumps(result).decode())
        elif result.fault:
            self.stderr.write(str(result.fault))
        else:
            self.stdout.write(f"{result.checked} events hold; {result.anchors} anchors agree.")
        if result.fault:
            sys.exit(1)
