"""“Nobody in this role works without a second factor”: whoever has none is led to set one up, and does nothing else."""

from collections.abc import Callable
from typing import Final

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from approvals import permissions

HAS: Final = "has_second_factor"
_OPEN: Final = ("/account/", "/sign-", "/static/", "/healthz")
_COUNTS: Final = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


class SecondFactor:
    """Hold whoever lacks a factor that one of their roles asks for. Tokens are made by people who have one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not is_missing(request):
            return self.get_response(request)
        words = _("One of your roles asks for a second factor; set one up first.")
        if request.path.startswith("/api/"):
            return JsonResponse({"code": "second_factor_needed", "message": words}, status=403)
        return HttpResponseRedirect(f"{reverse('mfa_index')}?needed=1")


def is_missing(request: HttpRequest) -> bool:
    """Whether this signed-in person lacks what one of their roles asks for."""
    if request.path.startswith(_OPEN) or settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return False
    user = request.user
    if not isinstance(user, User):
        return False
    if not permissions.rights_of(user).needs_mfa or request.session.get(HAS) == user.pk:
        return False
    if not Authenticator.objects.filter(user=user, type__in=_COUNTS).exists():
        return True
    request.session[HAS] = user.pk
    return False
