"""What needs a fresh proof of who acts: critical gates, changes of access, tokens. One place for pages and the API."""

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.reauthentication import suspend_request
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import gettext as _

from approvals.models import Gate, Risk
from config.accounts import fresh
from orchestrator import acts
from orchestrator.errors import OrchestratorError

NAMED: Final = frozenset({"token-make", "access:link", "view-as", "approvals:import-answers"})
_KEPT: Final = frozenset({"orchestrator:act", "approvals:decide"})  # of what htmx sends
_WITH_FILE: Final = frozenset({"approvals:import-answers"})


class StepUp:
    """Ask for the password, a code or a passkey before what matters most, if the last proof is some minutes old.

    A form that was sent is kept and goes on by itself afterwards, an act's dialog and a card's verdict too. Other pages
    that htmx drives are asked for again. A bearer token proves itself each time, and what it may do was chosen when it
    was made.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: object, args: object, kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        """Answer instead of the view where a proof is missing. Pages that send files say so before."""
        if request.method == "GET" and _sends_file(request) and not fresh.is_fresh(request):
            request.proof_first = f"{_where(request)}?{urlencode({'next': request.path})}"  # type: ignore[attr-defined]
        if request.method != "POST" or not request.user.is_authenticated or _bears_token(request):
            return None
        if fresh.is_fresh(request) or not _matters(request, kwargs):
            return None
        return _ask(request)


def _bears_token(request: HttpRequest) -> bool:
    """Whether a token decides who asks: the API refuses a bad one. With any other header it is the session, as ever."""
    scheme = request.headers.get("Authorization", "").partition(" ")[0]
    return request.path.startswith("/api/") and scheme.lower() == "bearer"


def _matters(request: HttpRequest, kwargs: dict[str, Any]) -> bool:
    match = request.resolver_match
    if match is None or request.GET.get("preview"):
        return False
    named = match.view_name
    if named in NAMED:
        return True
    if named == "orchestrator:act":
        return _needs_fresh(str(kwargs.get("scope")), str(kwargs.get("name")))
    if named == "approvals:decide":
        return _is_critical(kwargs.get("pk"))
    return _matters_in_api(request.path, kwargs)


def _matters_in_api(path: str, kwargs: dict[str, Any]) -> bool:
    if not path.startswith("/api/v1/"):
        return False
    if path.endswith("/decisions") and "gate_id" in kwargs:
        return _is_critical(kwargs["gate_id"])
    if path in {"/api/v1/tokens", "/api/v1/answers"}:
        return True
    return path.startswith("/api/v1/everything/acts/") and _needs_fresh("everything", str(kwargs.get("act")))


def _needs_fresh(scope: str, name: str) -> bool:
    try:
        return acts.find(scope, name).needs_fresh
    except OrchestratorError:
        return False


def _is_critical(pk: object) -> bool:
    number = str(pk)
    if not number.isdecimal() or len(number) > 18:
        return False
    return Gate.objects.filter(pk=int(number), risk=Risk.CRITICAL).exists()


def _ask(request: HttpRequest) -> HttpResponse:
    where = _where(request)
    if request.path.startswith("/api/"):
        words = _("Prove first that it is you: open %(address)s, then send this again.") % {"address": where}
        return JsonResponse({"code": "step_up_needed", "message": words}, status=403)
    if request.headers.get("HX-Request") == "true":
        response = HttpResponse(status=204)
        response["HX-Redirect"] = _keep_form(request, where) or f"{where}?{urlencode({'next': _page_of(request)})}"
        return response
    answer: HttpResponse = suspend_request(request, where)
    return answer


def _keep_form(request: HttpRequest, where: str) -> str:
    """Keep an act or a verdict that htmx has sent, to go on as from a page; where to prove it. Empty for others."""
    if request.resolver_match is None or request.resolver_match.view_name not in _KEPT:
        return ""
    for name in [name for name in request.META if name.startswith("HTTP_HX_")]:
        del request.META[name]
    return str(suspend_request(request, where)["Location"])


def _sends_file(request: HttpRequest) -> bool:
    """A form that was sent is kept while somebody proves who they are, but not a file in it."""
    match = request.resolver_match
    return match is not None and match.view_name in _WITH_FILE and request.user.is_authenticated


def _where(request: HttpRequest) -> str:
    methods = get_adapter().get_reauthentication_methods(request.user)
    return str(methods[0]["url"] if methods else reverse("account-again"))


def _page_of(request: HttpRequest) -> str:
    """The page that the browser shows, as htmx says; our own start page if that is none of ours."""
    at = request.headers.get("HX-Current-URL", "")
    if not url_has_allowed_host_and_scheme(at, {request.get_host()}, require_https=request.is_secure()):
        return "/"
    parts = urlsplit(at)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
