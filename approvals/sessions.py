"""Sign-ins and sign-outs as events: the one place where we listen to Django's signals, because Django owns the act."""

from typing import Any

from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out

from orchestrator import events, services
from orchestrator.events import EventKind


def listen() -> None:
    """Connect once per process."""
    user_logged_in.connect(_signed_in, dispatch_uid="approvals.signed_in")
    user_logged_out.connect(_signed_out, dispatch_uid="approvals.signed_out")


def _signed_in(*, user: User, **_: Any) -> None:
    events.append(EventKind.SESSION_SIGNED_IN, actor=services.actor_of(user), data={"user": user.pk})


def _signed_out(*, user: User | None, **_: Any) -> None:
    if user is not None:
        events.append(EventKind.SESSION_SIGNED_OUT, actor=services.actor_of(user), data={"user": user.pk})
