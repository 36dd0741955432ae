"""Addresses of keeping people able, and the guard that lets a check pass for a gate wherever gates are acted on."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, URLResolver, path
from django.utils.translation import gettext as _

from approvals.able import checks, views

urlpatterns: list[URLPattern] = [
    path("you/", views.own, name="own"),
    path("you/rested/", views.rested, name="rested"),
    path("here/", views.here, name="here"),
    path("looks/", views.second_looks, name="looks"),
    path("looks/<int:pk>/", views.second_look, name="look"),
    path("oversight/", views.oversight, name="oversight"),
    path("oversight/looks/<int:pk>/", views.rule, name="rule"),
    path("oversight/cases/<int:pk>/", views.case, name="gold-case"),
    path("oversight/promises/", views.promise, name="promise"),
    path("<int:pk>/first/", views.judge, name="first"),
    path("<int:pk>/activity/", views.activity, name="activity"),
]
# These know checks. With any other act on one, it ends as a gate does whose run has gone on.
_KNOWING: Final = frozenset("gate decide aftermath claim release comment draft presence first activity".split())


def guarded(patterns: list[URLPattern | URLResolver]) -> list[URLPattern | URLResolver]:
    """The same addresses; what is sent to one that knows no checks ends the check it is sent about."""
    for pattern in patterns:
        if isinstance(pattern, URLPattern) and _is_unknowing(pattern) and pattern.callback is not None:
            pattern.callback = _ending(pattern.callback)
    return patterns


def _is_unknowing(pattern: URLPattern) -> bool:
    return str(pattern.pattern).startswith("<int:pk>/") and str(pattern.name) not in _KNOWING


def _ending(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    @wraps(view)
    def instead(request: HttpRequest, pk: int, **kwargs: Any) -> HttpResponseBase:
        if request.method == "POST" and request.user.is_authenticated and checks.withdraw(pk, request.user):
            return _gone(request)
        return view(request, pk=pk, **kwargs)

    return instead


def _gone(request: HttpRequest) -> HttpResponse:
    messages.error(request, _("It was withdrawn meanwhile: its run has gone on without it."))
    if getattr(request, "wants_partial", False):
        return HttpResponse(status=204, headers={"HX-Redirect": "/inbox/"})
    return redirect("approvals:inbox")
