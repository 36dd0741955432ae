"""The accessibility report: what tests hold by themselves, rounds with people, and what is still to be mended."""

from datetime import date

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from approvals.feedback import usability
from approvals.feedback.models import UsabilityFinding
from approvals.feedback.views import carried_out, seen_by_watchers
from approvals.views import user_of


@require_GET
@seen_by_watchers
def report(request: HttpRequest) -> HttpResponse:
    """Everything that is known about how usable this is, and to whom."""
    context = {
        "rounds": usability.rounds(), "waiting": usability.open_findings(),
        "may_record": usability.may_record(user_of(request)), "severities": UsabilityFinding.Severity,
    }  # fmt: skip
    return render(request, "approvals/feedback/usability.html", context)


@require_POST
@seen_by_watchers
def record(request: HttpRequest) -> HttpResponse:
    """Write a round down."""
    posted = request.POST
    held = usability.Held(
        title=posted.get("title", ""), held_on=_day(posted.get("held_on", "")), method=posted.get("method", ""),
        groups=tuple(posted.get("groups", "").splitlines()), people=_number(posted.get("people", "")),
        tries=_number(posted.get("tries", "")), done=_number(posted.get("done", "")),
    )  # fmt: skip
    return _done(request, lambda: usability.record(held, by=user_of(request)), _("The round is on record."))


@require_POST
@seen_by_watchers
def find(request: HttpRequest, pk: int) -> HttpResponse:
    """Add what a round found."""
    posted = request.POST
    return _done(
        request,
        lambda: usability.find(
            round_id=pk, text=posted.get("text", ""), severity=posted.get("severity", ""),
            criterion=posted.get("criterion", ""), by=user_of(request),
        ),
        _("The finding is on record, and open."),
    )  # fmt: skip


@require_POST
@seen_by_watchers
def close(request: HttpRequest, pk: int) -> HttpResponse:
    """Say how a finding was mended."""
    remedy = request.POST.get("remedy", "")
    return _done(request, lambda: usability.close(finding_id=pk, remedy=remedy, by=user_of(request)), _("Closed."))


def _done(request: HttpRequest, act: object, said: str) -> HttpResponse:
    return carried_out(request, act, said=said, back=reverse("feedback:usability"))  # type: ignore[arg-type]


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
