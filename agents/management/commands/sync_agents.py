"""`manage.py sync_agents`: record the agents of the installed apps."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from agents import registry
from agents.errors import AgentsError
from agents.tools import recording
from agents.tools import registry as tools


class Command(BaseCommand):
    help = "Record every registered agent and its versions; a version whose contract or code place changed is refused."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            registry.autodiscover()
            tools.autodiscover()
            added, made = registry.sync(), recording.sync()
        except AgentsError as error:
            raise CommandError(str(error)) from error
        for version in (*added, *made):
            self.stdout.write(f"registered {version}")
        self.stdout.write(f"{len(registry.specs())} agent versions are known, {len(added)} new")
        self.stdout.write(f"{len(tools.default.specs())} tool versions are known, {len(made)} new")
