"""What people see while the database is away: one sentence at once, instead of a wait that ends in an error.

The first request that misses it waits for the pool (`config.asgi`) and notes that; from then on each request looks
first whether anything listens there, which takes a fraction of a millisecond, until something does.
"""

import socket
import sys
from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import translation
from django.utils.translation import gettext as _

_PROBES: Final = ("/healthz", "/readyz")  # they say it their own way
_LOOK_S: Final = 0.3
_READING: Final = ("GET", "HEAD")


class _Known:
    is_away = False


class DatabaseAway:
    """Answer for the database while it is known to be away."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if _Known.is_away and request.path not in _PROBES:
            if not _listens():
                return answer(request)
            _Known.is_away = False
        return self.get_response(request)


def is_outage() -> bool:
    """Whether the error that is being handled is the database's absence; if so, that is remembered."""
    found = isinstance(sys.exception(), OperationalError | InterfaceError)
    _Known.is_away = _Known.is_away or found
    return found


def answer(request: HttpRequest) -> HttpResponse:
    """A page that looks again by itself; for programs, what the API says."""
    if request.path.startswith("/api/"):
        problem = {"code": "unavailable", "message": "The database does not answer in time", "facts": {}}
        response: HttpResponse = JsonResponse(
            {"error": {**problem, "remedy": "send the same again in a moment"}}, status=503
        )
    else:
        # Comes before the middleware that chooses the language: the thread still has that of an earlier request.
        with translation.override(translation.get_language_from_request(request)):
            response = _page(request)
    response["Retry-After"] = "2"
    return response


def _page(request: HttpRequest) -> HttpResponse:
    is_reading = request.method in _READING
    said = _("This page comes by itself as soon as it does.")
    unsaid = _("Nothing was changed. Go back, where what you typed still stands, and send it again in a moment.")
    context = {
        "status": 503,
        "title": _("The database does not answer"),
        "text": said if is_reading else unsaid,
        "looks_again": is_reading,
    }
    return render(request, "error.html", context, status=503)


def _listens() -> bool:
    known = settings.DATABASES["default"]
    if not known["HOST"]:  # a socket in the file system: nothing to look at cheaply
        return True
    try:
        with socket.create_connection((known["HOST"], known["PORT"]), timeout=_LOOK_S):
            return True
    except OSError:
        return False
