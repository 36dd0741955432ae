"""The pages of proposals, and gate backtests: on a page of its own and inside the editor of definitions."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from agents.expressions import ExpressionError
from approvals import permissions
from approvals.feedback import examples, measuring, proposals, proposing, trying
from approvals.feedback.backtest import MOST, USUAL, Backtest, Rule, backtest
from approvals.feedback.models import Proposal
from approvals.feedback.views import SHOWN, seen_by_watchers
from approvals.views import user_of
from orchestrator import act_views, publishing, queries
from orchestrator.definitions.errors import DefinitionError
from orchestrator.errors import OrchestratorError
from orchestrator.models import Workflow

FILE: Final = "workflow.yaml"
LARGEST: Final = 2_000_000
EVERY: Final = 5  # gates that one look in the editor tries


@require_GET
@seen_by_watchers
def listed(request: HttpRequest) -> HttpResponse:
    """Proposals on workflows that this person sees: those that wait first."""
    found = list(proposals.visible(user_of(request))[:SHOWN])
    context = {"found": found, "live": proposals.LIVE, "bounds": proposing}
    return render(request, "approvals/feedback/proposals.html", context)


@require_GET
@seen_by_watchers
def shown(request: HttpRequest, pk: int) -> HttpResponse:
    """One proposal with its data, and, once accepted, what it came to."""
    return _shown(request, _get(request, pk))


@require_POST
@seen_by_watchers
def decide(request: HttpRequest, pk: int, do: str) -> HttpResponse:
    """Accept or decline it."""
    user, proposal, reason = user_of(request), _get(request, pk), request.POST.get("reason", "")
    try:
        if do == "decline":
            proposals.decline(pk, by=user, reason=reason)
            messages.success(request, _("Declined; the gate stays as it is."))
            return redirect("feedback:proposal", pk)
        accepted, done = proposals.accept(pk, by=user, reason=reason)
    except OrchestratorError as refusal:
        return _shown(request, proposal, problem=str(refusal), status=refusal.status, reason=reason)
    if done is None:
        messages.success(request, _("Your agreement is kept. A second person has to agree before anything changes."))
    else:
        said = _("Version %(number)d has the change and is current.") % {"number": accepted.version}
        messages.success(request, said, extra_tags=act_views.undo_address(done, reason, user))
    return redirect("feedback:proposal", pk)


@require_GET
@seen_by_watchers
def backtest_page(request: HttpRequest) -> HttpResponse:
    """Try another rule of a gate on what was decided: `?workflow=&step=&when=&sample=&limit=`."""
    user, asked = user_of(request), request.GET
    seen = permissions.visible_workflows(user).filter(current_version__isnull=False).order_by("title")
    context: dict[str, Any] = {"workflows": seen[:200], "limit": trying.bounded(asked.get("limit", ""))}
    workflow = seen.filter(name=asked.get("workflow", "")[:100]).first()
    if workflow is not None:
        gates = trying.gates_of(workflow)
        gate = next((one for one in gates if one.key == asked.get("step")), gates[0] if gates else None)
        context |= {"workflow": workflow, "gates": gates, "gate": gate, "may_edit": _may_edit(user, workflow)}
        if gate is not None:
            context |= _tried(user, workflow, gate, asked.get("when"), asked.get("sample"), context["limit"])
    return render(request, "approvals/feedback/backtest.html", context | {"usual": USUAL, "most": MOST})


@require_POST
@seen_by_watchers
def in_editor(request: HttpRequest, name: str) -> HttpResponse:
    """What the gates of a text that is being written would have changed, against those in force."""
    user = user_of(request)
    workflow = queries.get_visible_workflow_or_404(user, name)
    if not _may_edit(user, workflow):
        raise PermissionDenied(_("Your roles do not let you publish versions of it. A workflow manager can."))
    source = request.POST.get("source", "")[:LARGEST].replace("\r\n", "\n")
    context: dict[str, Any] = {"workflow": workflow}
    try:
        text = publishing.examine(source=source, file=FILE, by=user, make_queues=False)
        changed = list(trying.changed_gates(workflow, text.plan))
        context["tried"] = [Tried(gate.key, gate.title, _try(user, workflow, gate)) for gate in changed[:EVERY]]
        context["more"] = max(0, len(changed) - EVERY)
    except DefinitionError:
        context["problem"] = _("The text has problems: mend those first, then try it.")
    return render(request, "approvals/feedback/tried.html", context)


@dataclass(frozen=True, slots=True)
class Tried:
    """One gate of the text and what came of it."""

    key: str
    title: str
    found: Backtest


def _tried(
    user: User, workflow: Workflow, gate: trying.GateNow, when: str | None, sample: str | None, limit: int
) -> dict[str, Any]:
    rule = trying.rule_of(gate, when, sample)
    context: dict[str, Any] = {"rule": rule, "is_current": rule == gate.rule}
    try:
        context["found"] = backtest(workflow, gate.key, rule, user=user, limit=limit)
        context["sweep"] = list(trying.sweep(workflow, gate.key, rule, user=user, limit=limit))
    except ExpressionError as problem:
        context["problem"] = str(problem)
    return context


def _try(user: User, workflow: Workflow, gate: trying.GateNow) -> Backtest:
    return backtest(workflow, gate.key, gate.rule, user=user)


def _may_edit(user: User, workflow: Workflow) -> bool:
    return permissions.can(user, "publish_version", workflow)


def _get(request: HttpRequest, pk: int) -> Proposal:
    found = proposals.visible(user_of(request)).filter(pk=pk).first()
    if found is None:
        raise Http404
    return found


def _shown(
    request: HttpRequest, proposal: Proposal, *, problem: str = "", status: int = 200, reason: str = ""
) -> HttpResponse:
    user = user_of(request)
    context = {
        "proposal": proposal,
        "live": proposals.LIVE,
        "may_decide": proposals.may_decide(user, proposal) and proposal.status in proposals.LIVE,
        "is_first": proposal.first_by_id == user.pk,
        "lines": list(_lines(proposal)),
        "examples": _examples(user, proposal),
        "tried": _now(user, proposal),
        "measured": measuring.measured(proposal, user),
        "undo": _undo(proposal),
        "problem": problem,
        "reason": reason,
    }
    return render(request, "approvals/feedback/proposal.html", context, status=status)


def _undo(proposal: Proposal) -> str:
    """Where the act that takes the change back is asked for; empty before there is a change."""
    if proposal.version is None:
        return ""
    address = reverse("orchestrator:act", args=["workflow", proposal.workflow.name, "bring-back"])
    told = {"answers": json.dumps({"version": str(proposal.base)}), "reason": f"Undo: proposal {proposal.pk}"}
    return f"{address}?{urlencode(told)}"


def _lines(proposal: Proposal) -> Iterator[tuple[str, Any, Any]]:
    for name, value in proposal.change.items():
        yield name, proposal.before.get(name), value


def _examples(user: User, proposal: Proposal) -> list[Any]:
    ids = proposal.data.get("examples", [])
    rows = examples.visible(user).filter(pk__in=ids).select_related("gate", "by", "workflow")
    return list(rows.order_by("-at")[:SHOWN])


def _now(user: User, proposal: Proposal) -> Backtest | None:
    """The change tried on the past as this person may see it, so that its slips have links."""
    if "when" not in proposal.change or proposal.status not in proposals.LIVE:
        return None
    rule = Rule(str(proposal.change["when"]), float(proposal.change.get("sample", 0) or 0))
    return backtest(proposal.workflow, proposal.step, rule, user=user)
