"""`manage.py publish FILE...`: validate definitions and make each the current version of its workflow."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from agents.registry import autodiscover, sync
from orchestrator import checks, services
from orchestrator.errors import DefinitionError


class Command(BaseCommand):
    """Publish workflow definitions."""

    help = "Validate workflow definitions (YAML or JSON) and publish them; what is wrong is named with its remedy."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The files."""
        parser.add_argument("files", nargs="+", type=Path)
        parser.add_argument(
            "--make-queues", action="store_true", help="make the queues of people that they name and that do not exist"
        )

    def handle(self, *args: Any, files: list[Path], make_queues: bool, **options: Any) -> None:
        """Publish each file; the first that cannot be published stops the command and changes nothing."""
        autodiscover()
        sync()
        for file in files:
            try:
                source = file.read_text(encoding="utf-8")
                version = services.publish(source=source, file=file.name, by=None, make_queues=make_queues)
            except DefinitionError as error:
                raise CommandError(str(error)) from error
            except (OSError, UnicodeDecodeError) as error:
                raise CommandError(f"{file} cannot be read: {error}; name a readable UTF-8 file.") from error
            self.stdout.write(f"{version.workflow.name} version {version.number} is current.")
            for warning in checks.of_version(version):
                self.stderr.write(self.style.WARNING(f"warning: {warning}"))
