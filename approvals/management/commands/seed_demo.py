"""`manage.py seed_demo`: the demo's agents, workflows, queues and people; harmless to run again."""

import os
from io import StringIO
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

import orchestrator
from agents.errors import AgentsError
from agents.library.written_summary import VARIABLE
from approvals import demo, demo_content, demo_teams
from orchestrator import services
from orchestrator.errors import DefinitionError


class Command(BaseCommand):
    help = "Record the agents, publish the workflows that ship with Watchkeeper, and make demo queues and people once."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            call_command("sync_agents", stdout=StringIO())
            queues = demo.seed_queues()  # which the workflows name
            for file in library_files():
                services.publish(source=file.read_text(), file=file.name, by=None)
        except (AgentsError, DefinitionError) as error:
            raise CommandError(str(error)) from error
        made = demo.seed_people(queues, settings.DATA_DIR)
        demo.seed_views()
        demo_teams.seed_teams()
        demo_content.seed_policy()
        demo_content.seed_prompt()
        if made:
            self.stdout.write(f"{len(made)} demo accounts made; passwords are in {settings.DATA_DIR / demo.PASSWORDS}")
        else:
            self.stdout.write("the demo is in place already; nothing was changed")


def library_files() -> list[Path]:
    """The definitions that ship with the orchestrator; those in `llm/` stand in for others where a model is named."""
    folder = Path(orchestrator.__file__).parent / "library"
    files = {file.name: file for file in folder.glob("*.yaml")}
    if os.environ.get(VARIABLE):
        files |= {file.name: file for file in (folder / "llm").glob("*.yaml")}
    return [files[name] for name in sorted(files)]
