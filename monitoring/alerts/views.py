"""Pages of alerts: what is open, one of them with its runbook, what was, silences. Acts are POSTs, and events."""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from monitoring.alerts import handling, oncall, queries, subjects, visibility
from monitoring.alerts import runbooks as books
from monitoring.alerts import silences as quiet
from monitoring.alerts.errors import AlertNotFound, SilenceNotFound
from monitoring.alerts.inputs import SCOPES
from monitoring.alerts.wording import written
from monitoring.models import Alert
from orchestrator.errors import OrchestratorError

HOURS: Final = (1, 4, 24, 168)  # of silences that the form offers

type View = Callable[..., HttpResponse]


def seen_by_watchers(view: View) -> View:
    """For whoever sees the floor."""

    @wraps(view)
    def wrapped(request: HttpRequest, **arguments: Any) -> HttpResponse:
        if not visibility.may_enter(user_of(request)):
            raise PermissionDenied(_("Alerts are for roles that may see the floor; an administrator can grant that."))
        return view(request, **arguments)

    return wrapped


def for_handlers(view: View) -> View:
    """For whoever may handle alerts, among those who see them."""

    @wraps(view)
    def wrapped(request: HttpRequest, **arguments: Any) -> HttpResponse:
        if "pk" in arguments and "silences" not in request.path:
            get_visible_or_404(request, arguments["pk"])
        if not handling.may_handle(user_of(request)):
            raise PermissionDenied(_("Your roles do not let you handle alerts. An administrator can change that."))
        return view(request, **arguments)

    return seen_by_watchers(wrapped)


def user_of(request: HttpRequest) -> User:
    """Who is signed in."""
    assert isinstance(request.user, User)  # LoginRequiredMiddleware lets nobody else in
    return request.user


def get_visible_or_404(request: HttpRequest, pk: int) -> Alert:
    """The alert, if this person may see it."""
    try:
        return handling.get(pk, user_of(request))
    except AlertNotFound as unknown:
        raise Http404 from unknown


@require_GET
@seen_by_watchers
def alerts(request: HttpRequest) -> HttpResponse:
    """What is open, what needs an answer first."""
    user = user_of(request)
    context = {
        "lines": queries.open_lines(user),
        "may_handle": handling.may_handle(user),
        "turn": oncall.current(timezone.now()),
    }
    partial = "#open" if getattr(request, "wants_partial", False) else ""
    return render(request, f"monitoring/alerts.html{partial}", context)


@require_GET
@seen_by_watchers
def history(request: HttpRequest) -> HttpResponse:
    """What keeps coming back, and what is over."""
    asked = request.GET
    before = asked.get("before", "")
    found, further = queries.closed(
        user_of(request),
        before=int(before) if before.isascii() and before.isdecimal() and len(before) < 19 else 0,
        rule=asked.get("rule", "")[:60],
        subject=asked.get("subject", "")[:100],
    )
    context = {
        "lines": found, "further": further, "chronic": queries.chronic(user_of(request)),
        "days": queries.CHRONIC_DAYS, "rule": asked.get("rule", ""), "subject": asked.get("subject", ""),
    }  # fmt: skip
    return render(request, "monitoring/alerts_history.html", context)


@require_GET
@seen_by_watchers
def alert(request: HttpRequest, pk: int) -> HttpResponse:
    """One alert: what is wrong, since when, who looks after it, and what to do."""
    return _shown(request, get_visible_or_404(request, pk))


@require_POST
@for_handlers
def acknowledge(request: HttpRequest, pk: int) -> HttpResponse:
    """Look after it."""
    return _done(
        request, pk, lambda user: handling.acknowledge(pk, by=user, note=request.POST.get("note", "")), _answered
    )  # fmt: skip


def _answered(alert: Alert) -> str:
    if alert.closed_at is not None:
        return _("What it told of is over: it is closed with your answer.")
    return _("You look after it now. Nobody else is told of it any more.")


@require_POST
@for_handlers
def assign(request: HttpRequest, pk: int) -> HttpResponse:
    """Hand it to somebody."""
    to = request.POST.get("to", "")[:150]
    words = _("Handed on; they are told.") if to else _("It is nobody's in particular now.")
    return _done(request, pk, lambda user: handling.assign(pk, by=user, to=to), words)


@require_POST
@for_handlers
def silence(request: HttpRequest, pk: int) -> HttpResponse:
    """Silence this alert, or all of its rule, for some hours."""
    found, asked = get_visible_or_404(request, pk), request.POST
    hours = asked.get("hours", "")
    end = timezone.now() + timedelta(hours=int(hours) if hours.isdecimal() and len(hours) < 5 else 0)
    subject = found.subject if asked.get("what", "this") == "this" else ""
    return _done(
        request, pk,
        lambda user: quiet.make(by=user, rule=found.rule, subject=subject, end=end, reason=asked.get("reason", "")),
        _("Silenced. It is still listed and counted, and people are told again when the time is over."),
    )  # fmt: skip


@require_POST
@for_handlers
def step(request: HttpRequest, pk: int, key: str) -> HttpResponse:
    """Do a step of its runbook."""
    found, asked = get_visible_or_404(request, pk), request.POST
    return _done(
        request, pk,
        lambda user: books.perform(
            found, key, by=user, reason=asked.get("reason", "")[:1000], digest=asked.get("digest", "")
        ),
        "",
    )  # fmt: skip


@require_GET
@seen_by_watchers
def silences(request: HttpRequest) -> HttpResponse:
    """The silences in force, and when each ends."""
    context = {"silences": quiet.in_force().order_by("until"), "may_handle": handling.may_handle(user_of(request))}
    return render(request, "monitoring/alerts_silences.html", context)


@require_POST
@for_handlers
def end_silence(request: HttpRequest, pk: int) -> HttpResponse:
    """Let people be told again."""
    try:
        quiet.end(pk, by=user_of(request))
    except SilenceNotFound as unknown:
        raise Http404 from unknown
    messages.success(request, _("Ended; people are told again."))
    return redirect("alerts:silences")


@require_GET
@seen_by_watchers
def runbooks(request: HttpRequest) -> HttpResponse:
    """Every runbook, and the game days on which they were rehearsed."""
    return render(request, "monitoring/alerts_runbooks.html", {"books": _books(), "days": queries.game_days()})


@require_GET
@seen_by_watchers
def runbook(request: HttpRequest, name: str) -> HttpResponse:
    """One runbook to read."""
    book = books.find(name)
    if book is None:
        raise Http404
    return render(request, "monitoring/alerts_runbook.html", {"book": _told(book)})


def _books() -> list[dict[str, Any]]:
    return [_told(book) for book in books.every().values()]


def _told(book: books.Runbook) -> dict[str, Any]:
    """A runbook in the reader's language."""
    return {
        "name": book.name, "title": books.said(book.title), "about": books.said(book.about),
        "steps": [
            {"title": books.said(one.title), "text": books.said(one.text), "is_act": one.act is not None}
            for one in book.steps
        ],
        "contacts": [{name: books.said(text) for name, text in one.items()} for one in book.contacts],
        "templates": [{name: books.said(text) for name, text in one.items()} for one in book.templates],
        "success": [books.said(text) for text in book.success],
    }  # fmt: skip


def _shown(request: HttpRequest, found: Alert, *, problem: str = "", status: int = 200) -> HttpResponse:
    user = user_of(request)
    may_handle = handling.may_handle(user)
    book = books.find(found.rule.runbook)
    steps = books.standing(found, user, may_handle=may_handle and found.closed_at is None)
    context = {
        "alert": found, "line": queries.line(found), "may_handle": may_handle, "problem": problem,
        "about": str(found.data.get("about", "")), "href": subjects.path(found),
        "numbers": _numbers(found), "drawn": queries.drawn(found), "is_gauge": queries.is_gauge(found),
        "people": handling.handlers(found) if may_handle else [], "hours": HOURS,
        "steps": steps, "done": sum(one.done is not None for one in steps),
        "book": _told(book) if book else None,
        "letters": [
            {"title": books.said(one["title"]), "text": books.filled(one["text"], found)} for one in book.templates
        ] if book else [],
    }  # fmt: skip
    partial = "#state" if getattr(request, "wants_partial", False) and not problem else ""
    return render(request, f"monitoring/alerts_alert.html{partial}", context, status=status)


def _numbers(found: Alert) -> list[dict[str, object]]:
    """The snapshot as a table: each number with its meaning; those that the condition looks at first."""
    inputs, values = SCOPES[found.scope].inputs, found.data.get("values", {})
    named = set(found.data.get("named", []))
    rows: list[dict[str, object]] = [
        {
            "name": one.name, "words": one.words, "value": written(values[one.name], one.unit),
            "is_named": one.name in named,
        }
        for one in inputs
        if one.name in named or values.get(one.name)
    ]  # fmt: skip
    return sorted(rows, key=lambda row: not row["is_named"])


def _done[Made](
    request: HttpRequest, pk: int, act: Callable[[User], Made], words: str | Callable[[Made], str]
) -> HttpResponse:
    try:
        made = act(user_of(request))
    except OrchestratorError as refusal:
        if refusal.status == 404 and isinstance(refusal, AlertNotFound):
            raise Http404 from refusal
        return _shown(request, get_visible_or_404(request, pk), problem=str(refusal), status=refusal.status)
    told = words(made) if callable(words) else words or getattr(made, "words", "")
    if told:
        messages.success(request, told)
    back = request.POST.get("back", "")
    is_list = back == reverse("alerts:alerts")
    return redirect(back if is_list else reverse("alerts:alert", args=[pk]))
