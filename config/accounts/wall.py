"""A session that is left on a wall: it shows the watch floor for weeks, and opens nothing else to whoever walks by.

It is still its owner's: it stands in the list of their sessions, where it is ended, and ends with their password and
their right to see the floor. Whoever touches the screen can only sign it out.
"""

from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from approvals import permissions
from orchestrator import events
from orchestrator.events import EventKind
from orchestrator.services import actor_of

KEY: Final = "on_wall"
_READING: Final = frozenset({"GET", "HEAD"})


class Wall:
    """Keep such a session to the floor and to the notices of the frame around it; mark its requests `on_wall`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SESSION_COOKIE_NAME not in request.COOKIES or KEY not in request.session:
            return self.get_response(request)
        if not request.user.is_authenticated:  # the password changed, or the account was closed
            return self.get_response(request)
        if not permissions.can_somewhere(request.user, "see_floor"):
            logout(request)
            return redirect("sign-in")
        request.on_wall = True  # type: ignore[attr-defined]
        floor, frame, end = reverse("monitoring:floor"), reverse("monitoring:shell"), reverse("wall-end")
        reads = request.method in _READING and request.path in (floor, frame)
        if reads or (request.method == "POST" and request.path == end):
            return self.get_response(request)
        if request.method in _READING and "HX-Request" not in request.headers:
            return redirect(floor)
        raise PermissionDenied(_("This screen only shows the watch floor. Sign it out to do anything else."))


@require_POST
def begin(request: HttpRequest) -> HttpResponse:
    """Turn this session into one of a wall."""
    user = request.user
    if not isinstance(user, User) or not permissions.can_somewhere(user, "see_floor"):
        raise PermissionDenied(_("Your roles do not show you the watch floor. An administrator can change that."))
    request.session[KEY] = True
    request.session.set_expiry(settings.WALL_DAYS * 86_400)
    request.session.save()
    events.append(EventKind.SESSION_ON_WALL, actor=actor_of(user), data={"user": user.pk, "days": settings.WALL_DAYS})
    return redirect("monitoring:floor")


@require_POST
def end(request: HttpRequest) -> HttpResponse:
    """Sign the screen out; it does not become its owner's session again."""
    logout(request)
    return redirect("sign-in")
