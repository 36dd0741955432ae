"""The pages of messages: the list and a thread, dead letters, who listens to what, bridges. Rights first, then rows."""

from typing import Any, Final
from uuid import UUID

from django.contrib import messages as notes
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_POST

from agents.messaging import operations, queries
from agents.messaging.errors import MessagingError
from agents.messaging.queries import Search
from agents.models import Agent
from agents.rights import rights

TABS: Final[dict[str, tuple[str, str | Promise]]] = {
    "messages": ("message-square", gettext_lazy("Messages")),
    "dead": ("octagon-alert", gettext_lazy("Dead letters")),
    "routing": ("route", gettext_lazy("Who listens")),
    "bridges": ("network", gettext_lazy("Bridges")),
}
STATES: Final[dict[str, str | Promise]] = {
    "queued": gettext_lazy("Queued"),
    "held": gettext_lazy("Being read"),
    "done": gettext_lazy("Read"),
    "dead": gettext_lazy("Dead letter"),
    "expired": gettext_lazy("Expired"),
}
_FIELDS: Final = ("correlation_id", "agent", "topic", "state")
_LONGEST_INT: Final = 18


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """One of the four views."""
    _require(request.user, "see_messages")
    tab = request.GET.get("tab", "messages")
    tab = tab if tab in TABS else "messages"
    return _page(request, tab, {})


def _page(request: HttpRequest, tab: str, more: dict[str, Any], *, status: int = 200) -> HttpResponse:
    context: dict[str, Any] = {
        "tabs": TABS,
        "tab": tab,
        "states": STATES,
        "figures": queries.figures(),
        "may_manage": rights().can(request.user, "manage_messages"),
        **_LOOK[tab](request),
        **more,
    }
    partial = getattr(request, "wants_partial", False)
    return render(request, "agents/messages.html" + ("#rows" if partial else ""), context, status=status)


def _messages(request: HttpRequest) -> dict[str, Any]:
    given = {name: request.GET.get(name, "").strip().replace("\0", "")[:200] for name in _FIELDS}
    if given["state"] not in STATES:
        given["state"] = ""
    before = request.GET.get("before", "")
    number = int(before) if before.isdecimal() and len(before) <= _LONGEST_INT else 0
    rows = queries.found(Search(**given, before=number), limit=queries.PAGE + 1)
    older = rows[queries.PAGE - 1].pk if len(rows) > queries.PAGE else None
    return {"rows": rows[: queries.PAGE], "older": older, "search": given, "is_search": any(given.values())}


def _dead(request: HttpRequest) -> dict[str, Any]:
    return {"rows": queries.dead()}


def _routing(request: HttpRequest) -> dict[str, Any]:
    return {"rows": queries.subscriptions(), "agents": Agent.objects.values_list("name", flat=True)[:1000]}


def _bridges(request: HttpRequest) -> dict[str, Any]:
    return {"rows": queries.bridges(), "heavy": queries.heavy_types()}


_LOOK: Final = {"messages": _messages, "dead": _dead, "routing": _routing, "bridges": _bridges}


@require_GET
def message(request: HttpRequest, uid: UUID) -> HttpResponse:
    """One message with its readers and its thread."""
    _require(request.user, "see_messages")
    row = queries.message_or_none(uid)
    if row is None:
        text = _("There is no such message; it may have been removed when its time was over.")
        return render(request, "error.html", {"status": 404, "title": _("No message"), "text": text}, status=404)
    context = {
        "message": row,
        "payload": queries.shown(row),
        "deliveries": queries.deliveries_of(row),
        "thread": queries.thread_of(row),
        "states": STATES,
        "may_manage": rights().can(request.user, "manage_messages"),
    }
    return render(request, "agents/message.html", context)


@require_POST
def requeue(request: HttpRequest) -> HttpResponse:
    """Put the chosen dead letters back, or give them up."""
    user = _manager(request)
    ids = [int(text) for text in request.POST.getlist("delivery")[:500] if text.isdecimal() and len(text) < 19]
    if not ids:
        return _page(request, "dead", {"problem": _("Choose at least one dead letter.")}, status=422)
    try:
        if "drop" in request.POST:
            for pk in ids:
                operations.drop(pk, by=user, reason=request.POST.get("reason", ""))
            text = ngettext("%(count)d dead letter was given up.", "%(count)d dead letters were given up.", len(ids))
        else:
            operations.requeue(ids, by=user, reason=request.POST.get("reason", ""))
            text = ngettext("%(count)d dead letter was put back.", "%(count)d dead letters were put back.", len(ids))
    except MessagingError as refusal:
        return _page(request, "dead", {"problem": str(refusal)}, status=refusal.status)
    notes.success(request, text % {"count": len(ids)})
    return _back("dead")


@require_POST
def replay(request: HttpRequest) -> HttpResponse:
    """Deliver a piece of work's messages again."""
    user = _manager(request)
    correlation = request.POST.get("correlation_id", "")[:200]
    to, reason = request.POST.get("to", "").strip()[:100], request.POST.get("reason", "")
    try:
        count = operations.replay(correlation, by=user, reason=reason, to=to)
    except MessagingError as refusal:
        return _page(request, "messages", {"problem": str(refusal)}, status=refusal.status)
    text = ngettext("%(count)d delivery was made again.", "%(count)d deliveries were made again.", count)
    notes.success(request, text % {"count": count})
    return _back("messages")


@require_POST
def subscribe(request: HttpRequest) -> HttpResponse:
    """Have an agent listen to a topic."""
    user = _manager(request)
    given = {name: request.POST.get(name, "").strip() for name in ("agent", "topic", "match")}
    try:
        operations.subscribe(given["agent"], given["topic"], match=given["match"], by=user)
    except MessagingError as refusal:
        return _page(request, "routing", {"problem": str(refusal), "typed": given}, status=refusal.status)
    notes.success(request, _("%(agent)s listens to %(topic)s from the next message on.") % given)
    return _back("routing")


@require_POST
def change(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Stop a subscription for a while, let it go on, or end it."""
    user = _manager(request)
    try:
        if verb == "remove":
            operations.unsubscribe(pk, by=user, reason=request.POST.get("reason", ""))
        else:
            operations.set_enabled(pk, enabled=verb == "enable", by=user)
    except MessagingError as refusal:
        return _page(request, "routing", {"problem": str(refusal)}, status=refusal.status)
    return _back("routing")


def _back(tab: str) -> HttpResponseRedirect:
    return redirect(f"{reverse('agents:messages')}?tab={tab}")


def _manager(request: HttpRequest) -> User:
    _require(request.user, "manage_messages")
    assert isinstance(request.user, User)
    return request.user


def _require(user: User | AnonymousUser, verb: str) -> None:
    if not rights().can(user, verb):
        raise PermissionDenied(_("Your roles do not open messages. An administrator can change that."))
