"""The notice centre, and the page on which a person says how they are told."""

import json
from datetime import time
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.dateparse import parse_time
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from approvals import permissions
from approvals.models import Queue
from approvals.notices import places, push, queries, services
from approvals.notices.models import ChannelKind, Pace
from approvals.notices.ways import RISKS
from approvals.views import user_of
from orchestrator.errors import OrchestratorError


@require_GET
def centre(request: HttpRequest) -> HttpResponse:
    """What this person was told, the newest first; `?all=1` with what was read or is over."""
    user = user_of(request)
    everything = request.GET.get("all") == "1"
    told, further = queries.page(user, everything=everything, before=_number(request.GET.get("before", "")))
    context = {"told": told, "further": further, "everything": everything, "unread": queries.unread(user)}
    part = "#list" if getattr(request, "wants_partial", False) else ""
    return render(request, f"approvals/notices.html{part}", context)


@require_POST
def read(request: HttpRequest) -> HttpResponse:
    """Mark some of one's own notices as read, or all."""
    ids = [_number(pk) for pk in request.POST.getlist("id")]
    services.mark_read(by=user_of(request), ids=ids or None)
    return redirect("approvals:notices")


@require_GET
def settings_page(request: HttpRequest) -> HttpResponse:
    """One's own channels and quiet hours, or the channels of a queue (`?queue=`)."""
    return render(request, "approvals/notice_settings.html", _settings(request, _queue(request)))


@require_POST
def add(request: HttpRequest) -> HttpResponse:
    """Open a channel."""
    queue = _queue(request)
    try:
        services.add_channel(
            by=user_of(request),
            kind=request.POST.get("kind", ""),
            address=request.POST.get("address", ""),
            queue=queue,
            **_choice(request),
        )
    except OrchestratorError as refusal:
        typed = {"address": request.POST.get("address", ""), "kind": request.POST.get("kind", "")}
        context = _settings(request, queue) | {"problem": str(refusal), "typed": typed}
        return render(request, "approvals/notice_settings.html", context, status=refusal.status)
    messages.success(request, _("The channel is open. Send a trial message to see that it arrives."))
    return _back(queue)


@require_POST
def change(request: HttpRequest, pk: int) -> HttpResponse:
    """Change when and how much a channel tells."""
    return _act(request, lambda: services.change_channel(by=user_of(request), channel_id=pk, **_choice(request)))


@require_POST
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Close a channel."""
    return _act(request, lambda: services.remove_channel(by=user_of(request), channel_id=pk))


@require_POST
def test(request: HttpRequest, pk: int) -> HttpResponse:
    """Send a trial message now."""
    try:
        problem = services.test_channel(by=user_of(request), channel_id=pk)
    except OrchestratorError as refusal:
        problem = str(refusal)
    if problem:
        messages.error(request, problem)
    else:
        messages.success(request, _("The trial message has left. Look whether it arrived."))
    return _back(_queue(request))


@require_POST
def subscribe(request: HttpRequest) -> HttpResponse:
    """A browser asks to be told: it hands in its address and its keys."""
    try:
        given = json.loads(request.POST.get("subscription", "")[: push.MOST])
        given = {**given, "label": push.label_of(request.headers.get("User-Agent", ""))}
    except (ValueError, TypeError):
        given = {}
    try:
        services.add_channel(by=user_of(request), kind=ChannelKind.PUSH, address=json.dumps(given), **_choice(request))
    except OrchestratorError as refusal:
        return HttpResponse(str(refusal), status=refusal.status, content_type="text/plain; charset=utf-8")
    messages.success(request, _("This browser is told from now on. Send a trial message to see that it arrives."))
    return HttpResponse(status=204)


@require_POST
def unsubscribe(request: HttpRequest) -> HttpResponse:
    """A browser asks to be told no more."""
    services.forget_browser(by=user_of(request), endpoint=request.POST.get("endpoint", "")[: push.MOST])
    return HttpResponse(status=204)


@require_POST
def hours(request: HttpRequest) -> HttpResponse:
    """Set quiet hours."""
    flags = {name: request.POST.get(name) == "on" for name in ("is_on", "weekends", "critical_passes")}
    clocks = {name: _clock(request.POST.get(name, "")) for name in ("starts", "ends", "digest_at")}
    return _act(request, lambda: services.set_quiet_hours(by=user_of(request), chosen={**clocks, **flags}))


def _act(request: HttpRequest, act: Any) -> HttpResponse:
    try:
        act()
    except OrchestratorError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("Kept."))
    return _back(_queue(request))


def _settings(request: HttpRequest, queue: Queue | None) -> dict[str, Any]:
    user = user_of(request)
    return {
        "queue": queue,
        "queues": Queue.objects.all() if permissions.can(user, "edit_queues") else (),
        "ways": queries.ways(queue=queue) if queue else queries.ways(owner=user),
        "hours": None if queue else queries.hours_of(user),
        "zone": user.profile.time_zone if hasattr(user, "profile") else "UTC",
        "has_mail": places.mail_is_configured(),
        "email": user.email,
        "risks": RISKS,
        "paces": Pace.choices,
        "kinds": [choice for choice in ChannelKind.choices if choice[0] != ChannelKind.PUSH],
        "push_key": "" if queue else push.public_key(),
    }


def _queue(request: HttpRequest) -> Queue | None:
    """The queue that the page is about; its channels belong to those who may edit queues."""
    name = request.POST.get("queue") or request.GET.get("queue")
    if not name:
        return None
    found = Queue.objects.filter(name=name).first()
    if found is None or not permissions.can(user_of(request), "edit_queues"):
        raise Http404
    return found


def _choice(request: HttpRequest) -> dict[str, Any]:
    return {
        "least_risk": request.POST.get("least_risk", "low"),
        "pace": request.POST.get("pace", Pace.AT_ONCE.value),
        "says_titles": request.POST.get("says_titles") == "on",
    }


def _back(queue: Queue | None) -> HttpResponse:
    query = f"?{urlencode({'queue': queue.name})}" if queue else ""
    return redirect(reverse("approvals:notice-settings") + query)


def _clock(text: str) -> time | None:
    try:
        return parse_time(text)
    except ValueError:
        return None


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
