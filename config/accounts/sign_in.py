"""Signing in: with a password, by a link that was made for oneself, and getting on after forgetting the password."""

from typing import Any
from urllib.parse import urlsplit

from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from allauth.socialaccount.adapter import get_adapter
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import password_validators_help_texts, validate_password
from django.contrib.auth.views import LoginView, PasswordResetConfirmView, PasswordResetDoneView, PasswordResetView
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from approvals.accounts import invitations
from approvals.errors import LinkInvalid
from config.api.limits import FAILURE, buckets
from orchestrator import events
from orchestrator.events import EventKind
from orchestrator.services import actor_of


class SignIn(LoginView):
    """Sign in; says where the demo's passwords are while they exist, never what they are."""

    template_name = "registration/sign_in.html"
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Go on to the second factor, if the account has one; else they are in."""
        login = Login(user=form.get_user(), redirect_url=self.get_success_url())
        answer: HttpResponse = perform_password_login(self.request, {}, login)
        return answer

    def get_context_data(self, **kwargs: object) -> dict[str, object]:
        """Which hint to show, and which other ways there are."""
        context: dict[str, object] = super().get_context_data(**kwargs)
        context["is_empty"] = not User.objects.exists()
        context["is_demo"] = (settings.DATA_DIR / "demo-passwords.json").exists()
        context["providers"] = [
            {"name": provider.app.name, "href": reverse("openid_connect_login", args=[provider.app.provider_id])}
            for provider in (get_adapter().list_providers(self.request) if settings.SOCIALACCOUNT_PROVIDERS else ())
        ]
        context["has_mail"] = settings.HAS_MAIL_SERVER
        return context


class Forgotten(PasswordResetView):
    """Ask for a mail with a link; what it answers says nothing about whether there is such an account."""

    template_name = "registration/forgotten.html"
    email_template_name = "registration/forgotten_mail.txt"
    subject_template_name = "registration/forgotten_subject.txt"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Whether there is a mail server at all."""
        return {**super().get_context_data(**kwargs), "has_mail": settings.HAS_MAIL_SERVER}

    def form_valid(self, form: Any) -> HttpResponse:
        """Send it, if there is a way; the answer is the same in any case. Mails are few for one caller."""
        caller = f"forgotten:{self.request.META.get('REMOTE_ADDR', '')}"
        if not settings.HAS_MAIL_SERVER or buckets.take(caller, FAILURE):
            return HttpResponseRedirect(self.get_success_url())
        parts = urlsplit(settings.PUBLIC_URL)
        form.save(
            domain_override=parts.netloc,
            use_https=parts.scheme == "https",
            from_email=settings.DEFAULT_FROM_EMAIL,
            subject_template_name=self.subject_template_name,
            email_template_name=self.email_template_name,
            request=self.request,
        )
        return HttpResponseRedirect(self.get_success_url())


class ForgottenSent(PasswordResetDoneView):
    """What happens next."""

    template_name = "registration/forgotten_sent.html"


class NewPassword(PasswordResetConfirmView):
    """Set a new password by the mail's link: once, within an hour. Every session ends; nobody is signed in by it."""

    template_name = "registration/new_password.html"
    success_url = reverse_lazy("sign-in")

    def form_valid(self, form: Any) -> HttpResponse:
        """Say so, and leave an event."""
        answer = super().form_valid(form)
        facts = {"user": form.user.username, "what": "password reset by mail"}
        events.append(EventKind.ACCOUNT_SECURED, actor=actor_of(form.user), data=facts)
        messages.success(self.request, _("Your password is set. Sign in with it."))
        return answer


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest, secret: str) -> HttpResponse:
    """The page of an invitation's link. Opening it does nothing; sending its form sets the password, once."""
    if not invitations.is_shaped(secret):
        raise Http404
    context: dict[str, object] = {"help": password_validators_help_texts(), "username": ""}
    if request.method != "POST":
        return _join_page(request, context)
    caller = f"join:{request.META.get('REMOTE_ADDR', '')}"
    if buckets.take(caller, FAILURE, amount=0):
        return _join_page(request, {**context, "problem": _("Too many attempts; wait a minute and try again.")}, 429)
    context["username"] = request.POST.get("username", "")[:150]
    password = request.POST.get("password", "")[:1000]
    try:
        if password != request.POST.get("again", ""):
            raise ValidationError(_("The two passwords are not the same."))
        validate_password(password, User(username=str(context["username"])))
        invitations.accept(secret=secret, username=str(context["username"]), password=password)
    except ValidationError as problem:
        return _join_page(request, {**context, "problem": " ".join(problem.messages)}, 422)
    except LinkInvalid as problem:
        buckets.take(caller, FAILURE)
        return _join_page(request, {**context, "problem": str(problem)}, 404)
    messages.success(request, _("Your password is set. Sign in with it."))
    return HttpResponseRedirect(reverse("sign-in"))


def _join_page(request: HttpRequest, context: dict[str, object], status: int = 200) -> HttpResponse:
    response = render(request, "registration/join.html", context, status=status)
    response["Referrer-Policy"] = "no-referrer"  # the address must reach nobody else
    return response
