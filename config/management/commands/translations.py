"""`manage.py translations`: how whole each language is; `--update` collects what people read anew and compiles."""

from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.translating import catalogue
from config.translating.gettext_files import read
from config.translating.messages import Message, collect

_SHOWN = 20


class Command(BaseCommand):
    help = (
        "Say what is not translated yet; with --update, bring catalogues up to date with the source and compile them."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What to do besides telling."""
        parser.add_argument("--update", action="store_true", help="rewrite and compile the catalogues")
        parser.add_argument("--all", action="store_true", help="list everything that is missing")

    def handle(self, *args: Any, update: bool, **options: Any) -> None:
        """Fails while something is missing, unless it has just been collected."""
        messages = collect(Path(settings.BASE_DIR))
        missing = 0
        for language in (code for code, _name in settings.LANGUAGES if code != settings.LANGUAGE_CODE):
            if update:
                catalogue.update(language, messages)
            missing += self._report(language, messages, most=None if options["all"] else _SHOWN)
        if missing and not update:
            raise CommandError(f"{missing} to do; run manage.py translations --update and fill what is empty.")

    def _report(self, language: str, messages: Sequence[Message], *, most: int | None) -> int:
        entries = read(catalogue.source(language))
        whole = {(entry.context, entry.text, entry.plural) for entry in entries if entry.is_whole}
        left = [message for message in messages if (message.context, message.text, message.plural) not in whole]
        faults = list(catalogue.broken(entries))
        done = len(messages) - len(left)
        self.stdout.write(f"{language}: {done} of {len(messages)} translated, {len(faults)} broken")
        for line in [*faults, *(f"{message.files[0]}: {message.text!r}" for message in left)][:most]:
            self.stdout.write(f"  {line}")
        return len(left) + len(faults)
