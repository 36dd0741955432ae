"""Upkeep: targets and canaries held against what agents did, and old minutes forgotten."""

from datetime import timedelta
from typing import Final

import structlog
from django.utils import timezone

from agents.lifecycle import canaries, targets
from agents.models import VersionMinute

log = structlog.get_logger(__name__)
KEPT: Final = timedelta(days=8)  # a day longer than the longest window of a target


def watch() -> None:
    """Canaries first: what does harm is taken out before anything is counted."""
    rolled_back, opened = canaries.watch(), targets.watch()
    VersionMinute.objects.filter(minute__lt=timezone.now() - KEPT).delete()
    if rolled_back or opened:
        log.info("agents_watched", rolled_back=rolled_back, opened=opened)
