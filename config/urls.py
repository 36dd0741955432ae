"""Every URL of the product, assembled from the apps."""

from django.contrib.auth import views as auth
from django.urls import URLPattern, URLResolver, include, path
from django.views.decorators.http import require_http_methods

from config import pages

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("monitoring.urls")),
    path("inbox/", include("approvals.urls")),
    path("", include("orchestrator.urls")),
    path("agents/", include("agents.urls")),
    path("", include("config.api.urls")),
    path("sign-in/", require_http_methods(["GET", "HEAD", "POST"])(pages.SignIn.as_view()), name="sign-in"),
    path("sign-out/", auth.LogoutView.as_view(), name="sign-out"),
    path("push-worker.js", pages.push_worker, name="push-worker"),
    path("styleguide/", pages.styleguide, name="styleguide"),
]

handler400 = "config.pages.bad_request"
handler403 = "config.pages.permission_denied"
handler404 = "config.pages.not_found"
handler500 = "config.pages.server_error"
