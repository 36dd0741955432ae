"""The event log, as far as this app writes to it: settings name it, because the log belongs to a layer above."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

from django.conf import settings

from agents.types import Json


def record(kind: str, *, actor: str, data: Mapping[str, Json]) -> None:
    """Append one fact in the caller's transaction."""
    _log().append(kind, actor=actor, data=data)


@cache
def _log() -> Any:
    return import_module(settings.EVENT_LOG)
