"""Own figures, second looks, and how people decide in aggregate; what the card reports; own judgement first."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from approvals import permissions, queries
from approvals.able import cases, figures, first, looks, measures, minutes, promises
from approvals.models import Queue, SecondLook
from approvals.views import back_to, card_response, user_of
from orchestrator import pacing, rendering
from orchestrator.errors import OrchestratorError


@require_POST
def judge(request: HttpRequest, pk: int) -> HttpResponse:
    """Keep what somebody judges before they see what the machine thinks; then the card shows it."""
    user = user_of(request)
    gate = queries.get_visible_gate_or_404(user, pk)
    try:
        first.record(item=pk, by=user, verdict=request.POST.get("verdict", ""), note=request.POST.get("note", ""))
    except OrchestratorError as refusal:
        return back_to(request, pk, problem=str(refusal))
    if getattr(request, "wants_partial", False):
        return card_response(request, gate)
    return back_to(request, pk)


@require_POST
def activity(request: HttpRequest, pk: int) -> HttpResponse:
    """Count a report of a card that is looked at; says whether a break would do good."""
    user = user_of(request)
    queries.get_visible_gate_or_404(user, pk)
    measures.beat(
        item=pk, by=user, seconds=_number(request.POST.get("seconds", "")),
        evidence=request.POST.get("evidence") == "1", run=request.POST.get("run") == "1",
    )  # fmt: skip
    return JsonResponse({"pause": measures.suggests_break(user)})


@require_POST
def here(request: HttpRequest) -> HttpResponse:
    """Somebody has an inbox open: they are present."""
    user = _member(request)
    measures.seen(user)
    return HttpResponse(status=204)


@require_POST
def rested(request: HttpRequest) -> HttpResponse:
    """The suggestion of a break was read."""
    measures.told_of_break(_member(request))
    return HttpResponse(status=204) if getattr(request, "wants_partial", False) else redirect("approvals:own")


@require_GET
def own(request: HttpRequest) -> HttpResponse:
    """One's own reviewing: for oneself alone."""
    user = _member(request)
    found = figures.own(user)
    context = {"own": found, "titles": figures.titles(found.hasty), "looks": looks.waiting_for(user).count()}
    return render(request, "approvals/own.html", context)


@require_GET
def second_looks(request: HttpRequest) -> HttpResponse:
    """What waits for a second look by this person; none says how it was decided."""
    user = _member(request)
    waiting = list(looks.waiting_for(user)[:50])
    return render(request, "approvals/looks.html", {"waiting": waiting})


@require_http_methods(["GET", "POST"])
def second_look(request: HttpRequest, pk: int) -> HttpResponse:
    """One item to judge for the second time."""
    user = _member(request)
    look = looks.waiting_for(user).filter(pk=pk).first()
    if look is None:
        raise Http404
    problem, status = "", 200
    if request.method == "POST":
        try:
            given = looks.give(
                look_id=pk, by=user, says=request.POST.get("says", ""), note=request.POST.get("note", "")
            )
        except OrchestratorError as refusal:
            problem, status = str(refusal), refusal.status
        else:
            messages.success(request, _outcome(given))
            return redirect("approvals:looks")
    return render(request, "approvals/look.html", {**_shown(look), "problem": problem}, status=status)


@require_GET
def oversight(request: HttpRequest) -> HttpResponse:
    """How people decide, in aggregate: checks, agreement, promises, minutes."""
    user = user_of(request)
    if not permissions.can(user, "see_oversight"):
        raise PermissionDenied(_("Your roles do not show how people decide. An administrator can change that."))
    altogether, by_step = looks.agreements(user)
    context = {
        "rows": figures.everybody(user),
        "fewest_people": figures.FEWEST_PEOPLE,
        "fewest_items": figures.FEWEST_ITEMS,
        "altogether": altogether,
        "steps": by_step,
        "promises": promises.kept(user),
        "standing": minutes.standing(user),
        "held": pacing.held_back(),
        "disputed": list(looks.disputed(user)[:20]),
        "cases": list(cases.visible_to(user)[:50]),
        "keeps": permissions.can(user, "edit_quality"),
        "may_promise": permissions.can(user, "edit_queues"),
        "queues": Queue.objects.select_related("care") if permissions.can(user, "edit_queues") else (),
    }
    return render(request, "approvals/oversight.html", context)


@require_POST
def rule(request: HttpRequest, pk: int) -> HttpResponse:
    """Rule on what two people disagree about."""
    truth, why = request.POST.get("truth", ""), request.POST.get("why", "")
    return _act(request, lambda user: looks.rule(look_id=pk, by=user, truth=truth, why=why))


@require_POST
def case(request: HttpRequest, pk: int) -> HttpResponse:
    """Use a gold case, or take it out of use."""
    return _act(request, lambda user: cases.confirm(case_id=pk, by=user, use=request.POST.get("use") == "1"))


@require_POST
def promise(request: HttpRequest) -> HttpResponse:
    """Set what a queue promises."""
    if not permissions.can(user_of(request), "edit_queues"):
        raise PermissionDenied(_("Your roles do not change what queues promise. An administrator can change that."))
    queue = Queue.objects.filter(name=request.POST.get("queue", "")).first()
    if queue is None:
        raise Http404
    minutes_given = request.POST.get("minutes", "").strip()
    checks_given = request.POST.get("checks", "")
    return _act(
        request,
        lambda user: promises.promise(
            queue=queue, by=user, within_s=_number(minutes_given) * 60 if minutes_given else None,
            share=_number(request.POST.get("share", "")) / 100,
            check_share=_number(checks_given) / 100 if checks_given else None,
        ),
    )  # fmt: skip


def _act(request: HttpRequest, act: Any) -> HttpResponse:
    user = user_of(request)
    if not permissions.can(user, "see_oversight"):
        raise PermissionDenied(_("Your roles do not show how people decide. An administrator can change that."))
    try:
        act(user)
    except OrchestratorError as refusal:
        if refusal.status in (403, 404):
            raise (PermissionDenied(str(refusal)) if refusal.status == 403 else Http404) from refusal
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("Kept."))
    return redirect("approvals:oversight")


def _shown(look: SecondLook) -> dict[str, Any]:
    """The card's facts without anybody's opinion: no verdict, no comment, no confidence, no marks on evidence."""
    subject = look.gate.subject
    evidence = [{name: one.get(name, "") for name in ("claim", "quote", "source")} for one in subject["evidence"]]
    return {
        "look": look,
        "gate": look.gate,
        "action": [(name, value) for name, value in subject["action"].items() if name != "seal"],
        "consequence": subject["consequence"],
        "pieces": rendering.pieces(subject["proposal"]),
        "given": rendering.pieces(subject["input"]),
        "evidence": evidence,
    }


def _outcome(given: SecondLook) -> str:
    if given.first == given.second:
        return str(_("You both judged it the same way."))
    return str(_("You judged it otherwise than the first reviewer; somebody third will rule."))


def _member(request: HttpRequest) -> User:
    user = user_of(request)
    if not permissions.can_somewhere(user, "see_gate"):
        raise PermissionDenied(_("Your roles show you no gates. An administrator can change that."))
    return user


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
