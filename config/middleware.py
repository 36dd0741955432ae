"""Shared web behaviour: static files, caches, foreign sites, partial requests, live pages and the user's time zone."""

import zoneinfo
from collections.abc import Callable
from contextlib import nullcontext

from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import StaticFile

from config import pages
from orchestrator import ledger

_READING = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_OTHER_SITES = frozenset({"cross-site", "same-site"})


class StaticFiles(WhiteNoiseMiddleware):  # type: ignore[misc]  # whitenoise has no types
    """WhiteNoise, answering in one piece: under ASGI a streamed file is read chunk by chunk through a thread."""

    @staticmethod
    def serve(static_file: StaticFile, request: HttpRequest) -> HttpResponse:
        """The file with WhiteNoise's own headers. Ours are small: the largest is a font of 85 kB."""
        found = static_file.get_response(request.method, request.META)
        with found.file or nullcontext() as file:
            response = HttpResponse(file.read() if file else b"", status=int(found.status))
        del response["content-type"]
        for name, value in found.headers:
            response[name] = value
        return response


class NoStore:
    """Keep what one person sees out of every cache: a shared one's, and the browser's own after signing out."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response


class FetchSite:
    """Refuse what another site's page makes a browser send: a second lock beside the CSRF token.

    Browsers say where a request comes from, and no page can change what they say; programs say nothing.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method not in _READING and request.headers.get("Sec-Fetch-Site") in _OTHER_SITES:
            raise PermissionDenied(_("Another site sent this in your name; nothing was changed."))
        return self.get_response(request)


class NoNul:
    """Refuse NUL in addresses and forms of pages: the database takes none. The API says so itself."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path.startswith("/api/") and self._has_nul(request):
            raise BadRequest("The address or the form holds a NUL character; take it out and send it again.")
        return self.get_response(request)

    def _has_nul(self, request: HttpRequest) -> bool:
        is_form = request.content_type == "application/x-www-form-urlencoded"
        return "\0" in request.path or "%00" in request.META["QUERY_STRING"] or (is_form and b"%00" in request.body)


class FormsOnly:
    """A page of ours where a browser would show an empty one: an address that takes forms alone was opened."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        is_page = request.method == "GET" and not request.path.startswith("/api/")
        if response.status_code != 405 or not is_page or "text/html" not in request.headers.get("Accept", ""):
            return response
        page = pages.forms_only(request)
        page["Allow"] = response["Allow"]
        return page


class PartialRequests:
    """Set `request.wants_partial` and `Vary: HX-Request`.

    A page's region is wanted only by an htmx request that swaps one: not when it is boosted, restores history or
    replaces the whole page.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        headers = request.headers
        whole = (
            headers.get("HX-Boosted")
            or headers.get("HX-History-Restore-Request")
            or headers.get("HX-Request-Type") == "full"
        )
        request.wants_partial = headers.get("HX-Request") == "true" and not whole  # type: ignore[attr-defined]
        response = self.get_response(request)
        patch_vary_headers(response, ["HX-Request"])
        return response


class LivePosition:
    """Set `request.live_pos` on whole pages: the last sealed event before the view asks for anything.

    What is newer than that the page may lack; its regions are fetched again only then.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: object, args: object, kwargs: object) -> None:
        """Read the position, where a page can come of it."""
        is_page = request.method == "GET" and "text/html" in request.headers.get("Accept", "")
        if is_page and request.user.is_authenticated and "HX-Request" not in request.headers:
            request.live_pos = ledger.head()  # type: ignore[attr-defined]


class UserTimeZone:
    """Show times in the signed-in user's zone."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        zone = self._zone(request)
        if zone is None:
            return self.get_response(request)
        with timezone.override(zone):
            return self.get_response(request)

    @staticmethod
    def _zone(request: HttpRequest) -> zoneinfo.ZoneInfo | None:
        profile = getattr(request.user, "profile", None) if request.user.is_authenticated else None
        try:
            return zoneinfo.ZoneInfo(profile.time_zone) if profile else None
        except (zoneinfo.ZoneInfoNotFoundError, ValueError):
            return None
