"""Secrets that a store over the network keeps: fetched before a call needs them, and a new version told as an event."""

import asyncio
from collections.abc import Iterable

from django.db import connections, transaction

from agents import event_log
from agents.models import SecretVersion
from agents.tools import secrets
from agents.types import Json


async def load(names: Iterable[str]) -> None:
    """Fetch what is not fresh, in a thread. Raises Transient when a store does not answer."""
    wanted = list(names)
    if wanted and secrets.needs_loading(wanted):
        await asyncio.to_thread(_load, wanted)


def _load(names: list[str]) -> None:
    try:
        for name, found in secrets.load(names).items():
            if found.version:
                note(name, found.version)
    finally:
        connections.close_all()  # this thread is nobody's


@transaction.atomic
def note(name: str, version: str) -> None:
    """Remember which version a secret has; another one than before is told, by its name only."""
    row, made = SecretVersion.objects.select_for_update().get_or_create(name=name, defaults={"version": version[:100]})
    if made or row.version == version[:100]:
        return
    facts: dict[str, Json] = {"name": name, "version": version[:100], "before": row.version}
    row.version = version[:100]
    row.save()
    event_log.record("secret.rotated", actor="engine", data=facts)
