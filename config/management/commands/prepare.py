"""`manage.py prepare`: bring schema, demo and static files up to date. The supervisor runs it at each start.

`prepare --evaluate` comes after the first start, when the pages are there.
"""

import hashlib
from argparse import ArgumentParser
from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import Tags
from django.core.management import call_command, get_commands
from django.core.management.base import BaseCommand, CommandError

from agents.models import Evaluation
from approvals.notices import push
from config import env


class Command(BaseCommand):
    help = "Apply migrations, seed the demo (unless DEMO=0) and collect static files when they changed."
    # What the environment may have set. The pages are checked by `make check`; reading them all takes seconds here.
    requires_system_checks = [Tags.caches, Tags.compatibility, Tags.files, Tags.translation]

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Apart from the rest: what nobody has to wait for."""
        parser.add_argument("--evaluate", action="store_true", help="only evaluate an agent, if none ever was")

    def handle(self, *args: Any, evaluate: bool, **options: Any) -> None:
        """Each step says what it does on a line of its own: the supervisor shows it."""
        if evaluate:
            self._evaluate_once()
            return
        self.stdout.write("Bringing the schema up to date")
        call_command("migrate", interactive=False, verbosity=0)
        if env.flag("DEMO", default=True) and "seed_demo" in get_commands():
            self.stdout.write("Seeding the demo")
            call_command("seed_demo")
        push.ensure_key()
        self._collect_static()

    def _evaluate_once(self) -> None:
        """A real evaluation to look at before the first night's: a hundred summaries, a second's work."""
        if Evaluation.objects.exists():
            return
        self.stdout.write("Evaluating an agent for the first time")
        with suppress(CommandError):  # a missed threshold is a result like any other, and no reason not to start
            call_command("evaluate", "summary-reading", limit=100, stdout=StringIO())

    def _collect_static(self) -> None:
        stamp = Path(settings.STATIC_ROOT) / ".collected"
        current = _fingerprint([Path(folder) for folder in settings.STATICFILES_DIRS])
        if stamp.exists() and stamp.read_text() == current:
            return
        self.stdout.write("Collecting static files")
        call_command("collectstatic", interactive=False, verbosity=0, clear=True)
        stamp.write_text(current)


def _fingerprint(folders: list[Path]) -> str:
    """Names, sizes and times of our own files and the lock that fixes everybody else's."""
    digest = hashlib.sha256((settings.BASE_DIR / "uv.lock").read_bytes())
    for path in sorted(path for folder in folders for path in folder.rglob("*") if path.is_file()):
        facts = path.stat()
        digest.update(f"{path}|{facts.st_size}|{facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()
