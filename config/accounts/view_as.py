"""“View as”: an administrator sees the pages as somebody else does. Nothing can be done that way; all is on record.

The session stays the administrator's; only what a request sees as its user is replaced, for reads alone. It ends by
itself after some minutes, when the administrator loses the right, and when the other account gains grave rights.
"""

import time
from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from agents.types import Json
from approvals import duties, permissions
from orchestrator import events
from orchestrator.events import EventKind
from orchestrator.services import actor_of

KEY: Final = "view_as"
MINUTES: Final = 10
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_CLOSED: Final = (
    "/account/",
    "/access/",
    "/sign-",
    "/inbox/notices/settings/",
    "/api/v1/tokens",
)  # what is theirs alone, or ours


class ViewAs:
    """Replace the user of reading requests while a view lasts, and refuse all others."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SESSION_COOKIE_NAME not in request.COOKIES or KEY not in request.session:
            return self.get_response(request)
        own = request.user
        if not isinstance(own, User):
            return self.get_response(request)
        seen = _seen(request, own)
        if seen is None:
            stop(request, own)
            return self.get_response(request)
        if request.path == reverse("view-as-end"):
            return self.get_response(request)
        request.viewer = own  # type: ignore[attr-defined]
        request.view_minutes = _minutes_left(request)  # type: ignore[attr-defined]
        request.user = seen
        if request.method not in _READING:
            _refuse(own, seen, request)
        if request.path.startswith(_CLOSED):
            raise Http404
        return self.get_response(request)


def why_not(own: User, seen: User) -> str:
    """Why this administrator may not look as that person; empty if they may."""
    if not permissions.can(own, "manage_access"):
        return _("Your roles do not let you look as somebody else.")
    if not seen.is_active or duties.person_of(own) == duties.person_of(seen):
        return _("There is nobody to look as.")
    if seen.is_superuser or permissions.can(seen, "manage_access"):
        return _("Nobody looks as somebody who may change access.")
    return ""


def start(request: HttpRequest, own: User, seen: User) -> None:
    """Begin to look as somebody; the caller has asked `why_not`."""
    request.session[KEY] = {"user": seen.pk, "name": seen.username, "until": time.time() + MINUTES * 60}
    facts: dict[str, Json] = {"user": seen.username, "minutes": MINUTES}
    events.append(EventKind.SESSION_VIEWED_AS, actor=actor_of(own), data=facts)


def stop(request: HttpRequest, own: User) -> None:
    """See one's own pages again."""
    kept = request.session.pop(KEY, None)
    if kept is not None:
        events.append(EventKind.SESSION_VIEW_ENDED, actor=actor_of(own), data={"user": str(kept.get("name", ""))})


def _seen(request: HttpRequest, own: User) -> User | None:
    kept = request.session[KEY]
    if time.time() >= kept.get("until", 0):
        return None
    found = User.objects.filter(pk=kept.get("user"), is_active=True).first()
    return found if found is not None and not why_not(own, found) else None


def _minutes_left(request: HttpRequest) -> int:
    return max(1, round((float(request.session[KEY]["until"]) - time.time()) / 60))


def _refuse(own: User, seen: User, request: HttpRequest) -> None:
    facts = {"user": seen.username, "refused": f"{request.method} {request.path}"[:200]}
    events.append(EventKind.SESSION_VIEWED_AS, actor=actor_of(own), data=facts)
    raise PermissionDenied(_("You only look as %(name)s: nothing can be done this way.") % {"name": seen.username})
