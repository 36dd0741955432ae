"""When a session was last at work, kept to some minutes: what the list of one's sessions says."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from allauth.usersessions.models import UserSession
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

EVERY: Final = 300.0  # seconds
MOST: Final = 10_000  # sessions that are remembered here; those forgotten are written once more
_noted: OrderedDict[str, float] = OrderedDict()


class LastSeen:
    """Write it at most every few minutes for each session, by each web process."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        key = request.session.session_key
        if key and request.session.accessed and request.user.is_authenticated and _is_due(key):
            UserSession.objects.filter(session_key=key).update(last_seen_at=timezone.now())
        return response


def _is_due(key: str) -> bool:
    now = time.monotonic()
    if now - _noted.get(key, -EVERY) < EVERY:
        return False
    _noted[key] = now
    _noted.move_to_end(key)
    if len(_noted) > MOST:
        _noted.popitem(last=False)
    return True
