"""`manage.py rebuild_metrics`: make the rollups anew from the event log, beside the old ones, and put them in place."""

from typing import Any

from django.core.management.base import BaseCommand

from monitoring.metrics import folding


class Command(BaseCommand):
    help = "Make the figures of the analytics pages anew from the whole event log; pages show the old ones until then."

    def handle(self, *args: Any, **options: Any) -> None:
        folding.catch_up(seconds=600)
        pos = folding.rebuild(tell=self._tell)
        self.stdout.write(f"measured anew up to position {pos:,}")

    def _tell(self, pos: int, end: int) -> None:
        self.stdout.write(f"{pos:,} of {end:,}")
