"""`manage.py import_answers FILE --as USER --reason TEXT [--check]`: steps that wait get the answers of a file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from approvals.importing import FileUnreadable, carry_out, read


class Command(BaseCommand):
    help = "Give steps that wait (manual work, calls back, signals) the answers of a CSV or JSON-lines file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--as", dest="user", required=True, help="who answers: their rights count")
        parser.add_argument("--reason", required=True, help="where the answers come from")
        parser.add_argument("--check", action="store_true", help="say what would become of each, and do nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["user"], is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active user {options['user']!r}; see: manage.py access show")
        try:
            lines = read(options["file"].read_bytes())
        except OSError as problem:
            raise CommandError(f"{options['file']} cannot be read: {problem}") from problem
        except FileUnreadable as flaw:
            raise CommandError(str(flaw)) from flaw
        results = carry_out(lines, by=user, reason=options["reason"], only_check=options["check"])
        for one in results:
            self.stdout.write(f"line {one.line.number}: {one.state}: {one.words}")
        if refused := sum(one.state == "refused" for one in results):
            raise CommandError(f"{refused} of {len(results)} answers are refused; the others are {_others(options)}.")


def _others(options: dict[str, Any]) -> str:
    return "fitting" if options["check"] else "given"
