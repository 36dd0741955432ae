"""Addresses of signing in and of one's own account. The plain names are those that django-allauth asks for."""

from allauth.account import views as account
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as codes
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as webauthn
from allauth.socialaccount.providers.openid_connect import views as openid
from django.contrib.auth import views as auth
from django.urls import URLPattern, URLResolver, path
from django.views.decorators.http import require_GET, require_http_methods

from config.accounts import sign_in, views, wall

_reads_and_posts = require_http_methods(["GET", "HEAD", "POST"])
_sign_in = _reads_and_posts(sign_in.SignIn.as_view())

urlpatterns: list[URLPattern | URLResolver] = [
    path("sign-in/", _sign_in, name="sign-in"),
    path("sign-in/", _sign_in, name="account_login"),
    path("sign-in/code/", _reads_and_posts(mfa.authenticate), name="mfa_authenticate"),
    path("sign-in/passkey/", _reads_and_posts(webauthn.login_webauthn), name="mfa_login_webauthn"),
    path("sign-in/with/<slug:provider_id>/", _reads_and_posts(openid.login), name="openid_connect_login"),
    path("sign-in/with/<slug:provider_id>/back/", require_GET(openid.callback), name="openid_connect_callback"),
    path("sign-in/join/<str:secret>/", sign_in.join, name="join"),
    path("sign-in/forgotten/", _reads_and_posts(sign_in.Forgotten.as_view()), name="password_reset"),
    path("sign-in/forgotten/sent/", sign_in.ForgottenSent.as_view(), name="password_reset_done"),
    path(
        "sign-in/new-password/<uidb64>/<token>/",
        _reads_and_posts(sign_in.NewPassword.as_view()),
        name="password_reset_confirm",
    ),
    path("sign-out/", auth.LogoutView.as_view(), name="sign-out"),
    path("account/", views.security, name="mfa_index"),
    path("account/", views.security, name="mfa_list_webauthn"),
    path("account/app/", _reads_and_posts(totp.activate_totp), name="mfa_activate_totp"),
    path("account/app/remove/", _reads_and_posts(totp.deactivate_totp), name="mfa_deactivate_totp"),
    path("account/codes/", codes.view_recovery_codes, name="mfa_view_recovery_codes"),
    path("account/codes/new/", _reads_and_posts(codes.generate_recovery_codes), name="mfa_generate_recovery_codes"),
    path("account/keys/add/", _reads_and_posts(webauthn.add_webauthn), name="mfa_add_webauthn"),
    path("account/keys/<int:pk>/remove/", _reads_and_posts(webauthn.remove_webauthn), name="mfa_remove_webauthn"),
    path("account/confirm/", _reads_and_posts(account.reauthenticate), name="account_reauthenticate"),
    path("account/confirm/code/", _reads_and_posts(mfa.reauthenticate), name="mfa_reauthenticate"),
    path(
        "account/confirm/passkey/",
        _reads_and_posts(webauthn.reauthenticate_webauthn),
        name="mfa_reauthenticate_webauthn",
    ),
    path("account/confirm/again/", views.again, name="account-again"),
    path("account/confirm/again/go/", views.sign_in_anew, name="account-again-go"),
    path("account/password/", _reads_and_posts(views.ChangePassword.as_view()), name="password_change"),
    path("account/sessions/<int:pk>/end/", views.end_session, name="session-end"),
    path("account/sessions/end/", views.end_others, name="sessions-end"),
    path("account/tokens/", views.token_list, name="token-list"),
    path("account/tokens/make/", views.token_make, name="token-make"),
    path("account/tokens/<int:pk>/revoke/", views.token_revoke, name="token-revoke"),
    path("access/people/<int:pk>/view-as/", views.view_as_start, name="view-as"),
    path("account/view-as/end/", views.view_as_end, name="view-as-end"),
    path("account/wall/", wall.begin, name="wall"),
    path("account/wall/end/", wall.end, name="wall-end"),
]
