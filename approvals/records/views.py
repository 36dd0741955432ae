"""The page of one decision's record: the draft in a form, and what was confirmed."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from approvals import queries
from approvals.models import Decision
from approvals.records import services
from approvals.records.drafting import drafted
from approvals.views import user_of
from orchestrator.errors import OrchestratorError


@require_http_methods(["GET", "HEAD", "POST"])
def decision_record(request: HttpRequest, pk: int) -> HttpResponse:
    """The record of a settled gate's decision; a POST confirms it."""
    user = user_of(request)
    gate = queries.get_visible_gate_or_404(user, pk)
    card = queries.card(gate, user)
    if card.decision is None:
        raise Http404
    decision: Decision = card.decision
    draft, problem = drafted(card, decision), ""
    if request.method == "POST":
        text = request.POST.get("text", "")
        try:
            services.confirm(decision_id=decision.pk, by=user, draft=draft, text=text)
        except OrchestratorError as refusal:
            problem, status = str(refusal), refusal.status
        else:
            messages.success(request, _("The record is confirmed; it stands beside the decision."))
            return redirect("approvals:record", pk=pk)
    records = list(decision.records.select_related("confirmed_by")[:20])
    typed = request.POST.get("text", "") if problem else records[0].text if records else draft
    context = {
        "gate": gate, "decision": decision, "draft": draft, "records": records, "typed": typed, "problem": problem,
        "may_confirm": services.may_confirm(user, decision),
    }  # fmt: skip
    return render(request, "approvals/record.html", context, status=status if problem else 200)
