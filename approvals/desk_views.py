"""Around the card: putting it aside, saved views, a stretch of time for cards, look-alikes together, one's own keys."""

import time
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from approvals import batches, desk, key_map, permissions, queries, saved_views, snoozing
from approvals.errors import BatchRefused
from approvals.views import back_to, new_key, user_of
from orchestrator.errors import OrchestratorError

_SPANS: Final = {"15m": timedelta(minutes=15), "1h": timedelta(hours=1), "4h": timedelta(hours=4)}
_MORNING: Final = 9  # o'clock
_LONGEST_SITTING: Final = 480  # minutes


@require_POST
def snooze(request: HttpRequest, pk: int) -> HttpResponse:
    """Put a card aside; the list opens."""
    user = user_of(request)
    queries.get_visible_gate_or_404(user, pk)
    span = request.POST.get("for", "")
    try:
        snoozing.snooze(gate_id=pk, by=user, until=_until(span), on_news=span == "news")
    except OrchestratorError as refusal:
        return back_to(request, pk, problem=str(refusal))
    messages.success(request, _("Put aside. It comes back by itself."))
    return redirect(reverse("approvals:inbox") + desk.Wanted.of(request.GET).query)


@require_POST
def wake(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a card up again."""
    user = user_of(request)
    queries.get_visible_gate_or_404(user, pk)
    snoozing.wake(gate_id=pk, by=user)
    return back_to(request, pk)


@require_POST
def keep_view(request: HttpRequest) -> HttpResponse:
    """Keep the inbox that is open under a name."""
    user, given = _reader(request), request.POST
    try:
        kept = saved_views.keep(
            by=user, name=given.get("name", ""), query=given.get("query", ""), shared=given.get("shared") == "1"
        )
    except OrchestratorError as refusal:
        messages.error(request, str(refusal))
        return redirect("approvals:inbox")
    return redirect(reverse("approvals:inbox") + (f"?{kept.query}" if kept.query else ""))


@require_POST
def remove_view(request: HttpRequest, pk: int) -> HttpResponse:
    """Remove one's own view."""
    if not saved_views.remove(by=_reader(request), pk=pk):
        raise Http404
    return redirect("approvals:inbox")


@require_GET
def sit(request: HttpRequest) -> HttpResponse:
    """Somebody has so many minutes: the inbox with the cards that fit."""
    _reader(request)
    given = request.GET.get("minutes", "")
    minutes = int(given) if given.isascii() and given.isdigit() and len(given) < 4 else 0
    if not 0 < minutes <= _LONGEST_SITTING:
        messages.error(request, _("Say how many minutes you have, up to 480."))
        return redirect("approvals:inbox")
    return redirect(f"{reverse('approvals:inbox')}?{urlencode({'till': int(time.time()) + 60 * minutes})}")


@require_http_methods(["GET", "POST"])
def batch(request: HttpRequest, pk: int) -> HttpResponse:
    """Cards that look like this one; on POST, one verdict for those that were ticked, each a decision of its own."""
    user = user_of(request)
    gate = queries.get_visible_gate_or_404(user, pk)
    result, problem = None, ""
    if request.method == "POST":
        try:
            result = batches.decide(first=gate, by=user, sent=_sent(request))
        except BatchRefused as refusal:
            problem = str(refusal)
    if result and result.decided and not result.refused:
        n = len(result.decided)
        messages.success(request, ngettext("%(n)d card decided.", "%(n)d cards decided.", n) % {"n": n})
        return redirect("approvals:inbox")
    found = None
    try:
        found = batches.alike(gate, user)
    except BatchRefused as refusal:
        problem = problem or str(refusal)
    context = {"batch": found, "gate": gate, "problem": problem, "result": result, "key": new_key()}
    status = 422 if problem and request.method == "POST" else 200
    return render(request, "approvals/batch.html", context, status=status)


@require_http_methods(["GET", "POST"])
def keys(request: HttpRequest) -> HttpResponse:
    """One's own keys."""
    user = _reader(request)
    if request.method == "GET":
        return render(request, "approvals/keys.html", {"lines": key_map.lines(user)})
    reset = "reset" in request.POST
    given = {usual: usual if reset else request.POST.get(f"key.{usual}", "") for usual in key_map.USUAL}
    try:
        key_map.keep(by=user, given=given)
    except OrchestratorError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("Your keys are kept."))
    return redirect("approvals:keys")


def _reader(request: HttpRequest) -> User:
    user = user_of(request)
    if not permissions.can_somewhere(user, "see_gate"):
        raise PermissionDenied(_("Your roles show you no gates. An administrator can change that."))
    return user


def _sent(request: HttpRequest) -> batches.Sent:
    seen: dict[int, int] = {}
    for said in request.POST.getlist("gate")[: batches.MOST]:
        pk, _colon, version = said.partition(":")
        if pk.isdecimal() and version.isdecimal() and len(said) < 30:
            seen[int(pk)] = int(version)
    given = request.POST
    return batches.Sent(seen, given.get("verdict", ""), given.get("note", ""), given.get("key", "")[:150])


def _until(span: str) -> datetime:
    """When to bring a card back, by the clock of whoever asks."""
    now = timezone.localtime()
    if span in _SPANS:
        return now + _SPANS[span]
    if span == "news":
        return now + snoozing.LONGEST
    return (now + timedelta(days=1)).replace(hour=_MORNING, minute=0, second=0, microsecond=0)
