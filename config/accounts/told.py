"""Second factors that come and go, as events: the places where we listen to django-allauth's signals."""

from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added, authenticator_removed, authenticator_reset
from django.contrib.auth.models import User
from django.http import HttpRequest

from config.accounts.second_factor import HAS
from orchestrator import events
from orchestrator.events import EventKind
from orchestrator.services import actor_of


def listen() -> None:
    """Connect once per process."""
    authenticator_added.connect(_added, dispatch_uid="config.accounts.told.added")
    authenticator_reset.connect(_added, dispatch_uid="config.accounts.told.reset")
    authenticator_removed.connect(_removed, dispatch_uid="config.accounts.told.removed")


def _added(*, user: User, authenticator: Authenticator, **_: Any) -> None:
    _record(user, f"second factor added: {authenticator.type}")


def _removed(*, request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:
    request.session.pop(HAS, None)
    _record(user, f"second factor removed: {authenticator.type}")


def _record(user: User, what: str) -> None:
    events.append(EventKind.ACCOUNT_SECURED, actor=actor_of(user), data={"user": user.username, "what": what})
