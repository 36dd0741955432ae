"""Addresses of the API, its documentation and the probes."""

from django.contrib.auth.decorators import login_not_required
from django.urls import URLPattern, URLResolver, path

from config.api.assembly import api, in_one_shape, nowhere
from config.api.docs import docs
from config.api.health import healthz, readyz
from config.api.metrics import metrics

# The API answers 401 itself, where the sign-in middleware would redirect to a page.
_routes, _, _namespace = api.urls
for _route in _routes:
    if isinstance(_route, URLPattern):
        _route.callback = login_not_required(in_one_shape(_route.callback))

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/docs", docs, name="api-docs"),
    path("api/v1/", (_routes, "ninja", _namespace)),
    path("api/v1/<path:path>", nowhere),
    path("metrics", metrics, name="prometheus"),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
]
