"""What was said in models' calls that wait for people: kept sealed, bounded, and until their tasks end.

What tokens stand for in calls that agents elsewhere answer later is kept the same way (`guarding`).

A call of a tool that people have to approve ends the attempt. The next attempt goes on from the messages kept here, so
that the approved call is made with the approved arguments, and the model is not asked again for what it has said.
"""

import zlib
from collections.abc import Collection
from typing import Any, Final

import orjson
import structlog

from agents.errors import SealBroken
from agents.guardrails import keyring
from agents.models import ModelHistory

log = structlog.get_logger(__name__)
MOST: Final = 512 * 1024  # bytes as JSON; one that is longer begins anew
SHORT: Final = 1  # zlib level: speed


def keep(key: str, agent: str, about: str, said: dict[str, Any]) -> bool:
    """Keep what was said so far under the data keys; False if it is too long to be kept."""
    body = orjson.dumps(said)
    if len(body) > MOST:
        log.warning("history_too_long", agent=agent, size=len(body))
        forget([key])
        return False
    sealed = keyring.current().encrypt(zlib.compress(body, SHORT)).decode()
    ModelHistory.objects.update_or_create(key=key, defaults={"agent": agent, "about": about, "body": sealed})
    return True


def load(key: str, agent: str, about: str) -> dict[str, Any] | None:
    """What was kept; None if nothing was, if it is about something else by now, or if no key here opens it."""
    found = ModelHistory.objects.filter(key=key, agent=agent, about=about).first()
    if found is None:
        return None
    try:
        said: dict[str, Any] = orjson.loads(zlib.decompress(keyring.decrypt(found.body.encode())))
    except SealBroken:
        return None
    return said


def forget(keys: Collection[str]) -> int:
    """Drop these; how many there were."""
    return ModelHistory.objects.filter(key__in=list(keys)).delete()[0]


def all_keys(limit: int = 5_000) -> list[str]:
    """Whose histories are kept, the oldest first."""
    return list(ModelHistory.objects.order_by("kept_at").values_list("key", flat=True)[:limit])
