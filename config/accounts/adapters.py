"""What django-allauth asks of us: nobody signs up, step-up is ours, secrets are sealed, who a provider's person is."""

from functools import reduce
from operator import or_
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from django.contrib import messages
from django.contrib.auth.models import User
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from qrcode.image.svg import SvgPathImage
from qrcode.main import QRCode

from agents.guardrails import keyring
from config.accounts import fresh

BACKEND = "django.contrib.auth.backends.ModelBackend"


class Accounts(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    """Accounts are made by administrators; nobody makes their own."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Never."""
        return False

    def login(self, request: HttpRequest, user: User) -> None:
        """By the one backend that reads users back from sessions."""
        user.backend = BACKEND
        super().login(request, user)

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Unless they have proved lately who they are, by signing in or since."""
        return not fresh.is_fresh(context.request)

    def respond_user_inactive(self, request: HttpRequest, user: User) -> HttpResponse:
        """As a wrong password is answered."""
        messages.error(request, _("This account is closed; an administrator can open it again."))
        return HttpResponseRedirect(reverse("sign-in"))

    def is_ajax(self, request: HttpRequest) -> bool:
        """What our own script fetches; htmx wants pages."""
        return request.headers.get("Accept", "") == "application/json"


class SecondFactors(DefaultMFAAdapter):  # type: ignore[misc]
    """Secrets at rest are sealed like tagged data."""

    def encrypt(self, text: str) -> str:
        """The secret of an authenticator app, or the seed of recovery codes."""
        return keyring.current().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """The other way."""
        return bytes(keyring.decrypt(encrypted_text.encode())).decode()

    def build_totp_svg(self, url: str) -> str:
        """The code to scan as an element of the page: no image from elsewhere, no inline style."""
        code = QRCode(border=2)
        code.add_data(url)
        return str(code.make_image(image_factory=SvgPathImage).to_string(encoding="unicode"))

    def _get_site_name(self) -> str:
        return "Watchkeeper"


class Provider(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """Who signs in by the provider is whoever here has the address that it has verified; nobody else gets in."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Never."""
        return False

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Connect the provider's person with the one account of theirs, the first time."""
        if sociallogin.is_existing:
            return
        verified = [one.email for one in sociallogin.email_addresses if one.verified]
        theirs = reduce(or_, (Q(email__iexact=address) for address in verified if address), Q(pk__in=[]))
        found = list(User.objects.filter(theirs, is_active=True)[:2])
        if len(found) == 1:
            sociallogin.connect(request, found[0])
            return
        messages.error(
            request, _("Nobody here has the address that you signed in with; an administrator can make an account.")
        )
        raise ImmediateHttpResponse(HttpResponseRedirect(reverse("sign-in")))

    def on_authentication_error(self, request: HttpRequest, provider: Any, **_: Any) -> None:
        """Say so at the sign-in page."""
        messages.error(request, _told(provider))
        raise ImmediateHttpResponse(HttpResponseRedirect(reverse("sign-in")))


def _told(provider: Any) -> str:
    name = getattr(getattr(provider, "app", None), "name", "") or "—"
    return _("Signing in with %(name)s did not work. Try again, or sign in with your password.") % {"name": name}
