"""`manage.py rotate_keys`: a new data key in front, and what may change sealed with it anew."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from agents.errors import SealBroken
from agents.guardrails import keyring, sealing
from agents.models import MemoryItem

BATCH = 500


class Command(BaseCommand):
    help = "Make a new data key, and seal what agents remember with it; older keys stay, to open what never changes."

    def handle(self, *args: Any, **options: Any) -> None:
        """Add a key where the data folder keeps them; with DATA_KEYS, only seal anew with the newest of those."""
        try:
            count = keyring.add_key()
            self.stdout.write(f"A new data key is in front; there are {count}. Restart web and workers to use it.")
        except RuntimeError as problem:
            self.stdout.write(str(problem))
        try:
            done = self._reseal()
        except SealBroken as broken:
            raise CommandError(f"{broken} Put the key that made it behind the others, and run this again.") from broken
        self.stdout.write(f"{done:,} memories are sealed with the newest key.")

    def _reseal(self) -> int:
        done, last = 0, 0
        sealed = MemoryItem.objects.filter(text__startswith=sealing.PREFIX).order_by("pk")
        while rows := list(sealed.filter(pk__gt=last)[:BATCH]):
            for row in rows:
                row.text = sealing.reseal(row.text)
            done += MemoryItem.objects.bulk_update(rows, ["text"])
            last = rows[-1].pk
        return done
