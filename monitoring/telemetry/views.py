"""The page of what goes out where. For who may read the figures for Prometheus."""

from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from approvals import permissions
from monitoring.models import TallyCursor
from monitoring.telemetry import business, page

MOST_FIGURES = 50


@require_GET
def outlets(request: HttpRequest) -> HttpResponse:
    """Where what goes, how it is, and who fetches figures."""
    assert isinstance(request.user, User)  # LoginRequiredMiddleware lets nobody else in
    if not permissions.can(request.user, "see_metrics"):
        raise PermissionDenied(
            _("This page is for roles that may read the figures for Prometheus; an administrator can grant that.")
        )
    since = timezone.now() - timedelta(days=30)
    context = {
        "outlets": page.outlets(),
        "metrics": settings.METRICS,
        "asked_at": TallyCursor.objects.values_list("asked_at", flat=True).first(),
        "figures": business.sums(since=since)[:MOST_FIGURES],
        "share": settings.TRACES["share"],
        "trace_url": settings.TRACE_URL,
        "form": settings.SIEM_FORMAT,
    }
    return render(request, "monitoring/outlets.html", context)
