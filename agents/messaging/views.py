"""The pages of messages: the list and a thread, dead letters, who listens to what, bridges. Rights first, then rows."""

from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

import orjson
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from agents.messaging import queries
from agents.messaging.queries import Search
from agents.models import Agent, Subscription
from agents.rights import rights
from agents.types import Json

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
_SHORT: Final = 16  # digits fewer than this are a number that JSON carries safely


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """One of the four views."""
    _require(request.user, "see_messages")
    if request.GET.get("part") == "figures":
        return render(request, "agents/messages.html#figures", {"figures": queries.figures()})
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
    replay = _act("replay-messages", correlation_id=given["correlation_id"]) if given["correlation_id"] else ""
    page = {"rows": rows[: queries.PAGE], "older": older, "replay": replay}
    return {**page, "search": given, "is_search": any(given.values())}


def _dead(request: HttpRequest) -> dict[str, Any]:
    return {"rows": queries.dead()}


def _routing(request: HttpRequest) -> dict[str, Any]:
    rules = [(row, _acts_on(row)) for row in queries.subscriptions()]
    return {"rows": rules, "agents": Agent.objects.values_list("name", flat=True)[:1000]}


def _acts_on(row: Subscription) -> dict[str, str]:
    """What may be done about a rule: name of the act -> its address."""
    rule: dict[str, Json] = {"agent": row.agent.name, "topic": row.topic, **({"match": row.match} if row.match else {})}
    return {
        "switch": _act("pause-listening" if row.enabled else "resume-listening", **rule),
        "remove": _act("unlisten", **rule),
    }


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
    partial = "#page" if getattr(request, "wants_partial", False) else ""
    return render(request, "agents/message.html" + partial, context)


@require_POST
def choose(request: HttpRequest) -> HttpResponse:
    """Go on to the act on the chosen dead letters, which says what it would do and asks why."""
    _manager(request)
    ids: list[Json] = [
        int(text) for text in request.POST.getlist("delivery")[:500] if text.isdecimal() and len(text) < 19
    ]
    if not ids:
        return _page(request, "dead", {"problem": _("Choose at least one dead letter.")}, status=422)
    return redirect(_act("drop-letters" if "drop" in request.POST else "requeue-letters", deliveries=ids))


@require_POST
def listen(request: HttpRequest) -> HttpResponse:
    """Go on to the act that makes a rule, as it was filled in."""
    _manager(request)
    given = {name: request.POST.get(name, "").strip()[:2000] for name in ("agent", "topic", "match")}
    return redirect(_act("listen", **{name: text for name, text in given.items() if text}))


def _act(name: str, **answers: Json) -> str:
    """The address of an act on messages, filled in."""
    address = reverse("orchestrator:act", args=["everything", "all", name])
    return f"{address}?{urlencode({'answers': orjson.dumps(answers).decode()})}"


def _manager(request: HttpRequest) -> User:
    _require(request.user, "manage_messages")
    assert isinstance(request.user, User)
    return request.user


def _require(user: User | AnonymousUser, verb: str) -> None:
    if not rights().can(user, verb):
        raise PermissionDenied(_("Your roles do not open messages. An administrator can change that."))
