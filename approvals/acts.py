"""The small acts around a decision: claim, comment, keep a draft, be seen; and what held screens ask about."""

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from approvals import asking, desk, forms, moved, permissions, policy, queries, runways, services
from approvals.models import Decision, Runway
from approvals.notices import services as notices
from approvals.views import CARD, REGIONS, back_to, user_of
from orchestrator.errors import OrchestratorError

MAX_ROWS = 200


@require_POST
def claim(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a gate for a few minutes."""
    user = user_of(request)
    queries.get_visible_gate_or_404(user, pk)
    try:
        services.claim_gate(gate_id=pk, by=user)
    except OrchestratorError as refusal:
        return _answer(request, pk, "top", problem=str(refusal))
    return _answer(request, pk, "top")


@require_POST
def release(request: HttpRequest, pk: int) -> HttpResponse:
    """Give a claim back."""
    user = user_of(request)
    queries.get_visible_gate_or_404(user, pk)
    services.release_claim(gate_id=pk, by=user)
    return _answer(request, pk, "top")


@require_POST
def comment(request: HttpRequest, pk: int) -> HttpResponse:
    """Add a remark that changes nothing."""
    user = user_of(request)
    queries.get_visible_gate_or_404(user, pk)
    try:
        services.comment(gate_id=pk, by=user, text=request.POST.get("text", ""))
    except OrchestratorError as refusal:
        return _answer(request, pk, "comments", problem=str(refusal))
    return _answer(request, pk, "comments")


@require_POST
def ask(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask the agent behind it a question."""
    user = user_of(request)
    queries.get_visible_gate_or_404(user, pk)
    try:
        asking.ask(gate_id=pk, by=user, text=request.POST.get("text", ""))
    except OrchestratorError as refusal:
        return _answer(request, pk, "ask", problem=str(refusal))
    return _answer(request, pk, "ask")


@require_POST
def draft(request: HttpRequest, pk: int) -> HttpResponse:
    """Keep what has been typed: the note, and the fields that can be read. Answers with nothing."""
    user = user_of(request)
    try:
        card = queries.card(queries.get_visible_gate_or_404(user, pk), user)
    except Http404:
        if moved.away(pk, user, typed=policy.clean_text(request.POST.get("note", ""))[: policy.NOTE_LIMIT]) is None:
            raise
        return HttpResponse(status=204)
    answer = None
    if request.POST.get("open") == "1":
        answer = forms.read(desk.fields_of(card), card.proposal, request.POST).document
    try:
        services.save_draft(gate_id=pk, by=user, text=request.POST.get("note", ""), answer=answer)
    except OrchestratorError as refusal:
        return HttpResponse(str(refusal), status=refusal.status, content_type="text/plain; charset=utf-8")
    return HttpResponse(status=204)


@require_POST
def presence(request: HttpRequest, pk: int) -> HttpResponse:
    """Be seen with a card open; answers with who else is there."""
    user = user_of(request)
    gate = queries.get_visible_gate_or_404(user, pk)
    seen = request.POST.get("version", "")
    services.touch_presence(gate_id=pk, by=user, version=int(seen) if seen.isdecimal() and len(seen) < 10 else 0)
    notices.mark_gate_read(by=user, gate_id=pk)
    looking = queries.who_is_looking(gate, apart_from=user)
    return JsonResponse({"looking": [person.get_full_name() or person.username for person in looking]})


@require_GET
def aftermath(request: HttpRequest, pk: int) -> HttpResponse:
    """The line that says what came of a decision this person made."""
    user = user_of(request)
    gate = queries.get_visible_gate_or_404(user, pk)
    decision = Decision.objects.filter(gate=gate, decided_by=user).select_related("gate__run").first()
    if decision is None:
        laid = Runway.objects.filter(gate=gate, decided_by=user).select_related("gate").last()
        if laid is None:
            raise Http404
        return render(request, "approvals/runway.html#laid", {"laid": laid})
    return render(request, f"{CARD}#ack", {"acknowledged": decision, "after": desk.aftermath(gate)})


@require_POST
def take_back(request: HttpRequest, pk: int) -> HttpResponse:
    """Take an approval back before it goes out; the card is up for decision again."""
    user = user_of(request)
    queries.get_visible_gate_or_404(user, pk)
    try:
        runways.take_back(gate_id=pk, by=user, why=request.POST.get("why", "")[:1000])
    except OrchestratorError as refusal:
        return back_to(request, pk, problem=str(refusal))
    return back_to(request, pk, said=_("Taken back. Nothing has gone out; decide it anew."))


@require_POST
def let_go(request: HttpRequest, pk: int) -> HttpResponse:
    """Let one's own approval go out before its time."""
    user = user_of(request)
    queries.get_visible_gate_or_404(user, pk)
    try:
        runways.let_go(gate_id=pk, by=user)
    except OrchestratorError as refusal:
        return back_to(request, pk, problem=str(refusal))
    return back_to(request, pk, said=_("It has gone out."))


@require_GET
def going_out(request: HttpRequest) -> HttpResponse:
    """One's own approvals that can still be taken back."""
    user = user_of(request)
    if not permissions.can_somewhere(user, "see_gate"):
        raise PermissionDenied(_("Your roles show you no gates. An administrator can change that."))
    return render(request, "approvals/runway.html#all", {"going_out": runways.of(user)})


@require_GET
def standing(request: HttpRequest) -> HttpResponse:
    """Which of the rows on a screen are settled by now, and who is looking at the others."""
    user = user_of(request)
    if not permissions.can_somewhere(user, "see_gate"):
        raise PermissionDenied(_("Your roles show you no gates. An administrator can change that."))
    given = request.GET.get("ids", "").split(",")[:MAX_ROWS]
    ids = [int(pk) for pk in given if pk.isascii() and pk.isdigit() and len(pk) < 19]
    settled, looking = desk.standing(user, ids)
    return JsonResponse({"settled": settled, "looking": looking})


def _answer(request: HttpRequest, pk: int, region: str, *, problem: str = "") -> HttpResponse:
    """The card's region as it is now; the card's page for a form sent without JavaScript."""
    if not getattr(request, "wants_partial", False):
        return back_to(request, pk, problem=problem)
    user = user_of(request)
    gate = queries.get_visible_gate_or_404(user, pk)
    opened = desk.desk(gate, user)
    wanted = desk.Wanted.of(request.GET)
    context = {"desk": opened, "card": opened.card, "gate": gate, "seen": gate.version, "query": wanted.query}
    return render(request, REGIONS[region], {**context, "act_problem": problem})
