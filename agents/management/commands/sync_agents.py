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
            added = [*registry.sync(), *recording.sync()]
        except AgentsError as error:
            raise CommandError(str(error)) from error
        for version in added:
            self.stdout.write(f"registered {version}")
        known, usable = len(registry.specs()), len(tools.default.specs())
        self.stdout.write(f"{known} agent versions and {usable} tool versions are known, {len(added)} new")
