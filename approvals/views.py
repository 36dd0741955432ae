"""The reviewer's inbox and card: reading it, and giving a verdict. Small acts beside a verdict are in `acts`."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from agents.types import Json
from approvals import desk, drift, forms, moved, permissions, policy, queries, services, voting
from approvals.able import checks
from approvals.cards import Card
from approvals.errors import GateAlreadySettled, GateChanged, GateGoingOut, InvalidAnswer, NoteMissing, SealBroken
from approvals.feedback import appraising
from approvals.models import Decision, Gate, GateStatus, Queue, Runway, Vote
from orchestrator.errors import OrchestratorError
from orchestrator.models import Run

CARD = "approvals/card.html"
REGIONS = {
    "top": f"{CARD}#top",
    "comments": "approvals/card/talk.html#comments",
    "ask": "approvals/card/ask.html#asked",
    "story": "approvals/card/story.html#told",
}  # parts that are fetched alone
_DROPPED = gettext_lazy(
    "You changed fields below, and this verdict would not send them. Look at the changes to approve it with them, "
    "or give the verdict once more to go on without them."
)


@require_GET
def inbox(request: HttpRequest) -> HttpResponse:
    """The list, with its first card beside it where there is room."""
    user = user_of(request)
    if not permissions.can_somewhere(user, "see_gate"):
        raise PermissionDenied(_("Your roles show you no gates. An administrator can change that."))
    found = _inbox(request, desk.Wanted.of(request.GET))
    if _wants_partial(request):
        return render(request, "approvals/inbox.html#list", {"inbox": found, "at": _number(request.GET.get("at", ""))})
    first = found.next_after(0)
    if first:
        context = _card_of(request, queries.get_visible_gate_or_404(user, first.gate.pk), queues=found.every)
    else:  # the last card was decided: what came of it is said all the same
        context = _after(request, _number(request.GET.get("after", "")))
    frame = {"inbox": found, "opened": "list", "going_out": found.going_out}
    return render(request, "approvals/inbox.html", {**frame, **context})


@require_GET
def gate(request: HttpRequest, pk: int) -> HttpResponse:
    """One card: the page it is on, the card alone, or one of its regions (`?part=`)."""
    try:
        found = queries.get_visible_gate_or_404(user_of(request), pk)
    except Http404:
        return _moved(request, pk, status=200)
    context = _card_of(request, found)
    part = request.GET.get("part", "")
    if part in REGIONS:
        if part == "story":
            context["story"] = desk.story(found, user_of(request))
        context["seen"] = _number(request.GET.get("seen", "")) or found.version
        return render(request, REGIONS[part], context)
    if _wants_partial(request):
        return render(request, f"{CARD}#card", context)
    return _page(request, context)


@require_GET
def history(request: HttpRequest) -> HttpResponse:
    """What this person decided, newest first, and what became of it."""
    user = user_of(request)
    if not permissions.can_somewhere(user, "see_gate"):
        raise PermissionDenied(_("Your roles show you no gates. An administrator can change that."))
    context = {"decisions": queries.decisions_of(user, limit=100), "counts": queries.counts(user)}
    return render(request, "approvals/history.html", context)


@require_POST
def decide(request: HttpRequest, pk: int) -> HttpResponse:
    """Give a verdict; then the next card opens. Whatever is refused comes back with everything that was typed."""
    user = user_of(request)
    try:
        found = queries.get_visible_gate_or_404(user, pk)
    except Http404:
        return _moved(request, pk, status=409)
    ticks = tuple(request.POST.getlist("checked")[:50])
    typed = desk.Typed(
        note=request.POST.get("note", ""), verdict=request.POST.get("verdict", ""), checked=ticks,
        appraisal=appraising.read(request.POST),
    )  # fmt: skip
    answer: dict[str, Json] | None = None
    if typed.verdict.startswith("choose:"):
        answer = {"alternative": _number(typed.verdict.removeprefix("choose:"))}
        typed = replace(typed, verdict="choose")
    elif policy.carries_answer(typed.verdict):
        typed, answer = _read_answer(request, queries.card(found, user), typed)
        if typed.problem or typed.review is not None:
            return _again(request, found, typed, status=422 if typed.problem else 200)
    elif "without_changes" not in request.POST and (fields := desk.dropped(found, typed.verdict, request.POST)):
        return _again(request, found, replace(typed, fields=fields, problem=str(_DROPPED), is_warned=True), status=422)
    try:
        made = _send(request, found, typed, answer)
    except OrchestratorError as refusal:
        return _refused(request, pk, typed, refusal)
    return _next(request, pk, made if isinstance(made, Decision) else None)


def _send(request: HttpRequest, found: Gate, typed: desk.Typed, answer: dict[str, Json] | None) -> Model:
    if typed.verdict == "escalate":
        version = _number(request.POST.get("version", ""))
        return services.escalate(gate_id=found.pk, by=user_of(request), gate_version=version, why=typed.note)
    return services.decide(
        gate_id=found.pk,
        by=user_of(request),
        verdict=typed.verdict,
        gate_version=_number(request.POST.get("version", "")),
        note=typed.note,
        edited=answer,
        idempotency_key=request.POST.get("key", "")[:200],
        checked=typed.checked,
        appraisal=typed.appraisal,
    )


def _read_answer(request: HttpRequest, card: Card, typed: desk.Typed) -> tuple[desk.Typed, dict[str, Json] | None]:
    """What was typed into the fields; an edit is shown as changes first, and sent when those were seen."""
    reading = forms.read(desk.fields_of(card), card.proposal, request.POST, is_work=typed.verdict == "complete")
    typed = replace(typed, fields=reading.fields)
    if not reading.is_readable:
        return replace(typed, problem=_("Correct what is marked below; nothing was sent.")), None
    if typed.verdict != "edit" or card.gate.status != GateStatus.OPEN:
        return typed, reading.document
    changed, seal = desk.review(card, reading.document)
    if not changed:
        return replace(typed, problem=_("Nothing is changed yet. Change a field, or approve it as it stands.")), None
    if request.POST.get("reviewed") != seal:
        return replace(typed, review=changed, reviewed=seal), None
    return typed, reading.document


def _refused(request: HttpRequest, pk: int, typed: desk.Typed, refusal: OrchestratorError) -> HttpResponse:
    """The card as it is now, and why the verdict does not stand."""
    found = queries.get_visible_gate_or_404(user_of(request), pk)
    match refusal:
        case GateGoingOut():
            words = str(refusal)
        case GateAlreadySettled():
            words = _("Your verdict came too late; what you typed is kept below.")
        case SealBroken():
            words = str(refusal)
        case InvalidAnswer():
            words = str(refusal)
            marked = typed.fields and forms.with_problem(
                typed.fields, str(refusal.facts["path"]), str(refusal.facts["problem"])
            )
            typed = replace(typed, fields=marked)
        case NoteMissing():
            words = _("Say why in the note: this verdict needs a reason. What you typed is kept.")
        case GateChanged():
            words = _("This changed after you opened it. Look at it again; what you typed is kept.")
        case _:
            words = str(refusal)
    return _again(request, found, replace(typed, problem=words, review=None), status=refusal.status)


def _moved(request: HttpRequest, pk: int, *, status: int) -> HttpResponse:
    """What happened to a card that this person had open and may not see any more, with what they typed; else 404."""
    typed = policy.clean_text(request.POST.get("note", ""))[: policy.NOTE_LIMIT]
    found = moved.away(pk, user_of(request), typed=typed, posted=request.POST)
    if found is None:
        raise Http404
    part = "top" if request.GET.get("part") == "top" else "card" if _wants_partial(request) else ""
    return render(request, f"approvals/moved.html{'#' if part else ''}{part}", {"moved": found}, status=status)


def _again(request: HttpRequest, found: Gate, typed: desk.Typed, *, status: int) -> HttpResponse:
    context = _card_of(request, found, typed)
    if _wants_partial(request):
        return render(request, f"{CARD}#card", context, status=status)
    return _page(request, context, status=status)


def _next(request: HttpRequest, pk: int, made: Decision | None) -> HttpResponse:
    """The next card, with one line on what came of the last: of the decision made, or of what is stored of it."""
    user = user_of(request)
    # The list may have been searched since the card was opened: its filter comes along in the form.
    wanted = desk.Wanted.of(request.POST if "q" in request.POST else request.GET)
    found = _inbox(request, wanted)
    row = found.next_after(pk)
    address = (reverse("approvals:gate", args=[row.gate.pk]) if row else reverse("approvals:inbox")) + wanted.query
    if not _wants_partial(request):
        joint = "&" if "?" in address else "?"
        return redirect(f"{address}{joint}after={pk}")
    if row:
        context = _card_of(request, queries.get_visible_gate_or_404(user, row.gate.pk), queues=found.every)
    else:
        context = _frame(request)
    context |= _told(made) if made else _after(request, pk)
    context |= {"inbox": found, "at": row.gate.pk if row else 0, "query": wanted.query}
    context["going_out"] = found.going_out
    response = render(request, "approvals/next.html", context)
    response["HX-Push-Url"] = address
    return response


def _inbox(request: HttpRequest, wanted: desk.Wanted) -> desk.Inbox:
    """The list; its count is the navigation's as well."""
    found = desk.inbox(user_of(request), wanted)
    request.waiting = found.counts.waiting  # type: ignore[attr-defined]
    return found


def _card_of(
    request: HttpRequest, found: Gate, typed: desk.Typed | None = None, queues: Sequence[Queue] = ()
) -> dict[str, Any]:
    """What the card's template needs. The key makes one sending of the form one decision, however often it arrives."""
    opened = desk.desk(found, user_of(request), typed, queues)
    seen = _number(request.GET.get("from", "")) or _number(request.POST.get("version", ""))
    may_drift = found.status == GateStatus.OPEN and "presence" in opened.card.has  # else nobody has looked before
    return {
        **_frame(request),
        **_after(request, _number(request.GET.get("after", ""))),
        "desk": opened,
        "card": opened.card,
        "gate": found,
        "seen": found.version,
        "at": found.pk,
        "key": new_key(),
        "aftermath": desk.aftermath(found),
        "drift": drift.since(found, user_of(request), seen=seen) if may_drift else None,
        "run": found.run,
    }


def _frame(request: HttpRequest) -> dict[str, Any]:
    return {"query": desk.Wanted.of(request.GET).query}


def _after(request: HttpRequest, pk: int) -> dict[str, Any]:
    """The acknowledgement of the decision just made: this person's own, on gate `pk`."""
    if not pk:
        return {}
    mine = Decision.objects.filter(gate_id=pk, decided_by=user_of(request))
    decision = mine.select_related("gate__run").defer("before", "after", "gate__subject").first()
    if decision:
        return _told(decision, decision.gate.run)
    laid = Runway.objects.filter(gate_id=pk, decided_by=user_of(request)).select_related("gate").last()
    if laid:
        return {"laid": laid}
    vote = Vote.objects.filter(gate_id=pk, voter=user_of(request)).select_related("gate").last()
    if vote:
        return {"voted": vote, "stand": voting.standing(vote.gate)}
    check = checks.find(pk, user_of(request))
    return {"checked": check} if check and check.ended_at else {}


def _told(decision: Decision, run: Run | None = None) -> dict[str, Any]:
    return {"acknowledged": decision, "after": desk.aftermath(decision.gate, run)}


def card_response(request: HttpRequest, found: Gate) -> HttpResponse:
    """The card as it is now, alone."""
    return render(request, f"{CARD}#card", _card_of(request, found))


def _page(request: HttpRequest, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    found = _inbox(request, desk.Wanted.of(request.GET))
    frame = {"inbox": found, "opened": "card", "going_out": found.going_out}
    return render(request, "approvals/inbox.html", {**frame, **context}, status=status)


def back_to(request: HttpRequest, pk: int, *, problem: str = "", said: str = "") -> HttpResponse:
    """Where a small act without JavaScript leads: the card it was about."""
    if problem:
        messages.error(request, problem)
    if said:
        messages.success(request, said)
    return redirect(reverse("approvals:gate", args=[pk]) + desk.Wanted.of(request.GET).query)


def new_key() -> str:
    """What makes one sending of a form one decision."""
    return uuid.uuid4().hex


def user_of(request: HttpRequest) -> User:
    """The person signed in."""
    assert isinstance(request.user, User)  # LoginRequiredMiddleware lets nobody else in
    return request.user


def _wants_partial(request: HttpRequest) -> bool:
    return bool(getattr(request, "wants_partial", False))


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
