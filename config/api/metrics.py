"""`/metrics` for Prometheus: for a token whose owner may read it, or, if METRICS=loopback says so, for this machine."""

import ipaddress

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from approvals import permissions
from approvals.errors import TokenInvalid
from config.api.auth import Bearer, TooManyRequests
from orchestrator.api_errors import Forbidden

_bearer = Bearer()
_PROXIED = ("Forwarded", "X-Forwarded-For", "X-Real-IP")


@login_not_required
@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """What is counted and what stands, in Prometheus' words."""
    if settings.METRICS == "off":
        return _refused(404, "Figures for Prometheus are switched off; METRICS=token switches them on.")
    refusal = None if _is_near(request) else _refusal(request)
    if refusal is not None:
        return refusal
    from monitoring.telemetry import exposition  # noqa: PLC0415 - who is never asked need not load it

    return HttpResponse(exposition.text(), content_type=exposition.CONTENT_TYPE)


def _is_near(request: HttpRequest) -> bool:
    """Asked from this machine, and not on behalf of another one: a proxy's requests all come from near."""
    if settings.METRICS != "loopback" or any(name in request.headers for name in _PROXIED):
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def _refusal(request: HttpRequest) -> HttpResponse | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    try:
        user = _bearer.authenticate(request, token.strip()) if scheme.lower() == "bearer" else request.user
    except TokenInvalid as problem:
        return _refused(401, str(problem))
    except TooManyRequests as problem:
        response = _refused(429, str(problem))
        response["Retry-After"] = str(problem.facts["seconds"])
        return response
    except Forbidden as problem:
        return _refused(403, str(problem))
    if not isinstance(user, User):
        return _refused(401, "Send Authorization: Bearer wk_..., a token with the scope metrics.")
    if not permissions.can(user, "see_metrics"):
        return _refused(403, "Reading these figures needs the right see_metrics, and a token with the scope metrics.")
    return None


def _refused(status: int, words: str) -> HttpResponse:
    response = HttpResponse(f"{words}\n", status=status, content_type="text/plain; charset=utf-8")
    if status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="watchkeeper"'
    return response
