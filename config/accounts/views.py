"""One's own account: second factors, sessions, tokens, the password. All of it is the signed-in person's alone."""

from datetime import timedelta
from typing import Any

from allauth.core.internal.sessionkit import get_session_user
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.models import User
from django.contrib.auth.views import PasswordChangeView
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse, reverse_lazy
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from agents.types import Json
from approvals import permissions, tokens
from approvals.models import ApiToken
from approvals.roles import SCOPES, VERBS
from config.accounts import devices, view_as
from orchestrator import events
from orchestrator.errors import OrchestratorError
from orchestrator.events import EventKind
from orchestrator.services import actor_of

PASSED = timedelta(days=90)  # what ended longer ago is not listed


class ChangePassword(PasswordChangeView):
    """A new password: every other session of the account ends with the old one."""

    template_name = "account/password.html"
    success_url = reverse_lazy("mfa_index")

    def form_valid(self, form: Any) -> HttpResponse:
        """Say so, and leave an event."""
        user = _user(self.request)
        answer = super().form_valid(form)
        facts = {"user": user.username, "what": "password changed"}
        events.append(EventKind.ACCOUNT_SECURED, actor=actor_of(user), data=facts)
        messages.success(self.request, _("Your password is changed; your other sessions have ended."))
        return answer


@require_GET
def security(request: HttpRequest) -> HttpResponse:
    """Second factors, passkeys and sessions."""
    user = _user(request)
    factors = list(Authenticator.objects.filter(user=user).order_by("created_at"))
    codes = next((one for one in factors if one.type == Authenticator.Type.RECOVERY_CODES), None)
    context = {
        "app": next((one for one in factors if one.type == Authenticator.Type.TOTP), None),
        "keys": [one for one in factors if one.type == Authenticator.Type.WEBAUTHN],
        "codes": codes,
        "codes_left": len(codes.wrap().get_unused_codes()) if codes else 0,
        "sessions": _sessions(request, user),
        "is_needed": permissions.rights_of(user).needs_mfa,
        "tokens": ApiToken.objects.filter(user=user, revoked_at=None, expires_at__gt=timezone.now()).count(),
        "has_password": user.has_usable_password(),
    }
    return render(request, "account/security.html", context)


@require_POST
def end_session(request: HttpRequest, pk: int) -> HttpResponse:
    """Sign out there: one of one's own sessions."""
    user = _user(request)
    found = UserSession.objects.filter(user=user, pk=pk).first()
    if found is None:
        raise Http404
    _end(user, [found])
    messages.success(request, _("Signed out there; it counts at once."))
    return HttpResponseRedirect(reverse("mfa_index"))


@require_POST
def end_others(request: HttpRequest) -> HttpResponse:
    """Sign out everywhere but here."""
    user = _user(request)
    _end(user, list(UserSession.objects.filter(user=user).exclude(session_key=request.session.session_key)))
    messages.success(request, _("Signed out everywhere but here."))
    return HttpResponseRedirect(reverse("mfa_index"))


@require_GET
def token_list(request: HttpRequest) -> HttpResponse:
    """One's own tokens."""
    return _tokens(request)


@never_cache
@require_POST
def token_make(request: HttpRequest) -> HttpResponse:
    """Make a token; its secret is on the page that answers, and nowhere else, ever."""
    user, form = _user(request), request.POST
    days = form.get("days", "")
    try:
        token, secret = tokens.create(
            user=user,
            name=form.get("name", "").strip() or _("Token"),
            scopes=form.getlist("scopes")[: len(SCOPES)],
            days=int(days) if days.isdecimal() and len(days) < 5 else 90,
            may_decide=form.get("may_decide") == "on",
        )
    except OrchestratorError as refused:
        return _tokens(request, problem=str(refused), status=422 if refused.status == 404 else refused.status)
    return _tokens(request, made=token, secret=secret)


@require_POST
def token_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """End one of one's own tokens for good."""
    try:
        tokens.revoke(token_id=pk, by=_user(request))
    except OrchestratorError as unknown:
        raise Http404 from unknown
    messages.success(request, _("The token is revoked; it counts at once."))
    return HttpResponseRedirect(reverse("token-list"))


@require_GET
def again(request: HttpRequest) -> HttpResponse:
    """For somebody whom we can ask for nothing here: sign in anew, with the provider."""
    return render(request, "account/again.html")


@require_POST
def sign_in_anew(request: HttpRequest) -> HttpResponse:
    """Sign out, on the way to signing in again."""
    logout(request)
    return HttpResponseRedirect(reverse("sign-in"))


@require_POST
def view_as_start(request: HttpRequest, pk: int) -> HttpResponse:
    """See the pages as somebody else does, for some minutes; nothing can be done that way."""
    own, seen = _user(request), User.objects.filter(pk=pk).first()
    if seen is None or not permissions.can(own, "manage_access"):
        raise Http404
    if why := view_as.why_not(own, seen):
        messages.error(request, why)
        return HttpResponseRedirect(reverse("access:person", args=[pk]))
    view_as.start(request, own, seen)
    return HttpResponseRedirect("/")


@require_POST
def view_as_end(request: HttpRequest) -> HttpResponse:
    """See one's own pages again."""
    view_as.stop(request, _user(request))
    return HttpResponseRedirect(reverse("access:people"))


def _tokens(request: HttpRequest, *, status: int = 200, **more: Any) -> HttpResponse:
    user = _user(request)
    rights = permissions.rights_of(user)
    mine = ApiToken.objects.filter(user=user).order_by("-id")
    since = timezone.now() - PASSED
    rows = [
        token for token in mine if token.expires_at > since and (token.revoked_at is None or token.revoked_at > since)
    ]
    scopes = [
        (name, [_(VERBS[verb]) for verb in VERBS if verb in opened and verb != "use_api"])
        for name, opened in SCOPES.items()
    ]
    context = {
        "tokens": rows,
        "scopes": scopes,
        "may_make": "use_api" in rights.everywhere,
        "now": timezone.now(),
        "spans": (7, 30, 90, tokens.MAX_DAYS),
        **more,
    }
    return render(request, "account/tokens.html", context, status=status)


def _sessions(request: HttpRequest, user: User) -> list[dict[str, Any]]:
    # A session that ended by itself, or by a new password, still has its line; looking at the list deletes nothing.
    found = [
        one for one in UserSession.objects.filter(user=user) if get_session_user(one._session_store(one.session_key))
    ]
    here = request.session.session_key
    rows = [{"row": one, "is_here": one.session_key == here, "device": devices.told(one.user_agent)} for one in found]
    return sorted(rows, key=lambda row: (not row["is_here"], -row["row"].last_seen_at.timestamp()))


def _end(user: User, sessions: list[UserSession]) -> None:
    for session in sessions:
        session.end()
    if sessions:
        facts: dict[str, Json] = {"user": user.username, "count": len(sessions)}
        events.append(EventKind.SESSION_ENDED, actor=actor_of(user), data=facts)


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
