"""The page under the account: who stands in for whom and when; one gate to a named person; gates without people."""

from datetime import date

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from approvals import deciders, delegation, desk, handing, permissions, queries, stranded, suggesting
from approvals.models import Delegation
from approvals.views import back_to, user_of
from orchestrator.errors import OrchestratorError

MOST = 200


@require_http_methods(["GET", "HEAD", "POST"])
def away(request: HttpRequest) -> HttpResponse:
    """Who stands in, with the form that makes somebody do so."""
    user = _member(request)
    if request.method != "POST":
        return _page(request, user)
    typed = {name: request.POST.get(name, "").strip() for name in ("first", "last", "delegate", "reason")}
    try:
        first, last = date.fromisoformat(typed["first"]), date.fromisoformat(typed["last"])
    except ValueError:
        return _page(request, user, typed, _("Name both days."))
    person = User.objects.filter(username=typed["delegate"]).first()
    if person is None:
        return _page(request, user, typed, _("Choose who stands in."))
    starts, ends = delegation.days(first, last, user)
    try:
        delegation.make(delegator=user, delegate=person, starts=starts, ends=ends, by=user, reason=typed["reason"])
    except OrchestratorError as refusal:
        return _page(request, user, typed, str(refusal), status=refusal.status)
    messages.success(request, _("Kept. It is on record, and it ends by itself."))
    return redirect("approvals:away")


@require_POST
def end(request: HttpRequest, pk: int) -> HttpResponse:
    """End a delegation before its time."""
    user = _member(request)
    try:
        delegation.end(delegation_id=pk, by=user)
    except OrchestratorError as refusal:
        messages.error(request, str(refusal))
    return redirect("approvals:away")


@require_http_methods(["GET", "HEAD", "POST"])
def hand(request: HttpRequest, pk: int) -> HttpResponse:
    """Put one gate before a named person; GET asks whom."""
    user = user_of(request)
    gate = queries.get_visible_gate_or_404(user, pk)
    if request.method != "POST":
        people = suggesting.candidates(gate, apart_from=user)
        partial = "#form" if getattr(request, "wants_partial", False) else ""
        return render(request, f"approvals/hand.html{partial}", {"gate": gate, "people": people})
    person = User.objects.filter(username=request.POST.get("to", "")).first()
    if person is None:
        return back_to(request, pk, problem=_("Choose whom to hand it to."))
    try:
        handing.hand(gate_id=pk, by=user, to=person, reason=request.POST.get("reason", ""))
    except OrchestratorError as refusal:
        return back_to(request, pk, problem=str(refusal))
    return redirect(reverse("approvals:gate", args=[pk]) + desk.Wanted.of(request.GET).query)


def _member(request: HttpRequest) -> User:
    user = user_of(request)
    if not permissions.can_somewhere(user, "see_gate"):
        raise PermissionDenied(_("Your roles show you no gates. An administrator can change that."))
    return user


def _page(
    request: HttpRequest, user: User, typed: dict[str, str] | None = None, problem: str = "", status: int = 422
) -> HttpResponse:
    held = set(permissions.decidable_queues(user).values_list("pk", flat=True))
    others = set.intersection(*(deciders.by_queue()[queue] for queue in held)) - {user.pk} if held else set()
    mends = permissions.can(user, "manage_access") or permissions.can(user, "edit_queues")
    context = {
        "delegations": delegation.of(user)[:MOST],
        "all": Delegation.objects.select_related("delegator", "delegate").order_by("-starts_at")[:MOST]
        if mends
        else (),
        "people": deciders.named(others),
        "decides": bool(held),
        "mends": mends,
        "items": stranded.open_items()[:MOST] if mends else (),
        "typed": typed or {},
        "problem": problem,
    }
    return render(request, "approvals/away.html", context, status=status if problem else 200)
