"""`manage.py install_template NAME...`: make templates of the gallery workflows of this place; --list says which."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from agents.registry import autodiscover, sync
from orchestrator.acts import installing
from orchestrator.acts.refusals import ActImpossible
from orchestrator.errors import OrchestratorError
from orchestrator.gallery import templates


class Command(BaseCommand):
    """Install templates."""

    help = "Install templates of the gallery; the queues that they name and that do not exist are made."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which, and why."""
        parser.add_argument("names", nargs="*")
        parser.add_argument("--list", action="store_true", help="list the templates there are")
        parser.add_argument("--reason", default="Installed from the command line.")

    def handle(self, *args: Any, names: list[str], reason: str, **options: Any) -> None:
        """Install each; one that is installed word for word is left alone."""
        if options["list"] or not names:
            for template in templates.every():
                self.stdout.write(f"{template.name:28} {template.facts.domain:11} {template.facts.summary}")
            return
        autodiscover()
        sync()
        for name in names:
            self._install(name, reason)

    def _install(self, name: str, reason: str) -> None:
        found = templates.find(name)
        if found is None:
            raise CommandError(f"There is no template named {name}; --list lists those there are.")
        try:
            done = installing.install(found, by=None, reason=reason)
        except ActImpossible as same:
            self.stdout.write(str(same))
        except OrchestratorError as refused:
            raise CommandError(str(refused)) from refused
        else:
            self.stdout.write(f"{name} is installed as version {done.data['number']}.")
