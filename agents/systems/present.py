"""What of each system is there: set up, in use, or only possible. Nothing outside is asked."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Literal

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from agents.models import Agent


@dataclass(frozen=True, slots=True)
class Here:
    """How it stands here: `used`, `ready` (nothing needs to be set), `unset` or `missing` (a library)."""

    state: Literal["used", "ready", "unset", "missing"]
    words: str | Promise


_READY, _SET = Here("ready", _("ready")), Here("used", _("set up"))
_LIBRARIES = {"mqtt": "aiomqtt", "redis": "redis", "nats": "nats", "kafka": "aiokafka"}


def always() -> Here:
    """It is part of every installation."""
    return _READY


def elsewhere() -> Here:
    """It runs outside, by something that is ready here."""
    return Here("ready", _("outside"))


def agents(kind: str) -> Callable[[], Here]:
    """How many agents are of this kind."""

    def look() -> Here:
        count = Agent.objects.filter(versions__kind=kind).distinct().count()
        return Here("used", ngettext("%d agent", "%d agents", count) % count) if count else _READY

    return look


def library(name: str) -> Callable[[], Here]:
    """Whether its library is installed."""
    return lambda: _READY if _is_installed(name) else Here("missing", _("library not installed"))


def bridge(kind: str) -> Callable[[], Here]:
    """Whether a bridge to such a bus is set."""

    def look() -> Here:
        if any(url.startswith(f"{kind}://") for url in settings.MESSAGE_BRIDGES):
            return _SET
        return _unset("MESSAGE_BRIDGES") if _is_installed(_LIBRARIES[kind]) else library(_LIBRARIES[kind])()

    return look


def store(name: str) -> Callable[[], Here]:
    """Whether secrets are looked for there."""
    return lambda: _SET if name in os.environ.get("SECRET_STORES", "").split(",") else _unset("SECRET_STORES")


def variable(name: str) -> Callable[[], Here]:
    """Whether an environment variable is set."""
    return lambda: _SET if os.environ.get(name) else _unset(name)


def setting(name: str) -> Callable[[], Here]:
    """Whether a setting has a value."""
    return lambda: _SET if getattr(settings, name) else _unset(name)


def mail() -> Here:
    """Whether there is a mail server."""
    return _SET if settings.HAS_MAIL_SERVER else _unset("EMAIL_URL")


def _unset(variable: str) -> Here:
    return Here("unset", variable)


@cache
def _is_installed(name: str) -> bool:
    return find_spec(name) is not None
