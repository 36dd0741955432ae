"""Step-up: whether whoever sits at this session has lately proved who they are, by signing in or since."""

import time
from typing import Any, Final

from allauth.account.signals import authentication_step_completed
from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.http import HttpRequest

KEY: Final = "proved_at"


def listen() -> None:
    """Connect once per process."""
    user_logged_in.connect(_signed_in, dispatch_uid="config.accounts.fresh.signed_in")
    authentication_step_completed.connect(_stepped, dispatch_uid="config.accounts.fresh.stepped")


def is_fresh(request: HttpRequest) -> bool:
    """Whether the last proof is at most STEP_UP_MINUTES old."""
    proved = request.session.get(KEY, 0)
    return isinstance(proved, int | float) and 0 <= time.time() - proved < settings.STEP_UP_SECONDS


def _signed_in(*, request: HttpRequest, **_: Any) -> None:
    request.session[KEY] = time.time()


def _stepped(*, request: HttpRequest, reauthenticated: bool = False, **_: Any) -> None:
    # A first factor alone proves nothing yet: signing in does, when it is complete.
    if reauthenticated:
        request.session[KEY] = time.time()
