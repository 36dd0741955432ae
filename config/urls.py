"""Every URL of the product, assembled from the apps."""

from django.urls import URLPattern, URLResolver, include, path

from config import pages

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("monitoring.urls")),
    path("alerts/", include("monitoring.alerts.urls")),
    path("inbox/", include("approvals.urls")),
    path("feedback/", include("approvals.feedback.urls")),
    path("", include("orchestrator.urls")),
    path("agents/", include("agents.urls")),
    path("", include("config.api.urls")),
    path("access/", include("approvals.accounts.urls")),
    path("", include("config.accounts.urls")),
    path("push-worker.js", pages.push_worker, name="push-worker"),
    path("language/", pages.language, name="language"),
    path("styleguide/", pages.styleguide, name="styleguide"),
]

handler400 = "config.pages.bad_request"
handler403 = "config.pages.permission_denied"
handler404 = "config.pages.not_found"
handler429 = "config.pages.too_many"
handler500 = "config.pages.server_error"
