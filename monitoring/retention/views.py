"""The page of legal holds. Whoever may see the trail sees them; placing and releasing needs the right to verify it."""

from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from approvals import permissions
from monitoring.models import LegalHold
from monitoring.retention import holds
from monitoring.retention.holds import HoldRefused

MOST: Final = 200


@require_GET
def shown(request: HttpRequest) -> HttpResponse:
    """The holds in force, and those that were released, the newest first."""
    return _page(request, _auditor(request, "see_audit"))


@require_POST
def place(request: HttpRequest) -> HttpResponse:
    """Keep what is recorded about some runs."""
    user = _auditor(request, "verify_audit")
    given = {name: request.POST.get(name, "") for name in ("what", "name", "reason")}
    try:
        holds.place(**given, by=user)
    except HoldRefused as refused:
        return _page(request, user, problem=str(refused), given=given)
    messages.success(request, _("It is kept from now on."))
    return redirect("monitoring:holds")


@require_POST
def release(request: HttpRequest, pk: int) -> HttpResponse:
    """Let what it kept go when its time is over."""
    user = _auditor(request, "verify_audit")
    if not LegalHold.objects.filter(pk=pk).exists():
        raise Http404
    try:
        holds.release(pk, reason=request.POST.get("reason", ""), by=user)
    except HoldRefused as refused:
        return _page(request, user, problem=str(refused))
    messages.success(request, _("It is no longer held."))
    return redirect("monitoring:holds")


def _page(request: HttpRequest, user: User, *, problem: str = "", given: dict[str, str] | None = None) -> HttpResponse:
    rows = LegalHold.objects.select_related("placed_by", "released_by").order_by("released_at", "-pk")[:MOST]
    context: dict[str, Any] = {
        "holds": sorted(rows, key=lambda hold: (hold.released_at is not None, -hold.pk)),
        "problem": problem,
    }
    context |= {"may_hold": permissions.can(user, "verify_audit"), "given": given or {}}
    return render(request, "monitoring/holds.html", context, status=422 if problem else 200)


def _auditor(request: HttpRequest, verb: str) -> User:
    assert isinstance(request.user, User)  # LoginRequiredMiddleware lets nobody else in
    if not permissions.can(request.user, "see_audit") or not permissions.can(request.user, verb):
        raise PermissionDenied(
            _("Holds are for roles that may verify the audit trail; an administrator can grant that.")
        )
    return request.user
